"""What a forked worker does: takes a trial, runs it, answers, waits for the next.

It is a copy of a process that has imported libraries and run nothing. Everything that
makes one run differ from another and that a fork would copy is made anew here.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys
from typing import Any, NoReturn

from keraser import _core, payload, remote_errors, wire

#: Longest text of a frame.
_CHUNK = 32768


class _Stream(io.RawIOBase):
    """stdout or stderr of the worker, as frames of the channel: so both reach the other
    side in the order in which they were written. What native code writes to the
    descriptors themselves goes by pipes."""

    def __init__(self, channel: int, number: int) -> None:
        self._channel = channel
        self._number = number
        self.mode = "w"
        self.name = "<stdout>" if number == 1 else "<stderr>"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        with memoryview(data).cast("B") as view:
            for begin in range(0, len(view), _CHUNK):
                with view[begin : begin + _CHUNK] as chunk:
                    _core.send(self._channel, wire.OUTPUT, 0, (self._number,), chunk)
            return len(view)


def _text_stream(channel: int, number: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Stream(channel, number), _CHUNK),
        encoding="utf-8",
        errors="replace" if number == 1 else "backslashreplace",
        line_buffering=True,
    )


def _settle(channel: int) -> None:
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = sys.__stdout__ = _text_stream(channel, 1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text_stream(channel, 2)  # type: ignore[misc]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.enable(2)
    # Python's own generator is seeded by the fork; that of NumPy is not.
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()


def _run(descriptor: int, most: int) -> tuple[int, int]:
    """Whether it failed, and the descriptor of the result or of the error."""
    try:
        job = payload.unpack(descriptor)
        value = job["function"](*job["args"], **job["kwargs"])
        return 0, payload.pack(value, limit=most or None)
    except BaseException as error:
        return 1, remote_errors.pack_error(error)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # it was closed by the trial
            stream.flush()


def _rehearse() -> None:
    """Goes once through what a trial goes through: the pages that this changes are
    copied now, while nobody waits."""
    job = {"function": lambda value: value, "args": (0,), "kwargs": {}}
    _, answer = _run(payload.pack(job), 0)
    os.close(answer)
    _flush()


def work(channel: int) -> NoReturn:
    """Never returns: a worker ends without what an interpreter does at its end."""
    _settle(channel)
    _rehearse()
    while True:
        frame = _core.receive(channel)
        if frame is None:
            os._exit(0)
        _, trial, (most,), _, descriptor = frame
        failed, answer = _run(descriptor, most)
        _flush()
        figures = (0,) * wire.FIGURES  # the server knows them
        _core.send(channel, wire.DONE, trial, (*figures, failed), b"", answer)
        os.close(answer)
