"""The memory of a process over the cells of a notebook, in a bounded list of points."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from keraser import _core
from keraser.holders import find_adapter_or_none

#: Points that are kept: about one for two pixels of a notebook's width.
LIMIT = 240

#: Bytes by which a figure must differ between cells to be a point of its own.
STEP = 2**20


@dataclass(frozen=True)
class Gpu:
    """A GPU that this process uses: bytes it has, and in use by all processes."""

    device: int
    total: int
    used: int


@dataclass(frozen=True)
class Point:
    """What was in use at one time, bytes.

    Attributes:
        rss: resident set.
        pool: in the framework's CPU pool, 0 where it does not tell.
        gpus: those in use.
        cell: number of the cell that had just ended, 0 between cells.
    """

    rss: int
    pool: int
    gpus: tuple[Gpu, ...] = ()
    cell: int = 0

    def is_like(self, other: Point) -> bool:
        mine, its = self._figures(), other._figures()
        return len(mine) == len(its) and all(
            abs(one - two) < STEP for one, two in zip(mine, its, strict=True)
        )

    def _figures(self) -> list[int]:
        return [self.rss, self.pool, *(gpu.used for gpu in self.gpus)]

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return asdict(self)


def read_point(cell: int = 0) -> Point:
    """Reads the figures of now; of models nothing, from any thread."""
    adapter = find_adapter_or_none()
    pool = None if adapter is None else adapter.pool_in_use()
    gpus = tuple(
        Gpu(gpu["device"], gpu["total"], gpu["used"])
        for gpu in _core.gpus()
        if gpu["refused"] is None
    )
    return Point(_core.process()["rss"], pool or 0, gpus, cell)


class Curve:
    """One point for each cell, and others where something changed between cells."""

    def __init__(self) -> None:
        self._points: list[Point] = []

    def add(self, point: Point) -> None:
        """Between cells only what differs from the last point is kept."""
        points = self._points
        if not point.cell and points and point.is_like(points[-1]):
            return
        points.append(point)
        if len(points) > LIMIT:
            self._thin()

    def _thin(self) -> None:
        """Of two neighbours of the older half one is left: with the larger figures, so
        that no peak is lost, and with the later cell."""
        old, new = self._points[: LIMIT // 2], self._points[LIMIT // 2 :]
        self._points = [
            replace(max(pair, key=lambda one: one.rss), cell=max(p.cell for p in pair))
            for pair in zip(old[::2], old[1::2], strict=True)
        ] + new

    def to_list(self) -> list[dict[str, Any]]:
        """Fit for JSON."""
        return [point.to_dict() for point in self._points]
