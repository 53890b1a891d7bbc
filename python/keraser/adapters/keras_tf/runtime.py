"""TensorFlow's eager runtime: what of it lives, and how it ends.

All of TensorFlow that has to do with devices hangs on one C++ object, the eager
context: devices, with what they keep in their pools, kernels, functions, threads.
Python's `Context` has its handle, and makes another when it has none. TensorFlow's own
`_reset_context` forgets the `Context` with the user's settings, and never ends the C++
object: its threads stay, and a scratch buffer on the GPU that pins the whole pool. Here
the `Context` stays, and the object is deleted.

A tensor that is used after that crashes. Each one, and each function and each open
`tf.device`, has a reference of its own to the `Context`: that those of TensorFlow are
the only ones is the proof that none is left, whoever holds them, C code included. It is
looked at while no other thread can run, in the moment in which the handle goes.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from keraser import _core
from keraser.adapters.keras_tf import caches, postponed
from keraser.adapters.keras_tf.tensors import handle_bytes, value_bytes, wholeness
from keraser.receipt import Reset

#: Versions that are known to survive it: tests/python/gpu/test_reset_runtime.py.
KNOWN = ("2.21",)

_NEEDED = (
    ("tensorflow.python.eager.context", "_context"),
    ("tensorflow.python.pywrap_tfe", "TFE_DeleteContext"),
    ("tensorflow.python.pywrap_tfe", "TFE_Py_SetCEagerContext"),
    ("tensorflow.python.pywrap_tfe", "TFE_ContextSyncExecutors"),
    ("tensorflow.python.eager.context", "_EagerDeviceContext"),
    ("tensorflow.python.eager.executor", "Executor"),
    ("tensorflow.python.client.session", "BaseSession"),
)
_NEEDED_OF_CONTEXT = (
    *("_context_handle", "_initialized", "_clear_caches", "_logical_devices"),
    *("ensure_uninitialized", "_server_def", "_collective_ops_server_def", "_seed"),
)

#: No other thread runs for so long, seconds, unless this one waits for something.
_FOREVER = 1e6


@dataclass
class Living:
    """What of a runtime is alive. Holds it; `drop()` lets go.

    Attributes:
        kinds: what each thing is, as a user would call it.
        things, bytes: the things, and the bytes of tensors and variables.
    """

    kinds: list[str] = field(default_factory=list)
    things: list[Any] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)

    def add(self, kind: str, thing: Any, size: int = 0) -> None:
        self.kinds.append(kind)
        self.things.append(thing)
        self.bytes.append(size)

    def drop(self) -> None:
        self.things.clear()


class Runtime:
    """The runtime of this process; see `base.Runtime`."""

    def why_unknown(self) -> str | None:
        import tensorflow as tf
        from tensorflow.python.eager import context

        version = tf.__version__
        if version.rpartition(".")[0] not in KNOWN:
            known = ", ".join(KNOWN)
            return f"TensorFlow {version} is not known to survive it; known: {known}"
        for module, name in _NEEDED:
            if not hasattr(sys.modules.get(module), name):
                return f"TensorFlow has no {module}.{name}"
        eager = context.context_safe()
        for name in _NEEDED_OF_CONTEXT if self.is_up() else ():
            if not hasattr(eager, name):
                return f"TensorFlow's Context has no {name}"
        if self.is_up() and not _tensors_are_counted():
            return "TensorFlow's tensors do not refer to its Context as they should"
        return None

    def why_not_now(self) -> str | None:
        from tensorflow.python.eager import context

        running = _running()
        if running is not None:
            return running
        if caches.is_tracing():
            return "this thread builds a graph, or eager execution is off"
        if not self.is_up():
            return None
        eager = context.context_safe()
        if eager.is_async():
            return "TensorFlow executes asynchronously"
        if eager._server_def or eager._collective_ops_server_def:
            return "TensorFlow is connected to other processes"
        dtensor = sys.modules.get("tensorflow.dtensor.python.api")
        if getattr(dtensor, "_dtensor_singleton", None) is not None:
            return "DTensor is in use, which keeps a device in the runtime"
        kinds = {d.device_type for d in eager._logical_devices} - {"CPU", "GPU"}
        return f"a {min(kinds)} is in use" if kinds else None

    def is_up(self) -> bool:
        return caches.eager_context() is not None

    def flush(self) -> list[Reset]:
        return caches.flush()

    def living(self, renewable: bool = False) -> Living:
        from tensorflow.python.client.session import BaseSession
        from tensorflow.python.eager import context, executor
        from tensorflow.python.eager.polymorphic_function.atomic_function import (
            AtomicFunction,
        )
        from tensorflow.python.framework.func_graph import FuncGraph

        found = Living()
        if self.is_up():
            _add_tensors(found, set() if renewable else _own_tensors())
            for kind, types in (
                ("function", (AtomicFunction,)),
                ("graph of a function", (FuncGraph,)),
                ("open tf.device()", (context._EagerDeviceContext,)),
                ("executor", (executor.Executor,)),
                ("session", (BaseSession,)),
            ):
                for thing in _core.instances(types):
                    found.add(kind, thing)
        return found

    def end(self) -> list[Reset] | str:
        if not self.is_up():
            return []
        from tensorflow.python import pywrap_tfe
        from tensorflow.python.eager import context

        functions = caches.count_runtime_functions()
        pywrap_tfe.TFE_ContextSyncExecutors(context._context._context_handle)
        generator = postponed.find_generator()
        aside = None if generator is None else postponed.put_aside(generator)
        handle = None
        try:
            gc.collect()
            context._context._clear_caches()
            with _alone():
                reason = _running() or _references()
                if reason is None:
                    handle = context._context._context_handle
                    context._context.ensure_uninitialized()
        finally:
            if handle is None and aside is not None:
                aside.put_back()
        if reason is not None:
            return reason
        pywrap_tfe.TFE_DeleteContext(handle)
        return _renewed(functions, aside)

    def settings(self) -> dict[str, str]:
        from google.protobuf import text_format
        from tensorflow.python.eager import context
        from tensorflow.python.framework import config

        eager = context.context()
        found = {
            "ConfigProto": text_format.MessageToString(eager.config, as_one_line=True),
            "random seed": str(eager._seed),
            "op determinism": str(config.is_op_determinism_enabled()),
            "TensorFloat-32": str(config.tensor_float_32_execution_enabled()),
        }
        if "keras" in sys.modules:
            from keraser.adapters.keras_tf import session

            found |= session.settings()
        return found


def _renewed(functions: int, aside: postponed.Aside | None) -> list[Reset]:
    done = [
        Reset(
            "TensorFlow's eager context",
            None,
            "ended, with its devices, kernels, XLA's executables and threads; "
            "made again by the next operation",
        ),
        Reset("functions of single operations", functions, "made again when used"),
    ]
    if aside is not None:
        aside.postpone()
        note = "keeps its place, and makes its variable when it draws again"
        done.append(Reset("Keras' global seed generator", 1, note))
    return done


# ---- what is alive ---------------------------------------------------------------


def _own_tensors() -> set[int]:
    """id() of tensors that Keras keeps and a reset renews."""
    from keraser.adapters.keras_tf.model import handles_of

    generator = postponed.find_generator()
    return set() if generator is None else {id(h) for h in handles_of(generator.state)}


def _add_tensors(found: Living, own: set[int]) -> None:
    from tensorflow.python.framework import dtypes
    from tensorflow.python.framework.ops import EagerTensor

    is_whole = wholeness()
    for tensor in _core.instances((EagerTensor,)):
        if id(tensor) in own:
            continue
        if not is_whole(tensor):
            found.add("unfinished tensor", tensor)
        elif tensor.dtype != dtypes.resource:
            found.add("tensor", tensor, value_bytes(tensor))
        else:
            size = handle_bytes(tensor)
            found.add("variable" if size else "resource", tensor, size)


def _holders_of_context() -> int:
    """References to the `Context` beside that of the module it belongs to."""
    from tensorflow.python.eager import context

    alone = [object()]  # held once, as the context is
    return sys.getrefcount(context._context) - sys.getrefcount(alone[0])


def _tensors_are_counted() -> bool:
    """Whether a tensor is one reference more, as the proof takes for granted."""
    from tensorflow import constant

    before = _holders_of_context()
    tensors = [constant([float(n)]) for n in range(3)]
    during = _holders_of_context()
    tensors.clear()
    return during - before == 3 and _holders_of_context() == before


def _references() -> str | None:
    count = _holders_of_context()
    if count == 0:
        return None
    return f"tensors, functions or scopes refer to it, in all {count}"


# ---- other threads ---------------------------------------------------------------


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No other Python thread runs meanwhile, and no finalizer: for a few statements
    that wait for nothing."""
    interval, collects = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(_FOREVER)
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        sys.setswitchinterval(interval)


def _running() -> str | None:
    """Who is in TensorFlow's or Keras' code right now, this thread included."""
    from keraser.adapters.keras_tf.model import library_folders, thread_name

    packages = library_folders()
    frames = sys._current_frames()
    found = {ident: _function_in(top, packages) for ident, top in frames.items()}
    frames.clear()  # this very frame is one of them
    for ident, function in found.items():
        if function is not None:
            return f"{function}() runs in {thread_name(ident)}"
    return None


def _function_in(frame: FrameType | None, packages: tuple[str, ...]) -> str | None:
    """The outermost function of these packages on a stack."""
    outermost = None
    while frame is not None:
        if frame.f_code.co_filename.startswith(packages):
            outermost = frame.f_code.co_name
        frame = frame.f_back
    return outermost
