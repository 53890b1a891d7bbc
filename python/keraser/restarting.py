"""restarts(): many trainings from fresh weights, with one compiled step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from keraser.resetting import check_seed, draw_seed, reset
from keraser.usable import check_model


@dataclass(frozen=True)
class Restart:
    """One training of `keraser.restarts`.

    Attributes:
        number: which it is, from 0.
        seed: what its weights were drawn from.
    """

    number: int
    seed: int


def restarts(
    model: Any, n: int, *, seeds: Iterable[int] | None = None
) -> Iterator[Restart]:
    """Resets the model before each of `n` rounds of a loop: what is traced in the first
    serves them all. After the loop the model is as the last round left it.

    Args:
        model: as for `keraser.reset`, which says what starts anew.
        n: how many rounds.
        seeds: one for each round. None: from the system's entropy.

    Yields:
        A `Restart`.

    Raises:
        TypeError, ValueError: of a bad argument, at once and not in the first round.
        Whatever `keraser.reset` raises, in the round in which it does.

    Example:
        >>> for trial in keraser.restarts(model, 5):              # doctest: +SKIP
        ...     scores[trial.seed] = model.fit(x, y).history["loss"][-1]
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise ValueError(f"n must be a number of rounds, 0 or more, not {n!r}")
    check_model(model, "restarts()")
    drawn = (draw_seed() for _ in range(n)) if seeds is None else seeds
    chosen = [check_seed(seed) for seed in drawn]
    if len(chosen) != n:
        raise ValueError(f"{len(chosen)} seeds for {n} rounds")
    return _rounds(model, chosen)


def _rounds(model: Any, seeds: list[int]) -> Iterator[Restart]:
    for number, seed in enumerate(seeds):
        reset(model, seed)
        yield Restart(number, seed)
