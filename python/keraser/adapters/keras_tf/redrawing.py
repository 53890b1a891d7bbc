"""Fresh weights: drawn by twins of the layers, and handed over without a copy."""

from __future__ import annotations

from typing import Any

from keraser.adapters.base import Redrawn
from keraser.adapters.keras_tf.batches import assign_all, read_all
from keraser.adapters.keras_tf.model import attribute, handles_of
from keraser.adapters.keras_tf.randomness import seeded
from keraser.adapters.keras_tf.renewing import as_new
from keraser.adapters.keras_tf.sharing import users_of
from keraser.adapters.keras_tf.states import choose, remembered
from keraser.adapters.keras_tf.twins import advice, make_twins, take
from keraser.errors import KeraserError, UnsupportedError


def redraw(model: Any, seed: int, only: Any, frozen: bool) -> Redrawn:
    """Gives the model what a fresh build draws after `seed`. Either all or nothing.

    Raises:
        UnsupportedError: a layer or the optimizer cannot be made again.
        KeraserError: there is nothing to redraw. TypeError, ValueError: of `only`.
    """
    wanted, left = _wanted(model, only, frozen)
    found = Redrawn(left=left)
    found.shared = _shared(model, wanted)
    pairs: list[tuple[Any, Any]] = []
    with seeded(seed):
        twins = make_twins(model, wanted)
        for layer, twin in twins:
            drawn = _pair(layer, twin, wanted)
            if drawn:
                found.layers.append(layer.name)
                pairs += drawn
        _refuse_missing(model, wanted, {id(handle) for handle, _ in pairs})
        if not pairs:
            raise KeraserError(_nothing(model, left))
        found.bytes = sum(_bytes(value) for _, value in pairs)
        _give(model, pairs, wanted, found)
    return found


def _shared(model: Any, wanted: set[int]) -> list[tuple[str, str]]:
    users = users_of(model)
    return [
        (f"layer {layer.name!r}", users[id(layer)])
        for layer in model._flatten_layers()
        if id(layer) in users and _has_wanted(layer, wanted)
    ]


def _has_wanted(layer: Any, wanted: set[int]) -> bool:
    return any(id(variable) in wanted for variable in layer.variables)


def _refuse_missing(model: Any, wanted: set[int], drawn: set[int]) -> None:
    """Of a model that is known by its graph, or layer by layer, there is no twin; what
    it added by itself nobody draws."""
    for variable in model.variables:
        if id(variable) in wanted and not drawn.issuperset(
            map(id, handles_of(variable))
        ):
            raise UnsupportedError(
                f"variable {variable.path!r} of model {model.name!r} belongs to no "
                "layer that could be made a second time (nothing was changed): leave "
                "it out by only="
            )


def _wanted(
    model: Any, only: Any, frozen: bool
) -> tuple[set[int], list[tuple[str, str]]]:
    """id() of the variables to be redrawn; what is left alone, and why."""
    chosen = None if only is None else choose(model, only)
    wanted = {
        id(variable)
        for variable in model.variables
        if chosen is None or chosen(variable, variable.path)
    }
    if not wanted and only is not None:
        raise ValueError(f"only={only!r} names nothing of model {model.name!r}")
    left = []
    for layer in model._flatten_layers():
        _refuse_quantized(layer, wanted)
        ids = {id(variable) for variable in layer.variables} & wanted
        if hasattr(layer, "adapt"):
            why = "keeps what it adapted to"
        elif not layer.trainable and not frozen:
            why = "is frozen; frozen=True redraws it, too"
        else:
            continue
        wanted -= ids
        if ids or hasattr(layer, "adapt"):
            left.append((f"layer {layer.name!r}", why))
    return wanted, left


def _refuse_quantized(layer: Any, wanted: set[int]) -> None:
    """A quantized layer is made of a trained one; made by itself it is all zeros."""
    if getattr(layer, "quantization_mode", None) is None:
        return
    if _has_wanted(layer, wanted):
        raise UnsupportedError(
            f"layer {layer.name!r} is quantized and draws no weights (nothing was "
            "changed): leave it out by only="
        )


def _nothing(model: Any, left: list[tuple[str, str]]) -> str:
    reasons = "; ".join(f"{what} {why}" for what, why in left) or "it has no weights"
    return f"nothing of model {model.name!r} is to be redrawn: {reasons}"


def _pair(layer: Any, twin: Any, wanted: set[int]) -> list[tuple[Any, Any]]:
    """The handles of the layer that are wanted, with the twin's values."""
    if not _has_wanted(layer, wanted):
        return []
    old, new = layer.variables, twin.variables
    looks = [[(tuple(v.shape), v.dtype) for v in variables] for variables in (old, new)]
    if looks[0] != looks[1]:
        raise UnsupportedError(
            advice(layer, f"it has {len(old)} variables, a new one has others")
        )
    pairs = []
    for variable, other in zip(old, new, strict=True):
        if id(variable) in wanted:
            value = take(other)
            pairs += [(handle, value) for handle in handles_of(variable)]
    return pairs


def _bytes(tensor: Any) -> int:
    return int(tensor.shape.num_elements() * tensor.dtype.size)


def _give(
    model: Any, pairs: list[tuple[Any, Any]], wanted: set[int], found: Redrawn
) -> None:
    """Weights first: optimizers may start from them."""
    optimizer = attribute(model, "optimizer")
    others = [*model.metrics_variables]
    if optimizer is not None and optimizer.built:
        others += optimizer.variables
        found.optimizer = f"{optimizer.name!r} as new"
    elif optimizer is not None:
        found.optimizer = f"{optimizer.name!r} is new"
    states = [
        handle
        for layer in model._flatten_layers()
        if _has_wanted(layer, wanted)
        for state in remembered(layer)
        for handle in handles_of(state)
    ]
    since = [handle for variable in others for handle in handles_of(variable)]
    touched = [*(handle for handle, _ in pairs), *states, *since]
    before = read_all(touched)
    try:
        assign_all([h for h, _ in pairs], [value for _, value in pairs])
        assign_all(states, _zeros(states))
        for handle, value in as_new(model, since) if since else ():
            assign_all([handle], [value])
    except BaseException:
        assign_all(touched, before)
        raise


def _zeros(handles: list[Any]) -> list[Any]:
    from tensorflow import init_scope, zeros_like

    with init_scope():
        return [zeros_like(tensor) for tensor in read_all(handles)]
