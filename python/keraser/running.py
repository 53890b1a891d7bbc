"""What `keraser run` does within the process: guards, collects dead models as new ones
are made, and reports at the end. Nothing of it may disturb the program that is run."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from keraser import _core
from keraser.adapters.base import find_adapter, when_imported
from keraser.errors import UnsupportedError
from keraser.receipt import format_bytes
from keraser.recording import Recorder
from keraser.sweeping import Sweep

#: A sweep waits until so many times as long has passed as the last one took: a tenth
#: of the time at most goes into sweeping.
REST = 10

#: Of what `--report` writes.
SCHEMA_VERSION = 1


class Run:
    """One run of a program."""

    def __init__(self, guard: bool, trim: bool, report: str | None) -> None:
        self.guard = guard
        self.trim = trim
        self.report = report
        self.models = 0
        self.sweeps = 0
        self.problems: dict[str, int] = {}
        self._recorder = Recorder()
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._began = self._last = time.monotonic()
        self._rest = 0.0

    def safely(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls it; what it raises is counted, and told in the end."""
        try:
            function(*arguments)
        except Exception as error:  # whatever it is, the program goes on
            text = f"{type(error).__name__}: {error}"
            self.problems[text] = self.problems.get(text, 0) + 1

    def framework_is_here(self) -> None:
        self.safely(self._prepare)

    def _prepare(self) -> None:
        adapter = find_adapter()
        if adapter is None:
            return
        if self.guard:
            self.safely(adapter.guard_on)
        adapter.watch_births(lambda _: self.safely(self._sweep))

    # ---- while it runs -----------------------------------------------------------

    def _sweep(self) -> None:
        """A model is being made: those before it may be dead by now."""
        self.models += 1
        now = time.monotonic()
        adapter = find_adapter()
        if now - self._last < self._rest or adapter is None or adapter.is_tracing():
            return
        if not self._lock.acquire(blocking=False):
            return  # another thread is at it
        try:
            sweep = Sweep(adapter, "keraser run", "")
            sweep.clear_models([])
            sweep.clear_rest([], adapter.name_counters(), say=False, trim=self.trim)
            self._recorder.note(now - self._last)
            self.sweeps += 1
        finally:
            self._last = time.monotonic()
            self._rest = REST * (self._last - now)
            self._lock.release()

    # ---- at the end --------------------------------------------------------------

    def end(self) -> None:
        if os.getpid() == self._process:  # not a child that was forked
            self.safely(self._say)

    def _say(self) -> None:
        print("\n".join(self._lines()), file=sys.stderr, flush=True)
        if self.report:
            with open(self.report, "w", encoding="utf-8") as file:
                json.dump(self.to_dict(), file, indent=1)

    def _lines(self) -> list[str]:
        process = _core.process()
        lines = [
            f"keraser: {self.models} models (and parts) made, {self.sweeps} sweeps, "
            f"RSS {format_bytes(process['rss'])} now and "
            f"{format_bytes(process['peak'])} at most, "
            f"{time.monotonic() - self._began:.1f} s"
        ]
        if self._recorder.judged > 0:
            lines += self._recorder.report().summary().splitlines()
        lines += [
            f"keraser could not do all it should, {count} times: {problem}"
            for problem, count in self.problems.items()
        ]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """The report, fit for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "models": self.models,
            "sweeps": self.sweeps,
            "guard": self.guard,
            "trim": self.trim,
            "process": dict(_core.process()),
            "growth": self._recorder.report().to_dict(),
            "problems": self.problems,
        }


def begin(guard: bool, trim: bool, report: str | None) -> None:
    """Prepares this process, before the program begins; the report follows at its
    normal end, on stderr and, as JSON, in the file `report`."""
    run = Run(guard, trim, os.path.abspath(report) if report else None)
    atexit.register(run.end)
    try:
        when_imported(run.framework_is_here)
    except UnsupportedError as error:
        run.problems[str(error)] = 1
