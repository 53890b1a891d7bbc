"""Where tensors are: names for the chunks of a pool."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from keraser import _core
from keraser.adapters.keras_tf import caches
from keraser.adapters.keras_tf.tensors import find_tensors

#: What stands at the begin of a DLManagedTensor (dlpack.h): the address, the device and
#: its number, dimensions, type, shape, strides, and the offset of the first byte.
_DLPACK = (
    ("data", ctypes.c_void_p),
    ("device", ctypes.c_int32 * 2),
    ("dimensions", ctypes.c_int32),
    ("type", ctypes.c_uint8 * 4),
    ("shape", ctypes.c_void_p),
    ("strides", ctypes.c_void_p),
    ("offset", ctypes.c_uint64),
)


class _Placed(ctypes.Structure):
    _fields_ = _DLPACK


def tensor_names() -> dict[int, str]:
    """The name of each tensor that Python has, by the address of its memory: of a
    variable its path in Keras, else its own name, of others type and shape. None is
    told of where TensorFlow has not been at work."""
    if caches.eager_context() is None:
        return {}
    names = dict(_values())
    names.update(_variables())
    return names


def _values() -> Iterator[tuple[int, str]]:
    tensors = find_tensors()
    for tensor in tensors.values:
        address = _address(tensor)
        if address is not None:
            shape = ", ".join(map(str, tensor.shape))
            yield address, f"tensor {tensor.dtype.name} ({shape})"
    tensors.drop()


def _variables() -> Iterator[tuple[int, str]]:
    from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

    paths = _paths()
    for variable in _core.instances((BaseResourceVariable,)):
        address = _variable_address(variable)
        if address is not None:
            yield address, paths.get(id(variable)) or variable.name.split(":")[0]


def _paths() -> dict[int, str]:
    """Of the variables of Keras, by the id of TensorFlow's own."""
    import sys

    if "keras" not in sys.modules:
        return {}
    from keras.src.backend import Variable

    found = {}
    for variable in _core.instances((Variable,)):
        value, path = (variable.__dict__.get(name) for name in ("_value", "_path"))
        if value is not None and isinstance(path, str):
            found[id(value)] = path
    return found


def _variable_address(variable: Any) -> int | None:
    """One that is emptied, or not made whole yet, has none."""
    from tensorflow.python.ops.gen_resource_variable_ops import read_variable_op

    handle = variable.__dict__.get("_handle")
    dtype = variable.__dict__.get("_dtype")
    if handle is None or dtype is None or not hasattr(handle, "numpy"):
        return None
    try:
        return _address(read_variable_op(handle, dtype))
    except Exception:  # whatever TensorFlow says: it has no value then
        return None


def _address(tensor: Any) -> int | None:
    """None for what has no memory of its own, or none that DLPack knows."""
    from tensorflow.python import pywrap_tfe

    try:
        capsule = pywrap_tfe.TFE_ToDlpackCapsule(tensor)
    except Exception:  # text, variants, types without a name there
        return None
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = (
        ctypes.c_void_p,
        (ctypes.py_object, ctypes.c_char_p),
    )
    placed = _Placed.from_address(pointer(capsule, b"dltensor"))
    return placed.data + placed.offset if placed.data else None
