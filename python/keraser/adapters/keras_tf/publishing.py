"""What TensorFlow notes of each function it instantiates: who publishes its graphs.

The publisher that TensorFlow brings does nothing and is kept for good: 8 bytes, made
when the heap is full of what instantiating takes, so that each is left alone on a page
that can never go back to the system. A trial of bench/sweep.py instantiates some 80
functions: 500 trials had 4.5 % more resident set than 20 had, and have 2.1 % without.
TensorFlow has a flag that does without, TF_FLAG_PUBLISH_FUNCTION_GRAPHS, read at each
instantiation; it "can reduce memory consumption" (core/config/flag_defs.h).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()
_stops: list[object] = []  # of those that want none published, and have not ended
_was = True  # what the flag was before the first of them


def stop() -> Callable[[], None]:
    """Has nothing published until what this returns is called; calling that again does
    nothing. The last to end puts the flag back as it was."""
    global _was
    mark = object()
    flag = _flag()
    with _lock:
        if flag is not None and not _stops:
            _was = flag.value()
            flag.reset(False)
        _stops.append(mark)
    return functools.partial(_end, mark)


def _end(mark: object) -> None:
    with _lock:
        if mark not in _stops:
            return
        _stops.remove(mark)
        flag = _flag()
        if flag is not None and not _stops:
            flag.reset(_was)


def _flag() -> Any:
    """TensorFlow's own, None in versions without it."""
    try:
        from tensorflow.core.config import flags

        return flags.config().publish_function_graphs
    except (ImportError, AttributeError):
        return None
