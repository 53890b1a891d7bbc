"""What is left of a cleared model: a shell that says so whenever it is used."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NoReturn

from keraser.errors import ClearedModelError


@dataclass(frozen=True)
class Facts:
    """What a shell says of itself.

    Attributes:
        cleared_name: what it was: "model 'net'", "layer 'dense' of model 'net'".
        cleared_where, cleared_when: file and line of the call that did it, the date.
        cleared_else: what to do to keep it another time.
    """

    cleared_name: str
    cleared_where: str
    cleared_when: str
    cleared_else: str = (
        'clear it later, or with held="keep", which leaves alone what others hold'
    )

    def of(self, part: str) -> Facts:
        """The same, for a part of the model."""
        return replace(self, cleared_name=f"{part} of {self.cleared_name}")

    def message(self, what: str) -> str:
        return (
            f"{self.cleared_name} was cleared at {self.cleared_where} "
            f"({self.cleared_when}) and {what}; build it again, or {self.cleared_else}"
        )


#: What Python adds to a class by itself.
_LAYOUT = ("__dict__", "__weakref__")


class ClearedModel:
    """The object that used to be a model, or a part of one, and was cleared.

    Any use raises `ClearedModelError`. Variables that were bound to the model are bound
    to this afterwards. It is as small as an object can be and refers to text alone.
    """

    def __getattr__(self, name: str) -> NoReturn:
        raise ClearedModelError(facts_of(self).message(f"has no {name!r}"))

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise ClearedModelError(facts_of(self).message("cannot be called"))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ClearedModelError(facts_of(self).message("cannot be used"))

    __len__ = __iter__ = __getitem__ = __float__ = __int__ = __index__ = _refuse
    __array__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __matmul__ = __rmatmul__ = __neg__ = _refuse
    __reduce_ex__ = __copy__ = __deepcopy__ = _refuse

    __setattr__ = __delattr__ = _refuse

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{facts_of(self).message('is an empty shell')}>"


def facts_of(husk: ClearedModel) -> Facts:
    """What a shell says of itself; one in the making has its old attributes as well."""
    told = object.__getattribute__(husk, "__dict__")
    return Facts(**{name.name: told[name.name] for name in fields(Facts)})


def make_husk(thing: Any, facts: Facts) -> None:
    """Empties `thing` in place and turns it into a `ClearedModel`.

    What it referred to is let go. An object whose class has a layout of its own
    (`__slots__`, a base written in C) keeps its class and only loses its attributes.
    A thread that is in one of its methods finds either the whole or the shell.
    """
    left = asdict(facts)
    object.__getattribute__(thing, "__dict__").update(left)
    with contextlib.suppress(TypeError):
        object.__setattr__(thing, "__class__", ClearedModel)
    object.__setattr__(thing, "__dict__", left)


def make_named_husk(thing: Any, facts: Facts) -> None:
    """`make_husk`, and an object whose class has a layout of its own gets a class
    derived from that, for itself alone, whose every use says so too."""
    make_husk(thing, facts)
    kind = type(thing)
    if not issubclass(kind, ClearedModel):
        own = {k: v for k, v in vars(ClearedModel).items() if k not in _LAYOUT}
        derived = type(kind)("ClearedModel", (kind, ClearedModel), own)
        with contextlib.suppress(TypeError):
            object.__setattr__(thing, "__class__", derived)
