"""Parts of a held model as empty shells: which come into question, and their memory.

Layers, operations, the optimizer and variables become shells. Input layers do not: they
own nothing, and a user may build the next model on the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from keraser.adapters.base import Plan
from keraser.adapters.keras_tf import values
from keraser.adapters.keras_tf.barring import admit_functions, bar_functions
from keraser.adapters.keras_tf.model import attribute, handles_of
from keraser.adapters.keras_tf.sharing import (
    Sharing,
    inner_layers,
    optimizers_of,
    own_variables,
)
from keraser.errors import ClearedModelError, KeraserError


def add_shells(plan: Plan, box: list[Any], sharing: Sharing) -> set[int]:
    """Lists what may become a shell; returns the id() of what does so in any case: an
    optimizer is of no use to whoever holds it, once its variables are gone."""
    from keras.layers import InputLayer

    known = {id(box[0])}
    for operation in plan.extra.operations:
        if id(operation) not in known and not isinstance(operation, InputLayer):
            known.add(id(operation))
            plan.shells.append(operation)
    optimizers = [o for o in optimizers_of(box[0]) if not _stays(o, sharing)]
    plan.shells += optimizers
    return {id(optimizer) for optimizer in optimizers}


def _stays(optimizer: Any, sharing: Sharing) -> bool:
    return id(optimizer) in sharing.optimizers or not optimizer.built


def symbolic_tensors(plan: Plan, staying: set[int]) -> list[Any]:
    """What the operations that do not stay gave to others while the graph was built."""
    return [
        tensor
        for operation in plan.shells
        if id(operation) not in staying
        for node in attribute(operation, "_inbound_nodes") or ()
        for tensor in node.outputs
    ]


def with_inner(layer: Any) -> set[int]:
    """id() of a layer and of all within it."""
    return {id(layer), *map(id, inner_layers(layer))}


def protected(plan: Plan, staying: set[int], sharing: Sharing) -> set[int]:
    """id() of the variables that stay, and of their handles: those of something else,
    of a layer that stays, of a metric or an optimizer that does."""
    from keras import Optimizer, Variable

    variables = set(sharing.variables)
    for shell in plan.shells:
        if id(shell) in staying:
            variables.update(id(variable) for variable in own_variables(shell))
    for part in plan.parts:
        if isinstance(part, Optimizer) and _stays(part, sharing):
            variables.update({id(part)}, map(id, part.variables))
    found = set(variables)
    for part in plan.parts:
        if id(part) in variables and isinstance(part, Variable):
            found.update(id(handle) for handle in handles_of(part))
    return found


def can_be_shell(part: Any) -> bool:
    from keras import Variable

    return isinstance(part, Variable)


def name_of(part: Any) -> str:
    from keras import Layer, Optimizer, Variable

    if isinstance(part, Variable):
        return f"variable {part.path!r}"
    kind = "layer" if isinstance(part, Layer) else "operation"
    return f"{'optimizer' if isinstance(part, Optimizer) else kind} {part.name!r}"


def empty(plan: Plan, message: Callable[[str], str]) -> None:
    """Frees the values of the plan's handles, and makes living functions that captured
    one refuse. Either all of it or nothing.

    Raises:
        KeraserError: TensorFlow could not; everything is as it was.
    """

    def refuse(function: str) -> NoReturn:
        raise ClearedModelError(message(f"{function} needs it"))

    done: list[Callable[[], None]] = []
    try:
        for handle in filter(values.can_be_empty, plan.emptied):
            value = values.read(handle)
            done.append(lambda h=handle, v=value: values.assign(h, v))
            values.empty(handle)
        barred = bar_functions(plan.emptied, refuse)
        done.append(lambda: admit_functions(barred))
    except BaseException as error:
        for undo in reversed(done):
            undo()
        if not isinstance(error, Exception):
            raise
        raise KeraserError(
            f"the memory of {plan.kind} {plan.name!r} could not be freed "
            f"(nothing was changed): {error}"
        ) from error
