"""Twenty resets of TensorFlow's runtime, with models, data and functions in between:
nothing is left of GPU memory, no thread and next to nothing of the process' own."""

from fake_gpu import MIB, driver, on_gpu
from gpu_tensors import hold, variables

ROUNDS, WARM = 20, 5


def work(turn):
    """What a user does between two resets; on the CPU, since the fake GPU computes
    nothing."""
    import keras
    import keraser
    import numpy as np
    import tensorflow as tf

    with tf.device("/CPU:0"):
        model = keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.Dropout(0.5),
                keras.layers.BatchNormalization(),
            ]
        )
        model.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
        model.fit(np.ones((16, 8)), np.ones((16, 8)), verbose=0)
        compiled = tf.function(lambda a: tf.reduce_sum(a * a), jit_compile=True)
        assert float(compiled(tf.constant([1.0, 2.0]))) == 5.0
        data = tf.data.Dataset.from_generator(
            lambda: iter([1.0, 2.0]), output_signature=tf.TensorSpec((), tf.float32)
        )
        doubled = [float(x) for x in data.map(lambda x: 2 * x).prefetch(2)]
        assert doubled == [2.0, 4.0]
        called = tf.py_function(lambda x: x + 1, [tf.constant(1.0)], tf.float32)
        assert float(called) == 2.0
    tensors = variables(4, first=float(turn))
    assert hold(tensors, first=float(turn))
    keraser.clear(model)


@on_gpu(KERASER_TESTS="reset soak")
def test_twenty_resets_leave_no_gpu_memory_and_no_thread():
    import keraser
    from keraser import _core

    threads, resident, in_use = [], [], []
    for turn in range(ROUNDS):
        work(turn)
        keraser.clear(trim=False)
        reset = keraser.gpu.reset_runtime()
        assert reset.left == driver().allocated == 0
        threads.append(reset.threads.after)
        resident.append(reset.rss.after)
        in_use.append(_core.heap()["in_use"])
    assert max(threads[WARM:]) <= threads[WARM]
    grown = (resident[-1] - resident[WARM]) / (ROUNDS - WARM)
    used = (in_use[-1] - in_use[WARM]) / (ROUNDS - WARM)
    print(
        f"threads {threads}; RSS {grown / MIB:.2f}, heap {used / MIB:.3f} MiB a round"
    )
    assert grown < 2 * MIB
    assert used < MIB / 4
