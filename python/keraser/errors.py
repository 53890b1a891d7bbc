"""What keraser raises. Bad arguments raise TypeError or ValueError as usual."""


class KeraserError(Exception):
    """Base of keraser's own errors. Nothing was changed when one is raised."""


class ClearedModelError(KeraserError):
    """A cleared model was used. Says which, and when and where it was cleared."""


class ParkedModelError(ClearedModelError):
    """A parked model or a part of one was used. Says where it was parked, and where its
    values are."""


class StillHeldError(KeraserError):
    """Something still uses or holds the model, and the call was not to go on then.

    Attributes:
        holders: what holds it, as text, one entry a holder.
    """

    def __init__(self, message: str, holders: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.holders = holders


class UnsupportedError(KeraserError):
    """Not possible with this Python, framework or version; the message says why."""


class GrowthError(KeraserError):
    """Trials leave something behind, and the call was to stop then.

    Attributes:
        report: the `GrowthReport`.
    """

    def __init__(self, report: object, message: str) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.report, *self.args)


class TrialError(KeraserError):
    """An isolated trial failed in a way that no error of its own tells.

    Attributes:
        figures: what the trial had used, the last that was read, or None: `rss`, `own`
            and `peak` in bytes, `wall` and `cpu` in seconds.
        output: the last lines that it printed.
    """

    def __init__(
        self, message: str, *, figures: object = None, output: str = ""
    ) -> None:
        super().__init__(message)
        self.figures = figures
        self.output = output


class MemoryLimitExceeded(TrialError):  # noqa: N818
    """A trial had more memory than it may, and was ended.

    Attributes:
        which: the limit that it was.
    """

    def __init__(
        self,
        message: str,
        *,
        which: str = "memory",
        figures: object = None,
        output: str = "",
    ) -> None:
        super().__init__(message, figures=figures, output=output)
        self.which = which


class TimeLimitExceeded(TrialError):  # noqa: N818
    """A trial took longer than it may, and was ended.

    Attributes:
        which: "wall" or "cpu".
    """

    def __init__(
        self,
        message: str,
        *,
        which: str = "wall",
        figures: object = None,
        output: str = "",
    ) -> None:
        super().__init__(message, figures=figures, output=output)
        self.which = which


class TrialCrashed(TrialError):  # noqa: N818
    """The process of a trial ended before the trial did.

    Attributes:
        signal: the `signal.Signals` that ended it, or None.
        exitcode: what it ended with by itself, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        signal: object = None,
        exitcode: int | None = None,
        figures: object = None,
        output: str = "",
    ) -> None:
        super().__init__(message, figures=figures, output=output)
        self.signal = signal
        self.exitcode = exitcode


class GrowthWarning(UserWarning):
    """Trials leave something behind: what, how much, and who holds it."""
