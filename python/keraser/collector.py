"""Waiting for the garbage collector: its lists are open while it runs."""

from __future__ import annotations

import time

from keraser import _core
from keraser.errors import KeraserError

#: How long to wait, seconds. A collection of a large heap takes some tenths of one.
PATIENCE = 2.0
PAUSE = 0.002


def await_collector(caller: str) -> None:
    """Returns when no collection is under way.

    Raises:
        KeraserError: one is, for longer than any takes: the call came from within it, a
            finalizer or a callback of gc.
    """
    deadline = time.monotonic() + PATIENCE
    while not _core.collector_idle():
        if time.monotonic() > deadline:
            raise KeraserError(
                f"{caller} was called from a finalizer or a gc callback, while the "
                "garbage collector runs; call it from ordinary code"
            )
        time.sleep(PAUSE)
