"""What differs between a snapshot and its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from keraser.adapters.base import State


@dataclass(frozen=True)
class ChangedValue:
    """One value that is not as it was.

    Attributes:
        path: the variable's.
        kind: "weights", "optimizer" or "metrics".
        elements: how many there are.
        changed: how many of them differ in a bit.
        largest: the largest absolute difference, None where there is no number.
    """

    path: str
    kind: str
    elements: int
    changed: int
    largest: float | None


@dataclass(frozen=True, repr=False)
class SnapshotDiff:
    """Every value that differs. Plain data; false if nothing does.

    Attributes:
        snapshot: the snapshot, in words.
        values: how many were compared.
        rows: those that differ, in the order of the model.
    """

    snapshot: str
    values: int
    rows: tuple[ChangedValue, ...]

    def __bool__(self) -> bool:
        return bool(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        head = f"{len(self.rows)} of {self.values} values differ from: {self.snapshot}"
        width = max((len(row.path) for row in self.rows), default=0)
        return "\n".join([head, *(f"  {_line(row, width)}" for row in self.rows)])


def _line(row: ChangedValue, width: int) -> str:
    largest = "" if row.largest is None else f", by {row.largest:.3g} at most"
    return f"{row.path:<{width}}  {row.changed} of {row.elements}{largest}"


def compare(
    snapshot: str, states: Sequence[State], before: Sequence[Any], now: Sequence[Any]
) -> SnapshotDiff:
    """Compares array by array, bit by bit: NaN equals the same NaN."""
    rows = []
    for state, old, new in zip(states, before, now, strict=True):
        changed = _count(old, new)
        if changed:
            largest = _largest(old, new)
            rows.append(
                ChangedValue(state.path, state.kind, old.size, changed, largest)
            )
    return SnapshotDiff(snapshot, len(states), tuple(rows))


def _count(old: Any, new: Any) -> int:
    """How many elements differ in a bit."""
    if old.__array_interface__["data"] == new.__array_interface__["data"]:
        return 0
    if old.dtype.hasobject:
        return int((old != new).sum())
    width = old.dtype.itemsize
    bits = f"u{width}" if width in (1, 2, 4, 8) else "u1"
    differs = old.reshape(-1).view(bits) != new.reshape(-1).view(bits)
    return int(differs.reshape(old.size, -1).any(axis=1).sum())


def _largest(old: Any, new: Any) -> float | None:
    import numpy

    try:
        difference = numpy.abs(new.astype("f8") - old.astype("f8"))
    except (TypeError, ValueError):  # text, or complex numbers
        return None
    return float(numpy.nanmax(difference, initial=0.0))
