"""What an object keeps: a walk from it along what it refers to, in a notebook's names.

It is meant for what a cell may have as a result, a History or a list of models, and
gives up after some ten thousand objects. Variables of modules are not followed: a
function would lead to everything.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any

#: Objects that are looked at before it gives up.
LIMIT = 10_000

_LEAVES = (str, bytes, int, float, bool, type(None), type, ModuleType, CodeType)


def find_reached(value: Any, wanted: Callable[[Any], bool]) -> list[Any]:
    """The nearest objects that are `wanted` and that `value` keeps, itself included.
    What is behind one of them is not looked at."""
    found: list[Any] = []
    modules = list(sys.modules.values())
    seen = {id(vars(m)) for m in modules if isinstance(m, ModuleType)}
    waiting = deque([value])
    visited: list[Any] = []  # keeps them alive, so that no id() is used twice
    while waiting and len(visited) < LIMIT:
        one = waiting.popleft()
        if id(one) in seen or issubclass(type(one), _LEAVES):
            continue
        seen.add(id(one))
        visited.append(one)
        if wanted(one):
            found.append(one)
        else:
            waiting.extend(_referents(one))
    return found


def _referents(one: Any) -> list[Any]:
    if type(one) is FunctionType:
        inner = [one.__closure__, one.__defaults__, one.__kwdefaults__, vars(one)]
        return [part for part in inner if part is not None]
    return gc.get_referents(one)
