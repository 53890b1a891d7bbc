"""The map of GPU memory: its sums are the driver's figure, to the byte, in every way in
which TensorFlow can take memory."""

import gc
import json

from fake_gpu import MIB, driver, on_gpu
from gpu_tensors import hold, variables

growing = on_gpu(TF_FORCE_GPU_ALLOW_GROWTH="true")
armed = on_gpu(KERASER_GPU="arm", KERASER_TESTS="map")  # a process of its own
CONTEXT, OTHERS = 300 * MIB + 7, 5 * MIB + 1
shared = on_gpu(
    TF_FORCE_GPU_ALLOW_GROWTH="true",
    FAKE_CUDA_CONTEXT=str(CONTEXT),
    FAKE_CUDA_OTHERS=str(OTHERS),
)


def pool_of(found, name="GPU_0_bfc"):
    return next(pool for pool in found.pools if pool.name == name)


def used():
    """What the driver has given, by its own book."""
    return driver().allocated + driver().created + driver().pooled


def assert_sums_agree(found):
    assert found.steady
    for gpu in found.gpus:
        pools = [pool for pool in found.pools if pool.device == gpu.device]
        assert sum(pool.held for pool in pools) == gpu.pools
        assert gpu.pools + gpu.rest == gpu.used
        assert gpu.used + gpu.free == gpu.total
    for pool in found.pools:
        for region in pool.regions:
            assert sum(chunk.size for chunk in region.chunks) == region.size
            assert region.in_use + region.free + region.given_back == region.size
            assert region.mapped == region.size - region.given_back + region.padding
            assert region.padding >= 0
            assert region.free >= 0
            by_state = {
                state: sum(c.size for c in region.chunks if c.state == state)
                for state in ("in use", "free", "given back")
            }
            gone = sum(chunk.given_back for chunk in region.chunks)
            assert by_state["in use"] == region.in_use
            assert gone == region.given_back
            assert by_state["free"] + by_state["given back"] - gone == region.free
        if pool.regions:
            assert sum(region.mapped for region in pool.regions) == pool.held
        assert pool.in_use + pool.free + pool.padding == pool.held
        taken = sum(c.size for c in pool.chunks if c.state == "given back")
        assert pool.in_book == pool.in_use + taken


@growing
def test_while_it_grows_pools_and_rest_are_the_drivers_figure():
    import keraser
    import tensorflow as tf

    kept = variables(10)
    dying = variables(5, mib=3)
    del dying[1:]
    gc.collect()
    found = keraser.gpu.map()
    assert_sums_agree(found)
    (gpu,) = found.gpus
    assert (gpu.device, gpu.name, gpu.total) == (0, "Fake A100", 8 << 30)
    assert gpu.used == used() == driver().allocated
    assert gpu.rest == 0
    pool = pool_of(found)
    assert (pool.kind, pool.device, pool.given_back) == ("GPU", 0, 0)
    assert len(pool.regions) >= 3
    assert [region.index for region in pool.regions] == list(range(len(pool.regions)))
    current = tf.config.experimental.get_memory_info("GPU:0")["current"]
    assert pool.in_use == pool.in_book == current
    asked = [c.requested for c in pool.chunks if c.state == "in use"]
    assert asked.count(16 * MIB) == 10
    assert asked.count(3 * MIB) == 1
    assert all(c.requested is None for c in pool.chunks if c.state == "free")
    assert all(c.bin >= 0 for c in pool.chunks if c.state == "free")
    assert pool.groups()[0] == ("chunks of 16.0 MiB", 160 * MIB, 10)
    host = pool_of(found, "gpu_host_bfc")
    assert (host.kind, host.device) == ("host", None)
    assert host.held == driver().pinned
    assert hold(kept)


@growing
def test_regions_that_lie_side_by_side_are_told_apart():
    import keraser

    kept = variables(12, mib=9)
    blocks = driver().calls("cuMemAlloc_v2") - driver().calls("cuMemFree_v2")
    pool = pool_of(keraser.gpu.map())
    assert len(pool.regions) == blocks
    assert pool.held == driver().allocated
    assert hold(kept)


