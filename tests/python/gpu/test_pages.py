"""Pages: what is free in an armed pool goes back, wherever it is, and comes again when
TensorFlow needs it. Here the pool is TensorFlow's usual one: one region for all."""

import gc
import threading

import pytest
from fake_gpu import MIB, driver, on_gpu
from gpu_tensors import hold, row, variables

armed = on_gpu(KERASER_GPU="arm")
PAGES = "pages of GPU_0_bfc"
OUT_OF_MEMORY = 2


@armed
def test_what_is_free_goes_back_by_pages_and_comes_again_as_it_is_needed():
    import keras  # noqa: F401  (arms)
    import keraser
    from keraser import _core

    assert _core.gpu_armed()
    assert not keraser.gpu.arm().late
    dying, kept = variables(24), variables(1, mib=1, first=7.0)
    assert driver().mapped == driver().created > 6000 * MIB
    assert driver().allocated == 0
    dying.clear()
    gc.collect()
    before = driver().created
    trim = keraser.trim()
    live = 4 * MIB  # the granules of what is alive: 1 MiB, and TensorFlow's own scratch
    assert driver().created <= live
    assert row(trim, PAGES).returned == before - driver().created
    assert row(trim, PAGES).after == driver().created
    assert trim.gpus[0].used.freed == before - driver().created
    assert hold(kept, first=7.0)

    few = variables(4, first=100.0)
    assert 64 * MIB <= driver().created - live <= 160 * MIB  # and not all that it had
    large = variables(1, mib=400, first=5.0)  # more than a piece
    assert hold(few, first=100.0)
    assert hold(large, first=5.0)
    assert hold(kept, first=7.0)
    del few, large
    gc.collect()
    before = driver().created
    trim = keraser.trim()
    assert row(trim, PAGES).before == before > 400 * MIB
    assert row(trim, PAGES).after == driver().created <= live
    assert row(keraser.trim(), PAGES).returned == 0


@armed
def test_nearly_all_that_is_free_among_models_goes_back_and_the_small_one_stays():
    import keras
    import keraser
    import numpy as np
    import tensorflow as tf

    def build(layers, units):
        model = keras.Sequential(
            [keras.Input((units,)), *(keras.layers.Dense(units) for _ in range(layers))]
        )
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    dense = build(8, 2048)
    small = build(1, 64)
    resnet = keras.applications.ResNet50(weights=None)
    resnet.compile("adam", "mse")
    resnet.optimizer.build(resnet.trainable_variables)
    value = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
    small.layers[0].set_weights([value, np.zeros(64, np.float32)])
    keraser.clear(dense, trim=False)
    keraser.clear(resnet, trim=False)
    before = driver().created
    assert before > 300 * MIB
    trim = keraser.trim()
    live = sum(v.numpy().nbytes for v in small.variables + small.optimizer.variables)
    assert tf.config.experimental.get_memory_info("GPU:0")["current"] > live
    free = before - live
    assert row(trim, PAGES).returned >= 0.98 * free
    assert (small.layers[0].kernel.numpy() == value).all()


@armed
def test_free_chunks_of_all_sizes_in_any_order_are_taken():
    import keraser

    dying, walls = [], []
    for mib in 300, 70, 5, 100, 150:
        dying += variables(1, mib=mib)
        walls += variables(1, mib=1, first=float(mib))
    dying.clear()
    gc.collect()
    keraser.trim()
    assert driver().created <= 6 * 4 * MIB  # around each wall at most two granules
    assert [float(wall.numpy()[-1]) for wall in walls] == [300, 70, 5, 100, 150]


@armed
def test_memory_that_cannot_be_had_again_is_tensorflows_ordinary_error():
    import keraser
    import tensorflow as tf

    kept = variables(1, mib=1, first=7.0)
    keraser.trim()
    pages = driver().created
    driver().fail("cuMemCreate", 5, OUT_OF_MEMORY, times=10_000)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        tf.zeros((64 * MIB // 4,)) + variables(1, mib=64)[0]
    assert driver().created == pages  # nothing half done
    assert hold(kept, first=7.0)
    driver().fail("cuMemCreate", 1, OUT_OF_MEMORY, times=0)
    assert hold(variables(4, first=20.0), first=20.0)


@armed
def test_a_gpu_whose_work_cannot_be_waited_for_keeps_its_pages():
    import keraser

    dying = variables(2, first=1.0)
    del dying
    gc.collect()
    before = driver().created
    driver().fail("cuCtxSynchronize", 2, 719)  # the second wait, with pieces in hand
    assert "error" in row(keraser.trim(), PAGES).refused
    assert driver().created == before
    assert row(keraser.trim(), PAGES).returned >= 32 * MIB


@armed
def test_while_a_stream_captures_a_graph_pages_stay():
    import ctypes

    import keraser

    dying, kept = variables(2, first=1.0), variables(1, mib=1, first=7.0)
    del dying
    gc.collect()
    before = driver().created
    cuda, graph = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
    assert cuda.cuStreamBeginCapture_v2(None, 0) == 0
    trim = keraser.trim()
    found = keraser.gpu.map()
    assert cuda.cuStreamEndCapture(None, ctypes.byref(graph)) == 0
    assert "capturing a graph" in row(trim, "GPU:0").refused
    assert not any(pool.pool == PAGES for pool in trim.pools)
    assert found.gpus[0].used == before == driver().created
    assert row(keraser.trim(), PAGES).returned >= 32 * MIB
    assert hold(kept, first=7.0)


@armed
def test_threads_that_allocate_all_the_time_find_memory_and_no_wrong_byte():
    import keraser
    import numpy as np
    import tensorflow as tf

    over, wrong, lacking, rounds = threading.Event(), [], [], [0] * 4

    def work(seed):
        rng, live = np.random.default_rng(seed), []
        while not over.is_set():
            size, value = int(rng.integers(1000, 3 * MIB)), float(rng.integers(1, 1000))
            try:
                live.append((value, tf.Variable(np.full(size, value, np.float32))))
            except tf.errors.ResourceExhaustedError as error:
                lacking.append(str(error))
            if len(live) > 4:
                value, variable = live.pop(int(rng.integers(len(live))))
                wrong.extend([value] * (not (variable.numpy() == value).all()))
                rounds[seed] += 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    taken = []
    while len(taken) < 25 or min(rounds) < 25:
        taken.append(row(keraser.trim(), PAGES).returned)
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == lacking == []
    assert sum(size > 0 for size in taken) > 15
    assert driver().calls("cuMemCreate") > 4000
