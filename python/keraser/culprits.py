"""Which objects have become more from one trial to a later one, and who holds them."""

from __future__ import annotations

import re
import sys
from collections import Counter

from keraser import _core
from keraser.adapters.base import find_adapter, find_vocabulary
from keraser.holders import PATH_LIMIT, holders_of
from keraser.husk import ClearedModel
from keraser.naming import is_given

#: How many types are looked into, and how many objects of each.
TYPE_LIMIT = 3
SAMPLE = 8

_NUMBER = re.compile(r"\d+")


def count_types() -> Counter[str]:
    """Tracked objects by the name of their type. (Types themselves would be kept alive;
    a function that defines a class makes a new one each time.)"""
    counts: Counter[str] = Counter()
    for kind, count in _core.count_types().items():
        counts[_name(kind)] += count
    return counts


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def find_culprits(before: Counter[str], trials: int) -> list[str]:
    """One line for each of the types that grew by one or more every other trial: how
    many more there are, and who holds those made last. Models come first, then what
    belongs to a framework or a user, Python's own types only if there is nothing else.
    """
    counts = _core.count_types()
    grown = {
        kind: count - before[_name(kind)]
        for kind, count in counts.items()
        if (count - before[_name(kind)]) * 2 >= trials
        and not issubclass(kind, (ClearedModel, type))
        and not kind.__module__.startswith("keraser.")
    }
    counts.clear()
    told = [kind for kind in grown if kind.__module__ != "builtins"] or list(grown)
    adapter = find_adapter()

    def rank(kind: type) -> tuple[bool, int, str]:
        is_model = adapter is not None and adapter.is_model_type(kind)
        return not is_model, -grown[kind], kind.__name__

    told = sorted(told, key=rank)[:TYPE_LIMIT]
    return [f"{grown[kind]} more {kind.__name__}{_held(kind)}" for kind in told]


def _held(kind: type) -> str:
    """Who holds the youngest objects of a type, those that most of them share."""
    found = _core.instances((kind,), sys.maxsize)
    sample = [thing for thing in found if type(thing) is kind][:SAMPLE]
    found.clear()
    if not sample:
        return ""
    answer = _core.ask([sample], sample, None, [], [], limit=PATH_LIMIT)
    vocabulary = find_vocabulary()
    holders: Counter[str] = Counter()
    texts: dict[str, str] = {}
    for paths, _, _ in answer["held"]:
        others = [path for path in paths if not is_given(path)]
        for holder in holders_of("", others, vocabulary)[:1]:
            key = _NUMBER.sub("#", holder.path)
            holders[key] += 1
            texts.setdefault(key, str(holder))
    sample.clear()
    if not holders:
        return ", held by nothing that Python can see"
    return f", held by {texts[holders.most_common(1)[0][0]]}"
