"""What a model shares with layers, models and optimizers that are not its own.

Told from what Keras tracks, not from references: a reference may come from a frame, an
error or a symbolic tensor, which own nothing, while whatever tracks a layer or a
variable will use it again.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from keraser import _core
from keraser.adapters.keras_tf.model import attribute, is_whole
from keraser.parked import ParkedModel, ticket_of


@dataclass
class Sharing:
    """Who else has what, by id(), in words.

    Attributes:
        layers: layers and nested models that something else tracks.
        variables: variables that something else tracks.
        optimizers: optimizers that another model trains with.
        parent: what has the model itself as a layer, "" if nothing has.
    """

    layers: dict[int, str] = field(default_factory=dict)
    variables: dict[int, str] = field(default_factory=dict)
    optimizers: dict[int, str] = field(default_factory=dict)
    parent: str = ""


def find_sharing(box: list[Any], owned: Any, own: set[int] | None = None) -> Sharing:
    """Looks at every living layer that is no part of the model in `box`.

    `owned` is a walk that found what dies with the model: layers in it are no others,
    however they are tracked. `own` is id() of the parts; without it, of the layers.
    """
    from keras import Layer, Metric
    from keras.random import SeedGenerator

    own = own or parts_of(box[0])
    found = Sharing()
    # One look at the heap, which is most of the time that this takes.
    living = _core.instances((Layer, Metric, SeedGenerator, ParkedModel))
    for other in _others(living, own, owned):
        name = _name(other)
        tracked = {id(thing) for thing in (*inner_layers(other), *_metrics(other))}
        if id(box[0]) in tracked:
            found.parent = found.parent or name
        found.layers.update(dict.fromkeys(tracked & own, name))
        found.variables.update(
            (id(variable), name) for variable in own_variables(other)
        )
        optimizer = attribute(other, "optimizer")
        if optimizer is not None:
            found.optimizers[id(optimizer)] = name
    for generator in _of(living, SeedGenerator):
        state = attribute(generator, "state")
        known = generator in owned or id(generator) in own
        if state is not None and not known:
            found.variables[id(state)] = "a seed generator"
    _add_parked(found, own, _of(living, ParkedModel))
    return found


def _of(living: list[Any], kinds: Any) -> list[Any]:
    """By types alone: isinstance() may ask the object, and a cleared one raises."""
    return [thing for thing in living if issubclass(type(thing), kinds)]


def _add_parked(found: Sharing, own: set[int], parked_models: list[Any]) -> None:
    """A parked model shows nothing of itself, and will use what it shares again."""
    for parked in parked_models:
        ticket = ticket_of(parked)
        name = f"parked model {ticket.model!r}"
        users = {id(thing): name for thing in ticket.shared}
        found.layers.update((i, users[i]) for i in users if i in own)
        found.variables.update(users)
        found.optimizers.update(users)


def users_of(model: Any) -> dict[int, str]:
    """Who else tracks a layer of the model, by id() of the layer, in words. Whatever
    seems to is looked at again when garbage is gone."""
    own = parts_of(model)
    found = _users_of(own)
    if found:
        gc.collect()
        found = _users_of(own)
    return found


def _users_of(own: set[int]) -> dict[int, str]:
    from keras import Layer

    found: dict[int, str] = {}
    living = _core.instances((Layer,))
    wrapped = {id(attribute(other, "_functional")) for other in living}
    for other in living:
        if id(other) in own or id(other) in wrapped:
            continue
        for layer in _listed(other, "_layers"):
            if id(layer) in own:
                found[id(layer)] = _name(other)
    return found


def parts_of(model: Any) -> set[int]:
    """id() of the model and of all layers in it."""
    return {id(model), *map(id, inner_layers(model))}


def optimizers_of(model: Any) -> list[Any]:
    """The optimizer, and those that it wraps."""
    return with_wrapped(attribute(model, "optimizer"))


def with_wrapped(optimizer: Any) -> list[Any]:
    found: list[Any] = []
    while optimizer is not None and optimizer not in found:
        found.append(optimizer)
        optimizer = attribute(optimizer, "inner_optimizer")
    return found


def layers_and_metrics(model: Any) -> list[Any]:
    """The model, its layers, what each Sequential wraps, and the metrics, each once."""
    found: dict[int, Any] = {}
    pending = [model]
    while pending:
        thing = pending.pop(0)
        if id(thing) not in found:
            found[id(thing)] = thing
            pending += [*inner_layers(thing), *_metrics(thing)]
    return list(found.values())


def _metrics(thing: Any) -> list[Any]:
    """The metrics of a model or layer, and those that a metric consists of."""
    found = _listed(thing, "_metrics")
    with contextlib.suppress(AttributeError, RuntimeError):  # not made to the end
        found += getattr(thing, "metrics", None) or ()
    return found


def inner_layers(layer: Any) -> list[Any]:
    """Every layer within one, and what each Sequential among them wraps."""
    from keras import Layer

    if not isinstance(layer, Layer):
        return []
    found = list(layer._flatten_layers())
    wrapped = [attribute(one, "_functional") for one in found]
    return [one for one in (*found[1:], *wrapped) if one is not None]


def own_variables(layer: Any) -> list[Any]:
    """The variables that a layer or metric tracks itself, not by an inner one."""
    names = ("_trainable_variables", "_non_trainable_variables", "_variables")
    found = [v for name in names for v in _listed(layer, name)]
    generators = _listed(layer, "_seed_generators")
    return found + [g.state for g in generators if attribute(g, "state") is not None]


def _listed(thing: Any, name: str) -> list[Any]:
    listed = attribute(thing, name)
    return list(listed) if isinstance(listed, (list, tuple)) else []


def _others(living: list[Any], own: set[int], owned: Any) -> Iterator[Any]:
    from keras import Layer, Metric

    for other in _of(living, (Layer, Metric)):
        if id(other) in own or other in owned:
            continue
        if isinstance(other, Metric) or is_whole(other):
            yield other


def _name(layer: Any) -> str:
    from keras import Metric, Model

    kind = "model" if isinstance(layer, Model) else "layer"
    return f"{'metric' if isinstance(layer, Metric) else kind} {layer.name!r}"
