"""How far the arms are: three rows that change in place, or plain lines for a file."""

from contextlib import nullcontext

from keraser.receipt import format_bytes
from rich.live import Live
from rich.table import Table
from rich.text import Text

BARS = "▁▂▃▄▅▆▇█"


class Progress:
    """Shows the trials of each arm as they come in. Used with `with`."""

    def __init__(self, console, ways, trials):
        self.console = console
        self.trials = trials
        self.arms = {way: [] for way in ways}
        self.live = (
            Live(console=console, get_renderable=self._table, refresh_per_second=8)
            if console.is_terminal
            else nullcontext()
        )

    def __enter__(self):
        self.live.__enter__()
        return self

    def __exit__(self, *error):
        self.live.__exit__(*error)

    def add(self, way, report):
        self.arms[way].append(report)
        if not self.console.is_terminal:
            self.console.print(self._line(way, report), soft_wrap=True)

    def _line(self, way, report):
        return (
            f"{way.short}: trial {report['trial']}/{self.trials}, "
            f"RSS {format_bytes(report['rss'])}, {report['objects']:,} Python objects, "
            f"dropped in {report['clear'] * 1e3:.0f} ms"
        )

    def _table(self):
        table = Table.grid(padding=(0, 2))
        top = max(
            (r["rss"] for reports in self.arms.values() for r in reports), default=1
        )
        for way, reports in self.arms.items():
            table.add_row(
                Text(way.short, way.colour),
                f"{len(reports)}/{self.trials}",
                Text(sparkline([r["rss"] for r in reports], top), way.colour),
                f"RSS {format_bytes(reports[-1]['rss'])}" if reports else "",
            )
        return table


def sparkline(values, top):
    """One bar a value, from 0 to `top`."""
    return "".join(BARS[min(int(v / top * len(BARS)), len(BARS) - 1)] for v in values)
