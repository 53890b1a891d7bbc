"""What is left of a cleared model: a shell that says so whenever it is used."""

from __future__ import annotations

import contextlib
from typing import Any, NoReturn

from keraser.errors import ClearedModelError


class ClearedModel:
    """The object that used to be a model. Any use raises `ClearedModelError`.

    Variables that were bound to the model are bound to this afterwards. It is as
    small as an object can be and refers to nothing but text.
    """

    def __getattr__(self, name: str) -> NoReturn:
        raise ClearedModelError(_message(self, f"has no {name!r}"))

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise ClearedModelError(_message(self, "cannot be called"))

    def __repr__(self) -> str:
        return f"<{_message(self, 'is an empty shell')}>"


def _message(husk: ClearedModel, what: str) -> str:
    facts = vars(husk)
    return (
        f"model {facts['cleared_name']!r} was cleared at {facts['cleared_where']} "
        f"({facts['cleared_when']}) and {what}; build it again, or clear it later"
    )


def make_husk(model: Any, name: str, where: str, when: str) -> None:
    """Empties `model` in place and turns it into a `ClearedModel`.

    What the model referred to is let go. A model whose class has a layout of its own
    (`__slots__`, a base written in C) keeps its class and only loses its attributes.
    """
    facts = {"cleared_name": name, "cleared_where": where, "cleared_when": when}
    attributes = object.__getattribute__(model, "__dict__")
    object.__setattr__(model, "__dict__", facts)
    attributes.clear()
    with contextlib.suppress(TypeError):
        object.__setattr__(model, "__class__", ClearedModel)
