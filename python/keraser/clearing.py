"""clear(): plan, judge, decide, cut, free, verify, in this order.

Nothing is changed before the decision; everything after it only lets go of references,
so that whatever happens on the way the collector frees garbage and nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from keraser import _core
from keraser.adapters.base import KINDS, Adapter, find_adapter
from keraser.collector import await_collector
from keraser.errors import StillHeldError, UnsupportedError
from keraser.husk import ClearedModel, Facts, facts_of, make_husk
from keraser.ledger import Ledger
from keraser.naming import Naming, is_given
from keraser.parked import ParkedModel, ticket_of
from keraser.receipt import Change, Kept, Receipt, Reset
from keraser.shells import Shells
from keraser.survey import Survey
from keraser.trimming import trim_pools

_MODES = ("hollow", "cut", "keep", "raise")
lock = threading.RLock()
_place: ContextVar[str] = ContextVar("place", default="")


def clear(model: Any = None, *, held: str = "hollow", trim: bool = True) -> Receipt:
    """Clears a model and everything it owns, or, without one, whatever is left behind.

    With a model: its weights, optimizer, metrics, functions and graphs are freed, the
    entries that TensorFlow's registries and caches keep of it dropped. Variables that
    are bound to the model, in the functions now running on this thread and in their
    modules, do not hold it: they are bound to an empty shell afterwards, whose use
    raises `ClearedModelError`. Anything else that refers to the model holds it.

    Without a model: everything that only TensorFlow and Keras still keep of models that
    are gone, and Keras' automatic names. Living models and settings stay.

    Args:
        model: a Keras model on the TensorFlow backend, or None.
        held: what to do when something else holds the model or a part of it.
            "hollow": its memory goes all the same. Who holds it, holds a shell, and
            each use of that, in another thread too, raises `ClearedModelError`. Layers
            and variables that another model uses, or to which something refers by
            themselves, stay whole; so does a model that is a layer of another one.
            "cut": what holds it is dropped first where that is safe (see
            `Holders.cut`); then as "keep". "keep": a model that is held is left as it
            is; of one that is not, what others hold of it stays with them. "raise": all
            or nothing.
        trim: give free memory of the native pools back to the system afterwards, as
            `keraser.trim` does.

    Returns:
        A `Receipt`, with figures from before and after.

    Raises:
        TypeError: not a Keras model.
        ValueError: unknown `held`.
        StillHeldError: `held="raise"` and something is held; or a method of the model
            is running, such as fit: on this thread, or on any unless `held="hollow"`.
            Nothing was changed.
        UnsupportedError: another backend.
        KeraserError: called while the garbage collector runs.

    Example:
        >>> for trial in range(30):                       # doctest: +SKIP
        ...     model = build(trial)
        ...     model.fit(x, y)
        ...     keraser.clear(model)
    """
    _check_mode(held)
    where = caller()
    if isinstance(model, ParkedModel):
        return clear_parked(model, held, where, trim)
    if isinstance(model, ClearedModel):
        return _nothing_left(model, held, where)
    adapter = find_adapter()
    if model is not None and (adapter is None or not adapter.is_model(model)):
        raise TypeError(
            f"clear() takes a keras.Model, not {type(model).__name__}; "
            "call clear() without arguments to clear what dead models left behind"
        )
    with lock:
        await_collector("clear()")
        if adapter is None:
            return empty_receipt("session", "no Keras", held, where)
        call = Call(adapter, held, where, trim)
        return call.clear_session() if model is None else call.clear_model([model])


def _check_mode(held: str) -> None:
    if held not in _MODES:
        raise ValueError(
            f'held must be "hollow", "cut", "keep" or "raise", not {held!r}'
        )


@contextlib.contextmanager
def called_from(place: str) -> Iterator[None]:
    """Says where calls of this thread come from, when no line of code says it."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def caller() -> str:
    """File and line of the nearest function outside keraser, or what `called_from`
    says."""
    place = _place.get()
    if place:
        return place
    frame = sys._getframe()
    while frame is not None:
        if not str(frame.f_globals.get("__name__")).startswith("keraser."):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


