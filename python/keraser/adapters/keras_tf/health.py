"""What doctor() says of Keras and TensorFlow."""

from __future__ import annotations

from importlib import import_module

from keraser.adapters.keras_tf import guard, registry

#: Private places of TensorFlow and Keras that clearing needs: module, attribute.
NEEDED = (
    ("tensorflow.python.framework.ops", "gradient_registry"),
    ("tensorflow.python.framework.func_graph", "FuncGraph"),
    ("tensorflow.core.function.capture.capture_container", "FunctionCaptures"),
    ("tensorflow.python.eager.context", "context_safe"),
    ("tensorflow.python.eager.polymorphic_function.atomic_function", "AtomicFunction"),
    ("tensorflow.python.eager.polymorphic_function.polymorphic_function", "Function"),
    ("tensorflow.python.ops.script_ops", "_py_funcs"),
    ("keras.src.backend.common.global_state", "GLOBAL_STATE_TRACKER"),
)


def findings() -> list[tuple[str, bool, str]]:
    """(what, works, note) for each thing worth knowing."""
    import keras
    import tensorflow as tf

    missing = [f"{module}.{name}" for module, name in NEEDED if not _has(module, name)]
    note = "all found" if not missing else "missing: " + ", ".join(missing)
    return [
        ("Keras", keras.__version__.startswith("3."), keras.__version__),
        ("TensorFlow", True, tf.__version__),
        ("TensorFlow internals", not missing, note),
        ("gradient registry", True, _registry_note()),
        ("guard", True, "on" if guard.is_on() else "off; keraser.guard() turns it on"),
        ("custom objects", True, _custom_objects_note()),
        ("XLA executables", True, "kept by XLA until the process ends; not cleared"),
    ]


def _has(module: str, name: str) -> bool:
    try:
        return hasattr(import_module(module), name)
    except ImportError:
        return False


def _registry_note() -> str:
    count = len(registry.entries())
    return f"{count} custom gradients registered; keraser.clear() drops the dead ones"


def _custom_objects_note() -> str:
    import keras

    count = len(keras.saving.get_custom_objects())
    if not count:
        return "none registered"
    return (
        f"{count} registered, each with what it closes over; "
        "keras.saving.get_custom_objects().pop(name) lets one go"
    )
