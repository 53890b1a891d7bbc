"""clear(): plan, judge, decide, cut, free, verify, in this order.

Nothing is changed before the decision; everything after it only lets go of references,
so that whatever happens on the way the collector frees garbage and nothing else.
"""

from __future__ import annotations

import dataclasses
import gc
import sys
import threading
import time
from typing import Any

from keraser import _core
from keraser.adapters.base import KINDS, Adapter, Plan, find_adapter, find_vocabulary
from keraser.collector import await_collector
from keraser.errors import StillHeldError, UnsupportedError
from keraser.holders import PATH_LIMIT, holders_of
from keraser.husk import ClearedModel, make_husk
from keraser.ledger import Ledger
from keraser.names import Vocabulary, name_path
from keraser.receipt import Change, Kept, Receipt, Reset

#: A layer holds its weights, a model its layers: so deep is what is kept by name.
ROUNDS = 4

#: How many holders of one thing are named.
HOLDER_LIMIT = 8

_MODES = ("keep", "raise", "cut")
_LATER = {"hollow": "frees the memory of a model that others still hold"}
_lock = threading.RLock()


def clear(model: Any = None, *, held: str = "keep") -> Receipt:
    """Clears a model and everything it owns, or, without one, whatever is left behind.

    With a model: its weights, optimizer, metrics, functions and graphs are freed, the
    entries that TensorFlow's registries and caches keep of it dropped. Variables that
    are bound to the model, in the functions now running on this thread and in their
    modules, do not hold it: they are bound to an empty shell afterwards, whose use
    raises `ClearedModelError`. Anything else that refers to the model does.

    Without a model: everything that only TensorFlow and Keras still keep of models that
    are gone, and Keras' automatic names. Living models and settings stay.

    Args:
        model: a Keras model on the TensorFlow backend, or None.
        held: what to do when something else holds the model or a part of it.
            "keep": a model that is held is left as it is; of one that is not, what
            others hold of it stays with them. "raise": all or nothing. "cut": what
            holds it is dropped first where that is safe (see `Holders.cut`); then as
            "keep".

    Returns:
        A `Receipt`, with figures from before and after.

    Raises:
        TypeError: not a Keras model.
        ValueError: unknown `held`.
        StillHeldError: `held="raise"` and something is held; or a method of the model
            is running, such as fit. Nothing was changed.
        UnsupportedError: `held="hollow"`, or another backend.
        KeraserError: called while the garbage collector runs.

    Example:
        >>> for trial in range(30):                       # doctest: +SKIP
        ...     model = build(trial)
        ...     model.fit(x, y)
        ...     keraser.clear(model)
    """
    _check_mode(held)
    where = _caller()
    if isinstance(model, ClearedModel):
        return _nothing_left(model, held, where)
    adapter = find_adapter()
    if model is not None and (adapter is None or not adapter.is_model(model)):
        raise TypeError(
            f"clear() takes a keras.Model, not {type(model).__name__}; "
            "call clear() without arguments to clear what dead models left behind"
        )
    with _lock:
        await_collector("clear()")
        if adapter is None:
            return _empty_receipt("session", "no Keras", held, where)
        call = _Call(adapter, held, where)
        return call.clear_session() if model is None else call.clear_model([model])


def _check_mode(held: str) -> None:
    if held in _LATER:
        raise UnsupportedError(
            f'held="{held}" ({_LATER[held]}) is not in this version of keraser; '
            'use held="keep", "cut" or "raise"'
        )
    if held not in _MODES:
        raise ValueError(f'held must be "keep", "cut" or "raise", not {held!r}')


def _caller() -> str:
    """File and line of the nearest function outside keraser."""
    frame = sys._getframe()
    while frame is not None:
        if not str(frame.f_globals.get("__name__")).startswith("keraser."):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"


def _module_variables() -> list[dict]:
    """The module-level names of the functions now running on this thread."""
    found: dict[int, dict] = {}
    frame = sys._getframe()
    while frame is not None:
        found[id(frame.f_globals)] = frame.f_globals
        frame = frame.f_back
    return list(found.values())


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


