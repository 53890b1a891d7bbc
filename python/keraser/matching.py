"""Whether values that were kept fit a model: compared by name and look, as a whole."""

from __future__ import annotations

import math
import re
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import NamedTuple

from keraser.errors import KeraserError

#: So many differences are told; the rest is counted.
TOLD = 3


class Row(NamedTuple):
    """One value: what it is called, and what it looks like."""

    path: str
    kind: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.path} {list(self.shape)} {self.dtype}"

    @property
    def bytes(self) -> int:
        """Size of the value; 0 for text, whose size is not known."""
        import numpy

        if self.dtype == "string":
            return 0
        return math.prod(self.shape) * int(numpy.dtype(self.dtype).itemsize)

    def fits(self, other: Row) -> bool:
        """Whether they can stand for each other. Keras numbers names anew in each
        process, so numbers in names do not count."""
        return (
            self.kind == other.kind
            and self.shape == other.shape
            and self.dtype == other.dtype
            and (
                self.path == other.path
                or _unnumbered(self.path) == _unnumbered(other.path)
            )
        )


def _unnumbered(path: str) -> str:
    return re.sub(r"_\d+(?=[_/]|$)", "", path)


@dataclass(frozen=True)
class Structure:
    """What a snapshot is of.

    Attributes:
        model: the model's name.
        scope: "weights", "optimizer" or "all".
        partial: whether only some of the values of this scope were chosen.
        rows: the values, in order.
        optimizer_was_built: whether the optimizer had made its slots.
    """

    model: str
    scope: str
    partial: bool
    rows: list[Row]
    optimizer_was_built: bool


def match_rows(
    taken: Structure, rows: list[Row], model: str
) -> tuple[list[int], list[int]]:
    """For each row of `taken` the index of the model's row that stands for it; and the
    indices of those that the model got since.

    Raises:
        KeraserError: they do not fit; the first differences are named.
    """
    if taken.partial:
        return _match_by_path(taken.rows, rows, model), []
    found, new, wrong = [], [], []
    for kind in ("weights", "optimizer", "metrics"):
        before = [row for row in taken.rows if row.kind == kind]
        now = [index for index, row in enumerate(rows) if row.kind == kind]
        may_grow = kind == "metrics" or (
            kind == "optimizer" and not taken.optimizer_was_built
        )
        if may_grow:
            match, since = _match_by_name(before, rows, now)
            new += since
        else:
            match = now[: len(before)]
        wrong += _differences(before, [None if i is None else rows[i] for i in match])
        wrong += [f"{row} is gone" for row in before[len(match) :]]
        if not may_grow:
            wrong += [f"{rows[i]} is new" for i in now[len(before) :]]
        found += [i for i in match if i is not None]
    if wrong:
        raise _refusal(model, wrong)
    return found, new


def _match_by_name(
    before: list[Row], rows: list[Row], now: list[int]
) -> tuple[list[int | None], list[int]]:
    """The first with the same name each; and those left over."""
    queues: defaultdict[str, deque[int]] = defaultdict(deque)
    for index in now:
        queues[_unnumbered(rows[index].path)].append(index)
    match = []
    for row in before:
        queue = queues[_unnumbered(row.path)]
        match.append(queue.popleft() if queue else None)
    return match, [index for queue in queues.values() for index in queue]


def _match_by_path(before: list[Row], rows: list[Row], model: str) -> list[int]:
    indices: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        indices[row.path].append(index)
    wrong, found = [], []
    for row in before:
        same = indices[row.path]
        if len(same) == 1:
            wrong += _differences([row], [rows[same[0]]])
            found.append(same[0])
        else:
            wrong.append(f"{row} is {'there more than once' if same else 'gone'}")
    if wrong:
        raise _refusal(model, wrong)
    return found


def _differences(before: list[Row], now: list[Row | None]) -> list[str]:
    return [
        f"{row} is gone" if other is None else f"{row} is {other} now"
        for row, other in zip(before, now, strict=False)
        if other is None or not row.fits(other)
    ]


def _refusal(model: str, wrong: list[str]) -> KeraserError:
    more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
    return KeraserError(
        f"the snapshot does not fit model {model!r} (nothing was changed): "
        + "; ".join(wrong[:TOLD])
        + more
    )
