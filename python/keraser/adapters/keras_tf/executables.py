"""What XLA has compiled (jit_compile=True), and how it is let go.

All executables of a device belong to one resource of TensorFlow, the device compiler,
which never forgets one: 0.5 MiB for a function of a few operations, more for a model.
Destroying it frees them, and whoever needs one compiles it again. But it does not wait
for functions that are running, which go on in code that is gone and crash. So it is
done only where none can be running: this is the only Python thread, nothing runs
without one that waits for it (asynchronous execution, iterators), and TensorFlow does
not compile functions of its own choice. To look where other threads are does not
suffice: with that, a process in which two of them made and called jitted functions all
the time aborted within a minute. A notebook has threads of its own, and so keeps its
executables.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from keraser import _core
from keraser.adapters.keras_tf.library import runtime_functions
from keraser.errors import UnsupportedError
from keraser.receipt import Reset

#: tensorflow::DeviceCompiler<xla::LocalExecutable, xla::LocalClient>, as C++ calls it.
_TYPE = "N10tensorflow14DeviceCompilerIN3xla15LocalExecutableENS1_11LocalClientEEE"
_NAME = "xla_device_compiler"
_DEVICE = "/job:localhost/replica:0/task:0/device:CPU:0"


def drop_executables() -> Reset | None:
    """Frees what XLA has compiled for the CPU, unless something might be running it.

    None where nothing was dropped: there is nothing, or `why_not` says why.
    """
    from tensorflow.python.framework import errors

    if why_not() is not None:
        return None
    try:
        _destroy(_handle())
    except (UnsupportedError, errors.NotFoundError):
        return None
    return Reset("XLA executables", None, "dropped; compiled again when used")


def why_not() -> str | None:
    """Why executables cannot be dropped now, None if they can."""
    from tensorflow.python.eager import context

    if len(sys._current_frames()) > 1:
        return "another Python thread is alive"
    eager = context.context_safe()
    if eager is None or eager._context_handle is None:
        return "TensorFlow has not run anything yet"
    if eager.is_async():
        return "TensorFlow executes asynchronously"
    if eager.optimizer_jit or "auto_jit" in os.environ.get("TF_XLA_FLAGS", ""):
        return "TensorFlow chooses by itself what XLA compiles"
    if _living_iterators():
        return "a tf.data iterator is alive, whose functions may be running"
    jitted = [name for name, body in runtime_functions() if _is_jitted(body)]
    if jitted:
        return f"{len(jitted)} functions that XLA compiles are alive"
    return None


def _living_iterators() -> bool:
    from tensorflow.python.data.ops.iterator_ops import OwnedIterator

    return bool(_core.instances((OwnedIterator,), 0))


def _is_jitted(body: Any) -> bool:
    return body.attr["_XlaMustCompile"].b if "_XlaMustCompile" in body.attr else False


def _handle() -> Any:
    """A tensor that names the resource, as TensorFlow would write it to a file."""
    from tensorflow.core.framework import tensor_pb2
    from tensorflow.python.framework import dtypes
    from tensorflow.python.ops import gen_parsing_ops

    proto = tensor_pb2.TensorProto(dtype=dtypes.resource.as_datatype_enum)
    handle = proto.resource_handle_val.add()
    handle.device, handle.container, handle.name = _DEVICE, "localhost", _NAME
    handle.hash_code = _core.tensorflow_hash(_TYPE)
    return gen_parsing_ops.parse_tensor(proto.SerializeToString(), dtypes.resource)


def _destroy(handle: Any) -> None:
    from tensorflow.python.ops import gen_resource_variable_ops

    gen_resource_variable_ops.destroy_resource_op(handle, ignore_lookup_error=False)
