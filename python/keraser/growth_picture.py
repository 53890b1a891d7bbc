"""A growth report as a picture: a panel for each figure, its trials as points, slope
and interval over those that were judged, trials that ran out of memory marked."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from keraser.growth import Figure, GrowthReport

#: Legible on white and on black alike.
COLOURS = {
    "flat": "#2a9d5c",
    "saturating": "#3b82c4",
    "cannot tell": "#8a8f98",
    "leaking": "#d1495b",
}
GREY = "#8a8f98"

WIDTH, HEIGHT = 320, 170  # of a panel, pixels
LEFT, RIGHT, TOP, BOTTOM = 14, 14, 44, 22  # around its points
COLUMNS = 2


class _Panel:
    """Where a figure's values lie in a panel."""

    def __init__(self, figure: Figure) -> None:
        known = [value for value in figure.values if value is not None]
        self.low, self.high = min(known, default=0), max(known, default=0)
        least = figure.tolerance * max(len(figure.values), 1)
        if self.high - self.low < least:  # so that noise does not look like growth
            middle = (self.low + self.high) / 2
            self.low, self.high = middle - least / 2, middle + least / 2
        self.last = max(len(figure.values) - 1, 1)

    def x(self, trial: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * trial / self.last

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(share, 0), 1)


def line_of(figure: Figure, slope: float) -> tuple[float, float, float, float] | None:
    """(trial, value, trial, value) of the ends of a line of this slope through the
    middle of the judged values; None where there is none."""
    judged = [
        (trial, value)
        for trial, value in enumerate(figure.values)
        if trial >= figure.warm_up and value is not None
    ]
    if len(judged) < 2 or not math.isfinite(slope):
        return None
    offsets = sorted(value - slope * trial for trial, value in judged)
    offset = offsets[len(offsets) // 2]
    first, last = judged[0][0], judged[-1][0]
    return first, offset + slope * first, last, offset + slope * last


def title_of(figure: Figure) -> str:
    slope = figure.format(figure.trend.slope, signed=True)
    return f"{figure.name}: {figure.trend.verdict}, {slope} a trial"


# ---- as SVG --------------------------------------------------------------------------


def as_svg(report: GrowthReport) -> str:
    """The picture as an SVG document, without dependencies."""
    rows = -(-len(report.figures) // COLUMNS) or 1
    width, height = WIDTH * COLUMNS, HEIGHT * rows
    failed = {outcome.number for outcome in report.failures}
    panels = "\n".join(
        f'<g transform="translate({WIDTH * (i % COLUMNS)} {HEIGHT * (i // COLUMNS)})">'
        f"{_panel(figure, failed)}</g>"
        for i, figure in enumerate(report.figures)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11">\n'
        f"<title>{html.escape(report.summary())}</title>\n{panels}\n</svg>\n"
    )


def _panel(figure: Figure, failed: set[int]) -> str:
    at, colour = _Panel(figure), COLOURS[figure.trend.verdict]
    parts = [
        _text(LEFT, 18, title_of(figure), colour, "bold"),
        _text(LEFT, 34, f"{figure.format(at.low)} to {figure.format(at.high)}"),
        _text(LEFT, HEIGHT - 6, f"{len(figure.values)} trials"),
        _band(figure, at, colour),
    ]
    line = line_of(figure, figure.trend.slope)
    if line is not None:
        x1, y1, x2, y2 = line
        parts.append(
            f'<path d="M{at.x(x1):.1f} {at.y(y1):.1f}L{at.x(x2):.1f} {at.y(y2):.1f}" '
            f'stroke="{colour}" fill="none"/>'
        )
    for trial, value in enumerate(figure.values):
        if value is not None:
            paint = GREY if trial < figure.warm_up else colour
            edge = ' stroke="#000" stroke-width="1.5"' if trial in failed else ""
            parts.append(
                f'<circle cx="{at.x(trial):.1f}" cy="{at.y(value):.1f}" r="2.2" '
                f'fill="{paint}"{edge}/>'
            )
    return "".join(parts)


def _band(figure: Figure, at: _Panel, colour: str) -> str:
    low = line_of(figure, figure.trend.low)
    high = line_of(figure, figure.trend.high)
    if low is None or high is None:
        return ""
    corners = [low[:2], low[2:], high[2:], high[:2]]
    points = " ".join(f"{at.x(x):.1f},{at.y(y):.1f}" for x, y in corners)
    return f'<polygon points="{points}" fill="{colour}" opacity="0.15"/>'


def _text(x: float, y: float, text: str, colour: str = GREY, weight: str = "") -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return f'<text x="{x}" y="{y}" fill="{colour}"{bold}>{html.escape(text)}</text>'


# ---- as PNG --------------------------------------------------------------------------


def write_png(report: GrowthReport, path: Path) -> None:
    """The same panels by matplotlib, which does not become the user's own backend."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    rows = -(-len(report.figures) // COLUMNS) or 1
    canvas = Canvas((4.6 * COLUMNS, 2.4 * rows), layout="constrained")
    axes = canvas.subplots(rows, COLUMNS, squeeze=False).flat
    failed = {outcome.number for outcome in report.failures}
    for figure, panel in zip(report.figures, axes, strict=False):
        _draw(panel, figure, failed)
    for panel in list(axes)[len(report.figures) :]:
        panel.set_axis_off()
    FigureCanvasAgg(canvas).print_png(str(path))


def _draw(axes: Any, figure: Figure, failed: set[int]) -> None:
    at, colour = _Panel(figure), COLOURS[figure.trend.verdict]
    known = [(t, v) for t, v in enumerate(figure.values) if v is not None]
    paint = [GREY if trial < figure.warm_up else colour for trial, _ in known]
    axes.scatter([t for t, _ in known], [v for _, v in known], 9, paint)
    marked = [(t, v) for t, v in known if t in failed]
    axes.scatter([t for t, _ in marked], [v for _, v in marked], 40, "none", marker="o")
    line = line_of(figure, figure.trend.slope)
    if line is not None:
        axes.plot(line[::2], line[1::2], color=colour, linewidth=1)
    axes.set_title(title_of(figure), fontsize=9, color=colour, loc="left")
    axes.set_ylim(at.low, at.high or 1)
    axes.tick_params(labelsize=7)
