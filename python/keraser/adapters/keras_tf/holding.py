"""Holders that Keras and TensorFlow are: their names, and what the user can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraser.names import Landmark, Name, Vocabulary

CAPTURED = (
    "a living tf.function captured weights of this model and may be called again; "
    "`del` it, or the container that it is in, to free them"
)
REGISTERED = (
    "a registered custom object closes over the model, and Keras has no call to "
    "unregister it; keraser.why(model) gives the lines to type"
)

#: Keras keeps a custom object in two tables and offers one of them to users.
UNREGISTER = (
    "from keras.src.saving import object_registration as r; "
    "r.GLOBAL_CUSTOM_NAMES.pop(r.GLOBAL_CUSTOM_OBJECTS.pop({key}))"
)

#: Types that keep what they captured while tracing, as `_core.ask` names them.
TRACED = (
    "tensorflow.python.framework.func_graph.FuncGraph",
    "tensorflow.python.eager.polymorphic_function.concrete_function.ConcreteFunction",
    "tensorflow.python.eager.polymorphic_function.polymorphic_function.Function",
)

_CAPTURING = {
    "tensorflow.core.function.capture.capture_container.FunctionCaptures": "graph",
    TRACED[1]: "concrete function",
}


def vocabulary() -> Vocabulary:
    """Registries of the process, callbacks, and what keeps what it captured."""
    import keras

    captured = {name: f"captures of a {what}" for name, what in _CAPTURING.items()}
    callbacks = {
        (f"{kind.__module__}.{name}", "_model"): (f"{name}.model", "set_model(None)")
        for name, kind in vars(keras.callbacks).items()
        if isinstance(kind, type)
    }
    return Vocabulary(
        landmarks=_registries(),
        hops={TRACED[2]: "tf.function", **captured},
        ends=frozenset(captured),
        attributes=callbacks,
    )


def _registries() -> dict[int, Landmark]:
    from keras.src.backend.common import global_state
    from keras.src.saving import object_registration
    from tensorflow.python.framework import ops

    state = vars(global_state.GLOBAL_STATE_TRACKER)
    custom = Landmark("registered custom object", "custom", UNREGISTER, spaced=True)
    return {
        id(ops.gradient_registry._registry): Landmark(
            "TensorFlow's gradient registry", "registry", "keraser.clear()"
        ),
        id(object_registration.GLOBAL_CUSTOM_OBJECTS): custom,
        id(object_registration.GLOBAL_CUSTOM_NAMES): custom,
        id(state): Landmark("Keras' session state", "session", "keraser.clear()"),
    }


def way_out(name: Name, steps: list[Any]) -> str | None:
    """What to do about a retention path, if more than its fix is to be said."""
    if name.place.kind == "custom":
        return REGISTERED
    if any(step[1] in TRACED for step in steps):
        return CAPTURED
    return None


def attribute_cut(holder: Any, name: Any) -> Callable[[], Any] | None:
    """How a callback (such as a History) lets go of its model; else None."""
    from keras.callbacks import Callback

    if isinstance(holder, Callback) and name in ("_model", "model"):
        return lambda: holder.set_model(None)
    return None
