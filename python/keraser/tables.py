"""Tables for terminals and notebooks: by rich where it is installed, else plain."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of text under headers; columns named in `numbers` are aligned right."""

    title: str
    headers: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    numbers: frozenset[str] = frozenset()

    def text(self) -> str:
        """For a terminal."""
        try:
            return self._by_rich()
        except ImportError:
            return self._plain()

    def _by_rich(self) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable

        table = RichTable(
            title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for header in self.headers:
            table.add_column(
                header, justify="right" if header in self.numbers else "left"
            )
        for row in self.rows:
            table.add_row(*map(_escape, row))
        out = io.StringIO()
        console = Console(
            file=out,
            width=_width(),
            no_color=True,
            force_terminal=False,
            force_jupyter=False,  # or it would show the table itself
        )
        console.print(table)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip(
            "\n"
        )

    def _plain(self) -> str:
        lines = [self.headers, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headers))]
        text = [self.title] if self.title else []
        for line in lines:
            cells = [
                cell.rjust(width) if header in self.numbers else cell.ljust(width)
                for cell, width, header in zip(line, widths, self.headers, strict=True)
            ]
            text.append("  ".join(cells).rstrip())
        return "\n".join(text)

    def html(self) -> str:
        """For a notebook."""
        head = "".join(f"<th>{html.escape(header)}</th>" for header in self.headers)
        rows = "".join(
            "<tr>"
            + "".join(self._cell(i, cell) for i, cell in enumerate(row))
            + "</tr>"
            for row in self.rows
        )
        title = f"<b>{html.escape(self.title)}</b>" if self.title else ""
        return f"{title}<table><tr>{head}</tr>{rows}</table>"

    def _cell(self, column: int, text: str) -> str:
        side = "right" if self.headers[column] in self.numbers else "left"
        return f"<td style='text-align:{side}'>{html.escape(text)}</td>"


def _escape(text: str) -> str:
    """Square brackets are markup to rich."""
    from rich.markup import escape

    return escape(text)


def _width() -> int:
    """Wide enough that paths are not broken: a terminal wraps them itself."""
    import shutil

    return max(shutil.get_terminal_size((120, 24)).columns, 120)
