"""What grew over the trials of a loop: figures, verdicts, and who holds what grew."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from keraser.errors import KeraserError
from keraser.receipt import format_bytes
from keraser.tables import Table
from keraser.trend import Trend, judge

#: Of what `to_dict` returns.
SCHEMA_VERSION = 1

#: From bad to good.
VERDICTS = ("leaking", "cannot tell", "saturating", "flat")


@dataclass(frozen=True)
class Figure:
    """One figure, read after each trial.

    Attributes:
        name: "RSS", "heap in use", "objects", ...
        unit: "bytes", or "" for a count.
        tolerance: growth per trial that does not matter, in that unit.
        values: one a trial, None where it could not be read.
        warm_up: how many of the first trials are shown and not judged.
        fewest: how many judged trials it takes to say that it leaks.
    """

    name: str
    unit: str
    tolerance: float
    values: tuple[int | None, ...]
    warm_up: int = 0
    fewest: int = 0

    @cached_property
    def trend(self) -> Trend:
        """Of the trials after the warm-up that have a value."""
        judged = [value for value in self.values[self.warm_up :] if value is not None]
        trend = judge(judged, self.tolerance)
        if trend.verdict == "leaking" and trend.trials < self.fewest:
            more = self.fewest - trend.trials
            trend = replace(trend, verdict="cannot tell", more=more)
        return trend

    def format(self, value: float | None, signed: bool = False) -> str:
        """A value or a slope in words."""
        if value is None:
            return "-"
        if not math.isfinite(value):
            return "?"
        sign = "+" if signed and value > 0 else ""
        if self.unit == "bytes":
            return f"{sign}{format_bytes(round(value))}"
        return f"{sign}{value:,.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Outcome:
    """How a trial went.

    Attributes:
        number: counted from 0.
        seconds: without the clearing.
        error: as text, if memory ran out, else None.
    """

    number: int
    seconds: float
    error: str | None = None


@dataclass(frozen=True, repr=False)
class GrowthReport:
    """What grew over the trials. Numbers and text: it keeps nothing alive.

    Attributes:
        figures: one each, with its `trend`: a slope per trial (Theil-Sen), its 95 %
            interval, and a verdict: "flat", "saturating" (it grew, and settled),
            "leaking" or "cannot tell".
        outcomes: how each trial went.
        culprits: of what leaks, which objects became more and who holds them.
    """

    figures: tuple[Figure, ...]
    outcomes: tuple[Outcome, ...] = ()
    culprits: tuple[str, ...] = ()

    @property
    def trials(self) -> int:
        return len(self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The trials in which memory ran out."""
        return tuple(outcome for outcome in self.outcomes if outcome.error)

    @property
    def leaking(self) -> tuple[str, ...]:
        """Names of the figures that leak."""
        return self.with_verdict("leaking")

    def with_verdict(self, verdict: str) -> tuple[str, ...]:
        """Names of the figures of one verdict."""
        return tuple(f.name for f in self.figures if f.trend.verdict == verdict)

    @property
    def verdict(self) -> str:
        """The worst of them all; "cannot tell" without any."""
        found = {figure.trend.verdict for figure in self.figures}
        return next((v for v in VERDICTS if v in found), "cannot tell")

    @property
    def more(self) -> int:
        """About how many more trials it takes until every figure tells."""
        return max((figure.trend.more for figure in self.figures), default=0)

    def __getitem__(self, name: str) -> Figure:
        """The figure of that name."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        names = ", ".join(figure.name for figure in self.figures)
        raise KeyError(f"no figure {name!r}; there are {names}")

    # ---- in words -----------------------------------------------------------------

    def summary(self, each: str = "trial") -> str:
        """One line, and one for each culprit. `each`: what a round is called."""
        if self.verdict == "leaking":
            growing = ", ".join(
                f"{self[name].format(self[name].trend.slope, signed=True)} {name}"
                for name in self.leaking
            )
            head = f"each {each} leaves something behind: {growing} a {each}"
        elif self.verdict == "cannot tell":
            noisy = ", ".join(self.with_verdict("cannot tell"))
            more = f"about {self.more} more {each}s" if self.more else f"more {each}s"
            head = f"cannot tell yet of {noisy or 'anything'}: {more} needed"
        else:
            head = f"nothing grows over {self.trials} {each}s"
        return "\n".join([head, *(f"  {culprit}" for culprit in self.culprits)])

    def table(self) -> Table:
        """A row for each figure."""
        rows = [
            (
                figure.name,
                figure.format(first),
                figure.format(last),
                figure.format(figure.trend.slope, signed=True),
                _interval(figure),
                _verdict(figure.trend),
            )
            for figure in self.figures
            for first, last in [_ends(figure)]
        ]
        numbers = frozenset({"first", "last", "a trial", "95 % interval"})
        headers = ("figure", "first", "last", "a trial", "95 % interval", "verdict")
        return Table(f"{self.trials} trials", headers, rows, numbers)

    def _notes(self) -> list[str]:
        failed = [f"trial {o.number} failed: {o.error}" for o in self.failures]
        return [*self.summary().splitlines(), *failed]

    def __repr__(self) -> str:
        return "\n".join([self.table().text(), *self._notes()])

    def _repr_html_(self) -> str:
        import html

        notes = "<br>".join(html.escape(note) for note in self._notes())
        return f"{self.table().html()}<p>{notes}</p>"

    # ---- as data --------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON; a bound of an
        interval that is not known is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "trials": self.trials,
            "verdict": self.verdict,
            "leaking": list(self.leaking),
            "culprits": list(self.culprits),
            "figures": [_as_dict(figure) for figure in self.figures],
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)

    def save(self, path: str | Path) -> Path:
        """Writes the report, as what the name ends in: .json, or .svg or .png, a
        picture of every figure (.png needs matplotlib: the extra keraser[picture]).

        Raises:
            ValueError: another ending.
            KeraserError: matplotlib is missing.
            OSError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix == ".json":
            path.write_text(self.to_json() + "\n")
        elif path.suffix == ".svg":
            from keraser.growth_picture import as_svg

            path.write_text(as_svg(self))
        elif path.suffix == ".png":
            _save_png(self, path)
        else:
            raise ValueError(
                f"{path.name} ends in none of .json, .svg and .png; say what to write "
                "by the end of the name"
            )
        return path


def _save_png(report: GrowthReport, path: Path) -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise KeraserError(
            "a PNG needs matplotlib: pip install 'keraser[picture]', or save to .svg, "
            "which needs nothing"
        ) from None
    from keraser.growth_picture import write_png

    write_png(report, path)


def _ends(figure: Figure) -> tuple[int | None, int | None]:
    known = [value for value in figure.values if value is not None]
    return (known[0], known[-1]) if known else (None, None)


def _interval(figure: Figure) -> str:
    trend = figure.trend
    if not math.isfinite(trend.high - trend.low):
        return "?"
    return f"{figure.format(trend.low, True)} to {figure.format(trend.high, True)}"


def _verdict(trend: Trend) -> str:
    if trend.verdict == "cannot tell":
        return f"cannot tell yet, {trend.more} more trials"
    return trend.verdict


def _as_dict(figure: Figure) -> dict[str, Any]:
    trend = {
        name: value if not isinstance(value, float) or math.isfinite(value) else None
        for name, value in asdict(figure.trend).items()
    }
    return {**asdict(figure), "trend": trend}
