"""Ways of using Keras that keep memory, as they show in this process.

A model is looked at from behind: who keeps it alive? One that a user's own variable
holds is in order. One that lives only through a callback, an error, a notebook's memory
of results, a tape, a registered function or a thread's own variables is most often
forgotten; one in an unbounded cache is never let go.
"""

from __future__ import annotations

import functools
import threading
import types
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from keraser import _core
from keraser.adapters.base import find_adapter, find_shell, find_vocabulary
from keraser.collector import await_collector
from keraser.holders import PATH_LIMIT, Holder, holders_of
from keraser.names import Vocabulary

_THREAD_LOCAL = type(threading.local())

#: What to do, beyond letting go of what is there.
ADVICE = {
    "result kept": "assign the last value of a cell, `history = model.fit(...)`, or "
    "end the line with a semicolon",
    "callback kept": "make new callbacks for each fit, inside the loop: a callback "
    "keeps the model of its last fit",
    "error kept": "keep str(error) instead of the error: its traceback keeps every "
    "variable of the functions it came through",
    "registered closure": "register a function of the module's top level: one made by "
    "a function keeps what it closes over, under its name, for ever",
    "unbounded cache": "@functools.lru_cache(maxsize=1), or cache the configuration "
    "and build anew; cache_clear() lets go now",
    "tape kept": "leave persistent=True away, or `del tape` after the last gradient",
    "thread-local kept": "`del` the attribute at the end of the thread's work",
    "compiled in a loop": "call compile once, and change optimizer.learning_rate or "
    "the weights between fits: each compile traces the training step anew",
    "traced by value": "pass tensors, tf.constant(value), or make the changing "
    "argument a tf.Variable: each Python number or object is a trace of its own",
}


@dataclass(frozen=True)
class Pitfall:
    """One pitfall that this process has fallen into.

    Attributes:
        name: one of `ADVICE`.
        seen: what was found, and where.
        line: the line to type now, or the place in the source to change; "" if unknown.
        advice: what to write instead.
    """

    name: str
    seen: str
    line: str
    advice: str


def find_pitfalls() -> tuple[Pitfall, ...]:
    """Those that show in this process now. Changes nothing and imports nothing."""
    adapter = find_adapter()
    if adapter is None:
        return ()
    await_collector("doctor()")
    models = adapter.models()
    found = [*_of_models(models, adapter), *_of_functions(adapter)]
    found += _of_tapes(adapter)
    found += [
        _pitfall(
            "compiled in a loop",
            f"model {name!r} has {count} training steps, one for each time that it was "
            "compiled or met new shapes",
            "",
        )
        for name, count in adapter.training_traces(models)
    ]
    models.clear()
    return tuple(dict.fromkeys(found))


def _pitfall(name: str, seen: str, line: str) -> Pitfall:
    return Pitfall(name, seen, line, ADVICE[name])


# ---- models, from behind -------------------------------------------------------------


def _of_models(models: list[Any], adapter: Any) -> list[Pitfall]:
    rows = _paths(models)
    vocabulary = find_vocabulary()
    cached: Counter[int] = Counter()
    found = []
    for model, paths in zip(models, rows, strict=True):
        signs = [_sign(path, adapter, vocabulary) for path in paths]
        caches = {id(cache): cache for path in paths if (cache := _cache_in(path))}
        cached.update(caches.keys())
        others = [s for s in signs if s != "unbounded cache"]
        if "registered closure" not in signs and (not others or "" in others):
            continue  # a variable has it: it is in order
        for sign in dict.fromkeys(filter(None, others)):
            holder = _holder(
                [p for p, s in zip(paths, signs, strict=True) if s == sign]
            )
            seen = f"model {model.name!r} is kept by {holder.path}"
            found.append(_pitfall(sign, seen, holder.fix))
    found += _of_caches(rows, cached)
    return found


def _paths(targets: list[Any]) -> list[list[tuple]]:
    """Retention paths with the objects themselves in them."""
    if not targets:
        return []
    owned = _core.Owned(targets, [], [targets], [], [])
    answer = _core.ask(
        [targets], targets, owned, [], [], limit=PATH_LIMIT, objects=True
    )
    owned.forget()
    return [paths for paths, _, _ in answer["held"]]


def _things(path: tuple) -> Iterable[Any]:
    return (step[0] for step in path[1])


def _sign(path: tuple, adapter: Any, vocabulary: Vocabulary) -> str:
    """The pitfall that a path is a sign of, "" for a variable in order."""
    if _cache_in(path) is not None:
        return "unbounded cache"
    signs = [sign for thing in _things(path) if (sign := adapter.pitfall_hop(thing))]
    if "registered closure" in signs:
        return "registered closure"
    for thing in _things(path):
        if isinstance(thing, (BaseException, types.TracebackType)):
            return "error kept"
        if isinstance(thing, _THREAD_LOCAL):
            return "thread-local kept"
    holder = _holder([path], vocabulary)
    if holder.kind == "notebook" and find_shell().places_of_any(_things(path)):
        return "result kept"
    return {"error": "error kept"}.get(holder.kind, signs[0] if signs else "")


def _holder(paths: list[tuple], vocabulary: Vocabulary | None = None) -> Holder:
    """In words; paths with ids in place of the objects."""
    plain = [
        (root, [(id(step[0]), *step[1:]) for step in steps]) for root, steps in paths
    ]
    return holders_of("", plain, vocabulary or find_vocabulary())[0]


def _cache_in(path: tuple) -> Any:
    """The unbounded functools cache that a path goes through, or None."""
    for thing in _things(path):
        is_cache = isinstance(thing, functools._lru_cache_wrapper)
        if is_cache and thing.cache_parameters()["maxsize"] is None:
            return thing
    return None


def _of_caches(rows: list[list[tuple]], cached: Counter[int]) -> list[Pitfall]:
    """Caches that keep two models and more; one is what they are made for."""
    caches = {id(c): c for row in rows for path in row if (c := _cache_in(path))}
    return [
        _pitfall(
            "unbounded cache",
            f"{cache.__wrapped__.__qualname__}() keeps {cached[at]} models, one for "
            "each set of arguments",
            where(cache.__wrapped__),
        )
        for at, cache in caches.items()
        if cached[at] > 1
    ]


def where(function: Any) -> str:
    """File and line of a Python function, "" if it has none."""
    code = getattr(function, "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


# ---- what shows without a model ----------------------------------------------------


def _of_functions(adapter: Any) -> list[Pitfall]:
    return [
        _pitfall(
            "traced by value",
            f"tf.function {function.__qualname__!r} has {count} traces, one for each "
            f"of the Python {kind} it was called with",
            where(function),
        )
        for function, count, kind in adapter.retraced()
    ]


def _of_tapes(adapter: Any) -> list[Pitfall]:
    tapes = adapter.open_tapes()
    found = []
    for paths in _paths(tapes):
        if paths:
            holder = _holder(paths)
            seen = f"a GradientTape that records no more is kept by {holder.path}"
            found.append(_pitfall("tape kept", seen, holder.fix))
    tapes.clear()
    return found
