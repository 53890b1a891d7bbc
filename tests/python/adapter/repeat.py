"""A process of its own: every call of `calls`, again and again. What grows?

Prints, for each, the least growth that a span saw: of malloc's bytes in use, of the
interpreter's blocks, of the collector's objects and of references to classes. What
leaks grows in every span; what only moves about, as a resized dict does, not in some.
"""

import builtins
import gc
import sys
from array import array
from itertools import pairwise

import calls
from keraser import _core

CLASSES = [thing for thing in vars(builtins).values() if isinstance(thing, type)]
CLASSES += [calls.Thing, calls.Holder, _core.Owned]
FIGURES = 4

WARM, SPANS, ROUNDS = 1000, 8, 250
HEAP_WARM, HEAP_ROUNDS = 40, 20


def repeat(call, world, rounds):
    for _ in range(rounds):
        call(world)
        if call in calls.USES_UP:
            world.__init__()


def look(into, at):
    """Writes the figures into an array, so that they are not among themselves."""
    for _ in range(3):
        gc.collect()  # a tuple of tuples leaves the collector's lists inside out
    into[at] = _core.heap()["in_use"]
    into[at + 1] = sys.getallocatedblocks()
    into[at + 2] = len(gc.get_objects())
    into[at + 3] = sum(map(sys.getrefcount, CLASSES))


def growth(call):
    figures = array("q", bytes(8 * FIGURES * (SPANS + 1)))
    world = calls.World()
    warm, rounds = (HEAP_WARM, HEAP_ROUNDS) if call in calls.HEAP else (WARM, ROUNDS)
    repeat(call, world, warm)
    look(figures, 0)
    for span in range(SPANS + 1):
        look(figures, FIGURES * span)
        repeat(call, world, rounds if span < SPANS else 0)
    return [
        min(b - a for a, b in pairwise(row))
        for row in (figures[which::FIGURES] for which in range(FIGURES))
    ]


if __name__ == "__main__":
    gc.disable()
    for call in (*calls.every_call(), calls.refused):
        print(call.__name__, *growth(call), flush=True)
