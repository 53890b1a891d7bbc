"""rebuild(): a new model in place of an old one, for when the objects must be new."""

from __future__ import annotations

from typing import Any

from keraser.clearing import clear, lock
from keraser.resetting import check_seed, draw_seed
from keraser.usable import check_model, refuse_while_running


def rebuild(model: Any, seed: int | None = None) -> Any:
    """A new model from an old one's configuration and compile arguments; the old one
    is cleared.

    Layers, variables, optimizer and metrics are new objects, and functions are traced
    anew: `keraser.reset` gives fresh weights without all that. Losses and plain
    functions given to compile() are used again; the learning rate is the present one.

    Args:
        model: a Keras model on the TensorFlow backend; no step may be running.
        seed: of its weights, 0 to 2**32 - 1; the same seed gives the same. None: one
            from the system's entropy. Your own random states do not change.

    Returns:
        The new model: `model = keraser.rebuild(model)`.

    Raises:
        TypeError, ValueError: not a Keras model; a bad seed.
        StillHeldError: a method of the model is running.
        UnsupportedError: another backend; it cannot be made from its get_config(), has
            a compile() of its own, or a layer that would lose what it adapted to.
        ClearedModelError, ParkedModelError: there is no model now.
        Whichever it is, the model is as it was.

    Example:
        >>> model = keraser.rebuild(model)                        # doctest: +SKIP
    """
    seed = draw_seed() if seed is None else check_seed(seed)
    with lock:
        adapter = check_model(model, "rebuild()")
        refuse_while_running(adapter, [model], "rebuild")
        new = adapter.second_model(model, seed)
        clear(model)
        return new
