"""Memory of tensors: what Python does not count, and which object it hangs on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keraser import _core


@dataclass
class Tensors:
    """Every eager tensor that is alive. Holds them; `drop()` lets go.

    Attributes:
        handles, handle_bytes: resource handles of variables, and bytes behind each.
        values, value_bytes: other tensors, and their bytes.
    """

    handles: list[Any] = field(default_factory=list)
    handle_bytes: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    value_bytes: list[int] = field(default_factory=list)

    def drop(self) -> None:
        self.handles.clear()
        self.values.clear()


def find_tensors() -> Tensors:
    """Bytes are those of shape and type; a tensor of text or of variants counts 0."""
    from tensorflow.python.framework import dtypes
    from tensorflow.python.framework.ops import EagerTensor

    found = Tensors()
    is_whole = wholeness()
    for tensor in _core.instances((EagerTensor,)):
        if not is_whole(tensor):
            continue
        if tensor.dtype == dtypes.resource:
            size = handle_bytes(tensor)
            if size:
                found.handles.append(tensor)
                found.handle_bytes.append(size)
        else:
            found.values.append(tensor)
            found.value_bytes.append(value_bytes(tensor))
    return found


def wholeness() -> Callable[[Any], bool]:
    """Tells whole tensors from those that another thread is still making.

    To ask such a one for its type crashes: TensorFlow follows its NULL handle.
    The handle is the word before `_id`, and that is looked for in two tensors, one of
    them not made whole. Where it is not found, no tensor counts as whole.
    """
    from tensorflow import constant, device
    from tensorflow.python.framework.ops import EagerTensor

    with device("CPU:0"):  # TensorFlow keeps it: not in a GPU's pool
        whole, half = constant(0.0), EagerTensor.__new__(EagerTensor)
    words, empty = _core.words(whole), _core.words(half)
    places = [
        at
        for at in range(len(words) - 1)
        if words[at] and not empty[at] and words[at + 1] == whole._id
    ]
    if len(places) != 1:
        return lambda _: False
    return lambda tensor: _core.words(tensor)[places[0]] != 0


def _tensor_bytes(tensor: Any) -> int:
    from tensorflow.python.framework import dtypes

    is_handle = tensor.dtype == dtypes.resource
    return handle_bytes(tensor) if is_handle else value_bytes(tensor)


def value_bytes(tensor: Any) -> int:
    from tensorflow.python.framework import dtypes

    if tensor.dtype in (dtypes.string, dtypes.variant):
        return 0
    return math.prod(tensor.shape.as_list()) * tensor.dtype.size


def handle_bytes(handle: Any) -> int:
    """Bytes of the variable behind a resource handle; 0 for other resources."""
    from tensorflow import as_dtype

    known = getattr(handle, "_handle_data", None)
    if known is None or not known.is_set or len(known.shape_and_type) != 1:
        return 0
    shape_and_type = known.shape_and_type[0]
    if shape_and_type.shape.unknown_rank:
        return 0
    sizes = [dimension.size for dimension in shape_and_type.shape.dim]
    return max(math.prod(sizes), 0) * as_dtype(shape_and_type.dtype).size


def name_handles() -> dict[int, str]:
    """Paths of Keras' variables, by the id() of their handles."""
    from keras import Variable

    from keraser.adapters.keras_tf.model import handles_of

    names = {}
    for variable in _core.instances((Variable,)):
        for handle in handles_of(variable):
            names[id(handle)] = variable.path
    return names


def count_graphs_of(handles: set[int]) -> int:
    """How many function graphs capture one of the handles with these id()s."""
    from tensorflow.python.framework.func_graph import FuncGraph

    graphs = _core.instances((FuncGraph,))
    return sum(any(id(outer) in handles for outer in captured(g)) for g in graphs)


def captured(graph: Any) -> list[Any]:
    """What a function graph captured from outside of it.

    Not by `graph.captures`, which renews what it remembers while it reads: another
    thread may be tracing the graph, and would then miss a capture. The values of a dict
    are listed in one go. A graph that another thread is making has none yet.
    """
    try:
        captures = object.__getattribute__(graph, "_function_captures")
        return list(dict.values(captures.by_val_external))
    except AttributeError:
        return []


def count_graphs(owned: Any) -> int:
    """How many function graphs a walk owns."""
    from tensorflow.python.framework.func_graph import FuncGraph

    return len(owned.instances(FuncGraph))


def kept_tensors(owned: Any) -> list[tuple[int, int]]:
    """(id(), bytes) of the tensors that a walk owns, handles of variables too."""
    from tensorflow.python.framework.ops import EagerTensor

    return [(id(t), _tensor_bytes(t)) for t in owned.instances(EagerTensor)]


def add_native(natives: list[Any], sizes: list[int]) -> None:
    """Appends every tensor with memory of its own, and its bytes."""
    found = find_tensors()
    natives += found.handles + found.values
    sizes += found.handle_bytes + found.value_bytes
    found.drop()
