"""Second layers beside those of a model, made and built as they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keraser import _core
from keraser.adapters.keras_tf import values
from keraser.adapters.keras_tf.batches import read_all
from keraser.adapters.keras_tf.build_order import build_steps
from keraser.adapters.keras_tf.model import handles_of
from keraser.adapters.keras_tf.remaking import make
from keraser.errors import UnsupportedError


def make_twins(model: Any, wanted: set[int]) -> list[tuple[Any, Any]]:
    """A second layer for each, made and built in the order of the first ones. One that
    is not wanted and cannot be made is left out."""
    twins: dict[int, Any] = {}
    strangers = Strangers()
    steps = build_steps(model)
    for verb, layer in steps:
        if hasattr(layer, "adapt"):
            continue
        try:
            if verb == "make":
                twins[id(layer)] = make(layer)
            elif id(layer) in twins and layer.built:
                build(twins[id(layer)], layer)
            if id(layer) in twins:
                strangers.refuse(twins[id(layer)])
        except Exception as error:  # whatever its author's code raises
            if any(id(variable) in wanted for variable in layer.variables):
                raise UnsupportedError(advice(layer, str(error))) from error
            twins.pop(id(layer), None)
    layers = {id(layer): layer for _, layer in steps}
    return [(layers[key], twin) for key, twin in twins.items()]


def build(twin: Any, layer: Any) -> None:
    """A layer that leaves it to Keras is built by being called; then what is within it
    is built one by one, in the order in which it was made."""
    build_as(twin, how_built(layer))


@dataclass
class Built:
    """How a layer was built.

    Attributes:
        shapes: what its own build() got, None if it leaves that to Keras.
        variables: how many it has.
        parts: of what is within it: whether it is built, and how.
    """

    shapes: dict[str, Any] | None
    variables: int
    parts: list[tuple[bool, Built]]


def how_built(layer: Any) -> Built:
    from keras.src.utils.python_utils import is_default

    shapes = None
    if not is_default(layer.build):
        shapes = layer.get_build_config() or {"shapes_dict": {}}
    parts = [(bool(part.built), how_built(part)) for part in layer._layers]
    return Built(shapes, len(layer.variables), parts)


def build_as(twin: Any, how: Built) -> None:
    if not twin.built and how.shapes is not None:
        twin.build_from_config(how.shapes)
    for (built, part), other in zip(how.parts, twin._layers, strict=True):
        if built and len(other.variables) < part.variables:
            build_as(other, part)


class Strangers:
    """Tells what a twin has of its own from what was there before.

    A get_config() that returns layers themselves, or an `__init__` that takes one from
    elsewhere, gives a twin that has a living layer in it: its values are not drawn, and
    to take them would be to take them from whoever uses it.
    """

    def __init__(self) -> None:
        from keras import Variable

        self._held = _core.instances((Variable,))  # else an id() could be used again
        self._known = set(map(id, self._held))

    def refuse(self, twin: Any) -> None:
        """Raises TypeError if there is a variable in the twin that it has not made."""
        for variable in twin.variables:
            if id(variable) in self._known:
                raise TypeError(
                    f"a second one has {variable.path!r} in it, which was there before"
                )


def advice(layer: Any, why: str) -> str:
    """What to say of a layer that has no twin."""
    why = why.split("Exception encountered:")[-1]  # Keras puts the config before it
    why = " ".join(why.split())[:300]
    return (
        f"layer {layer.name!r} ({type(layer).__name__}) cannot be made a second time "
        f"(nothing was changed): {why}. Give it a get_config() from which it can be "
        "made, or leave it out by only="
    )


def take(variable: Any) -> Any:
    """The value of a twin's variable, which is garbage now, but not collected yet: it
    must not share the value, or the next change in place would copy it."""
    handle = handles_of(variable)[0]
    [value] = read_all([handle])
    if values.can_be_empty(handle):
        values.empty(handle)
    return value