class Call:
    """One call of clear(): what it was given, and what it measured before.

    Attributes:
        how_to_keep: what a shell advises.
        collected: a full collection has just been made.
    """

    def __init__(self, adapter: Adapter, held: str, where: str, trim: bool) -> None:
        self.adapter = adapter
        self.held = held
        self.trim = trim
        self.where = where
        self.when = now()
        self.started = time.perf_counter()
        self.settings = adapter.settings()
        self.figures = self._figures()
        self.naming = Naming(adapter)
        self.shells: list[Kept] = []
        self.resets: list[Reset] = []
        self.in_flight = False
        self.how_to_keep = Facts.cleared_else
        self.collected = False

    def _figures(self) -> dict[str, int | None]:
        return {
            "runtime_functions": self.adapter.runtime_functions(),
            "rss": _core.process()["rss"],
            "heap": _heap_in_use(),
            "pool": self.adapter.pool_in_use(),
        }

    # ---- one model ------------------------------------------------------------

    def clear_model(self, box: list[Any]) -> Receipt:
        self._refuse_while_running(box)
        survey = self._survey(box)
        if self.held == "cut" and survey.is_held():
            survey.owned.forget()
            self._cut_holders(survey.plan, box)
            survey = self._survey(box)
        if self.held == "hollow" and survey.is_held():
            return self._hollow(survey)
        if survey.model_is_held():
            return self._leave(survey, [self.naming.name_model(survey)])
        kept = self.naming.name_parts(survey, survey.kept())
        if kept and self.held == "raise":
            raise _held_error(f"model {survey.plan.name!r}", kept)
        return self._cut_and_free(survey, kept)

    def _refuse_while_running(self, box: list[Any]) -> None:
        """A model that another thread is using may be hollowed, but not the one whose
        method has called."""
        rows = _core.variables(box)
        if self.held == "hollow":
            here = threading.get_ident()
            self.in_flight = self.adapter.running(rows) is not None
            rows = [row for row in rows if row[1][0] == here]
        running = self.adapter.running(rows)
        if running:
            raise StillHeldError(
                f"model {box[0].name!r} is running {running}; clear it when that has "
                "returned (nothing was changed)",
                (running,),
            )

    def _survey(self, box: list[Any]) -> Survey:
        survey = Survey(self.adapter, self.adapter.plan(box), box)
        survey.judge(self.collected)
        return survey

    def _leave(self, survey: Survey, kept: list[Kept]) -> Receipt:
        plan = survey.plan
        if self.held == "raise":
            raise _held_error(f"model {plan.name!r}", kept)
        limits = self.adapter.limits(plan)
        ledger = Ledger(self.adapter, plan, survey.owned)
        plan.drop()
        return self.receipt(plan.name, plan.kind, False, ledger, kept, [], limits)

    def _cut_and_free(
        self, survey: Survey, kept: list[Kept], shells: Shells | None = None
    ) -> Receipt:
        plan, owned, box = survey.plan, survey.owned, survey.box
        name = f"model {plan.name!r}"
        facts = Facts(name, self.where, self.when, self.how_to_keep)
        limits = self.adapter.limits(plan)
        self.adapter.add_states(plan, owned)
        ledger = Ledger(self.adapter, plan, owned)
        if shells is not None:
            self.adapter.empty(plan, facts.message)
        resets = self.adapter.sever(plan, owned, box)
        make_husk(box[0], facts)
        if shells is not None:
            shells.make_husks(plan, facts)
        plan.drop()
        ledger.release(owned)
        resets += self.adapter.drop_executables(limits) + self.adapter.flush_caches()
        return self.receipt(plan.name, plan.kind, True, ledger, kept, resets, limits)

    def _hollow(self, survey: Survey) -> Receipt:
        """Frees the memory of a model that others hold, but for what they share."""
        shells = Shells(survey, self.in_flight)
        if shells.parent:
            kept = self.naming.name_model(survey)
            holders = (f"{shells.parent}, of which it is a layer", *kept.holders)
            return self._leave(survey, [Kept(kept.what, kept.bytes, holders)])
        kept = self.naming.name_parts(survey, shells.staying())
        if survey.model_is_held():
            self.shells.append(self.naming.name_model(survey))
        self.shells += self.naming.name_parts(survey, shells.emptied())
        return self._cut_and_free(survey, kept, shells)

    def _cut_holders(self, plan: Any, box: list[Any]) -> None:
        """Drops what holds the model, but for the names that the caller gave away."""
        from keraser.cutting import cut

        name = f"{plan.kind} {plan.name!r}"
        plan.drop()
        done = cut(box, name, dry_run=False, spare=is_given).done
        if done:
            self.resets.append(Reset("holders", len(done), "cut: " + "; ".join(done)))

    # ---- all models -----------------------------------------------------------

    def clear_session(self) -> Receipt:
        gc.collect()
        kept = self.naming.name_living()
        if kept and self.held == "raise":
            raise _held_error("the session", kept)
        survey = Survey(self.adapter, self.adapter.plan_session(), [])
        survey.settle()
        plan, owned = survey.plan, survey.owned
        self.adapter.add_orphans(plan, owned)
        ledger = Ledger(self.adapter, plan, owned)
        resets = self.adapter.sever(plan, owned, None)
        plan.drop()
        ledger.release(owned)
        resets += self.adapter.flush_caches() + self.adapter.reset_session({})
        gc.collect()
        limits = self.adapter.living_functions()
        return self.receipt("session", "all models", True, ledger, kept, resets, limits)

    # ---- the receipt ------------------------------------------------------------

    def receipt(
        self,
        name: str,
        kind: str,
        cleared: bool,
        ledger: Ledger,
        kept: list[Kept],
        resets: list[Reset],
        limits: list[str],
    ) -> Receipt:
        settings = self.adapter.settings()
        trimmed = trim_pools() if self.trim and cleared else None
        figures = self._figures()
        changed = [k for k in settings if settings[k] != self.settings.get(k)]
        if changed:
            limits = [*limits, f"settings that a finalizer changed: {changed}"]
        before, after = ledger.before, ledger.after
        return Receipt(
            model=name,
            kind=kind,
            where=self.where,
            when=self.when,
            held=self.held,
            cleared=cleared,
            freed=ledger.freed,
            objects=Change(before.objects, after.objects),
            graphs=Change(before.graphs, after.graphs),
            handles=Change(before.handles, after.handles),
            functions=Change(before.functions, after.functions),
            **{k: Change(self.figures[k], figures[k]) for k in figures},
            kept=(*kept, *ledger.survivors),
            shells=tuple(self.shells),
            trimmed=trimmed,
            resets=(*self.resets, *resets),
            settings=settings,
            limits=(*limits, *self.naming.ways_out),
            seconds=time.perf_counter() - self.started,
        )


