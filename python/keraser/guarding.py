"""guard(): TensorFlow's gradient registry, kept from leaking in advance."""

from __future__ import annotations

from typing import Any

from keraser.adapters.base import find_adapter
from keraser.errors import KeraserError


class Guard:
    """The guard of this process; `undo()` takes it off again.

    Attributes:
        active: whether the guard is on.
    """

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    @property
    def active(self) -> bool:
        return self._adapter.guard_is_on()

    def undo(self) -> None:
        """Puts TensorFlow's own registry back, with the entries that are alive, and the
        flag as it was."""
        self._adapter.guard_off()

    def __repr__(self) -> str:
        state = "on" if self.active else "off"
        return f"<keraser guard on TensorFlow's gradient registry: {state}>"


def guard() -> Guard:
    """Makes TensorFlow's gradient registry hold its entries weakly.

    From then on an entry lives as long as the graph that needs it, so that plain
    `del model` and a garbage collection free what `fit` left in the registry. Entries
    registered before are handed to their graphs too. When entries have died, the next
    registration empties TensorFlow's kernel cache. TensorFlow's flag
    `publish_function_graphs` is off meanwhile: it would keep a publisher for each
    function, for good. Calling it again changes nothing.

    Returns:
        A `Guard`, whose `undo()` restores TensorFlow's registry.

    Raises:
        KeraserError: Keras is not imported yet.
        UnsupportedError: another backend, or a TensorFlow whose registry is unknown.

    Example:
        >>> import keras, keraser          # doctest: +SKIP
        >>> keraser.guard()                # doctest: +SKIP
    """
    adapter = find_adapter()
    if adapter is None:
        raise KeraserError("import keras first: there is nothing to guard yet")
    adapter.guard_on()
    return Guard(adapter)
