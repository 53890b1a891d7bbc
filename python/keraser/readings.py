"""One look at the figures that grow where something leaks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from keraser import _core
from keraser.adapters.base import find_adapter
from keraser.errors import UnsupportedError


@dataclass(frozen=True)
class Gauge:
    """A figure that is read after each trial.

    Attributes:
        name: how it is called.
        unit: "bytes", or "" for a count.
        tolerance: growth per trial that does not matter, in that unit.
        fewest: how many trials it takes to say that it leaks. Pools of memory grow in
            the first ones, and settle.
    """

    name: str
    unit: str
    tolerance: float
    fewest: int = 0


#: Tolerances: of the heap, what the leak recipes of tests/python/zoo leave of Python's
#: and malloc's own books; of the resident set, eight of the 16 KiB by which it moves
#: with where free blocks lie; of objects, what a line of a user's results takes; of
#: what is counted by ones, one in twenty trials.
GAUGES = {
    gauge.name: gauge
    for gauge in (
        Gauge("RSS", "bytes", 128 * 1024, 18),
        Gauge("heap in use", "bytes", 16 * 1024, 18),
        Gauge("objects", "", 20, 8),
        Gauge("graphs", "", 0.05),
        Gauge("handles", "", 0.05),
        Gauge("functions", "", 0.05, 18),
        Gauge("threads", "", 0.05),
    )
}


def gauge_of(name: str) -> Gauge:
    """Those of devices' pools have names of their own, "GPU:0 pool"."""
    return GAUGES.get(name) or Gauge(name, "bytes", 16 * 1024, 8)


def read_gauges() -> dict[str, int]:
    """The figures now, by name: bytes and counts. Collects nothing. Takes some 10 ms
    for each 200,000 objects that the collector tracks."""
    process = _core.process()
    found = {"RSS": process["rss"]}
    with contextlib.suppress(UnsupportedError):  # a libc without mallinfo2
        found["heap in use"] = _core.heap()["in_use"]
    adapter = find_adapter()
    found |= adapter.gauges() if adapter else {"objects": _core.count(())[0]}
    found["threads"] = process["threads"]
    return found
