"""park and unpark: the same bits, functions and objects afterwards, and the memory free
meanwhile."""

import gc
import json
import pickle
import threading
import weakref

import keras
import keraser
import numpy as np
import parkable
import pytest
import tensorflow as tf
from keraser.adapters.keras_tf import KerasTensorFlow, values
from parkable import layers
from small_models import X, Y, trained

#: From this size on the pool's figure moves by what was freed.
LARGE = 256 * 1024


def wide():
    """Two weights and their slots of 1 MiB and more each."""
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(512), layers.Dense(512), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    return model


def handles(model):
    return [v.value.handle for v in parkable.variables(model)]


def in_use():
    gc.collect()
    return tf.config.experimental.get_memory_info("CPU:0")["current"]


@pytest.mark.parametrize("name", parkable.MODELS)
def test_training_goes_on_as_if_nothing_had_been(name):
    parkable.check_round_trip(parkable.MODELS[name], None)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("name", ["mixed_float16", "bfloat16"])
def test_a_file_brings_the_same_bits_back(name, suffix, tmp_path):
    parkable.check_round_trip(parkable.MODELS[name], tmp_path / f"values.{suffix}")


def test_memory_is_free_while_the_model_is_parked(tmp_path):
    model = wide()
    large = [v for v in parkable.variables(model) if v.value.numpy().nbytes >= LARGE]
    size = sum(v.value.numpy().nbytes for v in large)
    assert size == 3 * 512 * 512 * 4
    resources, before = handles(model), in_use()
    receipt = keraser.park(model, to=tmp_path / "wide.npz")
    assert before - in_use() >= size
    assert [values.is_empty(h) for h in resources] == [
        values.can_be_empty(h) for h in resources
    ]
    assert receipt.freed_bytes >= size
    keraser.unpark(model)
    assert abs(before - in_use()) < LARGE
    keraser.park(model)
    assert before - in_use() >= size
    keraser.unpark(model)


def test_what_comes_back_is_a_copy():
    """TensorFlow would take an aligned array for its own, and train in it."""
    buffer = np.zeros(64 * 64 + 16, "f4")
    start = -buffer.ctypes.data % 64 // 4
    array = buffer[start : start + 64 * 64].reshape(64, 64)
    variable = keras.Variable(np.ones((64, 64)), dtype="float32")
    KerasTensorFlow().write_value(variable.value.handle, array)
    array += 7
    assert not variable.numpy().any()


def test_the_receipt_is_plain_data():
    model = trained()
    name = model.name
    receipt = keraser.park(model, to=None)
    weights = {k: receipt.bytes[k] for k in ("weights", "optimizer")}
    assert weights["optimizer"] == 2 * (8 * 16 + 16 + 2 * 16 + 16) * 4
    assert receipt.model == name
    assert __file__ in receipt.where
    assert json.loads(json.dumps(receipt.to_dict()))["bytes"] == receipt.bytes
    assert name in repr(receipt)
    assert "keraser.unpark" in receipt._repr_html_()
    assert pickle.loads(pickle.dumps(receipt)) == receipt
    keraser.unpark(model)


def test_any_use_of_a_parked_model_or_its_parts_says_where_it_was_parked():
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    name, things = model.name, [*parkable.parts(model), *parkable.variables(model)]
    seeds = model.layers[2].seed_generator
    kernel = model.layers[0].kernel
    metric = next(m for m in model.metrics if m.name == "compile_metrics").metrics[0]
    keraser.park(model)
    uses = {
        "attribute": lambda: model.name,
        "call": lambda: model(x),
        "fit": lambda: model.fit(x, y),
        "set": lambda: setattr(model, "loss", None),
        "save": lambda: keras.models.save_model(model, "never.keras"),
        "pickle": lambda: pickle.dumps(model),
        "seeds": lambda: seeds.next(),
        "metric": lambda: metric.result(),
        "array": lambda: np.asarray(kernel),
        "tensor": lambda: tf.convert_to_tensor(kernel),
        "sum": lambda: kernel + 1,
        "float": lambda: float(kernel),
    }
    for what, use in uses.items():
        with pytest.raises(keraser.ParkedModelError) as caught:
            use()
        for word in (name, __file__, "keraser.unpark(model)"):
            assert word in str(caught.value), what
    for thing in things:
        with pytest.raises(keraser.ParkedModelError, match="parked at"):
            thing.name  # noqa: B018
        assert "parked at" in repr(thing)
    assert isinstance(model, keraser.ParkedModel)
    assert model in [model]
    keraser.unpark(model)
    assert np.isfinite(seeds.next().numpy()).all()


