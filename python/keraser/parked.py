"""The classes that a parked model and its parts have meanwhile: any use is an error.

The objects stay as they are, attributes and all; their class alone is another, which
answers every question with the same error. So nothing has to be put back but the class,
and another thread that is in a method of the model meets the error at its next step.
"""

from __future__ import annotations

from typing import Any, NoReturn

from keraser.errors import ParkedModelError

#: The attribute by which a parked thing knows its `Ticket`.
KEY = "_keraser_ticket"


class Ticket:
    """Where a model was parked, and what leads back. All its parts refer to one.

    Attributes:
        model: name of the model.
        where, when: file and line of the call, local date and time.
        place: where the values are, in words.
        names: id() of a part -> what it is called.
        cleared: when the model was cleared after all, in words; "" before.
        shared: what the model has in common with others, and will use again.
        record: what is needed to bring the model back; None when it was cleared.
    """

    def __init__(self, model: str, where: str, when: str, place: str) -> None:
        self.model = model
        self.where = where
        self.when = when
        self.place = place
        self.names: dict[int, str] = {}
        self.cleared = ""
        self.shared: list[Any] = []
        self.record: Any = None

    def error(self, thing: Any = None) -> ParkedModelError:
        """What a use of `thing` raises; of the model itself, if None."""
        return ParkedModelError(self.message(thing))

    def message(self, thing: Any = None) -> str:
        model = f"model {self.model!r}"
        name = self.names.get(id(thing), model)
        what = model if name == model else f"{name} belongs to {model}, which"
        parked = f"{what} was parked at {self.where} ({self.when})"
        if self.cleared:
            return f"{parked} and cleared {self.cleared}; build it again"
        return (
            f"{parked}, its values are in {self.place}; "
            "keraser.unpark(model) brings it back"
        )


class ParkedPart:
    """A layer, variable, metric or optimizer of a parked model. Any use raises
    `ParkedModelError`; `keraser.unpark` makes it again what it was."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":  # isinstance() asks
            return object.__getattribute__(self, name)
        raise ticket_of(self).error(self)

    def __repr__(self) -> str:
        return f"<{ticket_of(self).message(self)}>"

    def __dir__(self) -> list[str]:
        return []


class ParkedModel(ParkedPart):
    """A model that `keraser.park` has parked, until `keraser.unpark(model)`."""

    def __bool__(self) -> bool:  # `if model:` asks whether there is one
        return True


def ticket_of(thing: ParkedPart) -> Ticket:
    """The ticket of a parked thing."""
    ticket: Ticket = object.__getattribute__(thing, KEY)
    return ticket


def _refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
    raise ticket_of(self).error(self)


#: Python looks these up in the class, without asking __getattribute__. Comparison for
#: equality and hash stay: a parked thing can be looked for in a list.
_SPECIAL = (
    "setattr delattr call len bool iter next contains getitem setitem delitem enter",
    "exit int float complex index round abs neg pos invert lt le gt ge array tf_tensor",
    "add sub mul matmul truediv floordiv mod divmod pow and or xor lshift rshift",
    "radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rand ror rxor",
    "reduce reduce_ex copy deepcopy getstate format",
)
for _line in _SPECIAL:
    for _name in _line.split():
        setattr(ParkedPart, f"__{_name}__", _refuse)


def can_park(kind: type) -> bool:
    """Whether an object of this class can get the class of a parked one and back."""
    try:
        probe: Any = object.__new__(kind)
        object.__setattr__(probe, KEY, None)
        object.__setattr__(probe, "__class__", ParkedModel)
    except (TypeError, AttributeError):
        return False
    return True