@growing
def test_chunks_are_named_by_the_tensors_that_python_has():
    import keras
    import keraser
    import tensorflow as tf

    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(512, name="first")], name="named"
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    plain = tf.Variable(tf.fill((300, 100), 1.0), name="plain")
    tensor = tf.identity(tf.fill((77, 11), 2.0))
    unnamed = pool_of(keraser.gpu.map())
    assert {chunk.name for chunk in unnamed.chunks} == {None}
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    found = keraser.gpu.map(names=True)
    assert_sums_agree(found)
    assert tf.config.experimental.get_memory_info("GPU:0")["current"] == before
    sizes = {name: size for name, size, _ in pool_of(found).groups()}
    assert sizes["named/first/kernel"] >= 64 * 512 * 4
    assert sizes["plain"] >= 300 * 100 * 4
    assert sizes["tensor float32 (77, 11)"] >= 77 * 11 * 4
    assert any("kernel_momentum" in name for name in sizes)
    assert "named/first/kernel" in found._repr_html_()
    del plain, tensor


@armed
def test_what_was_given_back_is_told_apart_from_what_is_in_use():
    import keras  # noqa: F401  (arms)
    import keraser
    import tensorflow as tf

    dying, kept = variables(24), variables(1, mib=1, first=7.0)
    before = keraser.gpu.map()
    assert_sums_agree(before)
    assert before.gpus[0].used == before.gpus[0].pools == used()
    dying.clear()
    gc.collect()
    returned = next(
        p.returned for p in keraser.trim().pools if p.pool == "pages of GPU_0_bfc"
    )
    found = keraser.gpu.map()
    assert_sums_agree(found)
    pool, (gpu,) = pool_of(found), found.gpus
    assert gpu.used == used() == pool.held == driver().created
    assert gpu.rest == 0
    assert pool.given_back == returned > 6000 * MIB
    assert pool.in_use < 2 * MIB
    current = tf.config.experimental.get_memory_info("GPU:0")["current"]
    assert pool.in_book == current > 6000 * MIB  # TensorFlow counts both
    again = variables(4, first=100.0)
    found = keraser.gpu.map()
    assert_sums_agree(found)
    assert found.gpus[0].used == used() == pool_of(found).held
    assert 64 * MIB <= returned - pool_of(found).given_back < 200 * MIB
    assert hold(kept, first=7.0)
    assert hold(again, first=100.0)


@armed
def test_with_threads_at_work_sums_agree_all_the_same():
    import threading

    import keraser

    over = threading.Event()

    def work():
        while not over.is_set():
            live = variables(3, mib=2)
            del live

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for i in range(30):
            if i % 5 == 0:
                keraser.trim()
            found = keraser.gpu.map()
            if found.steady:
                assert_sums_agree(found)
                assert found.gpus[0].rest == 0
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert_sums_agree(keraser.gpu.map())


@on_gpu(TF_GPU_ALLOCATOR="cuda_malloc_async")
def test_cudas_own_pool_is_told_in_totals():
    import keraser

    dying, kept = variables(4), variables(2)
    del dying
    gc.collect()
    found = keraser.gpu.map()
    assert_sums_agree(found)
    pool = pool_of(found, "CUDA default pool")
    assert pool.held == driver().pooled
    assert pool.in_use >= driver().pool_used  # which is as it was asked for
    assert pool.free >= 64 * MIB
    assert pool.regions == ()
    assert found.gpus[0].used == used() == pool.held
    assert hold(kept)


@shared
def test_what_is_not_tensorflows_is_split_by_process():
    import keraser

    dying, kept = variables(8), variables(1, mib=1)
    found = keraser.gpu.map()
    assert_sums_agree(found)
    (gpu,) = found.gpus
    assert gpu.used == driver().allocated + CONTEXT + OTHERS
    assert gpu.rest == CONTEXT + OTHERS
    assert {share.what: share.bytes for share in gpu.outside} == {
        "this process": CONTEXT,
        "process 1": OTHERS,
    }
    assert gpu.process == driver().allocated + CONTEXT
    dying.clear()
    gc.collect()
    before = driver().allocated
    (change,) = keraser.trim().gpus
    assert change.process.before == before + CONTEXT
    assert change.process.after == driver().allocated + CONTEXT
    assert change.process.freed == change.used.freed >= 64 * MIB
    assert hold(kept)


