"""Everything of a model that training changes, listed: what a snapshot takes."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Iterator
from typing import Any

from keraser.adapters.base import State
from keraser.adapters.keras_tf.model import attribute, handles_of


def find_states(model: Any, kinds: tuple[str, ...], only: Any = None) -> list[State]:
    """The values of these kinds, each once: weights (all variables of layers, seed
    generators and what recurrent layers remember), optimizer, metrics."""
    chosen = None if only is None else choose(model, only)
    found: list[State] = []
    known: set[int] = set()
    for kind, variable, path in _variables(model, kinds):
        if id(variable) in known or (chosen and not chosen(variable, path)):
            continue
        known.add(id(variable))
        handles = handles_of(variable)
        for number, handle in enumerate(handles):
            name = f"{path}#replica{number}" if number else path
            found.append(State(name, kind, variable, handle))
    return found


def _variables(model: Any, kinds: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
    """Kind, variable, path."""
    if "weights" in kinds:
        for variable in model.variables:
            yield "weights", variable, variable.path
        for layer in model._flatten_layers():
            for number, state in enumerate(remembered(layer)):
                yield "weights", state, f"{layer.path}/state_{number}"
    optimizer = attribute(model, "optimizer")
    if "optimizer" in kinds and optimizer is not None:
        for variable in optimizer.variables:
            yield "optimizer", variable, variable.path
    if "metrics" in kinds:
        for variable in model.metrics_variables:
            yield "metrics", variable, variable.path


def sizes(model: Any) -> dict[str, int]:
    """Bytes of the model's variables by kind, each variable once, replicas and all."""
    from tensorflow import as_dtype

    found = dict.fromkeys(("weights", "optimizer", "metrics"), 0)
    known: set[int] = set()
    for kind, variable, _ in _variables(model, tuple(found)):
        if id(variable) not in known:
            known.add(id(variable))
            one = math.prod(variable.shape) * as_dtype(variable.dtype).size
            found[kind] += one * len(handles_of(variable))
    return found


def remembered(layer: Any) -> list[Any]:
    """What a stateful recurrent layer keeps from batch to batch; Keras counts it as no
    variable of the layer."""
    if not getattr(layer, "stateful", False):
        return []
    from keras import Variable, tree

    states = tree.flatten(attribute(layer, "states"))
    return [state for state in states if isinstance(state, Variable)]


def choose(model: Any, only: Any) -> Callable[[Any, str], bool]:
    """Whether a variable belongs to a chosen layer, or has a chosen path."""
    chosen, patterns = chosen_layers(model, only)
    ids = {
        id(variable)
        for layer in chosen
        for variable in (*layer.variables, *remembered(layer))
    }
    return lambda variable, path: (
        id(variable) in ids or any(fnmatch.fnmatchcase(path, p) for p in patterns)
    )


def chosen_layers(model: Any, only: Any) -> tuple[list[Any], list[str]]:
    """The layers that `only` names, those within them included; its patterns.

    Raises:
        TypeError: it is, or has in it, something else than layers, patterns and
            functions of a layer.
        ValueError: a layer that is none of the model's.
    """
    from keras import Layer

    layers = model._flatten_layers(include_self=False)
    chosen: dict[int, Any] = {}
    patterns = []
    for one in only if isinstance(only, (list, tuple, set)) else [only]:
        if isinstance(one, Layer):
            if one not in layers:
                raise ValueError(
                    f"only= names layer {one.name!r}, which is none of the model's"
                )
            picked = [one]
        elif isinstance(one, str):
            patterns.append(one)
            picked = [la for la in layers if fnmatch.fnmatchcase(la.name, one)]
        elif callable(one):
            picked = [layer for layer in layers if one(layer)]
        else:
            raise TypeError(
                "only= takes a layer, a pattern for names such as 'encoder*', a "
                f"function of a layer, or a list of these, not {type(one).__name__}"
            )
        for layer in picked:
            chosen.update((id(la), la) for la in layer._flatten_layers())
    return list(chosen.values()), patterns


def is_ready(model: Any) -> bool:
    """Whether the model has its weights."""
    return bool(model.built)


def optimizer_is_built(model: Any) -> bool:
    optimizer = attribute(model, "optimizer")
    return optimizer is None or bool(optimizer.built)
