"""%%trial: a cell as a scope, and what it left behind."""

from __future__ import annotations

import gc
from typing import Any

from keraser.magic_lines import Said
from keraser.readings import gauge_of, read_gauges
from keraser.receipt import Receipt, format_bytes
from keraser.scoping import Scope

_HOW_TO_KEEP = "keep it: `%%trial -k NAME`"


class CellTrial:
    """One run of a cell.

    Args:
        keep: the variable that has what is kept, None: nothing is.
    """

    def __init__(self, shell: Any, keep: str | None) -> None:
        self.shell = shell
        self.keep = keep
        self.scope = Scope()

    def run(self, cell: str) -> None:
        """Whatever the cell raises comes through; the report is shown all the same."""
        gc.collect()
        before = read_gauges()
        failed = ""
        self.scope.__enter__()
        try:
            self._take(self.shell.run(cell))
        except BaseException as error:
            failed = f"{type(error).__name__}, whose traceback is kept until the next"
            raise
        finally:
            self.scope.end(bool(failed), self.shell.where(), _HOW_TO_KEEP)
            gc.collect()
            self.shell.show(self._report(before, read_gauges(), failed))

    def _take(self, value: Any) -> None:
        """What the cell ended with is kept, or shown as a cell shows it."""
        if self.keep is None:
            if value is not None:
                self.shell.show(value)
            return
        variables = self.shell.variables()
        if value is not None:
            variables[self.keep] = value
        self.scope.keep(variables.get(self.keep))

    def _report(
        self, before: dict[str, int], after: dict[str, int], failed: str
    ) -> Said:
        receipts = [r for r in self.scope.receipts if r.cleared]
        freed = format_bytes(sum(receipt.freed_bytes for receipt in receipts))
        models = [r for r in receipts if r.model != "session"]
        count = f"{len(models)} model{'s' if len(models) != 1 else ''}"
        rows = [
            (name, _change(name, before.get(name, 0), after[name])) for name in after
        ]
        if self.keep is not None:
            rows.append(("kept", self._kept()))
        rows += [("stays", text) for text in _staying(receipts)]
        if failed:
            rows.append(("error", failed))
        return Said(f"trial over: {count} cleared, {freed} freed", tuple(rows))

    def _kept(self) -> str:
        value = self.shell.variables().get(self.keep)
        if value is None:
            return f"nothing: the cell neither ends in a value nor makes {self.keep!r}"
        return f"{self.keep} ({type(value).__name__})"


def _change(name: str, before: int, after: int) -> str:
    if gauge_of(name).unit:
        sign = "+" if after >= before else ""
        return f"{sign}{format_bytes(after - before)}, now {format_bytes(after)}"
    return f"{after - before:+}, now {after}"


def _staying(receipts: list[Receipt]) -> list[str]:
    """What others hold of what was cleared. (A receipt of what was not is that of a
    model within one that is kept.)"""
    return [
        f"{kept.what}, held by {'; '.join(kept.holders)}"
        for receipt in receipts
        for kept in receipt.kept
        if kept.holders
    ]
