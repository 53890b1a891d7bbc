"""TensorFlow's process-wide caches: kernels, scalars, Python functions."""

from __future__ import annotations

from typing import Any

from keraser.adapters.keras_tf.library import RuntimeFunctions
from keraser.receipt import Reset


def flush() -> list[Reset]:
    """Empties the caches that refill by themselves.

    The kernel cache keeps about 35 KiB for each new variable; the scalar cache 0.6 KiB
    for each distinct Python number used in an eager operation. Measured by the leak
    recipes kernel_cache and scalar_cache in tests/python/zoo.
    """
    eager = eager_context()
    if eager is None:
        return []
    eager.clear_kernel_cache()
    eager._clear_caches()
    return [
        Reset("eager kernel cache", None, "emptied; kernels are made again when used"),
        Reset("scalar, ones and zeros caches", None, "emptied"),
    ]


def eager_context() -> Any:
    """TensorFlow's eager context if anything has run in it, else None."""
    from tensorflow.python.eager import context

    eager = context.context_safe()
    return eager if eager is not None and eager._context_handle is not None else None


def drop_python_functions(functions: RuntimeFunctions) -> list[Reset]:
    """Drops Python functions (tf.py_function and the like) that nothing can call.

    The global default graph keeps every one ever made, with what it closes over. One is
    dead when no living runtime function names its token.
    """
    kept = _kept_by_default_graph()
    tokens = {id(function): token for token, function in python_functions().items()}
    living = [f for f in kept if _is_named(tokens.get(id(f)), functions)]
    dropped = len(kept) - len(living)
    kept[:] = living
    if not dropped:
        return []
    note = "Python functions dropped that no living function calls"
    return [Reset("default graph's py_functions", dropped, note)]


def _kept_by_default_graph() -> list[Any]:
    """The list itself; a new one where the graph has operations that may call them."""
    from tensorflow.python.framework import ops

    graph = ops._default_graph_stack._global_default_graph
    kept = getattr(graph, "_py_funcs_used_in_graph", None)
    return [] if kept is None or graph.get_operations() else kept


def python_functions() -> dict[str, Any]:
    """Those that the default graph keeps, by the token that function bodies name."""
    from tensorflow.python.ops import script_ops

    kept = {id(function) for function in _kept_by_default_graph()}
    registered = list(script_ops._py_funcs._funcs.items())
    return {token: function for token, function in registered if id(function) in kept}


def _is_named(token: str | None, functions: RuntimeFunctions) -> bool:
    return token is not None and functions.name(token)


def count_runtime_functions() -> int:
    """Functions in TensorFlow's runtime, those of single operations included."""
    eager = eager_context()
    return 0 if eager is None else len(eager.list_function_names())


def is_tracing() -> bool:
    """Whether this thread is building a graph."""
    from tensorflow.python.eager import context

    return not context.executing_eagerly()


def pool_in_use() -> int | None:
    """Bytes in use in TensorFlow's CPU pool (blocks of 256 KiB and more, with oneDNN),
    None where this TensorFlow keeps no such figure."""
    eager = eager_context()
    if eager is None:
        return 0
    try:
        return eager.get_memory_info("CPU:0")["current"]
    except ValueError:
        return None