class _Call:
    """One call of clear(): what it was given, and what it measured before."""

    def __init__(self, adapter: Adapter, held: str, where: str) -> None:
        self.adapter = adapter
        self.held = held
        self.where = where
        self.when = _now()
        self.started = time.perf_counter()
        self.settings = adapter.settings()
        self.figures = self._figures()
        self.ways_out: list[str] = []
        self.resets: list[Reset] = []

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
        plan, owned = self._judge(box)
        if self.held == "cut" and self._something_is_held(plan, owned, box):
            owned.forget()
            self._cut_holders(plan, box)
            plan, owned = self._judge(box)
        model_is_held = owned.outside(box[0]) > 0
        kept = self._name_kept(plan, owned, box if model_is_held else [])
        if kept and self.held == "raise":
            raise _held_error(f"model {plan.name!r}", kept)
        if model_is_held:
            return self._leave(plan, owned, kept)
        return self._cut_and_free(plan, owned, box, kept)

    def _refuse_while_running(self, box: list[Any]) -> None:
        running = self.adapter.running(_core.variables(box))
        if running:
            raise StillHeldError(
                f"model {box[0].name!r} is running {running}; clear it when that has "
                "returned (nothing was changed)",
                (running,),
            )

    def _judge(self, box: list[Any]) -> tuple[Plan, Any]:
        """Finds what the model owns. When something of it seems held, garbage may be
        what holds it: that is collected, the youngest first, before judging again."""
        plan = self.adapter.plan(box)
        owned = self._walk(plan, box)
        remedies = (
            lambda: self.adapter.add_python_functions(plan),
            lambda: self.adapter.add_cached_traces(plan, box),
            lambda: gc.collect(1),
            gc.collect,
        )
        for remedy in remedies:
            if not self._something_is_held(plan, owned, box):
                return plan, owned
            owned.forget()  # it holds what it owns
            remedy()
            owned = self._walk(plan, box)
        return plan, self._settle(plan, owned, box)

    def _something_is_held(self, plan: Plan, owned: Any, box: list[Any]) -> bool:
        return bool(
            owned.outside(box[0])
            or _kept_parts(plan, owned)
            or self.adapter.needed(plan, owned)
        )

    def _settle(self, plan: Plan, owned: Any, box: list[Any]) -> Any:
        """Takes back the seeds that something alive needs, until none is left: a walk
        with them as seeds would take for dead what is going to stay."""
        while names := self.adapter.needed(plan, owned):
            self.adapter.take_back(plan, names)
            owned.forget()
            owned = self._walk(plan, box)
        return owned

    def _walk(self, plan: Plan, box: list[Any]) -> Any:
        names = _module_variables()
        return _core.Owned(plan.seeds, plan.groups, plan.containers(), box, names)

    def _leave(self, plan: Plan, owned: Any, kept: list[Kept]) -> Receipt:
        name, kind = plan.name, plan.kind
        limits = self.adapter.limits(plan)
        ledger = Ledger(self.adapter, plan, owned)
        plan.drop()
        return self._receipt(name, kind, False, ledger, kept, [], limits)

    def _cut_and_free(
        self, plan: Plan, owned: Any, box: list[Any], kept: list[Kept]
    ) -> Receipt:
        name, kind = plan.name, plan.kind
        limits = self.adapter.limits(plan)
        self.adapter.add_states(plan, owned)
        ledger = Ledger(self.adapter, plan, owned)
        resets = self.adapter.sever(plan, owned, box)
        make_husk(box[0], name, self.where, self.when)
        plan.drop()
        ledger.release(owned)
        resets += self.adapter.flush_caches()
        return self._receipt(name, kind, True, ledger, kept, resets, limits)

    def _cut_holders(self, plan: Plan, box: list[Any]) -> None:
        """Drops what holds the model, but for the names that the caller gave away."""
        from keraser.cutting import cut

        name = f"{plan.kind} {plan.name!r}"
        plan.drop()
        done = cut(box, name, dry_run=False, spare=_is_given).done
        if done:
            self.resets.append(Reset("holders", len(done), "cut: " + "; ".join(done)))

    def _name_kept(self, plan: Plan, owned: Any, model: list[Any]) -> list[Kept]:
        """Names what will stay alive, and its holders, by one reading of the heap."""
        parts = _kept_parts(plan, owned)
        targets = [*model, *(plan.parts[i] for i in parts)]
        if not targets:
            return []
        ours = [targets, model, plan.seeds, *plan.groups, *plan.containers()]
        answer = _core.ask(ours, targets, owned, [], [], limit=PATH_LIMIT)
        vocabulary = find_vocabulary()
        rows = [paths for paths, _, _ in answer["held"]]
        if model:  # it stays whole: its parts need no reason of their own
            others = [path for path in rows[0] if not _is_given(path)]
            self._find_ways_out(others, vocabulary)
            return [Kept(f"model {plan.name!r}", 0, _names(others, vocabulary))]
        kept = []
        for index, paths in zip(parts, rows, strict=True):
            self._find_ways_out(paths[:1], vocabulary)
            size = plan.part_bytes[index]
            holders = _names(paths, vocabulary)[:1]
            kept.append(Kept(plan.part_names[index], size, holders))
        return self._name_inner(plan, owned, _merge(kept), ours)

    def _name_inner(
        self, plan: Plan, owned: Any, kept: list[Kept], ours: list[Any]
    ) -> list[Kept]:
        """Names the holders of what other parts alone hold: the weights of a layer that
        somebody holds. Those others barred the way; asked without them it is seen."""
        for _ in range(ROUNDS):
            nameless = [one.what for one in kept if not one.holders]
            targets = [plan.parts[plan.part_names.index(what)] for what in nameless]
            if not targets:
                break
            inner = [*ours, targets]
            answer = _core.ask(inner, targets, owned, [], [], limit=PATH_LIMIT)
            vocabulary = find_vocabulary()
            holders = {
                what: _names(paths, vocabulary)[:1]
                for what, (paths, _, _) in zip(nameless, answer["held"], strict=True)
            }
            named = [
                dataclasses.replace(k, holders=holders.get(k.what) or k.holders)
                for k in kept
            ]
            if named == kept:
                break
            kept = named
        return kept

    def _find_ways_out(self, paths: list[tuple], vocabulary: Vocabulary) -> None:
        """Remembers what the user can do about these holders."""
        for path in paths:
            way_out = self.adapter.way_out(name_path(path, vocabulary), path[1])
            if way_out is not None and way_out not in self.ways_out:
                self.ways_out.append(way_out)

    # ---- all models -----------------------------------------------------------

    def clear_session(self) -> Receipt:
        gc.collect()
        kept = self._living_models()
        if kept and self.held == "raise":
            raise _held_error("the session", kept)
        plan = self.adapter.plan_session()
        owned = self._settle(plan, self._walk(plan, []), [])
        self.adapter.add_orphans(plan, owned)
        ledger = Ledger(self.adapter, plan, owned)
        resets = self.adapter.sever(plan, owned, None)
        plan.drop()
        ledger.release(owned)
        resets += self.adapter.flush_caches() + self.adapter.reset_session()
        gc.collect()
        limits = self.adapter.living_functions()
        return self._receipt(
            "session", "all models", True, ledger, kept, resets, limits
        )

    def _living_models(self) -> list[Kept]:
        """The models that live on, their bytes and who holds each."""
        models = self.adapter.models()
        if not models:
            return []
        owned = _core.Owned(models, [], [], [], [])
        answer = _core.ask([models], models, owned, [], [], limit=PATH_LIMIT)
        vocabulary = find_vocabulary()
        kept = []
        for model, (paths, _, _) in zip(models, answer["held"], strict=True):
            self._find_ways_out(paths, vocabulary)
            size = sum(self.adapter.plan([model]).part_bytes)
            kept.append(Kept(f"model {model.name!r}", size, _names(paths, vocabulary)))
        return kept

    # ---- the receipt ------------------------------------------------------------

    def _receipt(
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
            resets=(*self.resets, *resets),
            settings=settings,
            limits=(*limits, *self.ways_out),
            seconds=time.perf_counter() - self.started,
        )


