"""trials(): a loop that stays flat, and says whether it did."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from keraser import _core
from keraser.adapters.base import find_adapter
from keraser.errors import GrowthError, GrowthWarning, KeraserError
from keraser.growth import GrowthReport
from keraser.progress_bar import ProgressBar
from keraser.recording import Recorder
from keraser.scoping import Scope
from keraser.trend import looks

T = TypeVar("T")
R = TypeVar("R")


#: When bytes alone grow, and nothing that can be counted, caches of native libraries
#: may still be filling: oneDNN's keep something of each new shape.
SURE_OF_BYTES = 38


class Trial(Generic[T]):
    """One round of `trials`. `with trial:` around its body survives running out of
    memory, and ends the trial at the end of the block.

    What can be taken apart in `value` can be taken apart here: `units, rate = trial`.

    Attributes:
        number: counted from 0.
        value: the item of the iterable.
        error: what ended it, as text, if memory ran out, else None.
        seconds: how long it took, without the clearing; 0.0 while it runs.
    """

    def __init__(self, number: int, value: T, scope: Scope) -> None:
        self.number = number
        self.value = value
        self.error: str | None = None
        self.seconds = 0.0
        self._started = time.perf_counter()
        self._scope = scope.__enter__()

    def keep(self, value: R) -> R:
        """Leaves `value` alone at the end of the trial, see `Scope.keep`."""
        return self._scope.keep(value)

    def end(self, quiet: bool = False) -> None:
        """Clears what was built. A second call does nothing."""
        self.seconds = self.seconds or time.perf_counter() - self._started
        self._scope.end(quiet)

    def leave(self) -> None:
        """The loop was left in the middle of it: its builds go with who left."""
        self._scope.abandon()

    def __enter__(self) -> Trial[T]:
        return self

    @property
    def __exit__(self) -> Callable[..., bool]:
        """As in `Scope`."""

        def leave(_kind: Any, error: BaseException | None, _trace: Any) -> bool:
            if error is None:
                self._scope.keep(_core.stack(1))
            elif _is_out_of_memory(error):
                self.error = f"{type(error).__name__}: {error}"
            self.end(quiet=error is not None)
            return self.error is not None

        return leave

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)  # type: ignore[call-overload]

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]  # type: ignore[index]

    def __repr__(self) -> str:
        return f"<keraser trial {self.number}: {self.value!r}>"


def _is_out_of_memory(error: BaseException) -> bool:
    adapter = find_adapter()
    if adapter is None:
        return isinstance(error, MemoryError)
    return adapter.is_out_of_memory(error)


class Trials(Generic[T]):
    """The rounds of a loop, each cleared at its end. See `trials`."""

    def __init__(
        self,
        values: Iterable[T],
        progress: bool,
        on_growth: str | Callable[[GrowthReport], Any],
        all_threads: bool,
        trim: bool,
    ) -> None:
        self._values: Iterable[T] | None = values
        self._progress = progress
        self._on_growth = on_growth
        self._scope_settings = (all_threads, trim)
        self._recorder = Recorder()
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(self._values)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Trial[T]]:
        values, self._values = self._values, None
        if values is None:
            raise KeraserError(
                "these trials have begun before; call keraser.trials() for each loop"
            )
        bar = ProgressBar(self._progress, _length(values))
        try:
            for number, value in enumerate(values):
                trial = Trial(number, value, Scope(*self._scope_settings))
                try:
                    yield trial
                except GeneratorExit:
                    trial.leave()
                    raise
                trial.end()
                self._recorder.note(trial.seconds, trial.error)
                del trial, value
                bar.advance(self._beside_the_bar())
                if looks(self._recorder.judged):
                    self._look()
            if not looks(self._recorder.judged):
                self._look()
        finally:
            bar.stop()

    def run(self, function: Callable[[T], R]) -> list[R | None]:
        """Calls `function(value)` once for each value, and returns what it returned,
        None for a trial in which memory ran out. A model that it returns is kept."""
        results: list[R | None] = []
        for trial in self:
            result = None
            with trial:
                result = trial.keep(function(trial.value))
            results.append(result)
        return results

    # ---- growth -----------------------------------------------------------------

    def report(self) -> GrowthReport:
        """Growth per trial of each figure so far, with a verdict, and who holds what
        leaks."""
        return self._recorder.report()

    def _look(self) -> None:
        report = self.report()
        counts = {name for name in report.leaking if not report[name].unit}
        if not counts and self._recorder.judged < SURE_OF_BYTES:
            return
        new = set(report.leaking) - self._told
        self._told |= new
        if not new:
            return
        if self._on_growth == "raise":
            raise GrowthError(report, report.summary())
        if self._on_growth == "warn":
            warnings.warn(GrowthWarning(report.summary()), stacklevel=3)
        elif callable(self._on_growth):
            self._on_growth(report)

    def _beside_the_bar(self) -> str:
        rss, objects = map(self._recorder.figure, ("RSS", "objects"))
        trend = objects.trend
        note = f"RSS {rss.format(rss.values[-1])}"
        if trend.trials < 2:
            return note
        slope = objects.format(trend.slope, signed=True)
        return f"{note}, {slope} objects a trial ({trend.verdict})"


def _length(values: Any) -> int | None:
    try:
        return len(values)
    except TypeError:
        return None


def trials(
    values: Iterable[T],
    *,
    progress: bool = True,
    on_growth: str | Callable[[GrowthReport], Any] = "warn",
    all_threads: bool = False,
    trim: bool = True,
) -> Trials[T]:
    """A loop whose rounds leave nothing behind: each is a `scope`, and memory is read
    after each.

    A round ends when the next one begins: models, datasets and functions built in it
    are cleared but for what `trial.keep(value)` was given. A loop that is left early
    (break, return, an exception) leaves the builds of its last trial alone.

    Args:
        values: what to try, one value a round, `trial.value`.
        progress: show a bar, with memory beside it, where rich is installed and
            somebody looks: a terminal or a notebook.
        on_growth: what to do once something is found to leak: "warn" with a
            `GrowthWarning`, "raise" a `GrowthError`, "ignore", or a function, which is
            called with the `GrowthReport`. Looked at after 5, 10, 20, 40, ... trials
            beyond the first 2, which fill caches, and at the end.
        all_threads, trim: as in `scope`.

    Raises:
        TypeError: `values` cannot be iterated.
        ValueError: unknown `on_growth`.

    Example:
        >>> sweep = keraser.trials([16, 32, 64])       # doctest: +SKIP
        >>> for trial in sweep:                        # doctest: +SKIP
        ...     with trial:                  # survives running out of memory
        ...         model = build(trial.value)
        ...         model.fit(x, y)
        >>> sweep.report()                             # doctest: +SKIP
    """
    if not callable(on_growth) and on_growth not in ("warn", "raise", "ignore"):
        raise ValueError(
            'on_growth must be "warn", "raise", "ignore" or a function that takes a '
            f"GrowthReport, not {on_growth!r}"
        )
    if not isinstance(values, Iterable):
        raise TypeError(
            f"trials() takes the values to try, such as a list; {values!r} cannot be "
            "iterated (for a number of rounds: range(number))"
        )
    return Trials(values, progress, on_growth, all_threads, trim)
