"""The end of a block: its models, its datasets and functions, and what those that died
by themselves left behind. `clear` does each of these for one model; here they are many,
and one collection serves all."""

from __future__ import annotations

import gc
from typing import Any

from keraser import _core
from keraser.adapters.base import Adapter, Witness, find_vocabulary
from keraser.clearing import Call, clear_parked, lock
from keraser.collector import await_collector
from keraser.holders import PATH_LIMIT, holders_of
from keraser.husk import Facts, make_named_husk
from keraser.ledger import Ledger
from keraser.naming import is_given
from keraser.parked import ParkedModel
from keraser.receipt import Kept, Receipt, Reset
from keraser.survey import Survey, module_variables


class Sweep:
    """Clears what a block has built.

    Attributes:
        receipts: one a model, then that of the sweep.
    """

    def __init__(self, adapter: Adapter, where: str, how_to_keep: str) -> None:
        self.adapter = adapter
        self.where = where
        self.how_to_keep = how_to_keep
        self.receipts: list[Receipt] = []

    def clear_models(self, models: list[Witness]) -> None:
        """Those first that no other has as a layer: what is in another is whole as long
        as that is, and most often gone with it; if not, it is asked again after it.

        One collection serves them all. The models live through it, garbage or not: a
        layer that they shared would remember theirs, and nothing could tell why.
        """
        await_collector("leaving a scope")
        outer = self._outermost(models)
        gc.collect()
        while outer:
            self._clear([outer.pop()])
        pending = models
        while pending := [witness for witness in pending if self._is_whole(witness())]:
            known = len(self.receipts)
            left = [self._clear([witness()]) for witness in pending]
            if len(self.receipts) == known:  # those that stay, with who holds them
                self.receipts += [receipt for receipt in left if receipt is not None]
                return

    def _outermost(self, models: list[Witness]) -> list[Any]:
        alive = [model for model in (w() for w in models) if self._is_whole(model)]
        whole = [model for model in alive if not isinstance(model, ParkedModel)]
        inner = self.adapter.inner_layers(whole)
        return [model for model in alive if id(model) not in inner]

    def _is_whole(self, model: Any) -> bool:
        """Not gone, no shell, and not one whose making failed."""
        if isinstance(model, ParkedModel):
            return True
        return self.adapter.is_model(model) and self.adapter.is_whole(model)

    def _clear(self, box: list[Any]) -> Receipt | None:
        """Its receipt if it was left as it is; others are noted."""
        if isinstance(box[0], ParkedModel):
            receipt = clear_parked(box[0], "hollow", self.where, trim=False)
        elif not self._is_whole(box[0]):
            return None  # gone with another
        else:
            with lock:
                await_collector("leaving a scope")
                receipt = self._call(trim=False).clear_model(box)
        if not receipt.cleared:
            return receipt
        self.receipts.append(receipt)
        return None

    def _call(self, trim: bool) -> Call:
        call = Call(self.adapter, "hollow", self.where, trim)
        call.how_to_keep = self.how_to_keep
        call.collected = True
        return call

    def clear_rest(
        self, values: list[Witness], names: dict[str, int], say: bool, trim: bool
    ) -> None:
        """Datasets and functions that only names of running functions hold; entries
        of TensorFlow's registries that nothing alive needs; then automatic names go
        back to where `names` has them. `say`: who holds the rest is named."""
        with lock:
            await_collector("leaving a scope")
            call = self._call(trim)
            self.receipts.append(self._sweep(call, values, names, say))

    def _sweep(
        self, call: Call, witnesses: list[Witness], names: dict[str, int], say: bool
    ) -> Receipt:
        values = [value for value in (w() for w in witnesses) if value is not None]
        values[:] = [value for value in values if isinstance(value, self._types())]
        survey = Survey(self.adapter, self.adapter.plan_session(), values)
        held = _take_back_held(survey)
        survey.settle()
        going = {id(seed) for seed in survey.plan.seeds}
        held[:] = [value for value in held if id(value) not in going]
        kept = self._name(held, survey) if say else []
        held.clear()
        plan, owned = survey.plan, survey.owned
        self.adapter.add_orphans(plan, owned)
        ledger = Ledger(self.adapter, plan, owned)
        resets = self.adapter.sever(plan, owned, None)
        resets += self._let_go(values, call)
        plan.drop()
        ledger.release(owned)
        resets += self.adapter.flush_caches() + self.adapter.reset_session(names)
        return call.receipt("session", "a block", True, ledger, kept, resets, [])

    def _types(self) -> tuple[type, ...]:
        return self.adapter.value_types()

    def _let_go(self, values: list[Any], call: Call) -> list[Reset]:
        """Turns them into shells."""
        resets = []
        for value in values:
            name = self.adapter.value_name(value)
            facts = Facts(name, self.where, call.when, self.how_to_keep)
            make_named_husk(value, facts)
            resets.append(Reset(name, 1, "let go at the end of its block"))
        value = None
        values.clear()
        return resets

    def _name(self, held: list[Any], survey: Survey) -> list[Kept]:
        """Who holds them, but for those that belong to a living model."""
        models = self.adapter.models() if held else []
        if models:
            own = _core.Owned(models, [], [models, held], models, module_variables())
            held[:] = [value for value in held if value not in own]
            own.forget()
        if not held:
            return []
        ours = [held, models, *survey.ours()]
        answer = _core.ask(ours, held, survey.owned, [], [], limit=PATH_LIMIT)
        vocabulary = find_vocabulary()
        kept = []
        for value, (paths, _, _) in zip(held, answer["held"], strict=True):
            others = [path for path in paths if not is_given(path)]
            holders = tuple(str(h) for h in holders_of("", others, vocabulary)[:1])
            if holders:
                kept.append(Kept(self.adapter.value_name(value), 0, holders))
        return list(dict.fromkeys(kept))


def _take_back_held(survey: Survey) -> list[Any]:
    """Makes seeds of the values in the survey's box, but for those that something else
    than a running function holds, which are taken out of the box. What they hold is
    held too: hence the rounds."""
    box, seeds = survey.box, survey.plan.seeds
    held: list[Any] = []
    while box:
        known = len(seeds)
        seeds += box
        survey.walk_again()
        found = {id(value) for value in box if survey.owned.outside(value) > 0}
        if not found:
            break
        del seeds[known:]
        held += [value for value in box if id(value) in found]
        box[:] = [value for value in box if id(value) not in found]
        if not box:
            survey.walk_again()
    return held
