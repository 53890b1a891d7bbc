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

#: The slope over its standard error from which on it counts, as a normal deviate: t =
#: 2.9 in 20 trials (`z_of`). There the bound is lowest. It rises by so much with each
#: halving and doubling of the trials: few show little, in many a leak is seen anyway,
#: and so all looks of one run together raise a false alarm in less than 1 % of runs.
CERTAIN = 2.6
RISE = 0.5
TRIALS = 20

#: Residuals that correlate more than this from trial to trial make the slope less sure.
ALIKE = 0.4

#: A step refutes a leak when it is better than the line by this much (`better`), and
#: growth that settles, which has one parameter less to choose; less in fewer TRIALS.
STEP = 10.0
SETTLING = 6.5

#: Such a shape is told only if it is better than a constant by this much.
SHAPED = 14.0

#: So many values of a step's lower end, and of its upper, are more than an outlier.
STAYS = 3

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
        since: where a step was left out of the slope, how many trials come before it.
    """

    slope: float
    low: float
    high: float
    verdict: str
    more: int
    trials: int
    since: int = 0


def judge(series: Sequence[float], tolerance: float) -> Trend:
    """The trend of `series`, one value a trial, in its order.

    A step does not hide a leak: where there are both, the slope is without the step.

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
    spread = _spread(fits.likeness, n)
    slope, low, high = theil_sen(values, spread)
    if high <= tolerance:
        return Trend(slope, low, high, "flat", 0, n)
    if _leaks_beside_step(fits, n):
        step = fits.broken
        rest = [v - step.height * (i >= step.at) for i, v in enumerate(values)]
        beside = theil_sen(rest, _spread(step.likeness, n))
        if beside[1] > 0 and beside[0] > tolerance:
            return Trend(*beside, "leaking", 0, n, step.at)
    verdict = _verdict(fits, n)
    if verdict == "leaking" and (low <= 0 or slope <= tolerance):
        verdict = "cannot tell"
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
    low = max(round((pairs - reach) / 2) - 1, 0)
    high = min(round((pairs + reach) / 2), pairs - 1)
    return statistics.median(slopes), slopes[min(low, high)], slopes[max(low, high)]


def z_of(t: float, df: int) -> float:
    """Student's t with df degrees as a normal deviate of the same probability.

    Wallace 1959, Bounds on normal approximations to Student's and the chi-square
    distributions: within 0.04 from 3 degrees on.
    """
    size = math.sqrt(df * math.log1p(t * t / df)) * (8 * df + 1) / (8 * df + 3)
    return math.copysign(size, t)


def _verdict(fits: Fits, n: int) -> str:
    """What the shapes say of a series that is not surely flat."""
    few = min(n / TRIALS, 1.0)
    stepped = better(fits.line, fits.step, n) >= STEP * few
    settling = better(fits.line, fits.settling, n) >= SETTLING * few
    if not stepped and not settling:
        return "leaking" if _deviate(fits, n) >= _certain(n) else "cannot tell"
    if fits.step <= fits.settling:
        told = STAYS <= fits.step_at <= n - STAYS
    else:
        told = fits.settled
    best = min(fits.step, fits.settling)
    shaped = better(fits.total, best, n - 3) >= SHAPED
    return "saturating" if told and shaped else "cannot tell"


def _leaks_beside_step(fits: Fits, n: int) -> bool:
    """A step is there, and a slope with it that nothing explains but a leak."""
    broken = fits.broken
    if n < FIRST_LOOK or not STAYS <= broken.at <= n - STAYS:
        return False
    if better(fits.line, broken.left, n - 4) < SHAPED:
        return False
    if better(fits.settling, broken.left, n - 4) < SHAPED:
        return False
    if broken.error == 0:
        return broken.slope > 0
    error = broken.error * _spread(broken.likeness, n)
    return z_of(broken.slope / error, n - 4) >= _certain(n)


def _certain(n: int) -> float:
    return CERTAIN + RISE * abs(math.log2(n / TRIALS))


def _deviate(fits: Fits, n: int) -> float:
    """How far the slope of least squares is beyond its noise, as a normal deviate."""
    if fits.line == 0:
        return math.copysign(math.inf, fits.slope)
    error = math.sqrt(fits.line / (n - 2) / (n * (n * n - 1) / 12))
    return z_of(fits.slope / error / _spread(fits.likeness, n), n - 2)


def _spread(likeness: float, n: int) -> float:
    """How much wider an interval is whose errors are alike from trial to trial.

    Residuals of a line look less alike than the errors are, by (2 + 4a) / n on average.
    """
    if likeness <= ALIKE:
        return 1.0
    alike = min(likeness + (2 + 4 * likeness) / n, 0.95)
    return math.sqrt((1 + alike) / (1 - alike))


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
