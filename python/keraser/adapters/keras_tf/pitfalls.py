"""Traces of ways to use Keras and TensorFlow that keep memory: what doctor() looks for.

Reads only. What a model is held through is told by `hop`; what shows without a model,
functions that were traced over and over and tapes that nobody closed, by the others.
"""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Any

from keraser import _core
from keraser.adapters.keras_tf.tensors import captured
from keraser.adapters.keras_tf.traces import MANY_TRACES

#: What Keras calls the graph of a training step.
_STEP = "one_step_on_data"


def hop(thing: Any) -> str:
    """The pitfall that a retention path through `thing` is a sign of, "" for none."""
    import tensorflow as tf
    from keras.callbacks import Callback
    from keras.saving import get_custom_objects

    if isinstance(thing, Callback):
        return "callback kept"
    if isinstance(thing, tf.GradientTape):
        return "tape kept"
    if thing is get_custom_objects():
        return "registered closure"
    return ""


def retraced() -> list[tuple[Any, int, str]]:
    """(Python function, traces, "numbers" or "objects") of each living tf.function that
    was traced again for each Python number, or each object, that it was called with."""
    from tensorflow.python.eager.polymorphic_function.polymorphic_function import (
        Function,
    )

    found = []
    for function in _core.instances((Function,)):
        keys = [key for _, key in list(function._function_cache._primary)]
        if len(keys) >= MANY_TRACES:
            numbers, objects = map(len, _distinct(keys))
            if max(numbers, objects) >= MANY_TRACES:
                kind = "numbers" if numbers >= objects else "objects"
                found.append((function.python_function, len(keys), kind))
    return found


def _distinct(function_types: list[Any]) -> tuple[set[Any], set[int]]:
    """The different Python values, and objects, that traces are keyed by."""
    values, objects = set(), set()
    pending = [p.type_constraint for t in function_types for p in t.parameters.values()]
    while pending:
        constraint = pending.pop()
        if isinstance(getattr(constraint, "_ref", None), weakref.ref):
            objects.add(id(constraint._ref))
        elif type(constraint).__name__ == "Literal":
            if isinstance(constraint.value, (int, float)):
                values.add(constraint.value)
        else:
            components = getattr(constraint, "components", None)
            pending += components if isinstance(components, (list, tuple)) else ()
    return values, objects


def open_tapes() -> list[Any]:
    """Tapes that record no more and have not let go of what they recorded."""
    import tensorflow as tf

    return [
        tape
        for tape in _core.instances((tf.GradientTape,))
        if getattr(tape, "_tape", None) is not None
        and not getattr(tape, "_recording", True)
    ]


def training_traces(models: list[Any]) -> list[tuple[str, int]]:
    """(name, how many) of the models whose training step was traced so often that they
    were compiled again and again. What tells it from evaluation and prediction: it
    captures variables that are none of the model's own, an optimizer's."""
    from tensorflow.python.framework import dtypes
    from tensorflow.python.framework.func_graph import FuncGraph

    owners: dict[int, str] = {}
    for model in models:
        for variable in (*model.variables, *model.metrics_variables):
            handle = getattr(getattr(variable, "_value", None), "_handle", None)
            owners[id(handle)] = model.name
    counts: Counter[str] = Counter()
    for graph in _core.instances((FuncGraph,)):
        if graph.name != _STEP:
            continue
        handles = [h for h in captured(graph) if h.dtype == dtypes.resource]
        names = {owners.get(id(handle)) for handle in handles}
        if None in names and len(names) == 2:
            counts.update(names - {None})
    return [(name, count) for name, count in counts.items() if count >= MANY_TRACES]
