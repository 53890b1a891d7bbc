"""Arming is refused, by name, where it would break something; nothing is changed."""

import re

import pytest
from fake_gpu import MIB, driver, on_gpu
from gpu_tensors import hold, row, variables

two_gpus = on_gpu(FAKE_CUDA_DEVICES="2", CUDA_VISIBLE_DEVICES="0,1")


def refusal(**options):
    import keraser
    from keraser import _core

    with pytest.raises(keraser.UnsupportedError) as raised:
        keraser.gpu.arm(**options)
    assert not _core.gpu_armed()
    return str(raised.value)


@two_gpus
def test_before_tensorflow_is_imported_there_is_nothing_to_arm():
    assert "is not imported yet" in refusal()


@two_gpus
def test_several_gpus_and_memory_that_others_know_by_address_are_refused(
    monkeypatch, tmp_path
):
    import mmap

    import tensorflow  # noqa: F401

    assert re.search("2 GPUs are visible.*CUDA_VISIBLE_DEVICES", refusal())
    nccl = tmp_path / "libnccl.so.2"
    nccl.write_bytes(bytes(4096))
    with (
        nccl.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ),
    ):
        assert "libnccl.so is loaded" in refusal(several=True)
    monkeypatch.setenv("TF_FORCE_UNIFIED_MEMORY", "true")
    assert "unified memory" in refusal(several=True)
    monkeypatch.delenv("TF_FORCE_UNIFIED_MEMORY")
    monkeypatch.setenv("TF_GPU_ALLOCATOR", "cuda_malloc_async")
    assert "without it" in refusal(several=True)


@two_gpus
def test_armed_too_late_is_said_and_what_is_taken_from_then_on_goes_by_pages():
    import keraser
    import tensorflow as tf

    first, second = tf.config.list_physical_devices("GPU")
    for gpu in first, second:
        tf.config.experimental.set_memory_growth(gpu, True)
    with tf.device("/GPU:0"):
        early = variables(1, first=1.0)
    taken = driver().allocated
    armed = keraser.gpu.arm(several=True)
    assert armed.late
    assert "late" in repr(armed)
    with tf.device("/GPU:0"):
        dying, kept = variables(8, first=10.0), variables(1, mib=1, first=7.0)
    assert driver().allocated == taken
    assert driver().created >= 128 * MIB
    del dying
    trim = keraser.trim()
    assert driver().allocated == taken
    assert driver().created <= 8 * MIB
    assert row(trim, "pages of GPU_0_bfc").refused is None
    assert hold(early, first=1.0)
    assert hold(kept, first=7.0)
    assert {"GPU:0 in use", "GPU:1 in use"} <= {
        line.split("  ")[1] for line in repr(trim).splitlines()[1:]
    }


@on_gpu(KERASER_TEST="a TensorFlow whose symbols are hidden")
def test_a_tensorflow_whose_symbols_are_hidden_is_refused_by_their_names(tmp_path):
    import ctypes
    import subprocess

    import keraser
    from keraser import _core

    source, library = tmp_path / "empty.c", tmp_path / "libtensorflow_framework.so.2"
    source.write_text("int nothing;")
    subprocess.run(
        ["cc", "-shared", f"-Wl,-soname,{library.name}", "-o", library, source],
        check=True,
    )
    ctypes.CDLL(str(library))
    cuda, context = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
    assert cuda.cuInit(0) == 0
    assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
    missing = "a symbol is missing: _ZN3tsl13cpu_allocatorEi"
    assert _core.arm_gpu() == (missing, False)
    assert not _core.gpu_armed()
    assert row(keraser.trim(), "TensorFlow GPU pools").refused == missing
    (pool,) = keraser.gpu.map().pools
    assert (pool.name, pool.refused) == ("TensorFlow's pools", missing)
    findings = {f.what: f for f in keraser.doctor().findings}
    for what in "GPU T1: free regions", "GPU map":
        assert not findings[what].works
        assert missing in findings[what].note
