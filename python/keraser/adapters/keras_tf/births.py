"""Who is born: models, and what else keeps memory once it has a name.

While somebody watches, the constructors of Keras and TensorFlow that are listed here
are wrapped. The last watcher to leave puts them back as they were. Where somebody else
has wrapped them meanwhile, ours stays inside theirs and hands everything on.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

Watcher = Callable[[Any], None]

_lock = threading.Lock()
_of_models: list[Watcher] = []
_of_values: list[Watcher] = []
#: (class, name of the constructor, what it was, what is there now)
_wrapped: list[tuple[type, str, Any, Any]] = []


def watch_models(watcher: Watcher) -> Callable[[], None]:
    """Calls `watcher(model)` when a model has been allocated, before its `__init__`, on
    the thread that makes it. Returns what ends it; calling that again does nothing."""
    return _watch(_of_models, watcher)


def watch_values(watcher: Watcher) -> Callable[[], None]:
    """The same for datasets, their iterators, tf.functions and concrete functions."""
    return _watch(_of_values, watcher)


def is_part() -> bool:
    """Asked by a watcher: is this the model that a Sequential makes for itself?"""
    from keras.src.models import sequential

    frame: Any = sys._getframe()
    while frame and frame.f_code.co_name != "__new__":
        frame = frame.f_back
    while frame and frame.f_code.co_name in ("__new__", "allocate"):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename == sequential.__file__


def _watch(watchers: list[Watcher], watcher: Watcher) -> Callable[[], None]:
    with _lock:
        _wrap()
        watchers.append(watcher)
    return functools.partial(_leave, watchers, watcher)


def _leave(watchers: list[Watcher], watcher: Watcher) -> None:
    with _lock:
        if watcher in watchers:
            watchers.remove(watcher)
        if not _of_models and not _of_values:
            _unwrap()


def value_types() -> tuple[type, ...]:
    """What `watch_values` tells of."""
    from tensorflow.python.data.ops.dataset_ops import DatasetV2
    from tensorflow.python.data.ops.iterator_ops import OwnedIterator
    from tensorflow.python.eager.polymorphic_function import (
        concrete_function,
        polymorphic_function,
    )

    return (
        DatasetV2,
        OwnedIterator,
        polymorphic_function.Function,
        concrete_function.ConcreteFunction,
    )


def value_name(value: Any) -> str:
    """How a receipt calls one of `value_types`."""
    _, iterator, function, concrete = value_types()
    if isinstance(value, (function, concrete)):
        name = getattr(value, "name", None) or value.__name__
        return f"function {name.decode() if isinstance(name, bytes) else name!r}"
    kind = "iterator" if isinstance(value, iterator) else "dataset"
    return f"{kind} {type(value).__name__.strip('_')}"


def _wrap() -> None:
    import keras

    _replace(keras.Model, "__new__", _tell_of_model)
    for kind in value_types():
        _replace(kind, "__init__", _tell_of_value)


def _replace(kind: type, name: str, make: Callable[[Any], Any]) -> None:
    if any(entry[:2] == (kind, name) for entry in _wrapped):
        return
    there = vars(kind).get(name)
    ours = make(getattr(kind, name))
    setattr(kind, name, ours)
    _wrapped.append((kind, name, there, vars(kind)[name]))


def _tell_of_model(make: Any) -> Any:
    @functools.wraps(make)
    def allocate(cls: type, *args: Any, **kwargs: Any) -> Any:
        model = make(cls, *args, **kwargs)
        if type(model) is cls:  # not a Model that has turned into a Functional inside
            for watcher in tuple(_of_models):
                watcher(model)
        return model

    return allocate


def _tell_of_value(make: Any) -> Any:
    @functools.wraps(make)
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        for watcher in tuple(_of_values):
            watcher(self)

    return initialise


def _unwrap() -> None:
    """Takes off what is still on top; what is not stays, and hands everything on."""
    for entry in list(_wrapped):
        kind, name, there, ours = entry
        if vars(kind).get(name) is not ours:
            continue
        if there is None:
            delattr(kind, name)
        else:
            setattr(kind, name, there)
        _wrapped.remove(entry)
