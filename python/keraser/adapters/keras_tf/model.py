"""What a Keras model consists of, on TensorFlow."""

from __future__ import annotations

import math
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from keraser import _core
from keraser.adapters.base import Plan, Witness
from keraser.adapters.keras_tf.tensors import captured, handle_bytes
from keraser.errors import ClearedModelError

#: Functions that a trainer builds on first use, and that capture every weight.
TRAINER_FUNCTIONS = ("train_function", "test_function", "predict_function")

#: How far back to look for graphs that nobody holds, in objects: what tracing makes for
#: each variable and slot, generously (96,000 objects in the row of 32 layers that
#: bench/clear.py prints), and some of the program. A graph missed costs a collection.
RECENT_OBJECTS = 20_000
RECENT_OBJECTS_PER_VARIABLE = 1_000

#: XLA's figure is that of the leak recipe fit_xla in tests/python/zoo.
XLA_LIMIT = (
    "XLA keeps some MB of each jit-compiled model until the process ends, beside its "
    "executables; train with jit_compile=False, or in a process of its own"
)


@dataclass
class Extra:
    """What the adapter remembers of a plan, beside what every framework has.

    Attributes:
        handles: ids of the resource handles of the model's variables.
        graphs: ids of the graphs of the functions that the trainer built.
        entries: name -> entry of the gradient registry, to be dropped.
        python_functions: token -> function that the default graph keeps, to be dropped.
        living_entries: entries that came into question, but something needs them.
        node_lists: the lists of nodes of the model's operations.
        operations: those operations, in the order of `node_lists`.
        traces: (function cache, context, function type, concrete function).
        limits: what clearing cannot reach, as sentences.
    """

    handles: set[int] = field(default_factory=set)
    graphs: set[int] = field(default_factory=set)
    entries: dict[str, Any] = field(default_factory=dict)
    living_entries: list[Any] = field(default_factory=list)
    python_functions: dict[str, Any] = field(default_factory=dict)
    node_lists: list[Any] = field(default_factory=list)
    operations: list[Any] = field(default_factory=list)
    traces: list[list[Any]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    def containers(self) -> list[Any]:
        return [
            self.entries,
            self.living_entries,
            self.python_functions,
            self.node_lists,
            self.operations,
            *self.traces,
        ]


def attribute(thing: Any, name: str) -> Any:
    """An attribute of the instance itself, or None. Asking by vars() would make a dict
    for an instance that has none yet, which stays with it."""
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


def is_model(value: Any) -> bool:
    return is_model_type(type(value))


def is_model_type(kind: type) -> bool:
    from keras import Model

    return issubclass(kind, Model)


def has_memory(value: Any) -> bool:
    """Whether it is a model or a part of one that keeps variables."""
    from keras import Layer, Variable
    from keras.optimizers import Optimizer

    return issubclass(type(value), (Layer, Variable, Optimizer))


def running_method(rows: list[tuple]) -> str | None:
    """What Keras or TensorFlow is doing with the model right now, or None.

    `rows` are those of `_core.variables([model])`.
    """
    packages = library_folders()
    innermost_first = sorted(rows, key=lambda row: row[1][1], reverse=True)
    for _, (thread, _, file, function, _, name, *_) in innermost_first:
        if name == "self" and file.startswith(packages):
            return f"{function}() in {thread_name(thread)}"
    return None


def library_folders() -> tuple[str, ...]:
    """Where functions of Keras and TensorFlow are: of TensorFlow not the first folder
    alone, which is one of Keras'."""
    return tuple(
        folder + "/"
        for name in ("keras", "tensorflow")
        for folder in getattr(sys.modules.get(name), "__path__", ())
    )


def thread_name(ident: int) -> str:
    if ident == threading.get_ident():
        return "this thread"
    for thread in threading.enumerate():
        if thread.ident == ident:
            return f"thread {thread.name!r}"
    return f"thread {ident}"


def plan_model(box: list[Any]) -> Plan:
    """Lists what the model in `box` consists of."""
    model = box[0]
    plan = Plan(name=model.name, kind=type(model).__name__, extra=Extra())
    plan.seeds.append(model)
    plan.groups[3].append(model)
    for variable in model.variables:
        _add_variable(plan, variable, "weights")
    _add_optimizer(plan, getattr(model, "optimizer", None))
    _add_metrics(plan, model)
    for layer in model._flatten_layers(include_self=False):
        plan.add_part(layer, f"layer {layer.name!r}", "objects")
    _add_operations(plan.extra, model)
    _add_functions(plan, model)
    return plan


def _add_variable(plan: Plan, variable: Any, kind: str) -> None:
    """The memory hangs on the handle: whoever holds that, holds the tensor."""
    from tensorflow import as_dtype

    if any(id(handle) in plan.extra.handles for handle in handles_of(variable)):
        return  # an optimizer around another one lists its variables as well
    name = f"{kind} {variable.path!r}"
    plan.add_part(variable, name, kind)
    for handle in handles_of(variable):
        size = math.prod(variable.shape) * as_dtype(variable.dtype).size
        plan.add_part(handle, name, kind, size)
        plan.extra.handles.add(id(handle))


def handles_of(variable: Any) -> list[Any]:
    """The resource handles behind a Keras variable: one a replica, or none yet."""
    value = attribute(variable, "_value")  # none while another thread makes it
    if value is None:
        return []
    replicas = getattr(value, "values", None)  # a strategy's distributed variable
    if isinstance(replicas, (tuple, list)):
        return [replica.handle for replica in replicas]
    return [value.handle]


def _add_optimizer(plan: Plan, optimizer: Any) -> None:
    if optimizer is None:
        return
    plan.add_part(optimizer, f"optimizer {optimizer.name!r}", "optimizer")
    for variable in optimizer.variables:
        _add_variable(plan, variable, "optimizer")


def _add_metrics(plan: Plan, model: Any) -> None:
    for variable in model.metrics_variables:
        _add_variable(plan, variable, "metrics")


def _add_operations(extra: Extra, model: Any) -> None:
    """Every operation of the model, nested models' too, and its lists of nodes."""
    pending = [model, *model._flatten_layers(include_self=False)]
    seen: set[int] = set()
    while pending:
        operation = pending.pop()
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        pending += getattr(operation, "operations", None) or []
        functional = attribute(operation, "_functional")  # what a Sequential wraps
        if functional is not None:
            pending.append(functional)
        for name in ("_inbound_nodes", "_outbound_nodes"):
            nodes = attribute(operation, name)
            if isinstance(nodes, list):
                extra.node_lists.append(nodes)
        extra.operations.append(operation)


def _add_functions(plan: Plan, model: Any) -> None:
    for name in TRAINER_FUNCTIONS:
        function = getattr(model, name, None)
        if function is None:
            continue
        plan.groups[-1].append(function)
        plan.extra.graphs.update(_graphs_below(function))
    if plan.groups[-1]:
        _add_recent_graphs(plan)
    if getattr(model, "compiled", False) and model.jit_compile:
        plan.extra.limits.append(XLA_LIMIT)


def _add_recent_graphs(plan: Plan) -> None:
    """Graphs that capture the model's variables and that nobody holds any more.

    The first `fit` traces `initialize_variables`, which captures every optimizer slot,
    is dropped at once, and waits in a cycle for a full collection. Seen from the slots
    it is a stranger; as a starting point of the walk it is found to be garbage.
    """
    from tensorflow.python.framework.func_graph import FuncGraph

    recent = RECENT_OBJECTS + RECENT_OBJECTS_PER_VARIABLE * len(plan.extra.handles)
    for graph in _core.instances((FuncGraph,), recent):
        if any(id(outer) in plan.extra.handles for outer in captured(graph)):
            plan.groups[-1].append(graph)


def _graphs_below(function: Any) -> set[int]:
    """Ids of the graphs of the tf.functions that a plain function closes over."""
    pending, seen, graphs = [function], set(), set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        cache = getattr(value, "_function_cache", None)
        if cache is not None:
            graphs.update(id(concrete.graph) for concrete in cache.values())
        for cell in getattr(value, "__closure__", None) or ():
            try:
                inner = cell.cell_contents
            except ValueError:  # an empty cell
                continue
            if callable(inner):
                pending.append(inner)
    return graphs


def is_whole(model: Any) -> bool:
    """Whether a model can be asked for its name, layers and variables: not while
    another thread is in its `__init__`, nor when a layer of it is parked."""
    try:
        return (
            bool(model.name)
            and all(layer.name for layer in model._flatten_layers())
            and model.variables is not None
        )
    except (AttributeError, RuntimeError, ClearedModelError):
        return False


def living_models() -> list[Any]:
    """Every model that is alive and stands on its own, in no order.

    A model within another, and what a Sequential wraps, is left out.
    """
    from keras import Model

    models = _core.instances((Model,))
    inner = inner_layers(models)
    return [model for model in models if id(model) not in inner]


def inner_layers(models: list[Any]) -> set[int]:
    """id() of what these models consist of: their layers at any depth, and what a
    Sequential wraps."""
    inner: set[int] = set()
    for model in models:
        inner.add(id(attribute(model, "_functional")))
        if attribute(model, "_layers") is not None:
            inner.update(map(id, model._flatten_layers(include_self=False)))
    return inner


def witnesses(owned: Any) -> dict[str, list[Any]]:
    """Weak references to what the walk owns of TensorFlow's objects, by kind."""
    from tensorflow.python.eager.polymorphic_function.atomic_function import (
        AtomicFunction,
    )
    from tensorflow.python.framework.func_graph import FuncGraph

    things = {
        "graphs": owned.instances(FuncGraph),
        "handles": _owned_handles(owned),
        "functions": owned.instances(AtomicFunction),
    }
    return {kind: [Witness(t) for t in found] for kind, found in things.items()}


def _owned_handles(owned: Any) -> list[Any]:
    from tensorflow.python.framework import dtypes
    from tensorflow.python.framework.ops import EagerTensor

    tensors = owned.instances(EagerTensor)
    return [tensor for tensor in tensors if tensor.dtype == dtypes.resource]


def add_orphans(plan: Plan, owned: Any) -> None:
    """Adds the variables that no model has any more: only their handles are left."""
    _add_handles(plan, owned, "a variable without a model", "orphans")


def add_states(plan: Plan, owned: Any) -> None:
    """Adds variables of layers that are none of the model's: what a stateful recurrent
    layer remembers is not in `model.variables`."""
    _add_handles(plan, owned, "a state of a layer", "states")


def _add_handles(plan: Plan, owned: Any, name: str, kind: str) -> None:
    known = {id(part) for part in plan.parts}
    for handle in _owned_handles(owned):
        size = handle_bytes(handle)
        if size and id(handle) not in known:
            plan.add_part(handle, name, kind, size)
