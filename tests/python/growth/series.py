"""Series of one value a trial, as memory gives them, in MB; noise has an sd of 1."""

import math
from random import Random


def flat(random: Random, n: int) -> list[float]:
    return [random.gauss(0, 1) for _ in range(n)]


def sawtooth(random: Random, n: int) -> list[float]:
    """10 MB that a collection frees every third to seventh trial."""
    period = random.randint(3, 7)
    start = random.randrange(period)
    return [
        10 * ((i + start) % period) / period + random.gauss(0, 0.3) for i in range(n)
    ]


def step(random: Random, n: int) -> list[float]:
    """A library that is loaded, a cache that is made: 10 to 50 MB, once."""
    height, at = random.uniform(10, 50), random.randint(3, n - 3)
    return [height * (i >= at) + noise for i, noise in enumerate(flat(random, n))]


def settling(random: Random, n: int) -> list[float]:
    """10 to 50 MB that come ever more slowly: pools and kernels that are warm."""
    height, time = random.uniform(10, 50), random.uniform(1, 4)
    return [
        height * (1 - math.exp(-i / time)) + noise
        for i, noise in enumerate(flat(random, n))
    ]


def leak(random: Random, n: int, slope: float = 0.2) -> list[float]:
    return [slope * i + noise for i, noise in enumerate(flat(random, n))]


def leak_and_step(random: Random, n: int) -> list[float]:
    """0.5 MB a trial, beside 10 to 50 MB that come once."""
    return [value + 0.5 * i for i, value in enumerate(step(random, n))]


def alike(random: Random, n: int, share: float) -> list[float]:
    """Noise of which a share stays from trial to trial; all of it is a random walk."""
    values = [random.gauss(0, 1)]
    for _ in range(n - 1):
        values.append(share * values[-1] + random.gauss(0, 1))
    return values
