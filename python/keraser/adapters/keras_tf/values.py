"""The values behind resource handles: read, emptied, and put back.

A value is emptied by the operation that assigns, given an empty tensor and told not to
compare shapes. That works whoever else holds the handle; what is read meanwhile keeps
the old value until its step has ended. The empty tensor keeps all dimensions but the
first: with all of them 0 an embedding returns an empty result in place of an error.
Values of one element stay: an empty one in their place would broadcast, unnoticed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any


def read(handle: Any) -> Any:
    """The tensor behind a handle, without a copy."""
    from tensorflow import as_dtype
    from tensorflow.python.ops import gen_resource_variable_ops as operations

    with on_device(handle):
        return operations.read_variable_op(handle, dtype=as_dtype(_stored(handle)[1]))


def empty(handle: Any) -> None:
    """Frees the value behind a handle. Raises TensorFlow's error if it cannot."""
    from tensorflow import as_dtype, zeros

    dimensions, kind = _stored(handle)
    with on_device(handle):
        assign(handle, zeros([0, *dimensions[1:]], as_dtype(kind)))


def assign(handle: Any, value: Any) -> None:
    """Makes a tensor of any shape the value behind a handle."""
    from tensorflow.python.ops import gen_resource_variable_ops as operations

    with on_device(handle):
        operations.assign_variable_op(handle, value, validate_shape=False)


def is_empty(handle: Any) -> bool:
    """Whether what is behind a handle has been emptied."""
    from tensorflow.python.ops import gen_resource_variable_ops as operations

    with on_device(handle):
        shape = operations.variable_shape(handle).numpy()
    return 0 in shape and 0 not in _stored(handle)[0]


def can_be_empty(handle: Any) -> bool:
    """Whether a later use of the emptied value would be an error, and is worth it."""
    stored = _stored(handle)
    return stored is not None and math.prod(stored[0]) > 1


def _stored(handle: Any) -> Any:
    """Dimensions and type of what a handle was made for; None if not known."""
    known = getattr(handle, "_handle_data", None)
    if known is None or not known.is_set or len(known.shape_and_type) != 1:
        return None
    shape_and_type = known.shape_and_type[0]
    if shape_and_type.shape.unknown_rank:
        return None
    return [d.size for d in shape_and_type.shape.dim], shape_and_type.dtype


@contextlib.contextmanager
def on_device(handle: Any) -> Iterator[None]:
    """Runs operations eagerly, where the handle lives, outside of any tf.function."""
    from tensorflow import device, init_scope

    with init_scope(), device(handle.device):
        yield
