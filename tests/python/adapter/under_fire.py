"""A process of its own: walks of the heap against threads that never leave it alone.

Threads change hands as often as the interpreter can. Each makes what a walk has trouble
with: generators that run, tuples half made, exceptions on their way, frames that come
and go, caches, collections, classes. Bounded by counts: ends when the walks are done.
"""

import contextlib
import functools
import gc
import json
import re
import sys
import threading
import weakref

import calls
from keraser import _core

WALKS = int(sys.argv[1])


def generators():
    def count(n):
        if n:
            yield n
            yield from count(n - 1)

    assert sum(count(20)) == 210


def half_made_tuples():
    assert tuple([i] for i in range(40)) == tuple(
        map(list, zip(range(40), strict=True))
    )


def exceptions():
    def fail(depth):
        if depth:
            fail(depth - 1)
        raise KeyError(depth)

    for depth in range(8):
        with contextlib.suppress(KeyError):
            fail(depth)


def texts():
    things = {"a": [1, {"b": None}], "c": "π"}
    assert json.loads(json.dumps(things)) == things
    re.purge()
    assert re.findall(r"(\w)(\d)", "a1 b2") == [("a", "1"), ("b", "2")]


@functools.lru_cache(maxsize=4)
def cached(n):
    return [n]


def caches():
    assert [cached(n % 7) for n in range(50)] == [[n % 7] for n in range(50)]


def collections():
    cycle = []
    cycle.append(cycle)
    del cycle
    gc.collect(1)


def classes():
    class Base:
        __slots__ = ("__weakref__", "a")

    class Derived(Base):
        def __init__(self):
            self.me, self.a = self, [super().__init__]

    assert Derived().a


def threads():
    done = []
    thread = threading.Thread(target=done.append, args=([],))
    thread.start()
    thread.join()
    assert done == [[]]


NOISES = [generators, half_made_tuples, exceptions, texts]
NOISES += [caches, collections, classes, threads]


def make_noise(noise, over, rounds, failures):
    try:
        while not over.is_set():
            noise()
            rounds[noise.__name__] += 1
    except BaseException as error:
        failures.append((noise.__name__, repr(error)))


def walk(expected):
    """One walk of each kind, with the answers that nobody else can change."""
    world = calls.World()
    assert calls.owned(world) == expected
    assert calls.owned_outside(world)[0] == 0
    calls.variables(world)
    calls.ask(world)
    calls.ask_whole(world)
    calls.survivors(world)
    assert world.shelf in _core.instances((calls.Holder,))
    assert not any(type(thing) is tuple for thing in _core.instances((object,)))
    parts = [weakref.ref(part) for part in world.box[0].parts[:3]]
    _, alive = calls.owned_release(world)
    left = [part() for part in parts]
    assert (alive, left) == ([], [None] * 3), (alive, left)


def main():
    expected = calls.owned(calls.World())
    over, failures = threading.Event(), []
    rounds = {noise.__name__: 0 for noise in NOISES}
    noisy = [
        threading.Thread(target=make_noise, args=(noise, over, rounds, failures))
        for noise in NOISES
    ]
    sys.setswitchinterval(1e-5)
    for thread in noisy:
        thread.start()
    try:
        for _ in range(WALKS):
            walk(expected)
    finally:
        over.set()
        for thread in noisy:
            thread.join()
    assert not failures, failures
    print(json.dumps(rounds))


if __name__ == "__main__":
    main()
