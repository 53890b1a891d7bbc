"""What living tf.functions remember of a model that was passed to them.

A tf.function that takes a model as argument makes a trace for each model, and keeps it,
with the model's weights captured, when the model is dead. The trace is keyed by a weak
reference to the model, so once the model is gone no call can come to it: such traces
may be evicted. A trace that merely captures the weights may still be called: it stays.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from keraser import _core
from keraser.adapters.base import Plan
from keraser.receipt import Reset

#: From so many traces on TensorFlow itself warns of retracing.
MANY_TRACES = 5


def add_traces_of(plan: Plan, box: list[Any]) -> None:
    """Adds to the plan the traces keyed by the model in `box`.

    One look at the heap: call it only when something of the model seems held.
    """
    _add_traces(plan, lambda: box[0])


def add_dead_traces(plan: Plan) -> None:
    """Adds to the plan the traces keyed by something that is dead."""
    _add_traces(plan, lambda: None)


def _add_traces(plan: Plan, key: Callable[[], Any]) -> None:
    from tensorflow.python.eager.polymorphic_function.polymorphic_function import (
        Function,
    )

    for function in _core.instances((Function,)):
        cache = function._function_cache
        for (context, function_type), concrete in list(cache._primary.items()):
            if _is_keyed_by(function_type, key()):
                plan.extra.traces.append([cache, context, function_type, concrete])
                plan.seeds.append(concrete)
                plan.groups[-1].append(concrete)


def held(extra: Any, owned: Any) -> list[str]:
    """Those of the plan's traces that somebody beside the cache holds, by a token."""
    return [
        _token(concrete)
        for _, _, _, concrete in extra.traces
        if owned.outside(concrete) > 1
    ]


def take_back(extra: Any, token: str) -> Any:
    """Forgets a trace, and returns its function."""
    for trace in extra.traces:
        if _token(trace[3]) == token:
            extra.traces.remove(trace)
            return trace[3]
    return None


def _token(concrete: Any) -> str:
    return f"trace {id(concrete)}"


def _is_keyed_by(function_type: Any, key: Any) -> bool:
    pending = [p.type_constraint for p in function_type.parameters.values()]
    while pending:
        constraint = pending.pop()
        reference = getattr(constraint, "_ref", None)
        if isinstance(reference, weakref.ref) and reference() is key:
            return True
        components = getattr(constraint, "components", None)
        pending += components if isinstance(components, (list, tuple)) else ()
    return False


def describe_living() -> list[str]:
    """The tf.functions that live on with many traces, and what to do, as sentences."""
    from tensorflow.python.eager.polymorphic_function.polymorphic_function import (
        Function,
    )

    functions = _core.instances((Function,))
    traces = [(len(function._function_cache), function) for function in functions]
    return [
        f"tf.function {function.__name__!r} is alive with {count} traces, one for each "
        "Python value or shape it was called with, and may be called again; pass "
        "tensors, use reduce_retracing=True, or `del` it"
        for count, function in traces
        if count >= MANY_TRACES
    ]


def evict(extra: Any, owned: Any) -> list[Reset]:
    """Evicts the traces that the plan found and nobody else holds."""
    evicted = 0
    for cache, context, function_type, concrete in extra.traces:
        if owned.outside(concrete) > 1:  # the cache, and somebody else
            continue
        evicted += cache.delete(function_type, context)
    if not evicted:
        return []
    note = "traces evicted that were made for a dead model, or this one, as an argument"
    return [Reset("tf.function", evicted, note)]