def test_a_function_of_the_user_refuses_and_then_goes_on():
    model = trained()

    @tf.function
    def ask(x):
        return model(x) + model.layers[-1].bias

    tensor = tf.constant(X)
    before, concrete = ask(tensor).numpy(), ask.get_concrete_function(tensor)
    raw = model.layers[-1].bias.value  # one element: it is not emptied
    keraser.park(model)
    for call in (ask, concrete):
        with pytest.raises(keraser.ParkedModelError, match="parked at"):
            call(tensor)
    with pytest.raises(keraser.ParkedModelError):
        raw.numpy()
    keraser.unpark(model)
    assert ask(tensor).numpy().tobytes() == before.tobytes()
    assert concrete(tensor).numpy().tobytes() == before.tobytes()
    assert ask.experimental_get_tracing_count() == 1


def test_what_is_shared_stays_and_is_named():
    shared = layers.Dense(8, name="park_shared")
    models = []
    for name in ("park_one", "park_two"):
        model = keras.Sequential(
            [keras.Input((8,)), shared, layers.Dense(1)], name=name
        )
        model.compile("adam", "mse")
        model.fit(X, Y, verbose=0)
        models.append(model)
    one, two = models
    before, prediction = parkable.values(one), two.predict(X, verbose=0)
    receipt = keraser.park(one)
    kept = {k.what: k for k in receipt.kept}
    assert kept["layer 'park_shared'"].holders
    assert sum(k.bytes for k in receipt.kept) == (8 * 8 + 8) * 4
    assert two.predict(X, verbose=0).tobytes() == prediction.tobytes()
    assert shared.kernel.numpy().shape == (8, 8)
    keraser.unpark(one)
    assert parkable.values(one) == before


@pytest.mark.parametrize("verb", [keraser.park, keraser.clear])
def test_what_a_parked_model_shares_stays_when_the_other_goes_too(verb):
    shared = layers.Dense(8, name="park_twice")
    one, two = (
        keras.Sequential([keras.Input((8,)), shared, layers.Dense(1)]) for _ in range(2)
    )
    prediction = one.predict(X, verbose=0)
    keraser.park(one)
    name = two.name
    receipt = verb(two)
    assert shared.kernel.numpy().shape == (8, 8)
    keraser.unpark(one)
    assert one.predict(X, verbose=0).tobytes() == prediction.tobytes()
    assert receipt.model == name
    if verb is keraser.park:
        assert "layer 'park_twice'" in [k.what for k in receipt.kept]
        keraser.unpark(two).predict(X, verbose=0)


def test_a_shared_metric_and_optimizer_stay():
    metric = keras.metrics.MeanAbsoluteError(name="park_mae")
    one, two = trained(), trained()
    optimizer = keras.optimizers.Adam(name="park_adam")
    one.compile(optimizer, "mse", metrics=[metric])
    two.compile(optimizer, "mse", metrics=[metric])
    one.evaluate(X, Y, verbose=0)
    two.evaluate(X, Y, verbose=0)
    receipt = keraser.park(one)
    kept = [k.what for k in receipt.kept]
    assert "metric 'park_mae'" in kept
    assert "optimizer 'park_adam'" in kept
    two.evaluate(X, Y, verbose=0)
    assert optimizer.name == "park_adam"
    keraser.unpark(one)
    one.evaluate(X, Y, verbose=0)


