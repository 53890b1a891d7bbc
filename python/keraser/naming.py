"""Naming what stays alive after a clear, and its holders, by readings of the heap."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

from keraser import _core
from keraser.adapters.base import Adapter, find_vocabulary
from keraser.holders import PATH_LIMIT, holders_of
from keraser.names import Vocabulary, is_library, is_users, name_path
from keraser.receipt import Kept
from keraser.survey import Survey, module_variables

#: A layer holds its weights, a model its layers: so deep is what is kept by name.
ROUNDS = 4

#: How many holders of one thing are named.
HOLDER_LIMIT = 8


class Naming:
    """Names holders, and remembers what the user can do about them.

    Attributes:
        ways_out: sentences, each once.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.ways_out: list[str] = []

    def name_model(self, survey: Survey) -> Kept:
        """The model and who holds it, but for names that the caller gave away."""
        paths = ask_paths(survey, survey.box)[0]
        others = [path for path in paths if not is_given(path)]
        vocabulary = find_vocabulary()
        self._find_ways_out(others, vocabulary)
        return Kept(f"model {survey.plan.name!r}", 0, _names(others, vocabulary))

    def name_parts(self, survey: Survey, parts: list[int]) -> list[Kept]:
        """Parts by their indices in the plan, each with its nearest holder."""
        if not parts:
            return []
        plan = survey.plan
        vocabulary = find_vocabulary()
        targets = [plan.parts[index] for index in parts]
        kept = []
        for index, paths in zip(parts, ask_paths(survey, targets), strict=True):
            self._find_ways_out(paths[:1], vocabulary)
            size = plan.part_bytes[index]
            holders = _names(paths, vocabulary)[:1]
            kept.append(Kept(plan.part_names[index], size, holders))
        return self._name_inner(survey, _merge(kept))

    def _name_inner(self, survey: Survey, kept: list[Kept]) -> list[Kept]:
        """Names the holders of what other parts alone hold: the weights of a layer that
        somebody holds. Those others barred the way; asked without them it is seen."""
        plan = survey.plan
        for _ in range(ROUNDS):
            nameless = [one.what for one in kept if not one.holders]
            targets = [plan.parts[plan.part_names.index(what)] for what in nameless]
            if not targets:
                break
            vocabulary = find_vocabulary()
            rows = ask_paths(survey, targets)
            holders = {
                what: _names(paths, vocabulary)[:1]
                for what, paths in zip(nameless, rows, strict=True)
            }
            named = [
                dataclasses.replace(k, holders=holders.get(k.what) or k.holders)
                for k in kept
            ]
            if named == kept:
                break
            kept = named
        return kept

    def name_living(self) -> list[Kept]:
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

    def _find_ways_out(self, paths: list[tuple], vocabulary: Vocabulary) -> None:
        for path in paths:
            way_out = self.adapter.way_out(name_path(path, vocabulary), path[1])
            if way_out is not None and way_out not in self.ways_out:
                self.ways_out.append(way_out)


def ask_paths(survey: Survey, targets: list[Any]) -> list[list[tuple]]:
    """Retention paths of each target, past what the model alone owns."""
    ours = [targets, *survey.ours()]
    answer = _core.ask(ours, targets, survey.owned, [], [], limit=PATH_LIMIT)
    return [paths for paths, _, _ in answer["held"]]


def is_given(path: tuple) -> bool:
    """Whether a path is a mere name of the model in the code that called clear()."""
    root, steps = path
    if root[0] == "frame":
        return not steps and root[1] == threading.get_ident()
    names = [id(names) for names in module_variables()]
    return len(steps) == 1 and steps[0][0] in names


def is_passing(path: tuple, vocabulary: Vocabulary, in_flight: bool) -> bool:
    """Whether a path holds something only in passing: by a running function of a
    library, by the frames of an error, by what the framework notes of a call; and, with
    steps of other threads in flight, by what these have in hand, unseen by Python."""
    root, steps = path
    if is_running(path) or (root[0] == "C" and in_flight):
        return True
    kinds = {step[1] for step in steps}
    if kinds & {"frame", "traceback"}:
        return True
    if root[0] == "module" and "_thread._local" in kinds and not is_users(root[1]):
        return True  # what a library notes of a call, for the thread that makes it
    return name_path(path, vocabulary).place.kind in ("error", "session", "registry")


def is_running(path: tuple) -> bool:
    """Whether a path begins at a variable of a running function of a library."""
    root = path[0]
    return root[0] == "frame" and is_library(root[3])


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


def _names(paths: list[tuple], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Holders as text, each place once, the nearest first."""
    return tuple(
        str(holder) for holder in holders_of("", paths, vocabulary)[:HOLDER_LIMIT]
    )
