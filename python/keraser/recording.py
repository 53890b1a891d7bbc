"""The figures of a loop, round after round, and the report of them."""

from __future__ import annotations

from collections import Counter

from keraser.culprits import count_types, find_culprits
from keraser.growth import Figure, GrowthReport, Outcome
from keraser.readings import GAUGES, gauge_of, read_gauges

#: The first rounds fill caches; they are shown and not judged.
WARM_UP = 2


class Recorder:
    """Reads the gauges after each round. What it keeps itself are plain numbers, so
    that it is no growth."""

    def __init__(self) -> None:
        self._series: dict[str, list[int | None]] = {}
        self._seconds: list[float] = []
        self._errors: dict[int, str] = {}
        self._types: Counter[str] | None = None

    @property
    def judged(self) -> int:
        """How many rounds there were after the warm-up."""
        return len(self._seconds) - WARM_UP

    def note(self, seconds: float, error: str | None = None) -> None:
        """One more round is over, and what it left behind is cleared or collected."""
        if error is not None:
            self._errors[len(self._seconds)] = error
        self._seconds.append(seconds)
        readings = read_gauges()
        for name in readings.keys() - self._series.keys():
            self._series[name] = [None] * (len(self._seconds) - 1)
        for name, series in self._series.items():
            series.append(readings.get(name))
        if len(self._seconds) == WARM_UP:
            self._types = count_types()

    def figure(self, name: str) -> Figure:
        gauge = gauge_of(name)
        values = tuple(self._series[name])
        limits = (gauge.tolerance, values, WARM_UP, gauge.fewest)
        return Figure(name, gauge.unit, *limits)

    def report(self) -> GrowthReport:
        """Of all rounds so far, with who holds what leaks if something does."""
        figures = tuple(map(self.figure, self._names()))
        outcomes = tuple(
            Outcome(number, seconds, self._errors.get(number))
            for number, seconds in enumerate(self._seconds)
        )
        report = GrowthReport(figures, outcomes)
        if not report.leaking or self._types is None:
            return report
        culprits = find_culprits(self._types, self.judged)
        return GrowthReport(figures, outcomes, tuple(culprits))

    def _names(self) -> list[str]:
        """In the order of the gauges; pools of devices, which have names of their own,
        at the end."""
        order = {name: place for place, name in enumerate(GAUGES)}
        return sorted(self._series, key=lambda name: order.get(name, len(order)))
