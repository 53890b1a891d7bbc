"""reset_runtime(): all GPU memory of TensorFlow's goes back, where nothing lives."""

from __future__ import annotations

import gc
import time
import warnings
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from keraser import _core
from keraser.adapters.base import Runtime, find_runtime, find_vocabulary
from keraser.collector import await_collector
from keraser.errors import StillHeldError, UnsupportedError
from keraser.holders import Holder, holders_of
from keraser.names import GARBAGE, c_code
from keraser.receipt import Change, Reset, block, format_bytes, html_block
from keraser.trimming import GpuChange, Trim, gpu_changes, trim, trimming_alone

#: Of how many things the holders are looked for, and how many paths of each.
THINGS, PATHS = 256, 16

#: How many places an error names.
PLACES = 12


@dataclass(frozen=True, repr=False)
class RuntimeReset:
    """What `keraser.gpu.reset_runtime` did. Plain data.

    Attributes:
        gpus: each GPU on which this process has a context, before and after, as its
            driver has it. What is left is not TensorFlow's pools: the context of CUDA,
            its code and libraries, and other processes.
        left: bytes that pools of GPU memory have not given back: TensorFlow's, and
            CUDA's default pools. 0, but for what somebody else has in them (a DLPack
            capsule, another library), and for some granules of armed pools that were
            trimmed before.
        renewed: what was ended, and how it comes again.
        settings: the user's settings, the same before and after.
        trimmed: what each pool gave back, and which refused.
        threads: of the process.
        rss: resident set of the process, in bytes.
        seconds: how long the call took.
    """

    gpus: tuple[GpuChange, ...]
    left: int
    renewed: tuple[Reset, ...]
    settings: dict[str, str]
    trimmed: Trim
    threads: Change
    rss: Change
    seconds: float

    @property
    def freed(self) -> int:
        """Bytes of GPU memory that went back, by the drivers' figures."""
        return sum(gpu.used.freed for gpu in self.gpus)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        trimmed = self.trimmed.to_dict()
        return {**asdict(self), "trimmed": trimmed, "freed": self.freed}

    def __repr__(self) -> str:
        return block(self._headline(), self._rows())

    def _repr_html_(self) -> str:
        return html_block(self._headline(), self._rows())

    def _headline(self) -> str:
        freed, took = format_bytes(self.freed), f"{self.seconds * 1e3:.1f} ms"
        return f"GPU runtime reset: {freed} given back to the driver in {took}"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            (f"GPU:{g.device} in use", _change(g.used, format_bytes)) for g in self.gpus
        ]
        rows.append(("left in pools", format_bytes(self.left)))
        rows += [(p.pool, p.refused) for p in self.trimmed.pools if p.refused]
        for reset in self.renewed:
            count = "" if reset.count is None else f"{reset.count} "
            rows.append(("renewed", f"{reset.what}: {count}{reset.note}"))
        rows.append(("threads", _change(self.threads, str)))
        rows.append(("RSS", _change(self.rss, format_bytes)))
        rows.append(("settings kept", ", ".join(self.settings)))
        return rows


def _change(change: Change, show: Any) -> str:
    return f"{show(change.before or 0)} -> {show(change.after or 0)}"


def reset_runtime() -> RuntimeReset:
    """Gives all of TensorFlow's GPU memory back, where nothing of TensorFlow lives.

    In TensorFlow's default mode a pool is one region, which something of TensorFlow's
    own always keeps: this is the way to give it back without a restart, armed or not.
    TensorFlow's runtime ends, with its devices; the next operation starts another, in
    which the next model is built. Settings stay: seeds and their places in their
    sequences, dtype policy, visible devices, memory growth, device limits, placement.
    What was decided when a pool was made (growth, limits) cannot be changed by it.

    Only when nothing lives that would die with the runtime: no tensor on any device,
    variable, function that was traced, dataset, iterator, table, session, and no
    `with tf.device()` around the call. Clear models first, and keep data as arrays. No
    other thread may be in TensorFlow's or Keras' code.

    Returns:
        A `RuntimeReset`: bytes in use on each GPU before and after, and what was
        renewed.

    Raises:
        StillHeldError: something lives. Its `holders` say who holds it. Nothing was
            changed.
        UnsupportedError: no GPU is in use, or TensorFlow is not known well enough, or
            something runs in it. Nothing was changed.

    Example:
        >>> keraser.clear(model)           # doctest: +SKIP
        >>> keraser.gpu.reset_runtime()    # doctest: +SKIP
        GPU runtime reset: 6.5 GiB given back to the driver in 61.2 ms
          ...
    """
    await_collector("reset_runtime()")
    started = time.perf_counter()
    with trimming_alone():
        runtime = _find_runtime()
        for reason in (why_unknown(runtime), runtime.why_not_now()):
            if reason is not None:
                raise _refusal(reason)
        process, gpus, settings = _core.process(), _core.gpus(), runtime.settings()
        gc.collect()
        flushed = runtime.flush()
        gc.collect()
        _refuse_if(runtime.living())
        renewed = runtime.end()
        if isinstance(renewed, str):
            _refuse_if(runtime.living(renewable=True), renewed)
            raise _refusal(renewed)
        trimmed = trim()
        after = _core.process()
        return RuntimeReset(
            gpus=gpu_changes(gpus, _core.gpus()),
            left=_left(trimmed),
            renewed=(*renewed, *flushed[1:]),
            settings=_kept(settings, runtime.settings()),
            trimmed=trimmed,
            threads=Change(process["threads"], after["threads"]),
            rss=Change(process["rss"], after["rss"]),
            seconds=time.perf_counter() - started,
        )


