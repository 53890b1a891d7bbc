"""Classes and functions of the user's own, known to Keras while something is made.

A configuration has them by name. Keras finds a name that was registered; without that
it refuses, or takes a function of its own that is called the same.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any


def customs_of(things: Iterable[Any]) -> dict[str, Any]:
    """What these layers, optimizers or metrics hold, by the names by which Keras looks
    for it in a scope of custom objects: its own, and that under which it is registered
    in this process. A name that stands for two things is left out."""
    from keras.saving import get_registered_name

    found: dict[str, Any] = {}
    double = set()
    for thing in things:
        for custom in _customs(thing):
            for name in (custom.__name__, get_registered_name(custom)):
                if found.setdefault(name, custom) is not custom:
                    double.add(name)
    return {name: custom for name, custom in found.items() if name not in double}


def _customs(thing: Any) -> Iterator[Any]:
    """Its class and those of what it holds, if they can be written down; functions."""
    for held in (thing, *_held(thing)):
        if _is_own(held):
            yield held
        elif hasattr(type(held), "from_config") and not is_of_keras(type(held)):
            yield type(held)


def _is_own(function: Any) -> bool:
    return isinstance(function, FunctionType) and not is_of_keras(function)


def _held(thing: Any) -> Iterator[Any]:
    """Values of its attributes; vars() would make a dict that stays with it."""
    for held in gc.get_referents(thing):
        if type(held) is dict:
            yield from held.values()
        else:
            yield held


def is_of_keras(kind: Any) -> bool:
    """Of a class or function."""
    return str(kind.__module__).split(".")[0] == "keras"


def with_functions(
    config: dict[str, Any], layer: Any, customs: dict[str, Any]
) -> dict[str, Any]:
    """The configuration with functions themselves in place of what is written of them,
    in that of layers within, too: a lambda has no name. `Lambda` takes only what is
    written: there it is a name, which `customs` gets."""
    layers: dict[str, Any] = {}
    for part in layer._flatten_layers(include_self=False):
        layers[part.name] = None if part.name in layers else part
    filled: dict[str, Any] = _with_functions(config, layer, layers, customs)
    return filled


def _with_functions(
    config: Any, owner: Any, layers: dict[str, Any], customs: dict[str, Any]
) -> Any:
    """`owner` has the values of the configuration as attributes."""
    if isinstance(config, list):
        return [_with_functions(one, None, layers, customs) for one in config]
    if type(config) is not dict:
        return config
    filled = {}
    for key, value in config.items():
        if _stands_for_function(value, owner, key):
            filled[key] = _function(owner, key, customs)
        else:
            named = value.get("name") if isinstance(value, dict) else None
            part = layers.get(named) if isinstance(named, str) else None
            filled[key] = _with_functions(value, part, layers, customs)
    return filled


def _function(owner: Any, key: str, customs: dict[str, Any]) -> Any:
    from keras.layers import Lambda

    function = getattr(owner, key)
    if not isinstance(owner, Lambda):
        return function
    name = f"{owner.name}.{key}"
    customs[name] = function
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def _stands_for_function(value: Any, owner: Any, key: str) -> bool:
    """A mere name does so in Keras' own layers; others may look it up themselves."""
    written = dict if not is_of_keras(type(owner)) else (dict, str)
    return isinstance(value, written) and _is_own(getattr(owner, key, None))