def _heap_in_use() -> int | None:
    try:
        return _core.heap()["in_use"]
    except UnsupportedError:  # a libc without mallinfo2
        return None


def _kept_parts(plan: Plan, owned: Any) -> list[int]:
    """Indices of the parts that would stay alive."""
    return [i for i, part in enumerate(plan.parts) if part not in owned]


def _merge(kept: list[Kept]) -> list[Kept]:
    """One entry for each name: a variable and its handle are one thing to a user."""
    merged: dict[str, Kept] = {}
    for one in kept:
        known = merged.get(one.what)
        if known is not None:
            holders = tuple(dict.fromkeys(known.holders + one.holders))
            one = Kept(one.what, known.bytes + one.bytes, holders)
        merged[one.what] = one
    return list(merged.values())


def _is_given(path: tuple) -> bool:
    """Whether a path is a mere name of the model in the code that called clear()."""
    root, steps = path
    if root[0] == "frame":
        return not steps and root[1] == threading.get_ident()
    names = [id(names) for names in _module_variables()]
    return len(steps) == 1 and steps[0][0] in names


def _names(paths: list[tuple], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Holders as text, each place once, the nearest first."""
    return tuple(
        str(holder) for holder in holders_of("", paths, vocabulary)[:HOLDER_LIMIT]
    )


def _held_error(what: str, kept: list[Kept]) -> StillHeldError:
    lines = [f"{k.what} is held by {h}" for k in kept for h in k.holders or ("C code",)]
    return StillHeldError(
        f"{what} was not cleared, since something holds it (nothing was changed):\n  "
        + "\n  ".join(lines)
        + '\nLet go of it, or call clear(held="keep") to free what nobody holds.',
        tuple(holder for k in kept for holder in k.holders),
    )


def _empty_receipt(model: str, kind: str, held: str, where: str) -> Receipt:
    rss, heap = _core.process()["rss"], _heap_in_use()
    nothing = Change(0, 0)
    return Receipt(
        model=model,
        kind=kind,
        where=where,
        when=_now(),
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


def _nothing_left(husk: ClearedModel, held: str, where: str) -> Receipt:
    """The receipt of a second clear: nothing happened, and why."""
    facts = vars(husk)
    note = f"cleared before, at {facts['cleared_where']} ({facts['cleared_when']})"
    receipt = _empty_receipt(facts["cleared_name"], "ClearedModel", held, where)
    return dataclasses.replace(receipt, limits=(note,))
