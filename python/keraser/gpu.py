"""GPU memory of a process that lives on: docs/gpu.md."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from keraser import _core
from keraser.adapters.base import gpu_hazard
from keraser.errors import UnsupportedError
from keraser.gpu_map import (
    Chunk,
    GpuMap,
    GpuMemory,
    Pool,
    Region,
    Share,
    map,  # noqa: A004  (as a user types it: gpu.map)
)
from keraser.gpu_reset import RuntimeReset, reset_runtime

__all__ = [
    "Armed",
    "Chunk",
    "GpuMap",
    "GpuMemory",
    "Pool",
    "Region",
    "RuntimeReset",
    "Share",
    "arm",
    "arm_or_warn",
    "map",
    "reset_runtime",
]


@dataclass(frozen=True)
class Armed:
    """What `arm` found.

    Attributes:
        late: the GPU was in use before. What TensorFlow had taken from the driver by
            then can go back only as whole regions; what it takes from now on, page by
            page.
    """

    late: bool

    def __repr__(self) -> str:
        if self.late:
            return (
                "armed late: only what TensorFlow takes from now on goes back by pages"
            )
        return "armed: free GPU memory goes back by pages"


def arm(*, several: bool = False) -> Armed:
    """Prepares TensorFlow's pools of GPU memory so that `keraser.trim`, and `clear`,
    can give back whatever is free in them, and not only whole regions.

    To be called after TensorFlow is imported and before its first operation on a GPU;
    with KERASER_GPU=arm in the environment, `import keraser` does it as soon as Keras
    is imported. From then on a pool's memory is mapped in granules of 2 MiB or, of a
    large GPU, some more; `trim` unmaps those that are free, and TensorFlow maps them
    again when it finds nothing free, instead of running out of memory. Tensors stay
    where they are. Holds until the process ends; arming again changes nothing. Until
    memory that was given back is used again, TensorFlow's own figures count it as in
    use.

    Args:
        several: arm although more than one GPU is visible. Only where they do not share
            memory: no NCCL, no peer access, no handles passed to other processes.

    Raises:
        UnsupportedError: TensorFlow is not imported, or not of a build that is known,
            or its GPU memory is used in a way that does not allow it. Nothing was
            changed.

    Example:
        >>> keraser.gpu.arm()              # doctest: +SKIP
        armed: free GPU memory goes back by pages
    """
    hazard = gpu_hazard(several)
    if hazard is not None:
        raise UnsupportedError(f"GPU memory was not armed: {hazard}")
    refused, late = _core.arm_gpu()
    if refused is not None:
        raise UnsupportedError(f"GPU memory was not armed: {refused}")
    return Armed(late)


def arm_or_warn() -> None:
    """Arms, or warns why not."""
    try:
        arm()
    except UnsupportedError as reason:
        warnings.warn(str(reason), RuntimeWarning, stacklevel=2)