@shared
def test_figures_of_processes_that_nobody_knows_are_left_out(monkeypatch):
    import keraser

    kept = variables(2)
    known = keraser.gpu.map().gpus[0]
    real = keraser.gpu_map._core.gpu_map

    def told(users):
        def reading():
            found = real()
            found["gpus"][0]["users"] = users(dict(found["gpus"][0]["users"]))
            return found

        monkeypatch.setattr(keraser.gpu_map._core, "gpu_map", reading)
        return keraser.gpu.map().gpus[0]

    def another(users):  # an older driver, in a container
        return [(1, users[1]), (2, known.process)]

    def too_little(users):  # the number of somebody else
        return [(pid, size if pid == 1 else 4096) for pid, size in users.items()]

    def too_much(users):
        return [(pid, size + 1) for pid, size in users.items()]

    for users in another, too_little, too_much, lambda _: None:
        gpu = told(users)
        assert gpu.process is None
        assert gpu.outside == ()
        assert gpu.rest == CONTEXT + OTHERS
    gpu = told(lambda users: [(pid, size) for pid, size in users.items() if pid != 1])
    assert [(s.what, s.bytes) for s in gpu.outside] == [
        ("this process", CONTEXT),
        ("nobody that is known", OTHERS),
    ]
    assert hold(kept)


@on_gpu(TF_FORCE_GPU_ALLOW_GROWTH="true", FAKE_CUDA_NO_USERS="1")
def test_where_no_library_tells_who_uses_a_gpu_a_trim_says_none():
    import keraser

    kept = variables(2)
    assert keraser.gpu.map().gpus[0].process is None
    trim = keraser.trim()
    assert trim.gpus[0].process is None
    assert "of this process" not in repr(trim)
    assert hold(kept)


@on_gpu(
    FAKE_CUDA_DEVICES="2",
    CUDA_VISIBLE_DEVICES="0,1",
    TF_FORCE_GPU_ALLOW_GROWTH="true",
)
def test_each_pool_is_on_its_gpu_and_late_arming_makes_both_kinds_of_regions():
    import keraser
    import tensorflow as tf

    with tf.device("/GPU:1"):
        early = variables(1, mib=48)
    with tf.device("/GPU:0"):
        early += variables(1, mib=8)
    assert keraser.gpu.arm(several=True).late
    with tf.device("/GPU:1"):
        late = variables(8)
        late.clear()
    gc.collect()
    keraser.trim()
    found = keraser.gpu.map()
    assert_sums_agree(found)
    by_device = {pool.device: pool for pool in found.pools if pool.kind == "GPU"}
    assert by_device[0].name == "GPU_0_bfc"
    assert by_device[1].name == "GPU_1_bfc"
    assert sum(gpu.used for gpu in found.gpus) == used()
    assert [gpu.rest for gpu in found.gpus] == [0, 0]
    assert by_device[1].in_use >= 48 * MIB
    del early


@growing
def test_each_allocation_of_the_interpreter_may_fail_and_nothing_is_kept():
    import sys

    import keraser
    import pytest
    from keraser import _core

    _testcapi = pytest.importorskip("_testcapi")
    kept = variables(5)
    _core.gpu_map()
    failed = quiet = nth = 0
    blocks = []
    while quiet < 40:
        _testcapi.set_nomemory(nth, nth + 1)
        try:
            found = _core.gpu_map()
        except MemoryError:
            found, quiet = None, 0
            failed += 1
        else:
            quiet += 1
        finally:
            _testcapi.remove_mem_hooks()
        nth += 1
        if found is not None:
            assert {pool["pool"] for pool in found["pools"]} >= {"GPU_0_bfc"}
        if nth % 50 == 0:
            found = None
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    assert failed > 100
    assert max(blocks) - blocks[0] < 60, blocks

    def growth(measure, **options):
        """The least of some rounds: what is kept of each call is in every one."""
        found = []
        for _ in range(4):
            gc.collect()
            before = measure()
            for _ in range(15):
                keraser.gpu.map(**options)
            gc.collect()
            found.append(measure() - before)
        return min(found)

    assert growth(sys.getallocatedblocks) < 15
    assert growth(lambda: len(gc.get_objects()), names=True) < 15
    assert hold(kept)


