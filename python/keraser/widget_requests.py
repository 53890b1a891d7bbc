"""What the buttons of `keraser.widget` do, for a model that comes as numbers and text.

A model is called by its id(), its name and its class, and looked for when the button is
pressed: all three must fit, so that an id() that something else has by now is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from keraser import _core
from keraser.clearing import called_from, clear
from keraser.errors import KeraserError
from keraser.glance import REST
from keraser.holders import find_adapter_or_none, why
from keraser.parked import ParkedModel, ticket_of
from keraser.parking import park, unpark
from keraser.usable import refuse_while_running

#: Characters of a name that are shown.
NAME_LIMIT = 120


def plain(text: object, limit: int = 0) -> str:
    """Text that every front end can take: without lone surrogates, and cut."""
    told = str(text).encode("utf-8", "backslashreplace").decode()
    return f"{told[: limit - 1]}…" if limit and len(told) > limit else told


def address_of(name: object, kind: object, id_: int) -> dict[str, str]:
    """What a row calls its model. id() as text: numbers of JavaScript are inexact."""
    called = plain(name, NAME_LIMIT), plain(kind, NAME_LIMIT)
    return {"id": str(id_), "name": called[0], "class": called[1]}


class Parked:
    """The rows of parked models. To look for them reads the collector's lists, so that
    waits as `glance` does: it takes 1 % of the time at most."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self.forget()

    def look(self) -> list[dict[str, Any]]:
        began = time.monotonic()
        if began >= self._next:
            self._rows = [_parked_row(model) for model in _parked_models()]
            now = time.monotonic()
            self._next = now + REST * (now - began)
        return self._rows

    def forget(self) -> None:
        """The next look looks for them, whenever that is."""
        self._next = float("-inf")


def _parked_models() -> list[Any]:
    found: list[Any] = _core.instances((ParkedModel,))
    return found


def _parked_row(model: Any) -> dict[str, Any]:
    """The row of a parked model, with the bytes of the values that were parked."""
    ticket = ticket_of(model)
    sizes = dict.fromkeys(("weights", "optimizer", "metrics"), 0)
    for value in () if ticket.record is None else ticket.record.values:
        sizes[value.kind] += value.size
    address = address_of(ticket.model, "ParkedModel", id(model))
    return {**address, **sizes, "parked": True, "running": False}


def answer(verb: str, address: dict[str, str], place: str) -> dict[str, Any]:
    """Does what a button says. What it refuses is said, and nothing was changed."""
    said: dict[str, Any] = {"kind": "answer", "do": verb, **address, "good": True}
    try:
        said |= VERBS[verb](_find(address), place)
    except (KeraserError, ValueError, TypeError, OSError) as error:
        said |= {"good": False, "headline": plain(error)}
    return said


def _find(address: dict[str, str]) -> list[Any]:
    """The model, in a box.

    Raises:
        KeraserError: nothing alive has this id(), name and class together.
    """
    adapter = find_adapter_or_none()
    for model in [] if adapter is None else adapter.models():
        if address_of(model.name, type(model).__name__, id(model)) == address:
            return [model]
    for model in _parked_models():
        if _parked_row(model).items() >= address.items():
            return [model]
    raise KeraserError(
        f"{address['class']} {address['name']!r} is not there any more (nothing was "
        "changed)"
    )


def _clear(box: list[Any], place: str) -> dict[str, Any]:
    adapter = find_adapter_or_none()
    if not isinstance(box[0], ParkedModel):
        refuse_while_running(adapter, box, "clear")
    with called_from(place):
        return _block(clear(box.pop()))


def _park(box: list[Any], place: str) -> dict[str, Any]:
    with called_from(place):
        return _block(park(box.pop()))


def _unpark(box: list[Any], _: str) -> dict[str, Any]:
    name = ticket_of(box[0]).model if isinstance(box[0], ParkedModel) else ""
    unpark(box.pop())
    return {"headline": plain(f"model {name!r} is back")}


def _why(box: list[Any], _: str) -> dict[str, Any]:
    found = why(box.pop(), fork=True)
    count = len(found)
    places = "nothing" if not count else f"{count} place{'s' if count > 1 else ''}"
    return {
        "headline": plain(f"{found.thing} is held from {places}"),
        "holders": [
            {
                "text": plain(f"{h.what}: {h}" if h.what else h),
                "fix": plain(h.fix),
            }
            for h in found
        ],
    }


def _block(receipt: Any) -> dict[str, Any]:
    headline, _, text = plain(repr(receipt)).partition("\n")
    return {"headline": headline, "text": text}


#: What a button says, and what does it.
VERBS: dict[Any, Callable[[list[Any], str], dict[str, Any]]] = {
    "clear": _clear,
    "park": _park,
    "unpark": _unpark,
    "why": _why,
}
