"""What a model owns, and what is held: the plan of an adapter and the walk over it.

A survey changes nothing. It may collect garbage, which often is all that holds a model.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

from keraser import _core
from keraser.adapters.base import Adapter, Plan


class Survey:
    """One look at the model in `box`; an empty box is the whole session.

    Attributes:
        plan: what the model consists of.
        owned: what would die with it, see `_core.Owned`.
    """

    def __init__(self, adapter: Adapter, plan: Plan, box: list[Any]) -> None:
        self.adapter = adapter
        self.plan = plan
        self.box = box
        self.owned = self._walk()

    def judge(self, collected: bool = False) -> None:
        """Finds what the model owns. When something of it seems held, garbage may be
        what holds it: that is collected, the youngest first, before judging again,
        unless it has just been `collected`."""
        remedies: tuple[Callable[[], Any], ...] = (
            lambda: self.adapter.add_python_functions(self.plan),
            lambda: self.adapter.add_cached_traces(self.plan, self.box),
        )
        if not collected:
            remedies += (lambda: gc.collect(1), gc.collect)
        for remedy in remedies:
            if not (self.is_held() or self.adapter.needed(self.plan, self.owned)):
                return
            self.owned.forget()  # it holds what it owns
            remedy()
            self.owned = self._walk()
        self.settle()

    def is_held(self) -> bool:
        """Whether something else refers to the model or to a part of it."""
        return self.model_is_held() or bool(self.kept())

    def model_is_held(self) -> bool:
        return self.owned.outside(self.box[0]) > 0

    def kept(self) -> list[int]:
        """Indices of the parts that would stay alive."""
        return [i for i, part in enumerate(self.plan.parts) if part not in self.owned]

    def settle(self) -> None:
        """Takes back the seeds that something alive needs, until none is left: a walk
        with them as seeds would take for dead what is going to stay."""
        while names := self.adapter.needed(self.plan, self.owned):
            self.adapter.take_back(self.plan, names)
            self.walk_again()

    def walk_again(self) -> None:
        self.owned.forget()
        self.owned = self._walk()

    def _walk(self) -> Any:
        plan = self.plan
        names = module_variables()
        return _core.Owned(plan.seeds, plan.groups, plan.containers(), self.box, names)

    def ours(self) -> list[Any]:
        """The lists of keraser's own through which it holds the model."""
        return [self.box, self.plan.seeds, *self.plan.groups, *self.plan.containers()]


def module_variables() -> list[dict]:
    """The module-level names of the functions now running on this thread."""
    found: dict[int, dict] = {}
    frame = sys._getframe()
    while frame is not None:
        found[id(frame.f_globals)] = frame.f_globals
        frame = frame.f_back
    return list(found.values())
