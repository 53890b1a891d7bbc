"""What `keraser run` does within the process: guards, collects dead models as new ones
are made, and reports at the end. Nothing of it may disturb the program that is run.

The program's own modules may be called like those of the standard library, which a
module imported before it would hide. So no more is imported here than Python itself has
at its start; the rest comes with Keras (`rounds.py`). Nothing is imported at the end:
where a module's text is executed Python forgets that an interrupt ended the program,
and does not die of it (run_eval_code_obj in its pythonrun.c)."""

from __future__ import annotations

import atexit
import os
import sys
import time

from keraser import _core
from keraser.adapters.on_import import find_unseen, when_imported

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from keraser.rounds import Rounds

#: Of what `--report` writes.
SCHEMA_VERSION = 1


class Run:
    """One run of a program."""

    def __init__(self, guard: bool, trim: bool, report: str | None) -> None:
        self.guard = guard
        self.trim = trim
        self.report = report
        self.problems: dict[str, int] = {}
        self.rounds: Rounds | None = None
        self._process = os.getpid()
        self._began = time.monotonic()

    def safely(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls it, unless in a child that was forked; what it raises is counted, and
        told in the end."""
        if os.getpid() != self._process:
            return
        try:
            function(*arguments)
        except Exception as error:  # whatever it is, the program goes on
            text = f"{type(error).__name__}: {error}"
            self.problems[text] = self.problems.get(text, 0) + 1

    def find_report(self) -> None:
        """Wherever the program goes meanwhile, the report is written where it began."""
        if self.report is not None:
            import json  # noqa: F401

            self.report = os.path.abspath(self.report)

    def framework_is_here(self) -> None:
        self.safely(self._prepare)

    def _prepare(self) -> None:
        from keraser.adapters.base import find_adapter
        from keraser.rounds import Rounds

        adapter = find_adapter()
        if adapter is None:
            return
        if self.guard:
            self.safely(adapter.guard_on)
        rounds = self.rounds = Rounds(self.trim)
        adapter.watch_births(lambda _: self.safely(rounds.model_is_made))

    # ---- at the end --------------------------------------------------------------

    def end(self) -> None:
        self.safely(self._end)

    def _end(self) -> None:
        if self.rounds is not None:
            self.safely(self.rounds.end)
        elif unseen := find_unseen():
            self.problems.setdefault(unseen, 1)
        told: dict[str, Any] = {}
        self.safely(lambda: told.update(self.to_dict()))
        if self.report is not None and told:
            self.safely(self._write, self.report, told)
        if sys.stderr is not None and told:
            print("\n".join(self._lines(told)), file=sys.stderr, flush=True)

    def _write(self, path: str, told: dict[str, Any]) -> None:
        import json  # imported by find_report()

        with open(path, "w", encoding="utf-8") as file:
            json.dump(told, file, indent=1)
            file.write("\n")

    def _lines(self, told: dict[str, Any]) -> list[str]:
        process = told["process"]
        lines = [
            f"keraser: {_end_of(told)} after {told['seconds']:.1f} s; memory "
            f"{_mib(process['rss'])} MiB, at most {_mib(process['peak'])} MiB"
        ]
        if self.rounds is not None:
            lines += self.rounds.lines()
        else:
            lines.append("no Keras to look after")
        lines += [
            f"could not do all it should{_times(count)}: {problem}"
            for problem, count in self.problems.items()
        ]
        return [lines[0], *(f"  {line}" for line in lines[1:])]

    def to_dict(self) -> dict[str, Any]:
        """The report, fit for JSON."""
        error = getattr(sys, "last_type", None)
        return {
            "schema_version": SCHEMA_VERSION,
            "guard": self.guard,
            "trim": self.trim,
            "seconds": time.monotonic() - self._began,
            "error": None if error is None else error.__name__,
            "process": dict(_core.process()),
            **(self.rounds.to_dict() if self.rounds is not None else {"models": 0}),
            "problems": self.problems,
        }


def _end_of(told: dict[str, Any]) -> str:
    return f"ended by {told['error']}" if told["error"] else "ended"


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f}"


def _times(count: int) -> str:
    return f", {count} times" if count > 1 else ""


def begin(guard: bool, trim: bool, report: str | None) -> None:
    """Prepares this process, before the program begins; the report follows at its
    normal end, on stderr and, as JSON, in the file `report`."""
    run = Run(guard, trim, report)
    atexit.register(run.end)
    run.safely(run.find_report)
    run.safely(when_imported, run.framework_is_here)