@growing
def test_it_is_data_and_a_picture_and_text_that_is_escaped():
    import keraser

    kept = variables(3)
    found = keraser.gpu.map()
    told = json.loads(json.dumps(found.to_dict()))
    pool = next(p for p in told["pools"] if p["name"] == "GPU_0_bfc")
    assert sum(c["size"] for r in pool["regions"] for c in r["chunks"]) == sum(
        region.size for region in pool_of(found).regions
    )
    assert told["gpus"][0]["used"] == found.gpus[0].used
    assert "not TensorFlow's" in repr(found)
    assert "█" in repr(found)
    page = found._repr_html_()
    assert page.count("<svg") == sum(bool(p.regions) for p in found.pools)
    assert "in use: 16.0 MiB" in page
    assert hold(kept)


@growing
def test_a_pool_that_is_not_known_is_named_and_the_rest_has_its_bytes(monkeypatch):
    import keraser

    kept = variables(3)
    real = keraser.gpu_map._core.gpu_map()
    real["pools"] = [
        real["pools"][0] | {"refused": "a symbol is missing: x", "regions": []}
    ]
    monkeypatch.setattr(keraser.gpu_map._core, "gpu_map", lambda: real)
    found = keraser.gpu.map()
    assert found.gpus[0].rest == found.gpus[0].used
    assert "GPU_0_bfc: a symbol is missing: x" in repr(found)
    assert hold(kept)


@growing
def test_doctor_has_a_line_for_each_level_and_the_map():
    import keraser

    kept = variables(2)
    findings = {f.what: f for f in keraser.doctor().findings}
    assert "0 B" in findings["GPU T0: CUDA's default pool"].note
    assert findings["GPU T1: free regions"].works
    assert "not armed" in findings["GPU T3: free pages"].note
    chunks = sum(len(pool.chunks) for pool in keraser.gpu.map().pools)
    assert f"{chunks} chunks" in findings["GPU map"].note
    driver().fail("cuMemGetInfo_v2", 1, 719, times=100)
    findings = {f.what: f for f in keraser.doctor().findings}
    driver().fail("cuMemGetInfo_v2", 1, 719, times=0)
    assert not findings["GPU T0: CUDA's default pool"].works
    assert "cuMemGetInfo" in findings["GPU T0: CUDA's default pool"].note
    assert hold(kept)


@on_gpu(
    TF_CPU_ALLOCATOR_USE_BFC="true", CUDA_VISIBLE_DEVICES="-1", FAKE_CUDA_DEVICES="0"
)
def test_the_cpus_pool_has_a_map_without_a_gpu():
    import keraser
    import numpy as np
    import tensorflow as tf

    kept = tf.fill((MIB,), 7.0)
    found = keraser.gpu.map(names=True)
    assert_sums_agree(found)
    assert found.gpus == ()
    assert "no GPU is in use" in repr(found)
    (pool,) = found.pools
    assert (pool.kind, pool.device) == ("host", None)
    assert ("tensor float32 (1048576)", 4 * MIB) in [g[:2] for g in pool.groups()]
    dying = [tf.fill((4 * MIB,), float(i)) for i in range(8)]
    dying.clear()
    before = pool_of(keraser.gpu.map(), pool.name).held
    returned = next(
        p.returned
        for p in keraser.trim().pools
        if p.pool == "TensorFlow bfc_cpu_allocator_for_gpu"
    )
    assert before - pool_of(keraser.gpu.map(), pool.name).held == returned >= 64 * MIB
    assert (kept.numpy() == np.float32(7.0)).all()


@on_gpu(KERASER_MAP_WITHOUT="1")
def test_in_a_process_that_uses_no_gpu_it_says_so_and_starts_nothing():
    import sys

    import keraser

    found = keraser.gpu.map(names=True)
    assert "tensorflow" not in sys.modules
    assert (found.gpus, found.pools) == ((), ())
    assert repr(found) == "no GPU is in use in this process"
    assert "no GPU is in use" in found._repr_html_()
    import tensorflow as tf

    assert keraser.gpu.map(names=True).pools == ()
    assert driver().calls("cuInit") == 0
    assert driver().calls("cuDevicePrimaryCtxRetain") == 0
    assert len(tf.config.list_physical_devices("GPU")) == 1
    assert keraser.gpu.map().gpus == ()
    assert driver().calls("cuDevicePrimaryCtxRetain") == 0
