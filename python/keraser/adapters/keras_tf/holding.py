"""Holders that keraser leaves alone: why, and what the user can do."""

from __future__ import annotations

from typing import Any

CAPTURED = (
    "a living tf.function captured weights of this model and may be called again; "
    "`del` it, or the container that it is in, to free them"
)
REGISTERED = (
    "a registered custom object closes over the model; "
    "keras.saving.get_custom_objects().pop(name) lets it go"
)


def way_out(path: list[Any]) -> str | None:
    """What to do about the holder at the end of a retention path, if it is known."""
    from keras.src.saving import object_registration
    from tensorflow.python.eager.polymorphic_function import (
        concrete_function,
        polymorphic_function,
    )
    from tensorflow.python.framework.func_graph import FuncGraph

    traced = (
        FuncGraph,
        concrete_function.ConcreteFunction,
        polymorphic_function.Function,
    )
    if any(issubclass(type(step), traced) for step in path):
        return CAPTURED
    registries = (
        object_registration.GLOBAL_CUSTOM_OBJECTS,
        object_registration.GLOBAL_CUSTOM_NAMES,
    )
    if any(step is registry for step in path for registry in registries):
        return REGISTERED
    return None