def _heap_in_use() -> int | None:
    try:
        return _core.heap()["in_use"]
    except UnsupportedError:  # a libc without mallinfo2
        return None


def _held_error(what: str, kept: list[Kept]) -> StillHeldError:
    lines = [f"{k.what} is held by {h}" for k in kept for h in k.holders or ("C code",)]
    return StillHeldError(
        f"{what} was not cleared, since something holds it (nothing was changed):\n  "
        + "\n  ".join(lines)
        + '\nLet go of it, or call clear(held="keep") to free what nobody holds.',
        tuple(holder for k in kept for holder in k.holders),
    )


def empty_receipt(model: str, kind: str, held: str, where: str) -> Receipt:
    rss, heap = _core.process()["rss"], _heap_in_use()
    nothing = Change(0, 0)
    return Receipt(
        model=model,
        kind=kind,
        where=where,
        when=now(),
        held=held,
        cleared=True,
        freed=dict.fromkeys(KINDS, 0),
        objects=nothing,
        graphs=nothing,
        handles=nothing,
        functions=nothing,
        runtime_functions=nothing,
        rss=Change(rss, rss),
        heap=Change(heap, heap),
        pool=Change(None, None),
    )


def clear_parked(model: ParkedModel, held: str, where: str, trim: bool) -> Receipt:
    """What is left of a parked model is its values, and the guards of its parts."""
    from keraser.parking import forget_parked  # which needs this module

    started, rss, heap = time.perf_counter(), _core.process()["rss"], _heap_in_use()
    name, kind = ticket_of(model).model, "ParkedModel"
    freed, note = forget_parked(model, where)
    trimmed = trim_pools() if trim else None
    receipt = empty_receipt(name, kind, held, where)
    return dataclasses.replace(
        receipt,
        freed={**receipt.freed, **freed},
        rss=Change(rss, receipt.rss.after),
        heap=Change(heap, receipt.heap.after),
        trimmed=trimmed,
        limits=(note,),
        seconds=time.perf_counter() - started,
    )


def _nothing_left(husk: ClearedModel, held: str, where: str) -> Receipt:
    """The receipt of a second clear: nothing happened, and why."""
    facts = facts_of(husk)
    note = f"cleared before, at {facts.cleared_where} ({facts.cleared_when})"
    receipt = empty_receipt(facts.cleared_name, "ClearedModel", held, where)
    return dataclasses.replace(receipt, limits=(note,))