def test_a_model_that_is_dropped_while_parked_dies():
    model = trained()
    dead = weakref.ref(model)
    keraser.park(model)
    del model
    gc.collect()
    keraser.clear()
    assert dead() is None


def test_a_held_layer_brings_its_model_back():
    model = trained()
    before, layer = parkable.values(model), model.layers[0]
    keraser.park(model)
    del model
    gc.collect()
    assert parkable.values(keraser.unpark(layer)) == before


def test_a_parked_model_can_be_cleared():
    model = trained()
    kernel, dead = model.layers[0].kernel, weakref.ref(model.layers[1])
    sizes = [
        sum(variable.numpy().nbytes for variable in variables)
        for variables in (model.variables, model.optimizer.variables)
    ]
    keraser.park(model)
    receipt = keraser.clear(model)
    assert receipt.cleared
    assert [receipt.freed[kind] for kind in ("weights", "optimizer")] == sizes
    gc.collect()
    keraser.clear()
    assert isinstance(model, keraser.ClearedModel)
    assert dead() is None
    with pytest.raises(keraser.ParkedModelError, match="cleared at"):
        kernel.numpy()
    with pytest.raises(keraser.ClearedModelError):
        keraser.unpark(kernel)


def test_clearing_leaves_the_file_of_a_parked_model(tmp_path):
    model, file = trained(), tmp_path / "parked.npz"
    keraser.park(model, to=file)
    receipt = keraser.clear(model)
    assert receipt.freed_bytes == 0
    assert str(file) in receipt.limits[0]
    assert file.exists()


def test_a_function_of_two_models_answers_when_both_are_back():
    one, other = trained(), trained()
    both = tf.function(lambda x: one(x) + other(x))
    tensor = tf.constant(X)
    expected, name = both(tensor).numpy().tobytes(), other.name
    keraser.park(one)
    keraser.park(other)
    keraser.unpark(one)
    with pytest.raises(keraser.ParkedModelError, match=name):
        both(tensor)
    keraser.unpark(other)
    assert both(tensor).numpy().tobytes() == expected


def test_what_keraser_says_of_the_process_does_not_stumble_over_a_parked_model():
    model, other = trained(), trained()
    keraser.park(model)
    names = [row.name for row in keraser.census().models]
    assert other.name in names
    assert "parked" in repr(keraser.why(model)).lower()
    keraser.unpark(model)


def test_other_threads_meet_an_error_and_no_number():
    """The step that was under way meets TensorFlow's own error, the next call ours."""
    model = trained()
    ask = tf.function(lambda x: model(x))
    tensor = tf.constant(X)
    expected = ask(tensor).numpy().tobytes()
    begun, wrong, errors = threading.Barrier(3), [], []

    def work():
        begun.wait()
        try:
            while True:
                if ask(tensor).numpy().tobytes() != expected:
                    wrong.append(True)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait()
    keraser.park(model)
    for thread in threads:
        thread.join()
    assert not wrong
    clean = (keraser.ParkedModelError, tf.errors.InvalidArgumentError)
    assert len(errors) == 2
    assert all(isinstance(error, clean) for error in errors), errors
    with pytest.raises(keraser.ParkedModelError):
        ask(tensor)
    keraser.unpark(model)
    assert ask(tensor).numpy().tobytes() == expected


def test_a_parked_file_is_read_by_its_own_library(tmp_path):
    from safetensors.numpy import load_file

    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    kernel = model.layers[0].kernel
    path, expected = kernel.path, kernel.numpy()
    for name, load in (("a.npz", np.load), ("a.safetensors", load_file)):
        keraser.park(model, to=tmp_path / name)
        found = load(tmp_path / name)
        assert found[path].tobytes() == expected.tobytes()
        keraser.unpark(model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "a.safetensors"]
