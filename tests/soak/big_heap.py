"""A process of its own: one census of each kind in a heap of millions of objects.

Prints the bytes by which the process grew over what it had, at the most.
"""

import gc
import json
import sys

import keraser
from keraser import _core

OBJECTS = int(sys.argv[1])


class Node:
    def __init__(self, left, right):
        self.left, self.right = left, right


def make(count):
    """At least `count` tracked objects that refer to each other; the last is alone."""
    gc.disable()  # the collector would look at them again and again while they grow
    kept, last = [], []
    for _ in range(count // 4):
        items = [last]
        pair = (items, last)
        names = {"items": items, "pair": pair}
        last = Node(names, pair)
        kept.append(last)
    kept.append(Node(None, None))
    gc.enable()
    return kept


def why():
    holders = keraser.why(kept[-1])
    assert [str(holder) for holder in holders] == [f'variable "kept"[{len(kept) - 1}]']


def types():
    answer = _core.ask([], [], None, [], [], types=100_000, lean=False)
    counts = {name: count for name, count, _ in answer["types"][3]}
    assert counts["__main__.Node"] == len(kept), counts["__main__.Node"]


def top():
    owner = keraser.top(1).owners[0]
    assert 'variable "kept"' in owner.path, owner
    assert owner.objects >= OBJECTS, owner


def census():
    found = keraser.census()
    assert found.objects >= OBJECTS, found.objects
    assert found.types["__main__.Node"][0] == len(kept)


def everything():
    """All questions of one reading that leaves nothing out: the greediest."""
    answer = _core.ask([], [kept[-1]], None, [], [], types=10, top=10, lean=False)
    paths, by_c, garbage = answer["held"][0]
    assert {path[1][-1][3:] for path in paths} == {("index", len(kept) - 1)}, paths
    assert (by_c, garbage) == (0, [])


kept = make(OBJECTS)


def main():
    grown = {}
    for call in (why, types, top, census, everything):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak
        before = _core.process()["rss"]
        call()
        grown[call.__name__] = _core.process()["peak"] - before
    print(json.dumps({"objects": len(gc.get_objects()), "grown": grown}))


if __name__ == "__main__":
    main()
