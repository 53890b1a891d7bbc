"""A progress bar by rich, where rich is installed and somebody looks."""

from __future__ import annotations

import sys
from typing import Any


def _is_watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class ProgressBar:
    """Does nothing where nobody looks or rich is missing. It redraws when it is told
    to, and has no thread of its own: that would be growth in the first trial."""

    def __init__(self, wanted: bool, total: int | None) -> None:
        self._progress: Any = None
        if not wanted or not _is_watched():
            return
        try:
            from rich import progress
            from rich.console import Console
        except ImportError:
            return
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            auto_refresh=False,
        )
        self._task = self._progress.add_task("trials", total=total, note="")
        self._progress.start()

    def advance(self, note: str) -> None:
        """One more trial is done; `note` stands beside the bar."""
        if self._progress is not None:
            self._progress.update(self._task, advance=1, note=note)
            self._progress.refresh()

    @property
    def watched(self) -> bool:
        """Whether it shows anything."""
        return self._progress is not None

    def tell(self, note: str) -> None:
        """The same number of trials, and another note."""
        if self._progress is not None:
            self._progress.update(self._task, note=note)
            self._progress.refresh()

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
