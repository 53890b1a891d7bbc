"""Regions of a pool as pictures: a strip each, from its first address to its last."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from keraser.receipt import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keraser.gpu_map import Chunk, Pool, Region

#: Legible on white and on black alike.
COLOURS = {"in use": "#3b82c4", "free": "#2a9d5c", "given back": "#8a8f98"}
OPACITY = {"in use": 1.0, "free": 0.45, "given back": 0.2}
GREY = "#8a8f98"

WIDTH, STRIP, GAP, HEAD = 640, 18, 20, 40  # pixels
CELLS = 60  # of a strip of text
REGIONS = 12  # shown, the largest first

FULL, SOME, FREE, GONE = "█▒░·"  # text
KEY = f"{FULL} in use  {SOME} in parts  {FREE} free  {GONE} given back"


def _shown(pool: Pool) -> tuple[list[Region], int]:
    """The largest regions, by index, and how many more there are."""
    largest = sorted(pool.regions, key=lambda region: -region.size)[:REGIONS]
    largest.sort(key=lambda region: region.index)
    return largest, len(pool.regions) - len(largest)


# ---- as text -------------------------------------------------------------------------


def as_text(pool: Pool) -> str:
    """A line for each region; "" where there is none."""
    regions, more = _shown(pool)
    if not regions:
        return ""
    lines = [f"{format_bytes(region.size):>10}  {strip(region)}" for region in regions]
    if more:
        lines.append(f"{'':>10}  and {more} smaller regions")
    return "\n".join([f"regions of {pool.name}: {KEY}", *lines])


def strip(region: Region, cells: int = CELLS) -> str:
    """What most of each cell's bytes are; something in use always shows."""
    shares = [{"in use": 0.0, "free": 0.0, "given back": 0.0} for _ in range(cells)]
    for begin, chunk in _placed(region):
        for cell, size in _cells(begin, chunk.size, region.size, cells):
            shares[cell][chunk.state] += size
    return "".join(map(_sign, shares))


def _cells(
    begin: int, size: int, whole: int, cells: int
) -> Iterator[tuple[int, float]]:
    """(cell, bytes) for each cell that a chunk is in."""
    width = whole / cells
    first, end = begin / width, (begin + size) / width
    for cell in range(int(first), min(int(end) + 1, cells)):
        share = min(end, cell + 1) - max(first, cell)
        if share > 0:
            yield cell, share * width


def _sign(share: dict[str, float]) -> str:
    if share["in use"] > 0:
        return FULL if share["in use"] >= sum(share.values()) / 2 else SOME
    return FREE if share["free"] >= share["given back"] else GONE


def _placed(region: Region) -> Iterator[tuple[int, Chunk]]:
    """(offset, chunk), by rising offset."""
    at = 0
    for chunk in region.chunks:
        yield at, chunk
        at += chunk.size


# ---- as SVG --------------------------------------------------------------------------


def as_svg(pool: Pool) -> str:
    """The picture as an SVG document, without dependencies. Chunks say what they are
    when pointed at; those too small to be seen apart are drawn as one."""
    regions, more = _shown(pool)
    height = HEAD + len(regions) * (STRIP + GAP) + (GAP if more else 0)
    parts = [_text(0, 14, f"regions of {pool.name}", "bold"), _key()]
    for i, region in enumerate(regions):
        parts.append(_strip_svg(region, HEAD + i * (STRIP + GAP)))
    if more:
        parts.append(_text(0, height - 6, f"and {more} smaller regions"))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">\n'
        f"<title>{html.escape(pool.name)}</title>\n{body}\n</svg>\n"
    )


def _key() -> str:
    parts = []
    for i, state in enumerate(COLOURS):
        x = 320 + 100 * i
        parts += [_rectangle(x, 5, 10, 10, state, ""), _text(x + 14, 14, state)]
    return "".join(parts)


def _strip_svg(region: Region, y: int) -> str:
    words = f"{format_bytes(region.size)}, {format_bytes(region.in_use)} in use"
    parts = [_text(0, y + STRIP + 13, words)]
    for begin, size, state, title in _marks(region):
        x, width = WIDTH * begin / region.size, WIDTH * size / region.size
        seen = max(width - 0.6, 0.4)  # a line between two
        parts.append(_rectangle(x, y, seen, STRIP, state, title))
    return "".join(parts)


def _marks(region: Region) -> Iterator[tuple[int, int, str, str]]:
    """(offset, bytes, state, title): a chunk each, or neighbours that together are as
    wide as a pixel; so there are never more than some 1,300."""
    least, run = region.size / WIDTH, _Run(0)
    for begin, chunk in _placed(region):
        if chunk.size >= least or run.size >= least:
            if run.count:
                yield run.mark()
            run = _Run(begin)
        run.add(chunk)
    if run.count:
        yield run.mark()


class _Run:
    """Neighbours that are drawn as one."""

    def __init__(self, begin: int) -> None:
        self.begin, self.size, self.count = begin, 0, 0
        self.shares = {"in use": 0.0, "free": 0.0, "given back": 0.0}

    def add(self, chunk: Chunk) -> None:
        self.last, self.count = chunk, self.count + 1
        self.size += chunk.size
        self.shares[chunk.state] += chunk.size

    def mark(self) -> tuple[int, int, str, str]:
        if self.count == 1:
            title = _title(self.last)
            return self.begin, self.size, self.last.state, title
        used = f"{format_bytes(self.shares['in use'])} in use"
        title = f"{self.count} chunks: {used} of {format_bytes(self.size)}"
        return self.begin, self.size, _STATES[_sign(self.shares)], title


#: What a run is drawn as, by its sign.
_STATES = {FULL: "in use", SOME: "in use", FREE: "free", GONE: "given back"}


def _title(chunk: Chunk) -> str:
    name = f", {chunk.name}" if chunk.name else ""
    return f"{chunk.state}: {format_bytes(chunk.size)}{name}"


def _rectangle(x: float, y: float, w: float, h: float, state: str, title: str) -> str:
    told = f"<title>{html.escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.2f}" y="{y}" width="{w:.2f}" height="{h}" '
        f'fill="{COLOURS[state]}" fill-opacity="{OPACITY[state]}">{told}</rect>'
    )


def _text(x: float, y: float, text: str, weight: str = "") -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return f'<text x="{x}" y="{y}" fill="{GREY}"{bold}>{html.escape(text)}</text>'
