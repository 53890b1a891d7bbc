"""Many values at once: read, assigned, copied, without TensorFlow's Python layers.

To read a variable is to refer to its buffer, and to assign a tensor is to make its
buffer the variable's; whoever changes a variable in place copies the buffer first if
somebody else refers to it (copy on write, `core/kernels/training_op_helpers.h` and
`resource_variable_ops.cc` of TensorFlow). `shares_buffers` tries whether that holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from keraser import _core


def read_all(handles: list[Any]) -> list[Any]:
    """The tensors behind the handles, without a copy."""
    from tensorflow import init_scope

    read = _reader()
    with init_scope():
        return [read(handle) for handle in handles]


def assign_all(handles: list[Any], tensors: list[Any]) -> None:
    """Makes each tensor the value behind its handle, without a copy."""
    from tensorflow import init_scope

    assign = _assigner()
    with init_scope():
        for handle, tensor in zip(handles, tensors, strict=True):
            assign(handle, tensor)


def _reader() -> Callable[[Any], Any]:
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.eager import context

    execute, running = pywrap_tfe.TFE_Py_FastPathExecute, context.context()
    running.ensure_initialized()

    def read(handle: Any) -> Any:
        kind = handle._handle_data.shape_and_type[0].dtype
        return execute(running, "ReadVariableOp", None, handle, "dtype", kind)

    return read


def _assigner() -> Callable[[Any, Any], None]:
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.eager import context

    execute, running = pywrap_tfe.TFE_Py_FastPathExecute, context.context()
    running.ensure_initialized()

    def assign(handle: Any, tensor: Any) -> None:
        execute(
            running,
            "AssignVariableOp",
            None,
            handle,
            tensor,
            "dtype",
            tensor._datatype_enum(),
            "validate_shape",
            False,
        )

    return assign


def copies(tensors: list[Any]) -> list[Any]:
    """Copies in buffers of their own, on the same devices."""
    from tensorflow import device, init_scope, raw_ops

    made = []
    with init_scope():
        for tensor in tensors:
            with device(tensor.device):
                made.append(raw_ops.DeepCopy(x=tensor))
    return made


@cache
def shares_buffers(device: str) -> bool:
    """Whether values are copied on write here: tried on a variable of our own.

    A read must share the buffer, an update in place must leave what was read as it
    was, and an assigned tensor must be shared as well.
    """
    import tensorflow as tf

    with tf.init_scope(), tf.device(device):
        variable = tf.Variable(tf.ones([64]), trainable=False)
        [taken], [again] = read_all([variable.handle]), read_all([variable.handle])
        if "CPU" in device and address(taken) != address(again):
            return False
        variable.assign_add(tf.ones([64]))
        assign_all([variable.handle], [taken])
        variable.assign_sub(tf.ones([64]))
        return bool(
            taken.numpy().tolist() == [1.0] * 64
            and variable.numpy().tolist() == [0.0] * 64
        )


def address(tensor: Any) -> int:
    """Where a tensor in host memory has its bytes."""
    return int(view(tensor).__array_interface__["data"][0])


def view(tensor: Any) -> Any:
    """The values as an array; of more than one, and in host memory, without a copy."""
    import numpy

    return numpy.asarray(tensor._numpy())


def looks(tensors: list[Any]) -> list[tuple[tuple[int, ...], str]]:
    """Shape and type of each."""
    return [(t._shape_tuple(), type_name(t._datatype_enum())) for t in tensors]


@cache
def type_name(number: int) -> str:
    from tensorflow import as_dtype

    return str(as_dtype(number).name)


def on_host(tensor: Any) -> bool:
    return "CPU" in tensor.backing_device


def to_host(tensors: list[Any]) -> list[Any]:
    """Copies in host memory, as arrays."""
    import numpy

    arrays, pairs = [], []
    for tensor in tensors:
        source = view(tensor)
        if on_host(tensor):
            array = numpy.empty(source.shape, source.dtype)
            pairs.append((_bytes(array), tensor))
        else:
            array = source  # came from the device as an array of its own
        arrays.append(array)
    _core.copy(pairs)
    return arrays


def from_host(arrays: list[Any], handles: list[Any]) -> list[Any]:
    """Tensors with copies of the arrays, each where its handle is."""
    from tensorflow import constant, device, init_scope, raw_ops

    made, pairs = [], []
    with init_scope():
        for array, handle in zip(arrays, handles, strict=True):
            with device(handle.device):
                if "CPU" not in handle.device:
                    made.append(constant(array))
                    continue
                tensor = raw_ops.Empty(
                    shape=array.shape, dtype=handle._handle_data.shape_and_type[0].dtype
                )
                pairs.append((tensor, _bytes(array)))
                made.append(tensor)
    _core.copy(pairs, into_readonly=True)
    return made


def _bytes(array: Any) -> Any:
    """The same memory as bytes: not every type of a model has a buffer's format."""
    return array.reshape(-1).view("u1")
