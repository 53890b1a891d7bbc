"""Which functions of TensorFlow's runtime are alive, and what they name.

A function body (FunctionDef) names custom gradients and Python functions by text only:
`CustomGradient-12`, `pyfunc_3`. Whoever drops the object behind such a name has to know
that no living body names it. Bodies never change, so each is read once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_NAMES = re.compile(rb"CustomGradient-\d+|pyfunc_\d+")

#: Function -> the names in its body, for the functions alive when last asked.
_read: dict[str, frozenset[str]] = {}


class RuntimeFunctions:
    """The functions that will be alive after what `owned` owns is gone."""

    def __init__(self, owned: Any) -> None:
        from tensorflow.python.eager.polymorphic_function.atomic_function import (
            AtomicFunction,
        )

        self._dying = {_text(f.name) for f in owned.instances(AtomicFunction)}
        self._named: frozenset[str] | None = None

    def name(self, name: str) -> bool:
        """Whether the body of a function that stays alive names it."""
        if self._named is None:
            self._named = self._read_names()
        return name in self._named

    def _read_names(self) -> frozenset[str]:
        from tensorflow.python.eager import context
        from tensorflow.python.framework import errors

        if context.context_safe() is None:
            return frozenset()
        eager = context.context()
        living = {_text(name) for name in eager.list_function_names()}
        for name in set(_read) - living:
            del _read[name]
        for name in living - self._dying - set(_read):
            try:
                body = eager.get_function_def(name).SerializeToString()
            except errors.NotFoundError:
                continue  # another thread has dropped it since it was listed
            _read[name] = frozenset(map(_text, _NAMES.findall(body)))
        return frozenset().union(*(_read.get(n, ()) for n in living - self._dying))


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def runtime_functions() -> Iterator[tuple[str, Any]]:
    """Name and FunctionDef of each function that the runtime has."""
    from tensorflow.python.eager import context
    from tensorflow.python.framework import errors

    eager = context.context_safe()
    for name in () if eager is None else map(_text, eager.list_function_names()):
        try:
            yield name, eager.get_function_def(name)
        except errors.NotFoundError:
            continue  # another thread has dropped it since it was listed
