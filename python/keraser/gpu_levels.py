"""Which ways of giving GPU memory back work here, for doctor(): docs/gpu.md."""

from __future__ import annotations

from typing import Any

from keraser import _core
from keraser.adapters.base import gpu_hazard
from keraser.receipt import format_bytes

#: What stands in the way of a level, or None, and what else there is to say.
_Line = tuple[str, bool, str]


def lines(gpus: list[Any]) -> list[_Line]:
    """(what, works, note) for each level, in the order in which trim() takes them, and
    for the map. `gpus` are those in use; what has to be asked of the framework to tell
    has been done by then."""
    return [_default_pool(gpus), _regions(), _pages(), _map()]


def _default_pool(gpus: list[Any]) -> _Line:
    refused = [f"GPU:{g['device']}: {g['refused']}" for g in gpus if g["refused"]]
    held = sum(gpu["pool_held"] for gpu in gpus)
    note = f"has {format_bytes(held)}; what of it is free goes back"
    return "GPU T0: CUDA's default pool", not refused, "; ".join(refused) or note


def _regions() -> _Line:
    try:
        pools = _core.region_pools()
    except (MemoryError, OSError) as error:
        return "GPU T1: free regions", False, str(error)
    refused = [f"{p['pool']}: {p['refused']}" for p in pools if p["refused"]]
    note = f"of {len(pools)} pools" if pools else "no pool has any"
    return "GPU T1: free regions", not refused, "; ".join(refused) or note


def _pages() -> _Line:
    what = "GPU T3: free pages"
    if _core.gpu_armed():
        return what, True, "armed: whatever is free goes back"
    hazard = gpu_hazard(several=False)
    if hazard is None:
        return what, True, "not armed; keraser.gpu.arm(): of what is taken after it"
    return what, False, hazard


def _map() -> _Line:
    try:
        found = _core.gpu_map()
    except (MemoryError, OSError) as error:
        return "GPU map", False, str(error)
    pools = found["pools"]
    refused = [
        f"{pool['pool']}: {pool['refused']}" for pool in pools if pool["refused"]
    ]
    chunks = sum(len(region[-1]) for pool in pools for region in pool["regions"])
    note = f"{len(pools)} pools, {chunks} chunks; keraser.gpu.map() shows them"
    return "GPU map", not refused, "; ".join(refused) or note
