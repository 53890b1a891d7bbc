"""Growth per trial: a robust slope with its interval."""

import statistics
from dataclasses import asdict, dataclass

from scipy.stats import theilslopes

#: The first trials are left out of every slope: in them TensorFlow imports modules and
#: makes kernels and threads that later trials share, and its pool takes its first
#: regions. That happens once, with any way to drop a model.
WARM_UP = 2

CONFIDENCE = 0.95

FIGURES = ("rss", "pool", "heap", "objects")


@dataclass(frozen=True)
class Slope:
    """Growth per trial: the median of all pairs' slopes (Theil-Sen), and the bounds of
    its 95 % interval. Bytes, or a count."""

    per_trial: float
    low: float
    high: float


@dataclass(frozen=True)
class Growth:
    """What one arm's trials came to. `slopes` by figure, None where it is unknown;
    `clear` is the median of the seconds that dropping a model took."""

    slopes: dict
    clear: float
    object_counts: tuple

    @property
    def is_flat(self):
        """Not one Python object more or less from trial to trial."""
        return len(set(self.object_counts)) == 1

    @property
    def grows(self):
        """Objects are added for certain: the interval is above 0."""
        return self.slopes["objects"].low > 0

    def to_dict(self):
        return {"is_flat": self.is_flat, "grows": self.grows, **asdict(self)}


def growth(trials):
    """The growth over an arm's trials, a list of its reports."""
    counted = trials[WARM_UP:]
    return Growth(
        slopes={figure: slope(counted, figure) for figure in FIGURES},
        clear=statistics.median(trial["clear"] for trial in counted),
        object_counts=tuple(trial["objects"] for trial in counted),
    )


def slope(trials, figure):
    values = [trial[figure] for trial in trials]
    if None in values:
        return None
    numbers = [trial["trial"] for trial in trials]
    middle, _, low, high = theilslopes(values, numbers, CONFIDENCE)
    return Slope(float(middle), float(low), float(high))
