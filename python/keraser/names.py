"""Retention paths in words: from the objects of a path to what a user would say.

A path is what `_core.holders` gives: objects from a root to the holder, a frame as a
tuple that describes its variable. Naming looks at each step for the next; it reads, and
never asks an object for an attribute that could run code.
"""

from __future__ import annotations

import types
from typing import Any

#: A key longer than this is cut.
KEY_LENGTH = 60

_FRAME_FIELDS = 8
_NOTEBOOK = {"_oh": "Out", "Out": "Out"}


def name_path(path: list[Any], target: Any) -> str:
    """One path as text, e.g. `variable "models"[2]` or `frame train() local 'best'`."""
    steps = [*path, target]
    start, text = _start(steps)
    at = start
    while at < len(steps) - 1:
        used, step = _step(steps, at)
        text += step
        at += used
    return text or "C code"


def _start(steps: list[Any]) -> tuple[int, str]:
    """Where the name begins: the last module on the path, or its root."""
    for at in range(len(steps) - 2, -1, -1):
        step = steps[at]
        if _is(step, dict) and "__name__" in step and at + 1 < len(steps):
            key = _key_of(step, steps[at + 1])
            if isinstance(key, str) and isinstance(step["__name__"], str):
                return at + 1, _module_variable(step, key, steps, at)
    first = steps[0]
    if is_frame(first):
        return 1, _frame(first)
    if _is(first, tuple) and len(first) == 1:
        return 1, f"C code: {first[0]}"
    return 0, f"C code: {type(first).__name__}"


def _module_variable(module: dict, key: str, steps: list[Any], at: int) -> str:
    name = module["__name__"]
    if key in _NOTEBOOK and _is(steps[at + 1], dict):
        return _NOTEBOOK[key]
    if key.strip("_") == "" or (key[0] == "_" and key[1:].isdigit()):
        return f"notebook result {key}"
    if key in ("last_traceback", "last_value", "last_exc") and name == "sys":
        return f"last error (sys.{key})"
    return f'variable "{key}"' if name == "__main__" else f"{name}.{key}"


def is_frame(step: Any) -> bool:
    """Whether a step of a path is the description of a function's variable."""
    return type(step) is tuple and len(step) == _FRAME_FIELDS and type(step[0]) is int


def _frame(step: tuple) -> str:
    _, _, file, function, line, variable, _, _ = step
    return f"{function}() at {file.rsplit('/', 1)[-1]}:{line}, local {variable!r}"


def _step(steps: list[Any], at: int) -> tuple[int, str]:
    """The words for the step from `steps[at]`, and how many steps they cover."""
    holder, held = steps[at], steps[at + 1]
    if _is(holder, types.CellType):
        return 1, ""
    if _is(holder, types.FunctionType):
        return _function_step(steps, at)
    if _is(holder, dict):
        return 1, f"[{_cut(_key_of(holder, held))}]"
    if _is(holder, (list, tuple)):
        return 1, f"[{_index_of(holder, held)}]"
    if _is(holder, types.MethodType):
        return 1, ".__self__"
    if _is(holder, types.GeneratorType):
        return 1, f" suspended in {holder.__name__}()"
    if _is(holder, types.TracebackType):
        return 1, ".tb_next" if _is(held, types.TracebackType) else " traceback"
    if _is(holder, types.FrameType):
        return 1, f" frame of {holder.f_code.co_name}()"
    return _attribute_step(steps, at)


def _function_step(steps: list[Any], at: int) -> tuple[int, str]:
    function, held = steps[at], steps[at + 1]
    named = f" (function {function.__qualname__})"
    if held is function.__closure__ and at + 2 < len(steps):
        cell = steps[at + 2]
        for name, own in zip(function.__code__.co_freevars, held, strict=False):
            if own is cell:
                return 2, f"{named} captured variable {name!r}"
    if held is function.__defaults__ and at + 2 < len(steps):
        return 2, f"{named} default argument"
    return 1, named


def _attribute_step(steps: list[Any], at: int) -> tuple[int, str]:
    holder, held = steps[at], steps[at + 1]
    attributes = _attributes(holder)
    if held is attributes and at + 2 < len(steps):
        return 2, f".{_cut(_key_of(attributes, steps[at + 2]), quoted=False)}"
    key = _key_of(attributes, held) if attributes else None
    if key is not None:
        return 1, f".{_cut(key, quoted=False)}"
    return 1, f" ({type(holder).__name__})"


def _attributes(holder: Any) -> dict | None:
    """The attributes of an instance, without asking the instance."""
    try:
        attributes = object.__getattribute__(holder, "__dict__")
    except (AttributeError, TypeError):
        return None
    return attributes if _is(attributes, dict) else None


def _key_of(mapping: dict, value: Any) -> Any:
    for key, candidate in list(dict.items(mapping)):
        if candidate is value:
            return key
    return None


def _index_of(sequence: Any, value: Any) -> str:
    for index in range(len(sequence)):
        if sequence[index] is value:
            return str(index)
    return "?"


def _is(value: Any, kinds: Any) -> bool:
    """isinstance() that a proxy cannot deceive and that runs no code of the value."""
    return issubclass(type(value), kinds)


def _cut(key: Any, quoted: bool = True) -> str:
    text = repr(key) if quoted or not isinstance(key, str) else key
    return text if len(text) <= KEY_LENGTH else text[: KEY_LENGTH - 3] + "..."
