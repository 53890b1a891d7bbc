"""Figures of the framework that grow where something leaks."""

from __future__ import annotations

from typing import Any

from keraser import _core
from keraser.adapters.keras_tf import caches


def read() -> dict[str, int]:
    """Tracked Python objects, FuncGraphs among them, resource handles (each keeps the
    memory of a variable, table or iterator), functions of the runtime; bytes in use in
    TensorFlow's pools, of the CPU and of each GPU, where it tells."""
    from tensorflow.python.framework import dtypes
    from tensorflow.python.framework.func_graph import FuncGraph
    from tensorflow.python.framework.ops import EagerTensor

    objects, (graphs,) = _core.count((FuncGraph,))
    tensors = _core.instances((EagerTensor,))
    handles = sum(tensor.dtype == dtypes.resource for tensor in tensors)
    found = {
        "objects": objects,
        "graphs": graphs,
        "handles": handles,
        "functions": caches.count_runtime_functions(),
    }
    pool = caches.pool_in_use()
    if pool is not None:
        found["CPU pool"] = pool
    for device in _gpus():
        found[f"{device} pool"] = _in_use(device)
    return found


def _gpus() -> list[str]:
    eager: Any = caches.eager_context()
    if eager is None:
        return []
    return [d.name.split(":", 1)[1] for d in eager.list_logical_devices("GPU")]


def _in_use(device: str) -> int:
    eager: Any = caches.eager_context()
    return eager.get_memory_info(device)["current"]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, here or on a device."""
    from tensorflow.python.framework.errors import ResourceExhaustedError

    return isinstance(error, (MemoryError, ResourceExhaustedError))
