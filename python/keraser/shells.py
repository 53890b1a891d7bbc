"""Which parts of a held model become empty shells, and which stay for others.

Whoever holds the model, a symbolic tensor, a list of variables, a function that
captured them, the optimizer, or holds a layer only in passing, keeps a shell. Whoever
tracks a layer or a variable (another model), or refers to a layer by itself, keeps it
whole.
"""

from __future__ import annotations

from typing import Any

from keraser.adapters.base import Plan, find_vocabulary
from keraser.husk import Facts, make_husk
from keraser.naming import ask_paths, is_passing, is_running
from keraser.survey import Survey

#: A layer within a layer is seen to be held once the outer one is known to stay.
ROUNDS = 4


class Shells:
    """The verdict on each part of the model that `survey` has found to be held.

    The survey is walked again, with all that will be a shell let go.

    Attributes:
        parent: what has the model as a layer; then it stays whole, and no more is said.
    """

    def __init__(self, survey: Survey, in_flight: bool) -> None:
        self.survey = survey
        self.in_flight = in_flight
        self.adapter = survey.adapter
        plan = survey.plan
        self.sharing = self.adapter.find_sharing(survey.box, survey.owned)
        self.parent = self.sharing.parent
        if self.parent:
            return
        self._stay: set[int] = set(self.sharing.layers)
        self._let_go = self.adapter.add_shells(plan, survey.box, self.sharing)
        self._added: set[int] = set()
        for _ in range(ROUNDS):
            self._walk(plan)
            if not self._look_at_held(plan):
                break
        survey.settle()
        self._decide(plan)

    def _walk(self, plan: Plan) -> None:
        """With the shells let go, and the symbolic tensors that lead to them."""
        plan.seeds[:] = [s for s in plan.seeds if id(s) not in self._added]
        known = len(plan.seeds)
        plan.symbols[:] = self.adapter.symbolic_tensors(plan, self._stay)
        plan.seeds += plan.symbols
        plan.seeds += [s for s in plan.shells if id(s) in self._let_go]
        self._added = {id(seed) for seed in plan.seeds[known:]}
        self.survey.walk_again()

    def _look_at_held(self, plan: Plan) -> bool:
        """Decides on shells that something refers to. False: there are none left.

        What only another one of them holds shows no path, and waits for that one.
        """
        held = [s for s in plan.shells if self._is_open(s)]
        if not held:
            return False
        vocabulary = find_vocabulary()
        rows = ask_paths(self.survey, held)
        self.in_flight |= any(is_running(path) for row in rows for path in row)
        passing = [
            [is_passing(path, vocabulary, self.in_flight) for path in row]
            for row in rows
        ]
        for shell, row in zip(held, passing, strict=True):
            if not all(row):
                self._stay |= self.adapter.with_inner(shell)
        some = any(passing)
        for shell, row in zip(held, passing, strict=True):
            if id(shell) not in self._stay and (row or not some):
                self._let_go.add(id(shell))
        return True

    def _is_open(self, shell: Any) -> bool:
        return (
            id(shell) not in self._stay
            and id(shell) not in self._let_go
            and shell not in self.survey.owned
        )

    def _decide(self, plan: Plan) -> None:
        protected = self.adapter.protected(plan, self._stay, self.sharing)
        protected |= self._stay
        owned = self.survey.owned
        self._staying = [
            index
            for index, part in enumerate(plan.parts)
            if id(part) in protected and part not in owned
        ]
        lost = [i for i, part in enumerate(plan.parts) if id(part) not in protected]
        handles = [index for index in lost if plan.part_bytes[index]]
        self._held = [i for i in handles if plan.parts[i] not in owned]
        plan.emptied += [plan.parts[index] for index in handles]
        plan.shells[:] = [s for s in plan.shells if id(s) not in protected]
        known = {id(shell) for shell in plan.shells}
        plan.shells += [
            part
            for part in (plan.parts[index] for index in lost)
            if id(part) not in known and self.adapter.can_be_shell(part)
        ]

    def staying(self) -> list[int]:
        """Indices of the plan's parts that others keep, whole."""
        return self._staying

    def emptied(self) -> list[int]:
        """Indices of the plan's parts whose memory goes although others hold them."""
        return [] if self.in_flight else self._held

    def make_husks(self, plan: Plan, facts: Facts) -> None:
        """Turns the shells into what says so whenever it is used."""
        for shell in plan.shells:
            make_husk(shell, facts.of(self.adapter.name_of(shell)))
