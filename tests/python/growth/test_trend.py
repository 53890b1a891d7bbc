"""Verdicts on growth: how often they are wrong on series of which the truth is known,
and what must hold exactly. bench/trend.py prints the rates of many more."""

import gc
import math
import tracemalloc
from collections import Counter
from functools import lru_cache
from random import Random

import pytest
from growth import series
from keraser import trend
from keraser.trend import judge, looks
from scipy import stats

RUNS = 1000
TOLERANCE = 0.0625  # MB per trial


def verdicts(make, n, seed, tolerance=TOLERANCE):
    random = Random(seed)
    return Counter(judge(make(random, n), tolerance).verdict for _ in range(RUNS))


@pytest.mark.parametrize("n", [20, 40])
@pytest.mark.parametrize(
    "make", [series.flat, series.sawtooth, series.step, series.settling]
)
def test_less_than_one_in_a_hundred_is_falsely_accused(make, n):
    assert verdicts(make, n, seed=1)["leaking"] < RUNS / 100


def test_a_leak_of_a_fifth_of_the_noise_is_found_in_twenty_trials():
    assert verdicts(series.leak, 20, seed=2)["leaking"] >= 0.95 * RUNS


def test_a_step_does_not_hide_a_leak():
    assert verdicts(series.leak_and_step, 20, seed=3)["leaking"] >= 0.95 * RUNS


@pytest.mark.parametrize("make", [series.step, series.settling])
def test_growth_that_ends_is_called_saturating(make):
    assert verdicts(make, 20, seed=4)["saturating"] >= 0.9 * RUNS


def test_where_the_noise_hides_the_answer_it_says_so():
    found = verdicts(series.flat, 10, seed=5, tolerance=0.01)
    assert found["cannot tell"] >= 0.9 * RUNS


def test_as_many_more_trials_as_it_asks_for_are_about_enough():
    random, told = Random(6), 0
    for _ in range(200):
        first = series.flat(random, 12)
        more = judge(first, 0.1).more
        told += judge(first + series.flat(random, more), 0.1).verdict != "cannot tell"
    assert told >= 100


def remembering(function):
    """The same function, which does not calculate the same twice in succession."""
    kept = lru_cache(4)(lambda values, *rest: function(list(values), *rest))
    return lambda values, *rest: kept(tuple(values), *rest)


def test_looking_on_schedule_alarms_in_less_than_one_run_of_a_hundred(monkeypatch):
    """With the tolerance and without, on the same runs; length by length, since the
    curves of the last one are kept."""
    for name in ("fit", "theil_sen"):
        monkeypatch.setattr(trend, name, remembering(getattr(trend, name)))
    schedule = [n for n in range(301) if looks(n)]
    assert schedule == [5, 10, 20, 40, 80, 160]
    random, alarms = Random(7), {TOLERANCE: set(), 0: set()}
    runs = [series.flat(random, 160) for _ in range(RUNS)]
    for n in schedule:
        for number, run in enumerate(runs):
            for tolerance, alarmed in alarms.items():
                if judge(run[:n], tolerance).verdict == "leaking":
                    alarmed.add(number)
    assert max(map(len, alarms.values())) < RUNS / 100


@pytest.mark.parametrize("n", [4, 5, 7, 20, 300, 1000])
def test_a_count_that_grows_by_the_same_each_trial_leaks(n):
    found = judge([10**9 + 3 * i for i in range(n)], tolerance=2)
    assert (found.verdict, found.more, found.trials) == ("leaking", 0, n)
    assert (found.slope, found.low, found.high) == (3, 3, 3)


@pytest.mark.parametrize("n", [4, 5, 20, 1000])
@pytest.mark.parametrize("slope", [0, 2, -5])
def test_a_count_that_stays_or_falls_or_grows_within_the_tolerance_is_flat(n, slope):
    assert judge([10**9 + slope * i for i in range(n)], tolerance=2).verdict == "flat"


def test_one_trial_that_differs_is_no_growth():
    for at in range(20):
        counts = [1000 + 7 * (i == at) for i in range(20)]
        assert judge(counts, 0).verdict == "flat", at


def test_a_count_that_rises_once_is_saturating_when_it_has_stayed_there():
    counts = [1000] * 10 + [1500] * 10
    assert judge(counts, 0).verdict == "saturating"
    assert judge(counts[:12], 0).verdict != "leaking"


def test_a_leak_beside_a_step_has_the_slope_without_the_step():
    found = judge([100 * i + 5000 * (i >= 8) for i in range(20)], tolerance=1)
    assert (found.verdict, found.since) == ("leaking", 8)
    assert found.slope == pytest.approx(100)
    assert (found.low, found.high) == pytest.approx((100, 100))


def test_growth_that_has_not_settled_yet_is_not_called_settled():
    values = [1000 * (1 - math.exp(-i / 8)) for i in range(16)]
    assert judge(values, 1).verdict == "cannot tell"
    assert judge([1000 * (1 - math.exp(-i / 8)) for i in range(40)], 1).verdict in {
        "saturating",
        "flat",
    }


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_three_trials_are_too_few(n):
    found = judge([5.0 * i for i in range(n)], tolerance=1)
    assert (found.verdict, found.more) == ("cannot tell", 4 - n)
    assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("wrong", [None, math.nan, math.inf, "12"])
def test_a_trial_without_a_figure_is_refused_by_its_number(wrong):
    with pytest.raises(ValueError, match="value 3 is"):
        judge([1, 2, wrong, 4], tolerance=1)
    with pytest.raises(ValueError, match="the tolerance is"):
        judge([1, 2, 3, 4], tolerance=wrong)


def test_a_tolerance_below_nought_is_refused():
    with pytest.raises(ValueError, match="give 0 or more"):
        judge([1, 2, 3, 4], tolerance=-1)


@pytest.mark.parametrize("n", [4, 9, 20, 100])
@pytest.mark.parametrize("ties", [False, True])
def test_slope_and_interval_are_those_of_scipy(n, ties):
    random = Random(n)
    for _ in range(20):
        values = series.leak(random, n)
        values = [float(round(v)) for v in values] if ties else values
        theirs = stats.theilslopes(values, alpha=0.95)
        ours = trend.theil_sen(values)
        assert ours[0] == pytest.approx(theirs.slope)
        assert ours[1:] == pytest.approx((theirs.low_slope, theirs.high_slope))


@pytest.mark.parametrize("df", [2, 3, 8, 18, 100])
@pytest.mark.parametrize("t", [-3.0, 0.0, 0.5, 2.8, 6.0])
def test_the_normal_deviate_of_t_has_the_probability_of_t(t, df):
    exact = stats.norm.ppf(stats.t.cdf(t, df))
    assert trend.z_of(t, df) == pytest.approx(exact, abs=0.04 if df > 2 else 0.06)


def test_a_long_series_is_judged_as_a_short_one():
    random = Random(8)
    assert judge(series.flat(random, 1000), 0.01).verdict == "flat"
    found = judge(series.leak(random, 1000, slope=0.05), 0.01)
    assert found.verdict == "leaking"
    assert found.slope == pytest.approx(0.05, rel=0.05)


def test_judging_after_each_trial_keeps_next_to_nothing():
    """Or the figures that are judged would grow with what judged them."""
    values = [number * 1e6 for number in range(140)]
    judge(values, TOLERANCE)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for n in range(100, 140):
            judge(values[:n], TOLERANCE)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept <= 64 << 10, kept


def test_judging_more_trials_keeps_no_more_objects():
    counts = []
    for n in (20, 400):
        judge([float(number) for number in range(n)], TOLERANCE)
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert counts[1] <= counts[0]
