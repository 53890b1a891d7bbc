"""Pickling by cloudpickle, with what it leaves to be wished for.

- Arrays of every type keep their bytes out of the stream, not only those whose type
  the buffer protocol knows.
- A class that went to another process and comes back is the one that went: cloudpickle
  finds it again, but then gives it the methods that came, whose globals are copies.
- Functions keep the name of their file, and those of a notebook their source:
  tracebacks show it, and TensorFlow reads it to make graphs of Python's `if`.
- What is defined in a module that no other process can import, because it was loaded
  by its path as pytest does it, goes by value like what is defined in `__main__`.
- Keras objects and tensors: `adapters/`.
- An error says which part of the thing does not pickle: `unpicklable.py`.
"""

from __future__ import annotations

import linecache
import math
import os
import pickle
import sys
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from keraser.adapters.base import find_shipper
from keraser.errors import KeraserError, UnsupportedError

#: Buffers of so many bytes stay out of the stream.
BIG = 64 << 10


class PayloadTooLarge(KeraserError):  # noqa: N818
    """More bytes than may travel.

    Attributes:
        size: how many there are at least.
        limit: how many there may be.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.size:,} bytes at least, and {self.limit:,} may be sent"


@dataclass
class Pickled:
    """A pickle in pieces: large bytes and texts are not copied into one.

    Attributes:
        chunks: the stream.
        size: its bytes.
        buffers: what belongs to it and is not in it.
        total: bytes of both.
        limit: what `total` may be.
        big: buffers of so many bytes stay out of the stream.
    """

    limit: int | None
    big: float = BIG
    chunks: list[memoryview] = field(default_factory=list)
    buffers: list[pickle.PickleBuffer] = field(default_factory=list)
    size: int = 0
    total: int = 0

    def write(self, chunk: Any) -> int:
        """What a pickler calls."""
        view = memoryview(chunk).cast("B")
        self.chunks.append(view)
        self.size += view.nbytes
        self._count(view.nbytes)
        return view.nbytes

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """What a pickler asks: whether the buffer is to be in the stream."""
        size = buffer.raw().nbytes
        if size < self.big:
            return True
        self.buffers.append(buffer)
        self._count(size)
        return False

    def _count(self, size: int) -> None:
        self.total += size
        if self.limit is not None and self.total > self.limit:
            raise PayloadTooLarge(self.total, self.limit)


def dump(
    thing: Any, limit: int | None = None, called: str = "result", big: float = BIG
) -> Pickled:
    """Pickles; see `payload.pack`."""
    shipper = find_shipper()
    try:
        pickled = _dump(thing, limit, shipper, big)
        if shipper is not None and shipper.is_out_of_order():
            pickled = _dump(thing, limit, shipper, big)
        return pickled
    except (MemoryError, KeraserError):
        raise
    except Exception as error:
        from keraser.unpicklable import describe

        where = describe(thing, called, error, attempt)
        raise pickle.PicklingError(where) from error


def dump_whole(thing: Any, limit: int | None = None) -> bytes:
    """As one stream with all that belongs to it.

    Raises:
        pickle.PicklingError, PayloadTooLarge: as above.
    """
    return b"".join(dump(thing, limit, "it", math.inf).chunks)


def _dump(thing: Any, limit: int | None, shipper: Any, big: float = BIG) -> Pickled:
    pickled = Pickled(limit, big)
    _pickler()(pickled, shipper).dump(thing)
    return pickled


def attempt(thing: Any) -> Exception | None:
    """Why something does not pickle, None if it does."""
    try:
        _dump(thing, None, find_shipper())
    except MemoryError:
        raise
    except Exception as error:
        return error
    return None


def prepare() -> None:
    """Loads what pickling takes, which a fork then has.

    Raises:
        UnsupportedError: cloudpickle is not installed.
    """
    _pickler()


@cache
def _pickler() -> Callable[[Pickled, Any], pickle.Pickler]:
    try:
        import cloudpickle
    except ImportError as error:
        raise UnsupportedError(
            "to send something to another process takes the package cloudpickle: "
            "pip install 'keraser[isolated]'"
        ) from error

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def __init__(self, into: Pickled, shipper: Any) -> None:
            super().__init__(into, protocol=5, buffer_callback=into.take)
            self._shipper = shipper

        def reducer_override(self, thing: Any) -> Any:
            kind = type(thing)
            if kind is types.FunctionType or issubclass(kind, type):
                if not _is_found_elsewhere(thing.__module__):
                    cloudpickle.register_pickle_by_value(sys.modules[thing.__module__])
                return _settled(thing, super().reducer_override(thing))
            if kind is types.CodeType:
                return _reduce_code(thing, self.dispatch_table[kind](thing))
            if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
                return _reduce_array(thing)
            if self._shipper is not None:
                return self._shipper.reduce(thing)
            return NotImplemented

    return Pickler


def _reduce_code(code: types.CodeType, reduced: Any) -> Any:
    """cloudpickle leaves the name of the file out."""
    make, arguments = reduced
    name = code.co_filename
    entry = linecache.cache.get(name, ()) if not os.path.exists(name) else ()
    lines = entry[2] if len(entry) == 4 else None
    return _make_code, (make, arguments, name, lines)


def _make_code(
    make: Callable[..., types.CodeType], arguments: Any, name: str, lines: Any
) -> types.CodeType:
    if lines is not None and name not in linecache.cache:
        size = sum(map(len, lines))
        linecache.cache[name] = (size, None, lines, name)  # None: it is no file
    return make(*arguments).replace(co_filename=name)


def _reduce_array(array: Any) -> Any:
    """Of the types that numpy itself would copy into the stream: times, bfloat16."""
    dtype = array.dtype
    if dtype.hasobject or array.nbytes < BIG:
        return NotImplemented
    if dtype.kind not in "mM" and dtype.isbuiltin != 2:
        return NotImplemented
    flags = array.flags
    if not (flags.c_contiguous or flags.f_contiguous):
        return NotImplemented
    flat = array.reshape(-1, order="A").view("u1")
    order = "C" if flags.c_contiguous else "F"
    return _make_array, (pickle.PickleBuffer(flat), dtype, array.shape, order)


def _make_array(buffer: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> Any:
    import numpy

    return numpy.frombuffer(buffer, "u1").view(dtype).reshape(shape, order=order)


#: Classes that were defined here and sent by value; those that came from elsewhere.
_sent: weakref.WeakSet[type] = weakref.WeakSet()
_received: weakref.WeakSet[type] = weakref.WeakSet()


def _settled(thing: Any, reduced: Any) -> Any:
    """The same, but a class that comes back here will be left as it is."""
    if not isinstance(thing, type) or type(reduced) is not tuple or len(reduced) < 6:
        return reduced
    if thing not in _received:
        _sent.add(thing)
    make, arguments, state, _, _, fill = reduced
    return make, arguments, (fill, state), None, None, _fill_class


def _fill_class(kind: type, state: tuple[Callable[[type, Any], Any], Any]) -> None:
    """What is called with a class that came, new or known."""
    fill, content = state
    if kind not in _sent:
        _received.add(kind)
        fill(kind, content)


@cache
def _is_found_elsewhere(name: str) -> bool:
    """Whether another process could import the module; True if it does not matter.

    Of a module without a file nothing is known, and cloudpickle knows `__main__`.
    """
    file = getattr(sys.modules.get(name), "__file__", None)
    if name == "__main__" or not str(file).endswith(".py"):
        return True
    parent = name.rpartition(".")[0]
    if parent and not _is_found_elsewhere(parent):
        return False
    path = getattr(sys.modules.get(parent), "__path__", None) if parent else None
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find(name, path) if find is not None else None
        if spec is not None:
            if spec.origin == "frozen":
                return True  # of the standard library; it has a file all the same
            return spec.origin is not None and os.path.realpath(
                spec.origin
            ) == os.path.realpath(str(file))
    return False
