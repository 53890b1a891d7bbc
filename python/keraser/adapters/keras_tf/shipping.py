"""How objects of Keras and TensorFlow are pickled, where their own way does not do.

- Layers and models go as a crate (`crates.py`). What is part of a model that goes too
  stays part of it, whichever of the two comes first.
- Optimizers by themselves go with copies of the variables that they train.
- Metrics go by configuration and values.
- Callbacks go without the model that they watch: fit() gives them one.
- Losses, initializers, schedules and the like go by their attributes.
- Datasets are refused: they are a graph of this process.
"""

from __future__ import annotations

import copyreg
import pickle
import sys
from collections.abc import Callable
from typing import Any

from keraser.adapters.keras_tf import crates
from keraser.adapters.keras_tf.remaking import Recipe
from keraser.errors import UnsupportedError

Reducer = Callable[[Any], Any]


class _Sealed:
    """Pickled right after a layer, when the layer can be referred to."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer


class Shipper:
    """For one payload; see `base.Shipper`."""

    def __init__(self) -> None:
        self._reducers: dict[type, Reducer | None] = {}
        self._alone: set[int] = set()  # id() of what went by itself
        self._open: dict[int, set[int]] = {}  # of what is going now: its parts
        self._wholes: dict[int, tuple[Any, int | str]] = {}  # part -> where it is
        self._out_of_order = False

    def takes(self, thing: Any) -> bool:
        return self._find(thing) is not None

    def reduce(self, thing: Any) -> Any:
        reducer = self._find(thing)
        if reducer is None:
            return NotImplemented
        try:
            return reducer(thing)
        except UnsupportedError as error:
            raise pickle.PicklingError(str(error)) from error

    def is_out_of_order(self) -> bool:
        """Whether a part went before its whole: once again, now that it is known."""
        again, self._out_of_order = self._out_of_order, False
        self._alone.clear()
        self._open.clear()
        return again

    def _find(self, thing: Any) -> Reducer | None:
        kind = type(thing)
        if kind not in self._reducers:
            self._reducers[kind] = self._choose(thing)
        return self._reducers[kind]

    def _choose(self, thing: Any) -> Reducer | None:
        import tensorflow as tf

        if isinstance(thing, _Sealed):
            return self._seal
        if isinstance(thing, (tf.data.Dataset, tf.data.Iterator)):
            return _refuse_dataset
        if "keras" not in sys.modules:
            return None
        import keras
        from keras.src.saving.keras_saveable import KerasSaveable

        own: list[tuple[type, Reducer]] = [
            (keras.Layer, self._reduce_layer),
            (keras.Optimizer, self._reduce_optimizer),
            (keras.Metric, _reduce_metric),
            (keras.callbacks.Callback, _reduce_callback),
            (KerasSaveable, _reduce_plain),
        ]
        for kind, reducer in own:
            if isinstance(thing, kind):
                return reducer if _is_reduced_by_keras(type(thing)) else None
        return _reduce_tracked if _is_tracked(type(thing)) else None

    def _reduce_layer(self, layer: Any) -> Any:
        key = id(layer)
        if not any(key in parts for parts in self._open.values()):
            if key in self._wholes:
                return _part, self._wholes[key]
            self._alone.add(key)
        parts = layer._flatten_layers(include_self=False)
        self._open[key] = {id(part) for part in parts} - {key}
        try:
            crate = crates.fill(layer)
        except MemoryError:
            raise
        except Exception as error:  # whatever its author's code raises
            title = crates.title_of(layer)
            raise pickle.PicklingError(crates.advice(title, error)) from error
        return crates.make, (crate,), _Sealed(layer), None, None, _nothing

    def _seal(self, sealed: _Sealed) -> Any:
        """From here on, the parts of the layer are found in it."""
        layer = sealed.layer
        self._open.pop(id(layer), None)
        parts: list[tuple[Any, int | str]] = []
        parts += [(part, i) for i, part in enumerate(layer._flatten_layers())][1:]
        optimizer = getattr(layer, "optimizer", None)
        if optimizer is not None:
            parts.append((optimizer, "optimizer"))
        for part, place in parts:
            if id(part) in self._alone and id(part) not in self._wholes:
                self._out_of_order = True
            self._wholes.setdefault(id(part), (layer, place))
        return _nothing, ()

    def _reduce_optimizer(self, optimizer: Any) -> Any:
        if id(optimizer) in self._wholes:
            return _part, self._wholes[id(optimizer)]
        self._alone.add(id(optimizer))
        variables = list(optimizer._trainable_variables) if optimizer.built else []
        places = {id(variable): i for i, variable in enumerate(variables)}
        training = crates.training_of(optimizer, places)
        return _make_optimizer, (training, variables)


def _is_reduced_by_keras(kind: type) -> bool:
    """Not by whoever wrote the class, who knows better."""
    for name in ("__reduce__", "__reduce_ex__"):
        author = next(k for k in kind.__mro__ if name in vars(k))
        if author is not object and author.__module__.split(".")[0] not in (
            "keras",
            "tensorflow",
        ):
            return False
    return True


def _nothing(*_: Any) -> None:
    pass


def _part(whole: Any, place: int | str) -> Any:
    if isinstance(place, str):
        return getattr(whole, place)
    return list(whole._flatten_layers())[place]


def _make_optimizer(training: crates.Training, variables: list[Any]) -> Any:
    recipe = training.recipe
    if recipe is None:
        raise UnsupportedError("an optimizer without a recipe")
    made = recipe.make()
    crates.build_optimizer(made, variables, training)
    return made


def _reduce_metric(metric: Any) -> Any:
    return _make_metric, (crates.metric_recipe(metric), crates.read(metric.variables))


def _make_metric(recipe: Recipe, values: crates.Values) -> Any:
    metric = recipe.make()
    if len(metric.variables) == len(values.arrays):  # some are made when it is used
        crates.write(metric.variables, values)
    return metric


def _reduce_callback(callback: Any) -> Any:
    return _by_attributes(callback, {"_model": None})


def _reduce_plain(thing: Any) -> Any:
    return _by_attributes(thing, {})


def _by_attributes(thing: Any, instead: dict[str, Any]) -> Any:
    """As pickle does it with an object of no class in particular."""
    own = getattr(type(thing), "__getstate__", None)
    if own is not None and own is not getattr(object, "__getstate__", None):
        state = thing.__getstate__()
    else:
        state = dict(vars(thing))
    if isinstance(state, dict):
        state = {**state, **{k: v for k, v in instead.items() if k in state}}
    return copyreg.__newobj__, (type(thing),), state


def _is_tracked(kind: type) -> bool:
    return kind.__module__ == "keras.src.utils.tracking" and kind.__name__ in (
        "TrackedList",
        "TrackedDict",
        "TrackedSet",
    )


def _reduce_tracked(thing: Any) -> Any:
    """Lists and dicts of a layer, which know the layer: as plain ones."""
    plain = next(kind for kind in (list, dict, set) if isinstance(thing, kind))
    return plain, (plain(thing),)


def _refuse_dataset(thing: Any) -> Any:
    raise pickle.PicklingError(
        f"a {type(thing).__name__} of tf.data does not travel: pass a function that "
        "builds it, or its arrays"
    )
