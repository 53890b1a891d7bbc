"""One trial of an executor: its future, what it runs, what it has printed."""

from __future__ import annotations

import codecs
import contextlib
import contextvars
import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypedDict

from keraser.figures import Figures

if TYPE_CHECKING:
    from keraser.link import Link

#: Of what a trial has printed, how much an error has, in characters.
_TAIL = 4000
#: How long a line without an end may be before it is passed on all the same.
_LINE = 8000


class Job(TypedDict, total=False):
    """A call; empty once it is no longer needed."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class TrialFuture(Future[Any]):
    """A `concurrent.futures.Future` that knows of its trial.

    Attributes:
        figures: what the trial took (`keraser.Figures`), once it has ended; None
            before, and for one that never ran.
    """

    def __init__(self) -> None:
        super().__init__()
        self.figures: Figures | None = None
        self._stop: Callable[[float], None] | None = None

    def stop(self, grace: float = 2.0) -> None:
        """Ends the trial: cancels one that waits, and in one that runs raises
        KeyboardInterrupt; after `grace` seconds its process is killed. `result()` then
        raises `keraser.TrialError`, or CancelledError where it had not begun. Does
        nothing to one that is done."""
        if not self.cancel() and self._stop is not None and not self.done():
            self._stop(grace)


class TrialItem:
    """What an executor keeps of a trial until it is done."""

    def __init__(
        self,
        number: int,
        job: Job,
        values: tuple[int, ...],
        whole_lines: bool,
        forward: bool,
    ) -> None:
        self.number = number
        self.values = values  # of its SUBMIT frame
        function = job["function"]
        called = getattr(function, "__qualname__", type(function).__name__)
        self.name = f"trial {number}, {called}()"
        self.job = job
        self.future = TrialFuture()
        self.link: Link | None = None
        self.pid = 0
        self.stopped = False
        self.dispatched = False
        self.tail = ""
        self._forward = forward
        self._whole_lines = whole_lines
        # What is printed in it a notebook shows under the cell that submitted.
        self._context = contextvars.copy_context()
        self._decoders = {
            stream: codecs.getincrementaldecoder("utf-8")("replace")
            for stream in (1, 2)
        }
        self._held = {1: "", 2: ""}

    def begin(self) -> bool:
        """False for one that was cancelled before it began. Again for one that another
        server is to run."""
        if not self.dispatched:
            self.dispatched = self.future.set_running_or_notify_cancel()
        return self.dispatched

    def take_output(self, stream: int, data: bytes) -> None:
        """Something that the trial has written to stdout (1) or stderr (2)."""
        text = self._decoders[stream].decode(data)
        self.tail = (self.tail + text)[-_TAIL:]
        if not self._forward:
            return
        if self._whole_lines:
            text = self._held[stream] + text
            end = max(text.rfind("\n"), text.rfind("\r")) + 1
            if end == 0 and len(text) > _LINE:
                end = len(text)
            text, self._held[stream] = text[:end], text[end:]
        self._write(stream, text)

    def end_output(self) -> None:
        """Passes on what waited for the end of its line."""
        for stream, text in self._held.items():
            self._write(stream, text)
            self._held[stream] = ""

    def _write(self, stream: int, text: str) -> None:
        target = sys.stdout if stream == 1 else sys.stderr
        if not text or target is None:
            return
        # A stream that somebody closed must not stop the trials.
        with contextlib.suppress(OSError, ValueError):
            self._context.run(target.write, text)
            self._context.run(target.flush)
