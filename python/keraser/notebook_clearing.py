"""%clear: which models, what of the notebook lets go of them, and what came of it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keraser import _core
from keraser.adapters.base import Witness, find_adapter, find_hooks, find_shell
from keraser.husk import ClearedModel, Facts, facts_of
from keraser.magic_lines import Said, names_of, not_a_model, value_of
from keraser.parked import ParkedModel, ticket_of
from keraser.reaching import find_reached
from keraser.receipt import Receipt, format_bytes
from keraser.sweeping import Sweep

#: Holders that are told of all models together.
HOLDER_LIMIT = 8


@dataclass(frozen=True)
class Target:
    """A model to clear. Holds it weakly."""

    witness: Witness
    name: str
    kind: str
    variables: tuple[str, ...]

    def __str__(self) -> str:
        variables = f" (variable {', '.join(self.variables)})" if self.variables else ""
        return f"{self.kind} {self.name!r}{variables}"


class NotebookClear:
    """One `%clear`. Looks at once and changes nothing until `run`.

    Raises:
        LineError: a word is no name, or names nothing that is or keeps a model.
        UnsupportedError: another backend.
    """

    def __init__(self, shell: Any, chosen: set[str], words: list[str]) -> None:
        self.shell = shell
        self.chosen = chosen
        self.adapter = find_adapter()
        self.targets: list[Target] = []
        self.rows: list[tuple[str, str]] = []
        self._ids: set[int] = set()
        variables = shell.variables()
        for word in words:
            self._add_word(word, variables)
        if "--all" in chosen and self.adapter is not None:
            for model in self.adapter.models():
                self._add(model, variables)

    def _add_word(self, word: str, variables: dict[str, Any]) -> None:
        value = value_of(word, variables)
        if isinstance(value, ClearedModel):
            where = facts_of(value).cleared_where
            self.rows.append(("cleared before", f"{word}, at {where}"))
            return
        models = [value] if isinstance(value, ParkedModel) else self._models_in(value)
        if not models:
            raise not_a_model(word, value, variables)
        for model in models:
            self._add(model, variables)

    def _models_in(self, value: Any) -> list[Any]:
        adapter = self.adapter
        if adapter is None:
            return []
        found = find_reached(value, adapter.has_memory)
        return [one for one in found if adapter.is_model(one)]

    def _add(self, model: Any, variables: dict[str, Any]) -> None:
        if id(model) in self._ids:
            return
        self._ids.add(id(model))
        if isinstance(model, ParkedModel):
            name, kind = ticket_of(model).model, "ParkedModel"
        else:
            assert self.adapter is not None
            plan = self.adapter.plan([model])
            name, kind = plan.name, plan.kind
            self._ids.update(map(id, plan.parts))
            plan.drop()
        named = tuple(names_of(model, variables))
        self.targets.append(Target(Witness(model), name, kind, named))

    # ---- what else lets go ---------------------------------------------------------

    def _keeps(self, value: Any) -> bool:
        """Whether it keeps one of the models; without names: any, or a part or shell
        of one."""
        found = find_reached(value, self._is_part)
        return any(self._is_meant(one) for one in found)

    def _is_part(self, one: Any) -> bool:
        if issubclass(type(one), (ClearedModel, ParkedModel)):
            return True
        return self.adapter is not None and self.adapter.has_memory(one)

    def _is_meant(self, one: Any) -> bool:
        return not self._named or id(one) in self._ids

    @property
    def _named(self) -> bool:
        return bool(self.targets) and "--all" not in self.chosen

    def _results(self) -> list[Any]:
        if "--out" not in self.chosen:
            return []
        return [value for value in find_shell().results() if self._keeps(value)]

    def _hooks(self) -> list[tuple[str, Callable[[], None]]]:
        return find_hooks(self._keeps) if self.targets else []

    def _tell_results(self, values: list[Any]) -> None:
        for value in values:
            places = ", ".join(find_shell().places_of(value)) or "the display hook"
            self.rows.append(("result", f"{type(value).__name__} in {places}"))

    def _tell_error(self) -> list[str]:
        places: list[str] = []
        if "--errors" in self.chosen:
            places = find_shell().places_of_error()
            self.rows.append(("last error", ", ".join(places) or "none"))
        return places

    # ---- -n ------------------------------------------------------------------------

    def plan(self) -> Said:
        """What `run` would do."""
        self.rows += [("model", str(target)) for target in self.targets]
        self._tell_error()
        self._tell_results(self._results())
        self.rows += [("figure", text) for text, _ in self._hooks()]
        return Said("would let go of this; nothing was changed", tuple(self.rows))

    # ---- in earnest ----------------------------------------------------------------

    def run(self) -> Said:
        """Lets go of errors, results and hooks first, so that what only they kept dies
        by itself; then clears, then frees what was left behind."""
        started, rss = time.perf_counter(), _core.process()["rss"]
        hooks = self._hooks()
        if self._tell_error():
            find_shell().forget_error()
        self._forget_results()
        for text, disconnect in hooks:
            disconnect()
            self.rows.append(("figure", f"{text} disconnected"))
        receipts = self._clear()
        took = f"{(time.perf_counter() - started) * 1e3:.0f} ms"
        freed = sum(receipt.freed_bytes for receipt in receipts)
        self._tell_receipts(receipts)
        now = _core.process()["rss"]
        self.rows.append(("RSS", f"{format_bytes(rss)} -> {format_bytes(now)}"))
        count = f"{len(self.targets)} model{'s' if len(self.targets) != 1 else ''}"
        headline = f"{count} cleared: " if self.targets else ""
        headline += f"{format_bytes(freed)} freed in {took}"
        return Said(headline, tuple(self.rows))

    def _forget_results(self) -> None:
        values = self._results()
        self._tell_results(values)
        while values:
            find_shell().forget(values.pop())

    def _clear(self) -> list[Receipt]:
        adapter = self.adapter
        if adapter is None:
            gc.collect()
            return []
        all_of_it = "--all" in self.chosen
        names = {} if all_of_it else adapter.name_counters()
        sweep = Sweep(adapter, self.shell.where(), Facts.cleared_else)
        if self.targets:
            sweep.clear_models([target.witness for target in self.targets])
        else:
            gc.collect()
        sweep.clear_rest([], names, say=False, trim=True)
        return sweep.receipts

    def _tell_receipts(self, receipts: list[Receipt]) -> None:
        waiting = list(self.targets)
        held: list[tuple[str, str]] = []
        for receipt in receipts:
            target = next((t for t in waiting if t.name == receipt.model), None)
            if target is not None:
                waiting.remove(target)
                self.rows.append(("model" if receipt.cleared else "left", str(target)))
            what = (*(("shell", k) for k in receipt.shells),
                    *(("kept", k) for k in receipt.kept))  # fmt: skip
            for label, kept in what:
                holders = "; ".join(kept.holders) or "nobody that could be found"
                held.append((label, f"{kept.what}, held by {holders}"))
        gone = "gone with what held it"
        self.rows += [("model", f"{target}: {gone}") for target in waiting]
        self.rows += held[:HOLDER_LIMIT]
        if len(held) > HOLDER_LIMIT:
            self.rows.append(("", f"and {len(held) - HOLDER_LIMIT} more"))
        before = sum(r.handles.before or 0 for r in receipts)
        after = sum(r.handles.after or 0 for r in receipts)
        self.rows.append(("handles", f"{before} -> {after}"))
