"""The ledger of one clear: what was owned before, and what is still alive after.

Freed means seen to be gone: a tensor counts when the weak reference to its handle is
dead or its value has been emptied, a Python object when it is no longer among those
that the collector tracks.
"""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

from keraser import _core
from keraser.adapters.base import KINDS, Adapter, Counts, Plan, Witness
from keraser.husk import ClearedModel
from keraser.receipt import Kept

#: How many types of survivors are named.
TYPE_LIMIT = 5


class Ledger:
    """Figures of what `owned` owns; `release()` lets it go and brings them up to date.

    Attributes:
        before, after: counts of the model's objects.
        freed: bytes by kind; 0 until release().
        survivors: what should have died and did not.
    """

    def __init__(self, adapter: Adapter, plan: Plan, owned: Any) -> None:
        self._witnesses = adapter.witnesses(owned)
        self._staying = {id(t) for t in adapter.staying(plan, owned) if t in owned}
        self.before = self._count(owned.tracked - len(self._staying))
        self.after = self.before
        self.survivors: list[Kept] = []
        self.freed = dict.fromkeys(dict.fromkeys((*KINDS, *plan.part_kinds)), 0)
        by_label = dict(zip(KINDS, owned.bytes[1:], strict=False))
        functions = by_label["functions"]
        self._python_bytes = {
            "objects": sum(owned.bytes) - functions,
            "functions": functions,
        }
        emptied = {id(handle) for handle in plan.emptied}
        self._tensors = [
            (Witness(part), kind, size)
            for part, kind, size in zip(
                plan.parts, plan.part_kinds, plan.part_bytes, strict=True
            )
            if size and (part in owned or id(part) in emptied)
        ]
        self._adapter = adapter
        self._symbols = [Witness(tensor) for tensor in plan.symbols]

    def _count(self, objects: int) -> Counts:
        alive = {
            kind: sum(witness() is not None for witness in witnesses)
            for kind, witnesses in self._witnesses.items()
        }
        return Counts(objects, **alive)

    def release(self, owned: Any) -> None:
        """Lets go of all that `owned` owns, and looks whether it went."""
        left = self._release(owned)
        self.after = self._count(sum(left.values()))
        for tensor, kind, size in self._tensors:
            handle = tensor()
            if handle is None or self._adapter.is_empty(handle):
                self.freed[kind] += size
            del handle
        died = 1 - self.after.objects / max(self.before.objects, 1)
        for kind, size in self._python_bytes.items():
            self.freed[kind] += int(size * died)
        if left:
            types = ", ".join(f"{n} {name}" for name, n in left.most_common(TYPE_LIMIT))
            self.survivors.append(
                Kept(f"{sum(left.values())} objects ({types})", 0, ())
            )
        self._witnesses = {}
        self._tensors = []
        self._symbols = []

    def _release(self, owned: Any) -> Counter[str]:
        """Types of what is still alive. A full collection is the last resort."""
        _, alive = owned.release()
        suspects = {
            id(thing): type(thing).__name__
            for thing in alive
            if not issubclass(type(thing), ClearedModel)
            and id(thing) not in self._staying
        }
        del alive
        self._spare_symbols(suspects)
        if not suspects:
            return Counter()
        return Counter(suspects[at] for at in _core.survivors(list(suspects)))

    def _spare_symbols(self, suspects: dict[int, str]) -> None:
        """Symbolic tensors that somebody holds stay, with what they alone lead to."""
        pending = [t for witness in self._symbols if (t := witness()) is not None]
        while pending:
            thing = pending.pop()
            if suspects.pop(id(thing), None) is not None:
                pending += gc.get_referents(thing)
