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


class GrowthWarning(UserWarning):
    """Trials leave something behind: what, how much, and who holds it."""
