"""What parking a model touches: its values, and what is guarded meanwhile."""

from __future__ import annotations

from typing import Any

from keraser.adapters.base import Belongings, Value
from keraser.adapters.keras_tf import values
from keraser.adapters.keras_tf.model import attribute, handles_of
from keraser.adapters.keras_tf.sharing import (
    Sharing,
    find_sharing,
    layers_and_metrics,
    optimizers_of,
    own_variables,
)
from keraser.adapters.keras_tf.tensors import handle_bytes


def find_belongings(box: list[Any], owned: Any) -> Belongings:
    """Lists what the model in `box` has for itself, and what it shares."""
    own = layers_and_metrics(box[0])
    generators = [g for t in own for g in attribute(t, "_seed_generators") or ()]
    sharing = find_sharing(box, owned, {id(thing) for thing in (*own, *generators)})
    found = Belongings(parent=sharing.parent)
    for thing in own:
        if id(thing) in sharing.layers:
            for variable in own_variables(thing):
                sharing.variables.setdefault(id(variable), sharing.layers[id(thing)])
    optimizers = optimizers_of(box[0])
    shared = [o for o in optimizers if id(o) in sharing.optimizers]
    for optimizer in shared:
        user = sharing.optimizers[id(optimizer)]
        found.kept.append((f"optimizer {optimizer.name!r}", user, 0))
        found.shared.append(optimizer)
        sharing.variables.update((id(v), user) for v in optimizer.variables)
        optimizers = []
    _add_parts(found, sharing, own, optimizers)
    for kind, variables in (
        ("metrics", box[0].metrics_variables),
        ("weights", box[0].variables),
        ("optimizer", [v for o in optimizers for v in o.variables]),
    ):
        for variable in variables:
            _add_variable(found, sharing, variable, kind)
    return found


def _is_metric(thing: Any) -> bool:
    from keras import Metric

    return isinstance(thing, Metric)


def _add_parts(
    found: Belongings, sharing: Sharing, own: list[Any], optimizers: list[Any]
) -> None:
    for thing in own:
        kind = "metric" if _is_metric(thing) else "layer"
        name = f"{kind} {thing.name!r}"
        if id(thing) in sharing.layers:
            found.kept.append((name, sharing.layers[id(thing)], 0))
            found.shared.append(thing)
            continue
        found.add_part(thing, name)
        for generator in attribute(thing, "_seed_generators") or ():
            state = attribute(generator, "state")
            if id(state) not in sharing.variables:
                found.add_part(generator, f"seed generator of {name}")
    for optimizer in optimizers:
        found.add_part(optimizer, f"optimizer {optimizer.name!r}")


def _add_variable(
    found: Belongings, sharing: Sharing, variable: Any, kind: str
) -> None:
    if found.knows(variable):
        return
    name = f"variable {variable.path!r}"
    handles = handles_of(variable)
    if id(variable) in sharing.variables:
        size = sum(map(handle_bytes, handles))
        kept = (name, sharing.variables[id(variable)], size)
        if kept not in found.kept:
            found.kept.append(kept)
            found.shared.append(variable)
        return
    found.add_part(variable, name)
    inner = attribute(variable, "_value")
    for behind in (inner, *(getattr(inner, "values", None) or ())):
        if behind is not None:
            found.add_part(behind, name, inner=True)
    for number, handle in enumerate(handles):
        path = f"{variable.path}#replica{number}" if number else variable.path
        can_be_empty = values.can_be_empty(handle)
        found.values.append(
            Value(path, kind, handle, handle_bytes(handle), can_be_empty)
        )
    if variable.dtype == "string":
        found.strange.append(name)


def read(handle: Any) -> Any:
    """A copy of the value, as an array in host memory."""
    import numpy

    return numpy.array(values.read(handle).numpy(), order="C")


def write(handle: Any, array: Any) -> None:
    """Makes a copy of the array the value. TensorFlow would take the memory of an
    aligned array for its own, and then train in it."""
    from tensorflow import constant, errors, raw_ops

    with values.on_device(handle):
        try:
            value = raw_ops.DeepCopy(x=array)
        except (errors.NotFoundError, errors.InvalidArgumentError):  # no such kernel
            value = constant(array)
        values.assign(handle, value)
