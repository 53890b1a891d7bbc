"""park() and unpark(): the memory of a model given away for a while, and taken back.

The order is: plan, check, guard, read, keep, empty. From the first guard on, whatever
fails is taken back in the opposite order; nothing is emptied before its value is kept.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

from keraser import _core, storage
from keraser.adapters.base import Adapter, Barred, Belongings, Value
from keraser.clearing import caller, lock, now
from keraser.collector import await_collector
from keraser.errors import (
    KeraserError,
    StillHeldError,
    UnsupportedError,
)
from keraser.husk import Facts, make_husk
from keraser.parked import KEY, ParkedModel, ParkedPart, Ticket, can_park, ticket_of
from keraser.receipt import Change, Kept, Parked
from keraser.survey import Survey
from keraser.usable import check_model, refuse_while_running

#: What a parked model gives back, in the order of a receipt.
_KINDS = ("weights", "optimizer", "metrics")


def park(
    model: Any, to: str | os.PathLike[str] | None = None, *, overwrite: bool = False
) -> Parked:
    """Frees the memory of a model's weights, optimizer slots and metrics for a while.

    Everything else stays, traced functions included, so that after
    `keraser.unpark(model)` training goes on where it was, bit for bit, without a
    retrace. Meanwhile any use of the model, of its layers, variables, metrics and
    optimizer, and of functions that captured them, raises `ParkedModelError`. A call
    that another thread has under way ends with it, or with TensorFlow's own
    InvalidArgumentError about a value of size 0; never with a number.

    What the model shares with another living model is left as it is and named in the
    receipt. Values of one element are kept with the rest, but not freed.

    Args:
        model: a Keras model on the TensorFlow backend. No step of it may be running.
        to: where its values go. None: host memory, which makes room on a GPU; a model
            on the CPU frees nothing by that. Otherwise the path of a file, which stays
            until you delete it: `.safetensors` (`pip install "keraser[safetensors]"`)
            or `.npz`. In it values are called by the paths of their variables; `.npz`
            has bfloat16 as its bits, uint16, and says so in `__dtypes__`. While it is
            written, the values are in memory up to four times.
        overwrite: whether the file may exist; it is replaced when the new one is whole.

    Returns:
        A `Parked`: how many bytes, where they are, what was kept.

    Raises:
        TypeError: not a Keras model.
        ValueError: `to` has another suffix.
        ParkedModelError: it is parked already. ClearedModelError: it was cleared.
        StillHeldError: a method of it is running, or it is a layer of another model.
        UnsupportedError: another backend; a value that is text; a class with a memory
            layout of its own; safetensors is not installed.
        KeraserError: the file has the values of another parked model.
        OSError: the file exists or cannot be written.
        Whichever it is, the model is as it was.

    Example:
        >>> keraser.park(model, to="later.npz")                   # doctest: +SKIP
        >>> other.fit(x, y)                                       # doctest: +SKIP
        >>> keraser.unpark(model).fit(x, y)                       # doctest: +SKIP
    """
    started, where = time.perf_counter(), caller()
    with lock:
        adapter = check_model(model, "park()")
        path = storage.check_target(to, overwrite)
        await_collector("park()")
        box = [model]
        rss = _core.process()["rss"]
        refuse_while_running(adapter, box, "park")
        name, kind = model.name, type(model).__name__
        belongings = _look(adapter, box)
        _refuse(belongings, name)
        place = "host memory" if path is None else repr(path)
        ticket = Ticket(name, where, now(), place)
        record = _Record(adapter, belongings, ticket)
        record.park(path, overwrite)
        return Parked(
            model=name,
            kind=kind,
            where=where,
            when=ticket.when,
            to=path,
            bytes=_freed(belongings.values),
            variables=len(belongings.values),
            functions=len(record.barred),
            kept=tuple(Kept(what, size, (by,)) for what, by, size in belongings.kept),
            rss=Change(rss, _core.process()["rss"]),
            seconds=time.perf_counter() - started,
        )


def unpark(model: Any, *, file: str | os.PathLike[str] | None = None) -> Any:
    """Brings a parked model back: the same object, its values bit for bit.

    A file with its values is read as a whole and compared with what was parked before
    anything is changed. It stays where it is.

    Args:
        model: a parked model, or a part of one, such as a layer.
        file: where the file is now, if it was moved.

    Returns:
        The model.

    Raises:
        TypeError: not a Keras model. KeraserError: a model that is not parked.
        ClearedModelError: it was cleared meanwhile.
        KeraserError: the file is missing or damaged. The model stays parked, and this
            can be called again.
        ValueError: `file` of a model in host memory.

    Example:
        >>> model = keraser.unpark(model)                         # doctest: +SKIP
    """
    with lock:
        if not isinstance(model, ParkedPart):
            check_model(model, "unpark()")
            raise KeraserError(
                f"model {model.name!r} is not parked; keraser.park(model) parks it"
            )
        ticket = ticket_of(model)
        if ticket.record is None:
            raise ticket.error(model)
        await_collector("unpark()")
        return ticket.record.unpark(file)


def forget_parked(model: Any, where: str) -> tuple[dict[str, int], str]:
    """Clears a parked model: its values are dropped, and it is an empty `ClearedModel`.

    Parts that somebody holds go on refusing, and say that it was cleared.

    Returns:
        Bytes that were freed, by kind; what to say of the rest.
    """
    with lock:
        ticket, when = ticket_of(model), now()
        freed = {} if ticket.record is None else ticket.record.drop()
        ticket.cleared = f"at {where} ({when})"
        make_husk(model, Facts(f"model {ticket.model!r}", where, when))
        stays = "" if freed else f"; its values stay there, in {ticket.place}"
        return freed, f"parked at {ticket.where} ({ticket.when}){stays}"


def _look(adapter: Adapter, box: list[Any]) -> Belongings:
    """What seems shared may be so with garbage: that is collected, and looked again."""
    found = _belongings(adapter, box)
    if found.kept or found.parent:
        import gc

        gc.collect()
        found = _belongings(adapter, box)
    return found


def _belongings(adapter: Adapter, box: list[Any]) -> Belongings:
    survey = Survey(adapter, adapter.plan(box), box)
    found = adapter.belongings(box, survey.owned)
    survey.owned.forget()
    survey.plan.drop()
    return found


def _refuse(belongings: Belongings, name: str) -> None:
    if belongings.parent:
        raise StillHeldError(
            f"model {name!r} is a layer of {belongings.parent}; park that "
            "(nothing was changed)",
            (belongings.parent,),
        )
    if belongings.strange:
        raise UnsupportedError(
            f"{belongings.strange[0]} of model {name!r} is text, which cannot be "
            "parked (nothing was changed)"
        )
    kinds = {type(p) for p in belongings.parts if id(p) not in belongings.inner}
    for kind in kinds:
        if not can_park(kind):
            raise UnsupportedError(
                f"class {kind.__qualname__!r} of model {name!r} has a memory layout of "
                "its own (__slots__, or a base written in C) and cannot be parked "
                "(nothing was changed)"
            )


def _freed(values: list[Value]) -> dict[str, int]:
    freed = dict.fromkeys(_KINDS, 0)
    for value in values:
        if value.can_be_empty:
            freed[value.kind] += value.size
    return freed


class _Record:
    """What parking changed, and how it is taken back.

    Every step can be taken back twice: whatever was interrupted, the class of the model
    is the last to be as before, and until then `unpark` can be called again.
    """

    def __init__(
        self, adapter: Adapter, belongings: Belongings, ticket: Ticket
    ) -> None:
        self.adapter = adapter
        self.values = belongings.values
        self.ticket = ticket
        inner = {k for k in map(type, belongings.parts) if not can_park(k)}
        self.parts = [(p, type(p)) for p in belongings.parts if type(p) not in inner]
        self.barred: Barred = []
        self.store: storage.Store | None = None
        ticket.record = self
        ticket.shared = belongings.shared
        ticket.names = {
            id(part): name
            for part, name in zip(belongings.parts, belongings.part_names, strict=True)
        }
        ticket.names[id(belongings.parts[0])] = f"model {ticket.model!r}"

    def park(self, path: str | None, overwrite: bool) -> None:
        arrays: list[Any] = []
        emptied: list[tuple[Value, Any]] = []
        existed = path is not None and os.path.lexists(path)
        try:
            self._guard()
            arrays += [self.adapter.read_value(value.handle) for value in self.values]
            names = [value.name for value in self.values]
            self.store = storage.keep(names, arrays, path, overwrite)
            for value, array in zip(self.values, arrays, strict=True):
                if value.can_be_empty:
                    emptied.append((value, array))
                    self.adapter.empty_value(value.handle)
        except BaseException:
            for value, array in emptied:
                self.adapter.write_value(value.handle, array)
            self._lift()
            if self.store is not None and path is not None and not existed:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            self._forget()
            raise

    def unpark(self, file: str | os.PathLike[str] | None) -> Any:
        assert self.store is not None
        arrays = self.store.load(file)
        written: list[Value] = []
        try:
            for value, array in zip(self.values, arrays, strict=True):
                written.append(value)
                self.adapter.write_value(value.handle, array)
        except BaseException:
            for value in written:
                if value.can_be_empty:
                    self.adapter.empty_value(value.handle)
            raise
        model = self.parts[0][0]
        self._lift()
        self._forget()
        return model

    def drop(self) -> dict[str, int]:
        """Lets go of everything but the notice that parts and functions give.

        Returns:
            Bytes of host memory that this freed, by kind; nothing if a file has them.
        """
        freed: dict[str, int] = {}
        if isinstance(self.store, storage.HostStore):
            freed = dict.fromkeys(_KINDS, 0)
            for value in self.values:
                freed[value.kind] += value.size
        self._forget()
        return freed

    def _guard(self) -> None:
        """The model first, so that nobody begins with it what would end within it."""
        for part, kind in self.parts:
            object.__setattr__(part, KEY, self.ticket)
            guard = ParkedPart if part is not self.parts[0][0] else ParkedModel
            assert type(part) is kind
            object.__setattr__(part, "__class__", guard)
        handles = [value.handle for value in self.values]
        self.barred = self.adapter.bar_functions(handles, self._refuse_call())

    def _refuse_call(self) -> Callable[[str], NoReturn]:
        ticket = self.ticket

        def refuse(_function: str) -> NoReturn:
            raise ticket.error()

        return refuse

    def _lift(self) -> None:
        self.adapter.admit_functions(self.barred)
        for part, kind in reversed(self.parts):
            object.__setattr__(part, "__class__", kind)
            with contextlib.suppress(AttributeError):
                object.__delattr__(part, KEY)

    def _forget(self) -> None:
        if self.store is not None:
            self.store.discard()
        self.values, self.parts, self.barred = [], [], []
        self.ticket.shared = []
        self.store = self.ticket.record = None
