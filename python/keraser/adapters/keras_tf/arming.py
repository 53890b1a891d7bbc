"""Whether memory of GPUs may be put into granules: some uses of it do not allow it."""

from __future__ import annotations

import os
from pathlib import Path

#: Libraries that register or pin GPU memory by its address, and would go on using what
#: has been taken away.
_REGISTERING = (
    "libnccl.so",
    "libnccl-net",
    "libucp.so",
    "libhorovod",
    "nvidia_peermem",
)


def find_hazard(several: bool) -> str | None:
    """In words, or None. Looks for GPUs, which starts the driver and no more."""
    if os.environ.get("TF_FORCE_UNIFIED_MEMORY", "").lower() in ("1", "true"):
        return "TF_FORCE_UNIFIED_MEMORY is set: unified memory has no granules"
    if os.environ.get("TF_GPU_ALLOCATOR") == "cuda_malloc_async":
        return (
            "TF_GPU_ALLOCATOR=cuda_malloc_async is set: keraser.trim() gives back all "
            "that is free without it"
        )
    mapped = Path("/proc/self/maps").read_text()
    for library in _REGISTERING:
        if library in mapped:
            return f"{library} is loaded: it registers GPU memory by its address"
    gpus = _count_gpus()
    if gpus > 1 and not several:
        return (
            f"{gpus} GPUs are visible: what they share by address would break; set "
            "CUDA_VISIBLE_DEVICES, or say several=True if they share nothing"
        )
    return None


def _count_gpus() -> int:
    from tensorflow.python.framework import config

    return len(config.list_physical_devices("GPU"))
