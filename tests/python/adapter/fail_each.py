"""A process of its own: makes every call of `calls` again and again, and lets the
first, the second, the third... allocation of it fail, until there are no more.

    python fail_each.py malloc|python

`malloc` fails what the extension itself asks malloc for, by the library of
failing_malloc.c, which must be preloaded; `python` what is asked of the interpreter, by
_testcapi. Prints how often each call failed.
"""

import contextlib
import ctypes
import gc
import sys

import calls
from keraser import _core

with contextlib.suppress(ImportError):
    import _testcapi

QUIET = 40  # calls in a row that did not fail: there are no more allocations
STRIDE = 7  # of the calls that differ from `ask` in little, each seventh allocation


library = ctypes.CDLL(None)
library.failing_malloc_arm.argtypes = [ctypes.c_long]
library.failing_malloc_live.restype = ctypes.c_long
library.failing_malloc_disarm.restype = ctypes.c_long


class Malloc:
    """Fails what `_core` asks malloc for."""

    arm = library.failing_malloc_arm
    disarm = library.failing_malloc_disarm

    def is_over(self, nth, seen, _quiet):
        return seen < nth


class Python:
    """Fails what is asked of the interpreter, which does not say how often it was."""

    def __init__(self):
        self.disarm = _testcapi.remove_mem_hooks

    def arm(self, nth):
        _testcapi.set_nomemory(nth, nth + 1)

    def is_over(self, _nth, _seen, quiet):
        return quiet == QUIET


def attempt(way, nth, call, world):
    """The answer of `call` or the type it raised, and how many allocations were seen.

    Armed for the one call into `_core`: CPython's own calls may leak when they fail.
    """
    seen = 0

    def via(function, *arguments):
        nonlocal seen
        way.arm(nth)
        try:
            return function(*arguments)
        finally:
            seen = way.disarm()

    try:
        return call(world, via), None, seen
    except BaseException as raised:
        return None, type(raised), seen


def blocks(_world):
    return f"{library.failing_malloc_live()} blocks"


def state(world):
    """What no call may change, failed or not; a str, which the collector ignores.

    Of the world's objects nothing but the counts is kept: the walk would see a list.
    """
    gc.collect()
    counts = " ".join(str(sys.getrefcount(thing)) for thing in world.everything())
    return f"{len(gc.get_objects())} tracked, {blocks(world)}, references: {counts}"


def make(call, world):
    answer = call(world)
    if call in calls.USES_UP:
        world.__init__()
    return answer


def fail_one(way, nth, call, world, right):
    """Looks again where something changed: what CPython makes once is no leak."""
    # What dies may do so by halves when it has no memory: CPython 3.13 loses a class.
    look = blocks if call in calls.USES_UP else state
    for _ in range(2):
        before = look(world)
        answer, error, seen = attempt(way, nth, call, world)
        assert error in (None, MemoryError), (call, nth, error)
        # A finalizer that fails may keep its objects, and release() says so.
        if error is None and call not in calls.USES_UP:
            assert answer == right, (call, nth, answer, right)
        answer = None
        if call in calls.USES_UP:
            world.__init__()
        after = look(world)
        assert make(call, world) == right, (call, nth)
        if after == before:
            return error, seen
    raise AssertionError(f"{call.__name__}, {nth}, {error}: {before} became {after}")


def fail_each(way, call):
    world = calls.World()
    gc.collect()  # the world of the call before
    right = make(call, world)
    failures = quiet = 0
    attempt(way, 0, call, world)  # fails none: what is made once is made now
    world.__init__()
    for _ in range(3):
        gc.collect()  # a tuple of tuples leaves the collector's lists inside out
    stride = STRIDE if call in calls.HEAP - {calls.ask} else 1
    for nth in range(1, 20_000, stride):
        error, seen = fail_one(way, nth, call, world, right)
        failures += error is not None
        quiet = 0 if error else quiet + 1
        if way.is_over(nth, seen, quiet):
            return failures
    raise AssertionError(f"{call.__name__} never came to an end")


if __name__ == "__main__":
    assert library.failing_malloc_watch(_core.__file__.encode()), "not watched"
    way = {"malloc": Malloc, "python": Python}[sys.argv[1]]()
    gc.disable()
    for call in calls.every_call():
        print(call.__name__, fail_each(way, call), flush=True)
