"""TensorFlow's gradient registry: the holder behind nearly every leaking loop.

Tracing a `tf.custom_gradient` inside a graph registers a closure for ever, as
`CustomGradient-<uid>`. The closure's `result` cell holds tensors of the graph, the
graph its captures, and those every weight and optimizer slot. Keras' optimizers do it
in each `fit`, by `ReplicaContext.all_reduce` (tensorflow issues 27492 and 97697).

An entry is dead when its graph belongs to nothing but what is being cleared, and no
function of the runtime names it. Only dead entries are dropped: without its entry a
living function fails with LookupError when it is first differentiated.
"""

from __future__ import annotations

import weakref
from typing import Any

from keraser.adapters.keras_tf.library import RuntimeFunctions
from keraser.adapters.keras_tf.tensors import captured
from keraser.receipt import Reset

PREFIX = "CustomGradient-"

#: How deep to look into a gradient function's closure for a tensor of its graph.
CLOSURE_DEPTH = 6

#: Graph of each entry once found; defusing an entry hides it.
_graphs: dict[str, weakref.ref] = {}


def entries() -> dict[str, Any]:
    """Every custom gradient that was registered while tracing, by name."""
    from tensorflow.python.framework import ops

    registered = ops.gradient_registry._registry
    for name in set(_graphs) - set(registered):
        del _graphs[name]
    return {name: registered[name] for name in list(registered) if PREFIX in name}


def entries_of_model(extra: Any) -> dict[str, Any]:
    """Those whose graph captures a variable of the model, or is of its functions."""
    return {
        name: entry
        for name, entry in entries().items()
        if _belongs(find_graph(name, entry), extra)
    }


def find_graph(name: str, entry: dict[str, Any]) -> Any:
    """The graph in which an entry's operation stands, None if it is gone or unknown."""
    known = _graphs.get(name)
    if known is not None:
        return known()
    graph = graph_of_function(entry["type"])
    if graph is not None:
        _graphs[name] = weakref.ref(graph)
    return graph


def graph_of_function(function: Any) -> Any:
    """The graph of the first symbolic tensor in a gradient function's closure."""
    from tensorflow.python.framework.func_graph import FuncGraph
    from tensorflow.python.framework.ops import EagerTensor
    from tensorflow.python.types.core import Tensor

    level = [function]
    for _ in range(CLOSURE_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, Tensor) and not isinstance(value, EagerTensor):
                graph = getattr(value, "graph", None)
                if isinstance(graph, FuncGraph):
                    return graph
            elif isinstance(value, (list, tuple)):
                inner += value
            else:
                inner += cells_of(value).values()
        level = inner
    return None


def cells_of(function: Any) -> dict[str, Any]:
    """What a function closes over, by name; {} for anything else."""
    closure = getattr(function, "__closure__", None)
    code = getattr(function, "__code__", None)
    if not closure or code is None:
        return {}
    cells = {}
    for name, cell in zip(code.co_freevars, closure, strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # an empty cell
            continue
    return cells


def enclosing_graphs(graph: Any) -> list[Any]:
    """A function graph and those that it was traced inside of, innermost first."""
    from tensorflow.python.framework.func_graph import FuncGraph

    chain = []
    while isinstance(graph, FuncGraph):
        chain.append(graph)
        graph = graph.outer_graph
    return chain


def _belongs(graph: Any, extra: Any) -> bool:
    for enclosing in enclosing_graphs(graph):
        if id(enclosing) in extra.graphs:
            return True
        if any(id(outer) in extra.handles for outer in captured(enclosing)):
            return True
    return False


def find_living(extra: Any, owned: Any, functions: RuntimeFunctions) -> list[str]:
    """Names of those of a plan's entries that must stay registered."""
    living = []
    for name, entry in extra.entries.items():
        graph = find_graph(name, entry)
        known = name in _graphs
        dead = known and (graph is None or graph in owned)
        if not dead or functions.name(name):
            living.append(name)
    return living


def drop_dead(extra: Any) -> list[Reset]:
    """Drops a plan's entries, which are dead; defuses those that were found alive."""
    from tensorflow.python.framework import ops

    registered = ops.gradient_registry._registry
    graphs: dict[int, Any] = {}
    for name, entry in extra.entries.items():
        graph = find_graph(name, entry)
        if graph is not None:
            graphs[id(graph)] = graph
        registered.pop(name, None)
        _graphs.pop(name, None)
    defused = sum(defuse(entry) for entry in extra.living_entries)
    return _describe(list(extra.entries), list(graphs.values()), defused)


def _describe(dropped: list[str], graphs: list[Any], defused: int) -> list[Reset]:
    resets = []
    captures = sum(len(captured(graph)) for graph in graphs)
    if dropped:
        named = f", {graphs[0].name!r} among them" if graphs else ""
        resets.append(
            Reset(
                "tensorflow.python.framework.ops.gradient_registry",
                len(dropped),
                f"dead entries dropped ({dropped[0]} ...): their closures held "
                f"{len(graphs)} graphs{named}, which captured {captures} tensors",
            )
        )
    if defused:
        resets.append(
            Reset(
                "tensorflow.python.framework.ops.gradient_registry",
                defused,
                "entries of living functions kept, without the tensors they held",
            )
        )
    return resets


def defuse(entry: dict[str, Any]) -> bool:
    """Empties the `result` cell of a living entry; True if it held anything.

    `tape_grad_fn` asks `result` only for its structure, so plain tensors may be
    replaced by numbers; composite ones (IndexedSlices, RaggedTensor) may not.
    """
    from tensorflow import nest
    from tensorflow.python.framework.composite_tensor import CompositeTensor
    from tensorflow.python.types.core import Tensor

    tape_gradient = cells_of(entry["type"]).get("tape_grad_fn")
    result = cells_of(tape_gradient).get("result")
    flat = nest.flatten(result)
    if any(isinstance(value, CompositeTensor) for value in flat):
        return False
    if not any(isinstance(value, Tensor) for value in flat):
        return False
    code = tape_gradient.__code__
    cell = tape_gradient.__closure__[code.co_freevars.index("result")]
    cell.cell_contents = [0] * len(flat)
    return True