def why_unknown(runtime: Runtime) -> str | None:
    """Why nothing can be reset in this process, in words: GPUs, pools or TensorFlow are
    not known well enough."""
    rows = [*_core.gpus(), *_pools_of_gpus()]
    refused = [row["refused"] for row in rows if row["refused"] is not None]
    return _core.gpu_refusal() or runtime.why_unknown() or next(iter(refused), None)


def _find_runtime() -> Runtime:
    runtime = find_runtime()
    if runtime is None:
        raise _refusal("TensorFlow is not imported")
    if not _core.gpus() and _core.gpu_refusal() is None:
        raise _refusal(
            "no GPU is in use by this process; on a CPU keraser.clear() and "
            "keraser.trim() give back all that can be given back"
        )
    return runtime


def _refusal(reason: str) -> UnsupportedError:
    return UnsupportedError(
        f"TensorFlow's runtime was not reset (nothing was changed): {reason}"
    )


def _pools_of_gpus() -> list[Any]:
    """TensorFlow's, and the one that says why none is known."""
    names = ("TensorFlow GPU_", "TensorFlow GPU pools")
    return [pool for pool in _core.region_pools() if pool["pool"].startswith(names)]


def _left(trimmed: Trim) -> int:
    after = {pool.pool: pool.after for pool in trimmed.pools if pool.refused is None}
    left = sum(size for name, size in after.items() if name.startswith("CUDA pool"))
    for pool in _pools_of_gpus():
        pages = pool["pool"].replace("TensorFlow ", "pages of ")
        left += after.get(pages, pool["size"])
    return left


def _kept(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    changed = [name for name in before if after.get(name) != before[name]]
    if changed:
        names = ", ".join(changed)
        message = f"the reset has changed settings of TensorFlow or Keras: {names}"
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    return after


# ---- who holds what lives ----------------------------------------------------------


def _refuse_if(living: Any, reason: str = "") -> None:
    """Refuses if anything lives, and lets go of it."""
    try:
        if living.things:
            raise _still_held(living, reason)
    finally:
        living.drop()


def _still_held(living: Any, reason: str) -> StillHeldError:
    places = _places(living)
    shown = [f"{text}; fix: {fix}" if fix else text for text, fix in places[:PLACES]]
    if len(places) > PLACES:
        shown.append(f"... and {len(places) - PLACES} more places")
    counts = ", ".join(_plural(kind, n) for kind, n in Counter(living.kinds).items())
    because = f": {reason}" if reason else ""
    return StillHeldError(
        "TensorFlow's runtime was not reset, since something lives in it (nothing was "
        f"changed){because}: {counts}\n  "
        + "\n  ".join(shown)
        + "\nClear models by keraser.clear(), and keep data as NumPy arrays.",
        tuple(text for text, _ in places),
    )


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return f"1 {kind}"
    first, of, rest = kind.partition(" of ")
    return f"{count} {first}s{of}{rest}"


def _places(living: Any) -> list[tuple[str, str]]:
    """What each place holds, in words, and the line that lets go of it; the place that
    holds most comes first."""
    things, count = living.things[:THINGS], min(len(living.things), THINGS)
    ours = [living.things, things]
    answer = _core.ask(ours, things, None, [], [], limit=PATHS)
    vocabulary = find_vocabulary()
    groups: dict[tuple[str, str], list[tuple[int, Holder | None]]] = {}
    for index in range(count):
        paths, by_c, garbage = answer["held"][index]
        found: list[tuple[str, str, Holder | None]] = [
            (holder.place, "" if holder.kind == "c" else holder.fix, holder)
            for holder in holders_of("", paths, vocabulary)
        ]
        if by_c and not found:
            found.append((c_code(by_c), "", None))
        if garbage and not found:
            found.append((GARBAGE, "gc.collect()", None))
        for place, fix, holder in found:
            groups.setdefault((place, fix), []).append((index, holder))
    things.clear()
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [(_text(living, place, rows), fix) for (place, fix), rows in ranked]


def _text(living: Any, place: str, rows: list[tuple[int, Holder | None]]) -> str:
    """`variable "model": 6 variables, 2.0 MiB, by model → ...` of the shortest path."""
    kinds = Counter(living.kinds[index] for index, _ in rows)
    size = sum(living.bytes[index] for index, _ in rows)
    what = ", ".join(_plural(kind, count) for kind, count in kinds.items())
    what += f", {format_bytes(size)}" if size else ""
    holders = [holder for _, holder in rows if holder is not None]
    if not holders:
        return f"{place}: {what}"
    return f"{min(holders, key=lambda holder: holder.steps)}: {what}"
