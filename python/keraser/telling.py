"""The census in the few lines that a notebook has room for."""

from __future__ import annotations

from dataclasses import dataclass

from keraser.inventory import Census
from keraser.receipt import format_bytes
from keraser.tables import Table


@dataclass(frozen=True, repr=False)
class Brief:
    """Models, what is left of dead ones, and a line of the process. Text alone."""

    tables: tuple[Table, ...]
    line: str

    def __repr__(self) -> str:
        return "\n\n".join([*(table.text() for table in self.tables), self.line])

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables) + f"<p>{self.line}</p>"


def brief(census: Census) -> Brief:
    """Models and orphans of a census, its other figures in one line."""
    size = sum(census.heap[name] for name in ("models", "orphans", "tensors"))
    line = (
        f"{format_bytes(size)} of tensors in a process of "
        f"{format_bytes(census.process['rss'])}; all of it: %models --all"
    )
    if not census.models:
        line = f"no living models; {line}"
    return Brief(tuple(census.tables(models_only=True)), line)
