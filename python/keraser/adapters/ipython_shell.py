"""An IPython shell as `keraser.magics` uses it: magics, completion, events, cells."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

Magic = Callable[[str], None]
CellMagic = Callable[[str, str], None]
Complete = Callable[[str, list[str], str], list[str]]


class Shell:
    """One shell, terminal or kernel. It refers to the shell and to nothing in it."""

    def __init__(self, ip: Any) -> None:
        self._ip = ip
        self._before: dict[tuple[str, str], Any] = {}
        self._matcher: Any = None
        self._after_cell: Any = None

    # ---- what a magic asks of it --------------------------------------------------

    def variables(self) -> dict[str, Any]:
        """The user's names; those of IPython's own among them."""
        variables: dict[str, Any] = self._ip.user_ns
        return variables

    def where(self) -> str:
        """The cell that is running, as the user sees its number."""
        return f"In[{cell_number(self._ip)}]"

    def show(self, thing: Any) -> None:
        """As the terminal or the notebook shows it best. Not remembered as a result."""
        from IPython.display import display

        display(thing)  # type: ignore[no-untyped-call]

    def refuse(self, text: str) -> NoReturn:
        """Ends the magic with one line instead of a traceback."""
        from IPython.core.error import UsageError

        raise UsageError(text)

    def run(self, cell: str) -> Any:
        """Runs code as a cell of its own, magics in it too; returns the value of its
        last expression, None without one or where `;` follows it."""
        ip = self._ip
        code = ip.transform_cell(cell)
        name = ip.compile.cache(code, ip.execution_count, raw_code=cell)
        tree = ip.transform_ast(ip.compile.ast_parse(code, filename=name))
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr) or code.rstrip().endswith(";"):
            exec(ip.compile(tree, name, "exec"), ip.user_global_ns, ip.user_ns)
            return None
        del tree.body[-1]
        exec(ip.compile(tree, name, "exec"), ip.user_global_ns, ip.user_ns)
        value = ip.compile(ast.Expression(last.value), name, "eval")
        return eval(value, ip.user_global_ns, ip.user_ns)

    def is_result(self, value: Any) -> bool:
        """Whether the running cell's result is among those that IPython keeps."""
        results = self._ip.user_ns.get("_oh", {})
        return any(shown is value for shown in list(results.values())[-1:])

    # ---- coming and going -----------------------------------------------------------

    def install(
        self,
        magics: Mapping[str, Magic],
        cell_magics: Mapping[str, CellMagic],
        complete: Complete,
        after_cell: Callable[[Any], None],
    ) -> None:
        """Makes magics of functions.

        Args:
            complete: called with a magic's name, its whole words so far and what is
                typed of the next one; says what that may be.
            after_cell: called with the value that a cell ended with, if it has one.
        """
        for kind, added in (("line", magics), ("cell", cell_magics)):
            table = self._ip.magics_manager.magics[kind]
            for name, function in added.items():
                self._before[kind, name] = table.get(name)
                self._ip.register_magic_function(function, kind, name)
        self._matcher = _matcher({*magics, *cell_magics}, complete)
        if self._matcher is not None:
            self._ip.Completer.custom_matchers.append(self._matcher)
        self._after_cell = lambda result: after_cell(result.result)
        self._ip.events.register("post_run_cell", self._after_cell)

    def magic_before(self, name: str) -> Magic | None:
        """What `%name` was before."""
        return self._before.get(("line", name))

    def uninstall(self) -> None:
        """Takes everything back; magics are what they were before."""
        for (kind, name), before in self._before.items():
            table = self._ip.magics_manager.magics[kind]
            if before is None:
                table.pop(name, None)
            else:
                table[name] = before
        self._before.clear()
        with contextlib.suppress(ValueError):  # somebody else has taken it away
            self._ip.Completer.custom_matchers.remove(self._matcher)
        with contextlib.suppress(ValueError):
            self._ip.events.unregister("post_run_cell", self._after_cell)


def cell_number(ip: Any) -> int:
    """Of the cell that is running, or has run last. IPython 9 counts a cell before it
    runs and IPython 8 after it, so its inputs are counted."""
    return len(ip.history_manager.input_hist_parsed) - 1


def _matcher(magics: set[str], complete: Complete) -> Any:
    """Completes the lines of these magics, and nothing else does then. None in an
    IPython before 8.6, which cannot be told the latter."""
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        return None
    pattern = re.compile(rf"\s*%{{0,2}}({'|'.join(sorted(magics))})\s+(.*)")

    @context_matcher()  # type: ignore[untyped-decorator]
    def keraser_magics(context: Any) -> dict[str, Any]:
        line = pattern.fullmatch(context.text_until_cursor)
        if line is None:
            return {"completions": []}
        *words, typed = re.split(r"\s+", line[2])
        skipped = max(len(typed) - len(context.token), 0)
        found = [
            SimpleCompletion(text[skipped:])
            for text in complete(line[1], words, typed)
            if text.startswith(typed)
        ]
        return {"completions": found, "suppress": bool(found), "ordered": True}

    return keraser_magics
