"""Whether a verb can do something with what it was given."""

from __future__ import annotations

from typing import Any

from keraser import _core
from keraser.adapters.base import Adapter, find_adapter
from keraser.errors import ClearedModelError, StillHeldError
from keraser.husk import ClearedModel, facts_of
from keraser.parked import ParkedPart, ticket_of


def check_model(model: Any, verb: str) -> Adapter:
    """The adapter for a model that has its values.

    Raises:
        TypeError: not a Keras model. ParkedModelError, ClearedModelError: it is parked,
            or was cleared. UnsupportedError: another backend.
    """
    if isinstance(model, ParkedPart):
        raise ticket_of(model).error(model)
    if isinstance(model, ClearedModel):
        raise ClearedModelError(facts_of(model).message(f"cannot be given to {verb}"))
    adapter = find_adapter()
    if adapter is None or not adapter.is_model(model):
        raise TypeError(f"{verb} takes a keras.Model, not {type(model).__name__}")
    return adapter


def refuse_while_running(adapter: Adapter, box: list[Any], verb: str) -> None:
    """Refuses a model one of whose methods is on some thread's stack.

    Raises:
        StillHeldError: which, and where.
    """
    running = adapter.running(_core.variables(box))
    if running:
        raise StillHeldError(
            f"model {box[0].name!r} is running {running}; {verb} it when that has "
            "returned (nothing was changed)",
            (running,),
        )
