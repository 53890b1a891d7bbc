"""Keras' own seed generator, without its variable until it is next asked for it.

`keras.random` draws from one generator of the process where it is given no seed. Its
place in the sequence is a variable, of TensorFlow's runtime as all are. When that one
ends the place is kept as an array, and the same generator makes its variable anew when
it draws again, in the runtime that there is then.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from keraser.adapters.base import Witness

_PLACE = "_keraser_place"  # the kept place, in the generator's own dict


@dataclass
class Aside:
    """A generator whose variable has been taken out."""

    generator: Any
    variable: Witness
    place: Any

    def put_back(self) -> None:
        """As it was: the same variable, if somebody has kept it alive."""
        variable = self.variable()
        if variable is None:
            _make_variable(self.generator, self.place)
        else:
            self.generator.state = variable

    def postpone(self) -> None:
        """From now on the generator makes its variable when it is asked for it."""
        vars(self.generator)[_PLACE] = self.place
        self.generator.__class__ = _postponed(type(self.generator))


def find_generator() -> Any:
    """Keras' own generator of this thread, if it has a variable now; else None."""
    if "keras" not in sys.modules:
        return None
    from keras import random
    from keras.src.backend.common import global_state

    state = vars(global_state.GLOBAL_STATE_TRACKER)
    generator = state.get("global_seed_generator")
    whole = type(generator) is random.SeedGenerator and "state" in vars(generator)
    return generator if whole else None


def put_aside(generator: Any) -> Aside:
    """Takes the variable out, and keeps its value."""
    variable = vars(generator).pop("state")
    return Aside(generator, Witness(variable), variable.numpy())


def _make_variable(generator: Any, place: Any) -> None:
    """As `SeedGenerator.__init__` makes it, but for the place in the sequence."""
    backend = generator.backend
    with backend.name_scope(generator.name, caller=generator):
        generator.state = backend.Variable(
            lambda *_, dtype=None, **__: backend.convert_to_tensor(place, dtype=dtype),
            shape=(2,),
            dtype=backend.random_seed_dtype(),
            trainable=False,
            aggregation="none",
            name="seed_generator_state",
        )


def _postponed(kind: type) -> type:
    """The class of a generator that waits."""

    def wake(self: Any, name: str) -> Any:
        if name != "state":  # of all that it has, only that is missing
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
        self.__class__ = kind
        try:
            _make_variable(self, vars(self)[_PLACE])
        except BaseException:
            self.__class__ = waiting
            raise
        del vars(self)[_PLACE]
        return self.state

    def reduce(self: Any, protocol: Any) -> Any:  # its class has no address
        _ = self.state
        return object.__reduce_ex__(self, protocol)

    methods = {"__getattr__": wake, "__reduce_ex__": reduce}
    waiting = type(kind.__name__, (kind,), {**methods, "__module__": kind.__module__})
    return waiting
