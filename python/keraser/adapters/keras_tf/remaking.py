"""Layers and models made a second time from what is known of their making."""

from __future__ import annotations

import inspect
import random
from dataclasses import dataclass
from typing import Any

from keraser.adapters.keras_tf.customs import customs_of, is_of_keras, with_functions
from keraser.adapters.keras_tf.model import attribute
from keraser.adapters.keras_tf.sharing import with_wrapped


def can_be_made(layer: Any) -> bool:
    """Whether `make` knows enough; what the class makes of it may fail all the same."""
    return _has_own_config(type(layer)) or _arguments(layer) is not None


@dataclass
class Recipe:
    """How something is made a second time, here or in another process.

    Attributes:
        kind: its class.
        config: what `from_config` gets; None: it is made from `arguments`.
        arguments: what `__init__` was given, None if that is not known.
        customs: what Keras has to know by name meanwhile.
    """

    kind: type
    config: dict[str, Any] | None
    arguments: dict[str, Any] | None
    customs: dict[str, Any]

    def make(self) -> Any:
        """Raises whatever the class raises."""
        from keras.saving import custom_object_scope

        if self.config is None:
            return self.kind(**(self.arguments or {}))
        before = random.getstate()
        try:
            with custom_object_scope(self.customs):
                return self.kind.from_config(self.config)  # type: ignore[attr-defined]
        except Exception:
            if self.arguments is None:
                raise
            random.setstate(before)
            return self.kind(**self.arguments)


def recipe(layer: Any) -> Recipe:
    """From its configuration; or, if its class has no get_config() of its own, or its
    `__init__` does not take what that returns, from the arguments that it was given.

    Raises:
        TypeError: neither is known. Whatever the class raises.
    """
    from keras.layers import Bidirectional

    kind, arguments = type(layer), _arguments(layer)
    if not _has_own_config(kind):
        if arguments is None:
            raise TypeError("its class takes arguments and has no get_config()")
        return Recipe(kind, None, arguments, {})
    customs = customs_of(layer._flatten_layers())
    try:
        config = with_functions(_unbuilt(layer.get_config()), layer, customs)
        if isinstance(layer, Bidirectional):
            config = _without_twin(config)
    except Exception:
        if arguments is None:
            raise
        return Recipe(kind, None, arguments, {})
    return Recipe(kind, config, arguments, customs)


def make(layer: Any) -> Any:
    """A second one; raises as above."""
    return recipe(layer).make()


def optimizer_recipe(optimizer: Any) -> Recipe:
    """How one like it is made, unbuilt."""
    customs = customs_of(with_wrapped(optimizer))
    return Recipe(type(optimizer), optimizer.get_config(), None, customs)


def make_optimizer(optimizer: Any) -> Any:
    """From its configuration, unbuilt.

    Raises:
        Whatever its class raises.
    """
    return optimizer_recipe(optimizer).make()


def _arguments(layer: Any) -> dict[str, Any] | None:
    """What `__init__` was given, if that was plain numbers and texts: Keras keeps it of
    layers. Of models it keeps the defaults, whatever was given; only a class that takes
    nothing is known then."""
    from keras import Model

    if isinstance(layer, Model):
        known = inspect.signature(type(layer).__init__).parameters.values()
        taken = [p for p in known if p.kind is not inspect.Parameter.VAR_KEYWORD]
        return {} if len(taken) == 1 else None  # self
    seen = attribute(layer, "_auto_config")
    return None if seen is None else seen.config


def _has_own_config(kind: type) -> bool:
    """Whether get_config() is by whoever wrote the class, be that Keras itself."""
    author = next(k for k in kind.__mro__ if "get_config" in vars(k))
    return is_of_keras(kind) or not is_of_keras(author)


def _unbuilt(config: Any) -> Any:
    """Without the shapes by which layers in a configuration would be built as soon as
    they are made, and draw too early."""
    if type(config) in (list, tuple):
        return type(config)(map(_unbuilt, config))
    if type(config) is not dict:
        return config
    left = "build_config" if "class_name" in config else None
    return {key: _unbuilt(value) for key, value in config.items() if key != left}


def _without_twin(config: dict[str, Any]) -> dict[str, Any]:
    """Bidirectional writes down its second layer, which it had made from the first."""
    made = dict(config["backward_layer"]["config"], go_backwards=False, name="")
    first = dict(config["layer"]["config"], go_backwards=False, name="")
    if made != first:
        return config
    return {key: value for key, value in config.items() if key != "backward_layer"}
