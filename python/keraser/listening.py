"""Whether this process answers a command line: from when Keras is imported to its end,
unless KERASER_LISTEN=off."""

from __future__ import annotations

import atexit
import os

from keraser import _core


class _Here:
    """The listener of this process.

    Attributes:
        listener: None while there is none.
        refused: it must not have one: a fork server has one thread.
        reason: why there is none, where one was wanted.
    """

    def __init__(self) -> None:
        self.listener: _core.Listener | None = None
        self.refused = False
        self.reason = ""


_here = _Here()


def _answer(socket: int, verb: int, flags: int, held: int, model: bytes) -> None:
    import contextlib

    from keraser import answering

    with contextlib.suppress(OSError):  # who asked has gone, or does not read
        answering.answer(socket, verb, flags, held, model)


def start() -> None:
    """Listens from now on, if it may and does not yet. Where there is no place for a
    socket, nothing is changed; `reason` says why, and so does doctor()."""
    if _here.refused or _here.listener is not None:
        return
    try:
        _here.listener = _core.Listener(_answer)
    except (OSError, MemoryError) as error:
        _here.reason = f"there is no place for a socket: {error}"
        return
    _here.reason = ""


def stop() -> None:
    """Does not listen any more. Waits for an answer that is being given."""
    listener, _here.listener = _here.listener, None
    if listener is not None:
        listener.stop()


def refuse() -> None:
    """Never listens, nor do children that are forked."""
    _here.refused = True
    stop()


def path() -> str | None:
    """Of the socket; None where this process does not listen."""
    return None if _here.listener is None else _here.listener.path


def failed() -> bool:
    """Whether there was no place for a socket."""
    return bool(_here.reason)


def why_not() -> str:
    """Why this process does not listen, in words."""
    if _here.reason:
        return _here.reason
    if _is_off():
        return "not answered: KERASER_LISTEN=off"
    if _here.refused:
        return "not answered: this process serves trials"
    return "not answered before Keras is imported"


def _is_off() -> bool:
    return os.environ.get("KERASER_LISTEN") == "off"


def _renew() -> None:
    """In a forked child the thread is gone: what it had is closed, and made anew."""
    if _here.listener is not None:
        stop()
        start()


def begin() -> None:
    """Called once, when keraser is imported."""
    if _is_off():
        return
    from keraser.adapters.on_import import when_imported

    atexit.register(stop)
    os.register_at_fork(after_in_child=_renew)
    when_imported(start)
