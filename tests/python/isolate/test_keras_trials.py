"""Trials with the real TensorFlow and Keras: each in a process as good as fresh."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import keraser
import numpy as np
import pytest
from processes import preload_with

SEED = 7


def train(units, seed=None):
    """The losses of a small model; and what this process had of TensorFlow before."""
    import keras
    from tensorflow.python.eager import context

    had_context = context._context is not None
    if seed is not None:
        keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 8), np.float32), rng.random((64, 1), np.float32)
    history = model.fit(x, y, epochs=3, verbose=0)
    return model, history, had_context


@pytest.fixture(scope="module")
def executor():
    with keraser.TrialExecutor(memory="1GiB", timeout=300, output="keep") as executor:
        yield executor


def losses(units, seed):
    return train(units, seed)[1].history["loss"]


def test_a_trial_trains_as_a_fresh_process_does_bit_for_bit(executor):
    script = (
        "import json, sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_keras_trials import losses\n"
        f"print(json.dumps([x.hex() for x in losses(16, {SEED})]))\n"
    )
    here = Path(__file__).parent
    fresh = subprocess.run(
        [sys.executable, "-c", script, here, here.parent],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    trained = executor.submit(losses, 16, SEED).result()
    assert [loss.hex() for loss in trained] == json.loads(fresh.stdout)


def test_no_trial_finds_anything_of_another(executor):
    def look():
        _, _, had_context = train(4)
        return had_context, train(4)[2]

    assert executor.submit(look).result() == (False, True)
    assert executor.submit(look).result() == (False, True)


def test_trials_draw_different_numbers_unless_seeded(executor):
    def draw(seed=None):
        import keras
        import tensorflow as tf

        if seed is not None:
            keras.utils.set_random_seed(seed)
        layer = keras.layers.Dense(2)
        layer.build((None, 2))
        drawn = tf.random.normal((2,)).numpy(), keras.random.normal((2,)).numpy()
        return [layer.get_weights()[0].tobytes(), *(part.tobytes() for part in drawn)]

    apart = [executor.submit(draw).result() for _ in range(3)]
    for one in zip(*apart, strict=True):
        assert len(set(one)) == 3
    assert executor.submit(draw, 1).result() == executor.submit(draw, 1).result()


def test_models_and_histories_come_back(executor):
    model, history, _ = executor.submit(train, 8, SEED).result()
    assert len(history.history["loss"]) == 3
    assert model.optimizer.iterations.numpy() == 6
    x = np.ones((2, 8), np.float32)
    expected = executor.submit(lambda m: m.predict(x, verbose=0), model).result()
    assert np.array_equal(model.predict(x, verbose=0), expected)


def test_large_results_and_arguments_arrive_to_the_bit(executor):
    block = np.random.default_rng(1).random((1000, 4000))

    def double(array):
        return array * 2, array.tobytes()[:16]

    doubled, first = executor.submit(double, block).result()
    assert np.array_equal(doubled, block * 2)
    assert first == block.tobytes()[:16]
    doubled[0] = 0  # it is this process's own


def test_keraser_works_within_a_trial(executor):
    def clear_one():
        model, history, _ = train(64)
        del history
        receipt = keraser.clear(model)
        return receipt.cleared, receipt.freed_bytes, len(keraser.census().models)

    cleared, freed, left = executor.submit(clear_one).result()
    assert cleared
    assert freed > (8 * 64 + 64 + 65) * 4 * 3  # weights and two slots of Adam
    assert left == 0


def test_memory_of_tensors_is_limited(executor):
    def hog():
        import tensorflow as tf

        return [tf.ones((1 << 24,)) for _ in range(60)]  # of 64 MiB

    with pytest.raises(keraser.MemoryLimitExceeded) as caught:
        executor.submit(hog).result()
    assert caught.value.figures.peak < 1.1 * (1 << 30)


def test_a_server_in_which_an_operation_ran_is_refused(tmp_path):
    text = "import tensorflow as tf\ntf.constant(1) + 1\n"
    with preload_with(tmp_path, text, "tensorflow") as executor:
        error = executor.submit(len, "").exception(timeout=120)
    assert isinstance(error, keraser.UnsupportedError)
    assert "has run an operation" in str(error)


def test_a_server_in_which_an_operation_runs_later_is_replaced(tmp_path):
    """As it forks for the second time: neither that child nor a later one is used."""
    text = (
        "import os\n"
        "import tensorflow as tf\n"
        "forks = []\n"
        "def before():\n"
        "    forks.append(1)\n"
        "    if len(forks) == 2:\n"
        "        tf.constant(1) + 1\n"
        "os.register_at_fork(before=before)\n"
    )

    def step():
        import tensorflow as tf

        # Hangs in a child of a process that ran an operation.
        return float(tf.function(lambda x: x + 1)(tf.constant(1.0)))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with preload_with(tmp_path, text, "tensorflow") as executor:
            steps = [executor.submit(step).result(timeout=120) for _ in range(3)]
            servers = executor.stats().servers
    assert steps == [2.0] * 3
    assert servers >= 2
    said = [str(w.message) for w in caught if w.category is RuntimeWarning]
    assert "has run an operation in the fork server" in said[0]
