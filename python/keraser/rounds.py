"""A program's own loop over models, which nobody has marked: each new model is taken
for the beginning of a round, and what the rounds before left behind is swept then."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

from keraser import _core
from keraser.adapters.base import Adapter, find_adapter
from keraser.readings import read_gauges
from keraser.receipt import format_bytes
from keraser.recording import Recorder
from keraser.sweeping import Sweep

#: A sweep waits until so many times as long has passed as the last one took: a tenth
#: of the time at most goes into sweeping.
REST = 10

#: But only for as long as the last one took, when the process has grown by so much
#: since, lest dead models pile up in a loop that makes large ones quickly.
ROOM = 256 << 20


class Rounds:
    """Watches models being made.

    Attributes:
        models: how many were made, but for what a Sequential makes for itself.
        sweeps: how often what dead ones left was swept.
        left: after the end, models that are alive and figures of `readings`.
        let_go: entries of the framework's registry that the guard let go.
    """

    def __init__(self, trim: bool) -> None:
        self.models = 0
        self.sweeps = 0
        self.left: dict[str, int] = {}
        self.let_go = 0
        self._trim = trim
        self._recorder = Recorder()
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._took = 0.0
        self._rss = _core.process()["rss"]

    def model_is_made(self) -> None:
        """Those before it may be dead by now."""
        adapter = find_adapter()
        if adapter is None or adapter.is_part():
            return
        self.models += 1
        if self.models == 1 or adapter.is_tracing() or not self._is_time():
            return
        if not self._lock.acquire(blocking=False):
            return  # another thread is at it
        try:
            self._sweep(adapter)
        finally:
            self._lock.release()

    def _is_time(self) -> bool:
        waited = time.monotonic() - self._last
        if waited >= REST * self._took:
            return True
        return waited >= self._took and _core.process()["rss"] - self._rss >= ROOM

    def _sweep(self, adapter: Adapter) -> None:
        began = time.monotonic()
        try:
            sweep = Sweep(adapter, "keraser run", "")
            sweep.clear_models([])
            sweep.clear_rest([], adapter.name_counters(), say=False, trim=self._trim)
            self._recorder.note(began - self._last)
            self.sweeps += 1
        finally:
            self._last = time.monotonic()
            self._took = self._last - began
            self._rss = _core.process()["rss"]

    def end(self) -> None:
        """A last look, at what the end of the program finds."""
        adapter = find_adapter()
        if adapter is None or not self.models:
            return
        gc.collect()
        self.left = {"models": len(adapter.models()), **read_gauges()}
        self.let_go = adapter.guard_let_go()

    def lines(self) -> list[str]:
        """The report in words."""
        if not self.models:
            return ["no model was made"]
        lines = [f"{self.models} models made, {self.sweeps} sweeps"]
        if self.left:
            lines.append(self._alive())
        if self._recorder.judged > 0:
            lines += self._recorder.report().summary("sweep").splitlines()
        return lines

    def _alive(self) -> str:
        left = dict(self.left)
        heap = left.get("heap in use")
        return (
            f"alive at the end: {left['models']} models, {left['handles']} variables, "
            f"{left['graphs']} graphs"
            + (f"; C heap {format_bytes(heap)}, with its pools" if heap else "")
            + (f"; the guard let go of {self.let_go} gradients" if self.let_go else "")
        )

    def to_dict(self) -> dict[str, Any]:
        """The same, fit for JSON."""
        return {
            "models": self.models,
            "sweeps": self.sweeps,
            "left": self.left,
            "let_go": self.let_go,
            "growth": self._recorder.report().to_dict(),
        }
