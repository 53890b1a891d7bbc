"""In which order the layers of a model were made and built, told from what is left.

It matters because Keras draws the seeds of initializers and generators one after
another: while a layer is made, and again while it is built, where a layer makes others
then (MultiHeadAttention does).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from keraser.adapters.keras_tf.model import attribute
from keraser.adapters.keras_tf.remaking import can_be_made

#: ("make" or "build", layer)
Step = tuple[str, Any]


def build_steps(model: Any) -> list[Step]:
    """Each layer of the model made once and built once, as idiomatic code does it: the
    layers of a Sequential in its order, those of a functional model in the order of
    their calls, each made right before its first unless its name says another. Any
    other layer or model is one unit, whose own code makes what is within it."""
    first: dict[tuple[int, str], Step] = {}
    for verb, layer in _steps(model):
        first.setdefault((id(layer), verb), (verb, layer))
    return list(first.values())


def _steps(layer: Any) -> Iterator[Step]:
    from keras import Model, Sequential
    from keras.layers import InputLayer

    if isinstance(layer, InputLayer):
        return
    if isinstance(layer, Sequential):
        yield from _steps_of_sequential(layer)
    elif is_functional(layer):
        units = sorted(_units_of_functional(layer), key=lambda pair: pair[0])
        for unit, made_before in _with_those_made_before([unit for _, unit in units]):
            for later in made_before:
                yield from _made(later)
            yield from _steps(unit)
    elif isinstance(layer, Model) and not can_be_made(layer):
        for part in layer.layers:
            yield from _steps(part)
    else:
        yield "make", layer
        yield "build", layer


def _made(layer: Any) -> Iterator[Step]:
    """The steps that end with this layer made. A Sequential is whole then."""
    for verb, part in _steps(layer):
        if part is not layer or verb == "make":
            yield verb, part


def is_functional(layer: Any) -> bool:
    """Whether a model is known by its graph alone. A subclass that can be made again
    has its own code for it."""
    from keras.src.models.functional import Functional

    if attribute(layer, "_nodes") is None or not isinstance(layer, Functional):
        return False
    return type(layer) is Functional or not can_be_made(layer)


def _steps_of_sequential(model: Any) -> Iterator[Step]:
    """`Sequential([...])` gets layers that are made, and builds them in a row; built up
    by `add`, each is built before the next is made, and the first ones many times."""
    parts = [list(_steps(layer)) for layer in model.layers]
    if _was_added_to(model):
        for steps in parts:
            yield from steps
        return
    units = []
    for layer, steps in zip(model.layers, parts, strict=True):
        if all(one is layer for _, one in steps):
            units += steps
        else:  # a model, whole before this one
            yield from steps
    yield from sorted(units, key=lambda step: step[0] == "build")


def _was_added_to(model: Any) -> bool:
    calls = [len(attribute(la, "_inbound_nodes") or ()) for la in model.layers]
    return len(calls) > 1 and calls[0] > calls[-1] > 0


def _units_of_functional(model: Any) -> Iterator[tuple[int, Any]]:
    """When, by the numbers that Keras gives to the results of calls, and what."""
    from keras import Layer, Sequential

    for operation in model.operations:
        if is_functional(operation):
            yield from _units_of_functional(operation)
        elif isinstance(operation, Sequential):
            yield _first_number(operation.layers), operation
        elif isinstance(operation, Layer):
            yield _first_number([operation]), operation


def _with_those_made_before(units: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Each of these layers, which come in the order of their calls, with later ones
    that were made before it.

    Told by automatic names, which are numbered by class: in `Dense(1)(Dense(6)(x))` the
    layer that is called last is made first. What is within them tells it, too.
    """
    numbers = [_first_by_class(unit) for unit in units]
    lowest: list[dict[str, int]] = [{}]  # by class, of a layer and all later ones
    for mine in reversed(numbers):
        since = lowest[-1]
        lower = {kind: min(n, since.get(kind, n)) for kind, n in mine.items()}
        lowest.append({**since, **lower})
    lowest.reverse()
    for place, unit in enumerate(units):
        before = []
        if _is_lower(lowest[place + 1], numbers[place]):
            later = range(place + 1, len(units))
            before = [units[i] for i in later if _is_lower(numbers[i], numbers[place])]
        yield unit, before


def _is_lower(some: dict[str, int], others: dict[str, int]) -> bool:
    return any(some[kind] < others[kind] for kind in some.keys() & others.keys())


def _first_by_class(layer: Any) -> dict[str, int]:
    """The lowest number of an automatic name for each class of what is in a layer."""
    from keras.src.utils.naming import to_snake_case

    found: dict[str, int] = {}
    for part in layer._flatten_layers():
        for named in (part, *part._seed_generators):
            kind = to_snake_case(type(named).__name__)
            name = re.fullmatch(re.escape(kind) + r"(?:_(\d+))?", named.name)
            if name:
                number = int(name[1] or 0)
                found[kind] = min(found.get(kind, number), number)
    return found


def _first_number(layers: list[Any]) -> int:
    numbers = [
        _number(output.name)
        for layer in layers
        for node in attribute(layer, "_inbound_nodes") or ()
        for output in node.outputs
    ]
    return min(numbers, default=0)


def _number(name: str) -> int:
    """Of an automatic name: `keras_tensor`, `keras_tensor_1`, ..."""
    found = re.search(r"_(\d+)(_\d+)*$", name)
    return int(found[1]) if found else 0
