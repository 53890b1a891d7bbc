"""Errors that travel: raised again in the parent, with the child's traceback as text.

Frames do not travel and are not kept: whoever has the error keeps no object of the
child, and in the child itself it lets go of them.
"""

from __future__ import annotations

import pickle
import traceback
from typing import Any, TypedDict

from keraser import pickling
from keraser.errors import TrialError
from keraser.payload import pack, unpack

#: Characters of a traceback: of a longer one the beginning and the end.
LONGEST = 100_000


class _Sent(TypedDict):
    kind: str
    message: str
    text: str  # the traceback
    pickled: bytes  # b"" if it does not pickle
    why: str  # if it does not


class RemoteTraceback(Exception):  # noqa: N818
    """The cause of an error that came from a child: the traceback there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def pack_error(error: BaseException, *, limit: int | None = None) -> int:
    """A descriptor of a payload with an error; it loses its traceback, as do those
    that led to it.

    Args:
        error: also KeyboardInterrupt and SystemExit.
        limit: bytes of the pickled error; one with more becomes a TrialError.

    Raises:
        UnsupportedError: cloudpickle is not installed.
    """
    text = _shorten("".join(traceback.format_exception(error)))
    _drop_frames(error)
    pickled, why = b"", ""
    try:
        pickled = pickling.dump_whole(error, limit)
    except (pickle.PicklingError, pickling.PayloadTooLarge) as failure:
        why = str(failure)
    kind = type(error)
    sent: _Sent = {
        "kind": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "message": _shorten(traceback.format_exception_only(error)[-1].strip()),
        "text": text,
        "pickled": pickled,
        "why": why,
    }
    return pack(sent)


def unpack_error(descriptor: int) -> BaseException:
    """The error, to be raised; its `__cause__` shows the child's traceback. A
    `TrialError` that says it all where the error itself cannot be made here.

    The descriptor is closed, whatever happens.

    Raises:
        KeraserError: not what `pack_error` wrote.
    """
    sent: _Sent = unpack(descriptor)
    why = sent["why"]
    try:
        error = pickle.loads(sent["pickled"]) if sent["pickled"] else None
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"it unpickles to {type(error).__name__}")
    except MemoryError:
        raise
    except Exception as failure:
        error, why = None, f"{type(failure).__name__}: {failure}"
    if error is None:
        error = TrialError(_describe(sent, why))
    error.__cause__ = RemoteTraceback(sent["text"])
    return error


def _describe(sent: _Sent, why: str) -> str:
    return (
        f"{sent['message']}\n\nThe trial raised {sent['kind']}, which cannot be raised "
        f"here ({why}). Its traceback:\n\n{sent['text']}"
    )


def _shorten(text: str) -> str:
    left = len(text) - LONGEST
    if left <= 0:
        return text
    half = LONGEST // 2
    return f"{text[:half]}\n... {left} characters are left out ...\n{text[-half:]}"


def _drop_frames(error: BaseException) -> None:
    """Of the error and of all that it leads to."""
    known: set[int] = set()
    ahead: list[Any] = [error]
    while ahead:
        one = ahead.pop()
        if isinstance(one, BaseException) and id(one) not in known:
            known.add(id(one))
            one.__traceback__ = None
            ahead += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
