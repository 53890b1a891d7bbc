"""Does a figure grow from trial to trial? A slope with its interval, and a verdict.

Pure arithmetic on a series of values, one a trial; no dependency, no randomness. The
slope is the median of the slopes of all pairs (Theil 1950, A rank-invariant method of
linear and polynomial regression analysis) with the interval by Kendall's statistic (Sen
1968, Estimates of the regression coefficient based on Kendall's tau): single outliers,
of which memory has many, do not move it.

A verdict of "leaking" is an accusation, so it needs more than an interval above 0: the
slope of least squares far beyond its noise, and no single step and no growth that
settles that would explain the series as well. The bounds were found by simulation;
bench/trend.py prints how often each verdict is wrong.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from keraser.curves import Fits, better, fit

#: Fewer trials than this say nothing.
FEWEST = 4

#: The slope over its standard error, on the scale of the normal distribution, from
#: which on it counts: t = 2.8 in 20 trials (z_of).
CERTAIN = 2.52

#: Residuals that correlate more than this from trial to trial make the slope less sure.
ALIKE = 0.4

#: A step explains the series when it is better than the line by this much (`better`).
STEP = 9.0
#: So does growth that settles, which has one parameter less to choose.
SETTLING = 6.0

#: Longer series are judged by the means of this many runs of trials: pairs are many.
MOST = 300

#: Quantile of the normal distribution for an interval of 95 %.
Z95 = 1.959964

FIRST_LOOK = 5


@dataclass(frozen=True)
class Trend:
    """How a figure moves from trial to trial.

    Attributes:
        slope: growth per trial, Theil-Sen; 0 with fewer than 2 trials.
        low, high: bounds of its 95 % interval by Sen; infinite if nothing is known.
        verdict: "flat", "saturating" (it grew, and settled), "leaking", "cannot tell".
        more: about how many more trials it takes to tell; 0 if the verdict tells.
        trials: how many were judged.
    """

    slope: float
    low: float
    high: float
    verdict: str
    more: int
    trials: int


def judge(series: Sequence[float], tolerance: float) -> Trend:
    """The trend of `series`, one value a trial, in its order.

    Args:
        series: bytes, counts or seconds; a few trials of warm-up already left out.
        tolerance: growth per trial that does not matter, in the unit of the series.

    Raises:
        ValueError: a value or the tolerance is None, not finite or no number; the
            tolerance is negative.

    >>> judge([100, 148, 196, 244], tolerance=0).verdict
    'leaking'
    """
    values = [_number(value, f"value {i}") for i, value in enumerate(series, 1)]
    tolerance = _number(tolerance, "the tolerance")
    if tolerance < 0:
        raise ValueError(f"the tolerance is {tolerance}: give 0 or more")
    n = len(values)
    if n < FEWEST:
        slope = (values[-1] - values[0]) / (n - 1) if n > 1 else 0.0
        return Trend(slope, -math.inf, math.inf, "cannot tell", FEWEST - n, n)
    values = [value - values[0] for value in values]  # small numbers round less
    fits = fit(values)
    slope, low, high = theil_sen(values, _spread(fits.likeness))
    verdict = _verdict(values, fits, (slope, low, high), tolerance)
    more = _more(n, high - low, tolerance) if verdict == "cannot tell" else 0
    return Trend(slope, low, high, verdict, more, n)


def looks(n: int) -> bool:
    """Is it time to judge after n trials? After 5, 10, 20, 40 and so on.

    Who judges after every trial raises a false alarm sooner or later.

    >>> [n for n in range(1, 100) if looks(n)]
    [5, 10, 20, 40, 80]
    """
    return (
        n >= FIRST_LOOK and n % FIRST_LOOK == 0 and (n // FIRST_LOOK).bit_count() == 1
    )


def theil_sen(values: Sequence[float], spread: float = 1) -> tuple[float, float, float]:
    """Slope, and the bounds of its 95 % interval, made wider by the factor `spread`."""
    points = _thin(values)
    n = len(points)
    slopes = sorted((b - a) / (j - i) for (i, a), (j, b) in combinations(points, 2))
    pairs = len(slopes)
    # Sen 1968, 2.6: the variance of Kendall's statistic, smaller with equal values.
    counts: dict[float, int] = {}
    for _, value in points:
        counts[value] = counts.get(value, 0) + 1
    equal = sum(k * (k - 1) * (2 * k + 5) for k in counts.values())
    reach = Z95 * spread * math.sqrt((n * (n - 1) * (2 * n + 5) - equal) / 18)
    low = max(round((pairs - reach) / 2), 0)
    high = min(round((pairs + reach) / 2) - 1, pairs - 1)
    return statistics.median(slopes), slopes[min(low, high)], slopes[max(low, high)]


def z_of(t: float, df: int) -> float:
    """Student's t with df degrees as a normal deviate of the same probability.

    Wallace 1959, Bounds on normal approximations to Student's and the chi-square
    distributions: within 0.02 from 3 degrees on.
    """
    size = math.sqrt(df * math.log1p(t * t / df)) * (8 * df + 1) / (8 * df + 3)
    return math.copysign(size, t)


def _verdict(
    values: list[float],
    fits: Fits,
    interval: tuple[float, float, float],
    tolerance: float,
) -> str:
    slope, low, high = interval
    if high <= tolerance:
        return "flat"
    n = len(values)
    stepped = better(fits.line, fits.step, n) >= STEP
    settling = better(fits.line, fits.settling, n) >= SETTLING
    if stepped or settling:
        return "saturating"
    if _deviate(fits, n) >= CERTAIN and low > 0 and slope > tolerance:
        return "leaking"
    return "cannot tell"


def _deviate(fits: Fits, n: int) -> float:
    """How far the slope of least squares is beyond its noise, as a normal deviate."""
    if fits.line == 0:
        return math.copysign(math.inf, fits.slope)
    error = math.sqrt(fits.line / (n - 2) / (n * (n * n - 1) / 12))
    return z_of(fits.slope / error / _spread(fits.likeness), n - 2)


def _spread(likeness: float) -> float:
    """How much wider an interval is whose errors are alike from trial to trial."""
    if likeness <= ALIKE:
        return 1.0
    return math.sqrt((1 + likeness) / (1 - likeness))


def _more(n: int, width: float, tolerance: float) -> int:
    """Trials until half the interval is within the tolerance: it shrinks as n^-1.5."""
    if tolerance == 0:
        return n
    return max(math.ceil(n * ((width / 2 / tolerance) ** (2 / 3) - 1)), 1)


def _thin(values: Sequence[float]) -> list[tuple[float, float]]:
    """Positions and values; of a long series the means of runs of equal length."""
    run = -(-len(values) // MOST)
    parts = [values[i : i + run] for i in range(0, len(values), run)]
    return [
        (i * run + (len(part) - 1) / 2, math.fsum(part) / len(part))
        for i, part in enumerate(parts)
    ]


def _number(value: object, what: str) -> float:
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{what} is {value!r}: leave out trials that have no figure")
