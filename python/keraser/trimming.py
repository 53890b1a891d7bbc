"""trim(): memory that allocators keep and nobody uses goes back to the system."""

from __future__ import annotations

import html
import os
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from keraser import _core
from keraser.receipt import Change, format_bytes


@dataclass(frozen=True)
class PoolTrim:
    """What was done to one pool.

    Attributes:
        pool: what it is called.
        before, after: resident bytes. Of TensorFlow's pool its blocks in use, and of
            the free ones what is resident; of a C heap the anonymous memory of the
            process, since heaps do not tell. Of a pool of GPU memory, and of others
            that take regions, all that they hold. 0 where refused.
        returned: bytes that this call gave back.
        refused: why the pool was left as it is, None where it was not.
        grew: another thread made the pool grow meanwhile, and the trim stopped early.
    """

    pool: str
    before: int
    after: int
    returned: int
    refused: str | None = None
    grew: bool = False


@dataclass(frozen=True)
class GpuChange:
    """A GPU before and after, as its driver has it.

    Attributes:
        device: its number among those that CUDA shows to this process.
        total: bytes of memory that it has.
        used: bytes in use, by all processes together.
        process: of these, of this process, its context included, as NVIDIA's management
            library has it; None where that does not know this process.
    """

    device: int
    total: int
    used: Change
    process: Change | None = None


@dataclass(frozen=True)
class Trim:
    """What `keraser.trim` did. Plain data.

    Attributes:
        pools: one entry for each pool that keraser knows, those refused included.
        rss: resident set of the process, in bytes.
        seconds: how long the call took.
        gpus: one entry for each GPU on which this process has a context.
    """

    pools: tuple[PoolTrim, ...]
    rss: Change
    seconds: float
    gpus: tuple[GpuChange, ...] = ()

    @property
    def returned(self) -> int:
        """Bytes given back, of all pools together."""
        return sum(pool.returned for pool in self.pools)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return {**asdict(self), "returned": self.returned}

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._rows())
        rows = [f"  {name:<{width}}  {text}" for name, text in self._rows()]
        return "\n".join([self._headline(), *rows])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._rows()
        )
        return f"<b>{html.escape(self._headline())}</b><table>{rows}</table>"

    def _headline(self) -> str:
        returned = format_bytes(self.returned)
        return f"{returned} given back to the system in {self.seconds * 1e3:.1f} ms"

    def _rows(self) -> list[tuple[str, str]]:
        return [
            *((pool.pool, _text(pool)) for pool in self.pools),
            *((f"GPU:{g.device} in use", _change(g.used)) for g in self.gpus),
            *(
                (f"GPU:{g.device} of this process", _change(g.process))
                for g in self.gpus
                if g.process is not None
            ),
            ("RSS", _change(self.rss)),
        ]


def _text(pool: PoolTrim) -> str:
    if pool.refused is not None:
        return pool.refused
    returned = f"{format_bytes(pool.returned)} returned"
    change = _change(Change(pool.before, pool.after))
    grew = "; grew meanwhile, so not all of it" if pool.grew else ""
    return f"{change}, {returned}{grew}"


def _change(change: Change) -> str:
    return f"{format_bytes(change.before or 0)} -> {format_bytes(change.after or 0)}"


class _One:
    """Trims one at a time: two at once are safe, but each leaves what the other has.

    Re-entrant, for a signal's handler may trim as well; and free again in a forked
    child, where the thread that had it is gone.
    """

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self.lock = threading.RLock()


_ONE = _One()


def trimming_alone() -> threading.RLock:
    """Held by whoever trims, or does more with pools: to be used with `with`."""
    return _ONE.lock


def trim() -> Trim:
    """Gives back to the system what native pools keep and nobody uses.

    TensorFlow's CPU pool (blocks of 256 KiB and more, with oneDNN on) never does so by
    itself; glibc's heap, jemalloc and tcmalloc do it late. No tensor is moved or
    changed, and other threads may compute meanwhile. A pool that is not loaded, or not
    known well enough to be touched, is refused and says why. What is given back comes
    again, as zeros, when it is next used: trim after something large has gone, not in
    every step. Imports nothing and starts no framework.

    Of GPUs (docs/gpu.md): regions of TensorFlow's pools that are free as a whole, which
    there are with `set_memory_growth(gpu, True)`, and what CUDA's default memory pools
    keep, which TensorFlow uses with TF_GPU_ALLOCATOR=cuda_malloc_async. Waits until the
    work that is queued on them is done.

    Returns:
        A `Trim`: resident bytes of every pool and of the process, before and after.

    Raises:
        OSError: the system would not say what is resident, or not take it back.
        MemoryError: there was no memory to do it in.

    Example:
        >>> import keraser
        >>> keraser.trim().pools[-1].pool
        'glibc'
    """
    with trimming_alone():
        began = time.perf_counter()
        rss, gpus = _core.process()["rss"], _core.gpus()
        pools = tuple(_pool_trim(found) for found in _core.trim())
        return Trim(
            pools,
            Change(rss, _core.process()["rss"]),
            time.perf_counter() - began,
            gpu_changes(gpus, _core.gpus()),
        )


def trim_pools() -> Trim:
    """The same for other verbs, which must not fail for it: an error is a refusal."""
    try:
        return trim()
    except (MemoryError, OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        return Trim((PoolTrim("all pools", 0, 0, 0, reason),), Change(None, None), 0.0)


def gpu_changes(before: list[Any], after: list[Any]) -> tuple[GpuChange, ...]:
    """Those that could be read both times; another thread may just have made one."""
    first = {gpu["device"]: gpu for gpu in before if gpu["refused"] is None}
    return tuple(
        GpuChange(
            gpu["device"],
            gpu["total"],
            Change(first[gpu["device"]]["used"], gpu["used"]),
            _own_change(first[gpu["device"]]["own"], gpu["own"]),
        )
        for gpu in after
        if gpu["refused"] is None and gpu["device"] in first
    )


def _own_change(before: int | None, after: int | None) -> Change | None:
    return None if before is None or after is None else Change(before, after)


def _pool_trim(found: Any) -> PoolTrim:
    fields = ("pool", "before", "after", "returned", "refused", "grew")
    return PoolTrim(**{name: found[name] for name in fields})
