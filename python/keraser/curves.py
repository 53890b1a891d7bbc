"""What a series looks like: a line, one step, or growth that settles. Least squares.

Every shape is a constant plus a multiple of one curve, so its best fit takes one sum of
products; the sum of squares that it leaves says how well it explains the series.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

#: Trials in which settling growth comes to 63 %, as multiples of 1.3 from half a trial.
TIMES = tuple(0.5 * 1.3**i for i in range(30))

#: Growth has settled when what is left of it is below 5 % (e^-3).
SETTLED = 3.0

#: Squares below this share of the range's square are rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Broken:
    """The best line with one step in it, or a step between two lines of one slope.

    Attributes:
        left: the sum of squares that it leaves.
        at: trials before the step.
        height: of the step.
        slope, error: of the line, per trial, and its standard error.
        likeness: correlation of the residuals with those one trial later.
    """

    left: float
    at: int
    height: float
    slope: float
    error: float
    likeness: float


@dataclass(frozen=True)
class Fits:
    """A series of n values against each shape.

    Attributes:
        slope: of the line of least squares, per trial.
        total: the sum of squares that a constant leaves.
        line: the sum of squares that the line leaves.
        step: what the best single step leaves, up or down.
        step_at: trials before that step.
        broken: the best line with a step in it.
        settling: what the best c + d * (1 - exp(-i / time)) leaves.
        settled: that curve is flat by the end of the series.
        likeness: correlation of the line's residuals with those one trial later.
    """

    slope: float
    total: float
    line: float
    step: float
    step_at: int
    broken: Broken
    settling: float
    settled: bool
    likeness: float


def fit(values: Sequence[float]) -> Fits:
    """Fits all shapes to at least three values."""
    n = len(values)
    mean = math.fsum(values) / n
    centred = [value - mean for value in values]
    exact = n * (ROUNDING * (max(values) - min(values))) ** 2
    total = math.fsum(c * c for c in centred)
    slope = sum(i * c for i, c in enumerate(centred)) / (n * (n * n - 1) / 12)
    middle = (n - 1) / 2
    residuals = [c - slope * (i - middle) for i, c in enumerate(centred)]
    line = sum(r * r for r in residuals)
    step, step_at = _step(centred, total)
    broken = _broken(centred, residuals, slope, exact)
    settling, time = _settling(centred, total)
    return Fits(
        slope,
        total,
        line if line > exact else 0.0,
        step if step > exact else 0.0,
        step_at,
        broken,
        settling if settling > exact else 0.0,
        n - 1 >= SETTLED * time,
        _likeness(residuals, line if line > exact else 0.0),
    )


def better(worse: float, squares: float, n: int) -> float:
    """n·ln(worse / squares): twice the log of the likelihood ratio, noise normal."""
    if worse == 0:
        return 0.0 if squares == 0 else -math.inf
    return math.inf if squares == 0 else n * math.log(worse / squares)


def _step(centred: list[float], total: float) -> tuple[float, int]:
    """Squares left by the best step, and how many values come before it."""
    n, before = len(centred), 0.0
    most, at = -1.0, 0
    for k in range(1, n):
        before += centred[k - 1]
        explained = before * before * n / (k * (n - k))
        if explained > most:
            most, at = explained, k
    return total - most, at


def _broken(
    centred: list[float], residuals: list[float], slope: float, exact: float
) -> Broken:
    """Explains the line's residuals by a step, with the line taken out of the step."""
    n, before = len(centred), 0.0
    spread = n * (n * n - 1) / 12  # squares of the trials' numbers
    most, at, height = -1.0, 1, 0.0
    for k in range(1, n):
        before += residuals[k - 1]
        square = k * (n - k) / n - (k * (n - k) / 2) ** 2 / spread
        if square > 1e-9 and before * before / square > most:
            most, at, height = before * before / square, k, -before / square
    tilt = height * at * (n - at) / 2 / spread  # of the line, once it has the step
    base, middle = -height * (n - at) / n, (n - 1) / 2
    rest = [
        r - base - height * (i >= at) + tilt * (i - middle)
        for i, r in enumerate(residuals)
    ]
    left = sum(r * r for r in rest)
    left = left if left > exact else 0.0
    free = spread - n * at * (n - at) / 4
    error = math.sqrt(left / max(n - 4, 1) / free) if free > 1e-9 else math.inf
    return Broken(left, at, height, slope - tilt, error, _likeness(rest, left))


def _settling(centred: list[float], total: float) -> tuple[float, float]:
    """Squares left by the best curve that settles, and its time."""
    n, best, found = len(centred), total, math.inf
    curves = _curves(n)
    for place, time in zip(range(0, len(curves), n), TIMES, strict=False):
        along = sum(map(float.__mul__, curves[place : place + n], centred))
        left = total - along * along
        if along > 0 and left < best:
            best, found = left, time
    return best, found


@lru_cache(maxsize=1)  # of one length, since a process that is being judged keeps them
def _curves(n: int) -> array[float]:
    """Curves that settle, of mean 0 and length 1, with times up to n / 2, one behind
    the other: one object, however many there are, lest it count as growth."""
    curves = array("d")
    for time in TIMES:
        if time > n / 2:
            break
        curve = [-math.exp(-i / time) for i in range(n)]
        mean = math.fsum(curve) / n
        length = math.sqrt(math.fsum((c - mean) ** 2 for c in curve))
        curves.extend((c - mean) / length for c in curve)
    return curves


def _likeness(residuals: list[float], squares: float) -> float:
    if squares == 0:
        return 0.0
    return sum(map(float.__mul__, residuals, residuals[1:])) / squares
