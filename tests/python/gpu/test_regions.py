"""Whole regions: memory that TensorFlow took from the driver while it grew goes back to
it, by the driver's own figures."""

import gc

from fake_gpu import MIB, driver, on_gpu

growing = on_gpu(TF_FORCE_GPU_ALLOW_GROWTH="true")


def variables(count, mib=16, first=0.0):
    """Variables on the GPU, each full of its own number."""
    import numpy as np
    import tensorflow as tf

    size = mib * MIB // 4
    return [tf.Variable(np.full(size, first + i, np.float32)) for i in range(count)]


def row(trim, name="TensorFlow GPU_0_bfc"):
    return next(pool for pool in trim.pools if pool.pool == name)


def hold(variables, first=0.0):
    return all((v.numpy() == first + i).all() for i, v in enumerate(variables))


@growing
def test_what_was_taken_while_it_grew_goes_back_to_the_driver():
    import keraser

    dying = variables(24)
    kept = variables(1, mib=1, first=7.0)
    assert driver().allocated >= 24 * 16 * MIB
    assert row(keraser.trim()).before == driver().allocated
    dying.clear()
    gc.collect()
    before = driver().allocated
    trim = keraser.trim()

    assert driver().allocated <= 20e6
    assert row(trim).refused is None
    assert row(trim).before == before
    assert row(trim).after == driver().allocated
    assert row(trim).returned == before - driver().allocated
    (gpu,) = trim.gpus
    assert (gpu.used.before, gpu.used.after) == (before, driver().allocated)
    assert "GPU:0 in use" in repr(trim)
    assert hold(kept, first=7.0)

    again = variables(24, first=100.0)  # the pool works on
    assert hold(again, first=100.0)
    assert hold(kept, first=7.0)
    assert row(keraser.trim()).returned == 0
    del again
    gc.collect()
    assert row(keraser.trim()).returned > 300 * MIB
    assert driver().allocated <= 20e6


@growing
def test_clear_gives_a_models_gpu_memory_back_and_other_models_stay():
    import keras
    import keraser
    import numpy as np

    def build(units):
        model = keras.Sequential([keras.Input((units,)), keras.layers.Dense(units)])
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    small = build(64)
    value = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
    small.layers[0].set_weights([value, np.zeros(64, np.float32)])
    before = driver().allocated
    large = build(2048)
    taken = driver().allocated
    assert taken >= before + 3 * 16 * MIB
    receipt = keraser.clear(large)

    assert driver().allocated <= before + 16 * MIB
    assert row(receipt.trimmed).returned == taken - driver().allocated
    assert receipt.trimmed.gpus[0].used.freed == taken - driver().allocated
    assert (small.layers[0].kernel.numpy() == value).all()


@growing
def test_tensors_of_other_threads_are_not_spoiled():
    import threading

    import keraser
    import numpy as np

    over, spoiled, rounds = threading.Event(), [], [0, 0, 0]

    def work(seed):
        rng = np.random.default_rng(seed)
        while not over.is_set():
            first = float(rng.integers(1, 1000))
            live = variables(int(rng.integers(1, 4)), mib=2, first=first)
            spoiled.extend([first] * (not hold(live, first)))
            del live  # now and then nobody has any, and their region is free
            rounds[seed] += 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    trims = []
    while len(trims) < 4000 and (
        min(rounds) < 20 or sum(trim.returned > 0 for trim in trims) < 5
    ):
        trims.append(row(keraser.trim()))
    over.set()
    for thread in threads:
        thread.join()
    assert spoiled == []
    assert {trim.refused for trim in trims} == {None}
    assert sum(trim.returned > 0 for trim in trims) >= 5


@growing
def test_a_gpu_that_cannot_be_waited_for_keeps_all_and_says_why():
    import keraser
    from keraser.receipt import format_bytes

    dying = variables(4)
    dying.clear()
    gc.collect()
    before = driver().allocated
    assert before >= 64 * MIB
    launch_failed, capturing = 719, 900
    for error, words in (launch_failed, "answered with an error"), (capturing, "graph"):
        driver().fail("cuCtxSynchronize", 1, error)
        trim = keraser.trim()
        assert words in row(trim, "GPU:0").refused
        assert row(trim, "GPU:0").refused.endswith("cuCtxSynchronize")
        assert driver().allocated == before
        assert trim.gpus[0].used.freed == 0
        assert not any(p.pool.startswith("TensorFlow GPU") for p in trim.pools)
    findings = {f.what: f for f in keraser.doctor().findings}
    assert findings["GPU:0"].works
    size = format_bytes(before)
    assert f"{size} of 8.0 GiB in use" in findings["GPU:0"].note
    assert findings["regions: TensorFlow GPU_0_bfc"].note.startswith(size)
    assert driver().allocated == before  # to look is not to give back
    assert row(keraser.trim()).returned > 40 * MIB


@on_gpu()
def test_without_growth_the_one_region_stays_and_nothing_is_harmed():
    import keraser

    dying, kept = variables(8), variables(1, mib=1, first=7.0)
    pool = driver().allocated
    assert pool > 6000 * MIB
    dying.clear()
    gc.collect()
    trim = keraser.trim()
    assert row(trim).refused is None
    assert (row(trim).before, row(trim).after, row(trim).returned) == (pool, pool, 0)
    assert driver().allocated == pool
    assert hold(kept, first=7.0)


@on_gpu(TF_GPU_ALLOCATOR="cuda_malloc_async")
def test_what_cudas_own_pool_keeps_goes_back_to_the_driver():
    import keraser

    dying, kept = variables(24), variables(1, mib=1, first=7.0)
    dying.clear()
    gc.collect()
    before = driver().pooled
    assert before > 384 * MIB
    trim = keraser.trim()
    pool = row(trim, "CUDA pool of GPU:0")
    assert driver().pooled <= 20e6
    assert (pool.before, pool.after) == (before, driver().pooled)
    assert pool.returned == before - driver().pooled == trim.gpus[0].used.freed
    assert hold(kept, first=7.0)
    assert hold(variables(4, first=20.0), first=20.0)


@on_gpu(
    TF_CPU_ALLOCATOR_USE_BFC="true", CUDA_VISIBLE_DEVICES="-1", FAKE_CUDA_DEVICES="0"
)
def test_the_cpus_pool_gives_regions_back_to_the_system_without_a_gpu():
    import keraser
    import numpy as np
    import tensorflow as tf
    from keraser import _core

    name = "TensorFlow bfc_cpu_allocator_for_gpu"
    kept = tf.fill((1000,), 7.0)
    dying = [tf.fill((4 * MIB,), float(i)) for i in range(24)]
    keraser.trim()
    before = _core.process()["rss"]
    dying.clear()
    trim = keraser.trim()
    assert row(trim, name).refused is None
    assert row(trim, name).returned >= 384 * MIB
    assert before - _core.process()["rss"] >= 380 * MIB
    assert trim.gpus == ()
    again = [tf.fill((4 * MIB,), float(i)) for i in range(8)]
    assert all((v.numpy() == i).all() for i, v in enumerate(again))
    assert (kept.numpy() == np.float32(7.0)).all()
    del again
    assert row(keraser.trim(), name).returned >= 128 * MIB
