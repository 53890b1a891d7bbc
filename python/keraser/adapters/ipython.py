"""What an IPython shell remembers of results and errors, and how it forgets.

A result is kept in four places: `Out`, the variable `_12`, one of `_`, `__`, `___`, and
the same attribute of the display hook. One action of a user must clear them all.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable
from typing import Any

from keraser.names import Landmark, Vocabulary

_RESULT = re.compile(r"_+|_\d+")
_ERRORS = ("last_exc", "last_value", "last_traceback", "last_type")


def shell() -> Any:
    """The shell of this process, None outside of one."""
    module = sys.modules.get("IPython.core.interactiveshell")
    if module is None or not module.InteractiveShell.initialized():
        return None
    return module.InteractiveShell.instance()


def vocabulary() -> Vocabulary:
    """`Out`, the display hook and the last error."""
    ip = shell()
    if ip is None:
        return Vocabulary()
    last = ip.last_execution_result
    kind = "error" if getattr(last, "error_in_exec", None) else "notebook"
    return Vocabulary(
        {
            id(ip.user_ns.get("_oh")): Landmark("Out", "notebook"),
            id(ip.displayhook): Landmark("display hook", "notebook"),
            id(ip.user_ns_hidden): Landmark("user_ns_hidden", "notebook"),
            id(ip.InteractiveTB): Landmark("InteractiveTB", "error"),
            id(last): Landmark("last_execution_result", kind),
        }
    )


def places_of(value: Any) -> list[str]:
    """Where IPython remembers a result, as code."""
    ip = shell()
    outputs = {} if ip is None else ip.user_ns.get("_oh", {})
    names = {} if ip is None else ip.user_ns
    found = [f"Out[{n}]" for n, shown in list(outputs.items()) if shown is value]
    return found + [name for name in _results(names) if names[name] is value]


def places_of_any(values: Iterable[Any]) -> bool:
    """Whether one of these is what IPython keeps results in."""
    ip = shell()
    return ip is not None and any(value is ip.user_ns.get("_oh") for value in values)


def results() -> list[Any]:
    """Each result that IPython remembers, once."""
    ip = shell()
    if ip is None:
        return []
    found = list(ip.user_ns.get("_oh", {}).values())
    for names in (ip.user_ns, vars(ip.displayhook), ip.user_ns_hidden):
        found += [names[name] for name in _results(names)]
    found.append(getattr(ip.last_execution_result, "result", None))
    return list({id(value): value for value in found}.values())


def forget(value: Any) -> None:
    """Drops a result from everywhere in IPython that remembers it."""
    ip = shell()
    if ip is None:
        return
    outputs = ip.user_ns.get("_oh", {})
    for number in [n for n, shown in list(outputs.items()) if shown is value]:
        outputs.pop(number, None)
    for names in (ip.user_ns, vars(ip.displayhook), ip.user_ns_hidden):
        for name in _results(names):
            if names[name] is value:
                names[name] = ""  # as IPython itself begins
    last = ip.last_execution_result
    if last is not None and last.result is value:
        last.result = None


def _results(names: dict[str, Any]) -> list[str]:
    return [n for n in list(names) if isinstance(n, str) and _RESULT.fullmatch(n)]


def places_of_error() -> list[str]:
    """Where the last error is remembered, its frames with it, as code."""
    found = [f"sys.{name}" for name in _ERRORS if getattr(sys, name, None) is not None]
    ip = shell()
    if ip is None:
        return found
    hook, last = ip.InteractiveTB, ip.last_execution_result
    if getattr(hook, "tb", None) is not None:
        found.append("the traceback that IPython showed")
    if getattr(getattr(hook, "pdb", None), "botframe", None) is not None:
        found.append("%debug")
    if getattr(last, "error_in_exec", None) is not None:
        found.append("the last cell's outcome")
    return found


def forget_error() -> None:
    """Drops the error that the interpreter and IPython show last, and the debugger that
    has looked at it: `%debug` makes itself another."""
    for name in _ERRORS:
        with contextlib.suppress(AttributeError):
            delattr(sys, name)
    ip = shell()
    if ip is not None:
        ip.InteractiveTB.tb = None
        ip.InteractiveTB.etype = None
        ip.InteractiveTB.evalue = None
        ip.InteractiveTB.pdb = None
        ip.last_execution_result = None
