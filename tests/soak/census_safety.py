"""A process of its own: censuses while other threads build, train and raise.

Threads change hands as often as the interpreter can. What the censuses must find is
made before and never changes: a model on a shelf, and a ballast of marked objects.
Bounded by counts: ends when the censuses are taken.

    census_safety.py 200 why types owners top       a WAY is a function of this file
"""

import contextlib
import json
import os
import sys
import threading
import time

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import keras
import keraser
import numpy as np
from keraser import _core

CENSUSES, CHOSEN = int(sys.argv[1]), sys.argv[2:]
MARKS = 5000
NATIVE = 1 << 40  # more than anything real
X = np.ones((32, 8), np.float32)


class Mark:
    __slots__ = ("mark",)


class Ballast:
    pass


def build():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu")])
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    return model


def train():
    build().fit(X, X[:, :1], verbose=0)


def raise_errors():
    def fail(depth):
        if depth:
            fail(depth - 1)
        raise KeyError(depth)

    for depth in range(8):
        with contextlib.suppress(KeyError):
            fail(depth)


def suspend():
    def count(n):
        if n:
            yield [n]
            yield from count(n - 1)

    assert sum(one for [one] in count(20)) == 210


NOISES = [build, train, raise_errors, suspend]


def make_noise(noise, over, rounds, failures):
    try:
        while not over.is_set():
            noise()
            rounds[noise.__name__] += 1
    except BaseException as error:
        failures.append((noise.__name__, repr(error)))


# ---- what never changes -------------------------------------------------------------

shelf = {"trials": [build()]}
shelf["trials"][0].fit(X, X[:, :1], verbose=0)
WEIGHTS = sum(v.numpy().nbytes for v in shelf["trials"][0].variables)
HELD_BY = """variable "shelf"['trials'][0]"""
ballast = Ballast()
ballast.marks = [Mark() for _ in range(MARKS)]


# ---- the censuses, each with what it must answer ------------------------------------


def why(fork):
    holders = keraser.why(shelf["trials"][0], fork=fork)
    held_by = [str(holder) for holder in holders if not holder.what]
    assert held_by == [HELD_BY], holders


def types(fork):
    answer = _core.ask([], [], None, [], [], types=100_000, fork=fork)
    objects, size, _, rows = answer["types"]
    counts = {name: count for name, count, _ in rows}
    assert counts["__main__.Mark"] == MARKS, counts.get("__main__.Mark")
    assert objects == sum(counts for _, counts, _ in rows)
    assert size == sum(size for _, _, size in rows)


def owners(fork):
    answer = _core.ask([], [], None, [ballast], [NATIVE], top=3, fork=fork)
    (_, path), kind, _, _, size, native, objects = answer["top"][0]
    assert path[-1][-1] == "ballast", answer["top"][0]
    assert (kind, native) == ("__main__.Ballast", NATIVE), answer["top"][0]
    assert objects >= MARKS + 2, objects
    assert size > NATIVE


def top(fork):
    owners = keraser.top(5, fork=fork).owners
    sizes = [owner.bytes for owner in owners]
    assert len(sizes) == 5
    assert sizes == sorted(sizes, reverse=True)


def census(fork):
    """The model on the shelf among those that come and go."""
    rows = keraser.census(fork=fork).models
    ours = [row for row in rows if row.id == id(shelf["trials"][0])]
    assert len(ours) == 1, [row.name for row in rows]
    assert ours[0].held_by == (HELD_BY,), ours
    assert ours[0].bytes["weights"] == WEIGHTS, ours


WAYS = [globals()[name] for name in CHOSEN]


def take(way, fork, refused):
    """Another thread's collection may be under way: then one is to try again."""
    while True:
        try:
            return way(fork)
        except keraser.KeraserError as error:
            if "garbage collector runs" not in str(error):
                raise
            refused.append(way.__name__)
            time.sleep(0.01)


def take_censuses(taken, refused, failures):
    for number in range(CENSUSES):
        way = WAYS[number % len(WAYS)]
        fork = number // len(WAYS) % 2 == 1
        try:
            take(way, fork, refused)
        except BaseException as error:
            failures.append((way.__name__, fork, repr(error)))
            raise
        taken.append(way.__name__)


def main():
    over, failures, taken, refused = threading.Event(), [], [], []
    rounds = {noise.__name__: 0 for noise in NOISES}
    noisy = [
        threading.Thread(target=make_noise, args=(noise, over, rounds, failures))
        for noise in NOISES
    ]
    counter = threading.Thread(target=take_censuses, args=(taken, refused, failures))
    sys.setswitchinterval(1e-5)
    for thread in [*noisy, counter]:
        thread.start()
    counter.join()
    over.set()
    for thread in noisy:
        thread.join()
    assert not failures, failures
    print(json.dumps({"censuses": len(taken), "refused": len(refused), **rounds}))


if __name__ == "__main__":
    main()
