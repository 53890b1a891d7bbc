"""Living functions that captured a handle, and would go on without asking anybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from keraser import _core
from keraser.adapters.base import Barred, Witness
from keraser.adapters.keras_tf.model import attribute
from keraser.adapters.keras_tf.tensors import captured


def bar_functions(handles: list[Any], refuse: Callable[[str], NoReturn]) -> Barred:
    """Lets every function that captured one of these handles call `refuse` first, with
    its name: TensorFlow calls what is callable among the captures, at each call.

    A function that captured from several models is barred once for each of them.
    """
    from tensorflow.python.eager.polymorphic_function.concrete_function import (
        ConcreteFunction,
    )

    ids = {id(handle) for handle in handles}
    barred: Barred = []
    for function in _core.instances((ConcreteFunction,)):
        inputs = attribute(function, "_captured_inputs")
        if inputs and any(id(one) in ids for one in captured(function.graph)):
            bar = _bar(refuse, f"tf.function {function.graph.name!r}")
            barred.append((Witness(function), bar))
            function._captured_inputs = [bar, *inputs]
    return barred


def admit_functions(barred: Barred) -> None:
    """Takes `bar_functions` back, whatever else bars them."""
    for witness, bar in barred:
        function = witness()
        if function is not None:
            function._captured_inputs = [
                one for one in function._captured_inputs if one is not bar
            ]


def _bar(refuse: Callable[[str], NoReturn], name: str) -> Callable[[], NoReturn]:
    return lambda: refuse(name)
