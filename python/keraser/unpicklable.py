"""Which part of something does not pickle: the smallest that can be named."""

from __future__ import annotations

import functools
import itertools
import types
from collections.abc import Callable, Iterator
from typing import Any

from keraser.adapters.base import find_shipper

#: How far down is looked, and how many parts are tried.
DEPTH = 4
TRIES = 1000

Attempt = Callable[[Any], Exception | None]


def describe(thing: Any, called: str, error: Exception, attempt: Attempt) -> str:
    """In words: `result['callback'].lock: cannot pickle '_thread.lock' object`."""
    tries = iter(range(TRIES))
    path, error = _descend(thing, called, error, attempt, tries, DEPTH)
    why = str(error) or type(error).__name__
    return f"{path or 'this'}: {why}"


def _descend(
    thing: Any,
    path: str,
    error: Exception,
    attempt: Attempt,
    tries: Iterator[int],
    depth: int,
) -> tuple[str, Exception]:
    for name, part in _parts(thing, path) if depth else ():
        if next(tries, None) is None:
            break
        wrong = attempt(part)
        if wrong is not None:
            return _descend(part, name, wrong, attempt, tries, depth - 1)
    return path, error


def _parts(thing: Any, path: str) -> Iterator[tuple[str, Any]]:
    shipper = find_shipper()
    if isinstance(thing, types.ModuleType) or (shipper and shipper.takes(thing)):
        return
    if isinstance(thing, dict):
        for key, value in list(thing.items()):
            yield (f"{path}[{key!r}]" if path else str(key)), value
            yield f"a key of {path or 'this'}", key
    elif isinstance(thing, (list, tuple, set, frozenset)):
        for number, value in enumerate(tuple(thing)):
            yield f"{path}[{number}]", value
    elif isinstance(thing, types.FunctionType):
        yield from _parts_of_function(thing, path)
    elif isinstance(thing, types.MethodType):
        yield f"{path}.__self__", thing.__self__
        yield f"{path}.__func__", thing.__func__
    elif isinstance(thing, functools.partial):
        yield f"{path}.func", thing.func
        yield f"{path}.args", thing.args
        yield f"{path}.keywords", thing.keywords
    yield from _attributes(thing, path)


def _parts_of_function(function: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Those that go with it, if it goes by value."""
    for name, cell in zip(
        function.__code__.co_freevars, function.__closure__ or (), strict=True
    ):
        try:
            yield f"{path}'s variable {name!r}", cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield f"{path}'s global {name!r}", function.__globals__[name]
    for number, value in enumerate(function.__defaults__ or ()):
        yield f"{path}.__defaults__[{number}]", value


def _names(code: types.CodeType) -> set[str]:
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return {*code.co_names, *itertools.chain.from_iterable(map(_names, inner))}


def _attributes(thing: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, value in list(getattr(thing, "__dict__", {}).items()):
        if not name.startswith("__"):
            yield f"{path}.{name}", value
    if isinstance(thing, type):
        return
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name) and name not in ("__dict__", "__weakref__"):
                yield f"{path}.{name}", getattr(thing, name)
