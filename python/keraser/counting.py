"""Taking a census: models one after another, then tensors, then the heap in one go."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

from keraser import _core
from keraser.adapters.base import KINDS, find_vocabulary
from keraser.errors import UnsupportedError
from keraser.holders import PATH_LIMIT, holders_of
from keraser.inventory import Census, ModelRow, OrphanRow
from keraser.names import GARBAGE, Vocabulary, c_code, is_library, name_path

#: More than a process has types.
_ALL_TYPES = 100_000


class Count:
    """One census in the making."""

    def __init__(self, adapter: Any, fork: bool) -> None:
        self.adapter = adapter
        self.fork = fork
        self.models: list[Any] = [] if adapter is None else adapter.models()
        self.rows: list[ModelRow] = []
        self.sizes: dict[int, int] = {}  # handle of a living model -> bytes
        self.owners: dict[int, list[int]] = defaultdict(list)  # handle -> rows
        self.kept: set[int] = set()  # tensors that a model keeps
        self.orphans: tuple[OrphanRow, ...] = ()
        self.orphan_graphs = 0
        self.tensors = self.tensor_bytes = self.model_tensor_bytes = 0
        self.pause: float | None = None
        self.unfinished = 0

    def count_models(self) -> None:
        self._leave_out_unfinished()
        for index in range(len(self.models)):
            self.rows.append(self._count_model(index))
        self._tell_sharing()

    def _leave_out_unfinished(self) -> None:
        """Models that another thread is making lack attributes that every model has."""
        whole = [model for model in self.models if self.adapter.is_whole(model)]
        self.unfinished = len(self.models) - len(whole)
        self.models[:] = whole
        whole.clear()

    def _count_model(self, index: int) -> ModelRow:
        box = [self.models[index]]
        plan = self.adapter.plan(box)
        ours = [self.models, box, *plan.containers()]
        owned = _core.Owned(plan.seeds, plan.groups, ours, [], [])
        size = dict.fromkeys(("weights", "optimizer", "metrics", "tensors"), 0)
        for part, kind, part_bytes in zip(
            plan.parts, plan.part_kinds, plan.part_bytes, strict=True
        ):
            if part_bytes and index not in self.owners[id(part)]:
                self.owners[id(part)].append(index)
                self.sizes[id(part)] = part_bytes
                size[kind] = size.get(kind, 0) + part_bytes
        self._count_kept_tensors(owned, size)
        size |= _python_bytes(owned)
        row = ModelRow(
            plan.name, plan.kind, id(box[0]), size, sum(owned.objects),
            self.adapter.count_graphs(owned), 0, (), 0, (), _made(box),
        )  # fmt: skip
        owned.forget()
        plan.drop()
        return row

    def _count_kept_tensors(self, owned: Any, size: dict[str, int]) -> None:
        for tensor_id, tensor_bytes in self.adapter.kept_tensors(owned):
            if tensor_id not in self.kept and tensor_id not in self.sizes:
                self.kept.add(tensor_id)
                size["tensors"] += tensor_bytes
                self.model_tensor_bytes += tensor_bytes

    def _tell_sharing(self) -> None:
        shared: Counter[int] = Counter()
        others: dict[int, set[int]] = defaultdict(set)
        for handle, owners in self.owners.items():
            if len(owners) > 1:
                for index in owners:
                    shared[index] += self.sizes[handle]
                    others[index].update(owners)
        for index in shared:
            names = tuple(self.rows[i].name for i in sorted(others[index] - {index}))
            self.rows[index] = replace(
                self.rows[index], shared=shared[index], shared_with=names
            )

    def count_tensors(self) -> None:
        if self.adapter is None:
            return
        tensors = self.adapter.tensors()
        for value, size in zip(tensors.values, tensors.value_bytes, strict=True):
            if id(value) not in self.kept:
                self.tensors += 1
                self.tensor_bytes += size
        known = self.kept | set(self.sizes)
        lost = [i for i, h in enumerate(tensors.handles) if id(h) not in known]
        handles = [tensors.handles[i] for i in lost]
        sizes = [tensors.handle_bytes[i] for i in lost]
        tensors.drop()
        if handles:
            self._count_orphans(handles, sizes)

    def _count_orphans(self, handles: list[Any], sizes: list[int]) -> None:
        names = self.adapter.name_handles()
        self.orphan_graphs = self.adapter.count_graphs_of({id(h) for h in handles})
        ours = [handles, self.models]
        answer = _core.ask(ours, handles, None, [], [], limit=1, fork=self.fork)
        self._stood_still(answer)
        vocabulary = find_vocabulary()
        groups: dict[str, list[int]] = defaultdict(list)
        for index, (paths, _, garbage) in enumerate(answer["held"]):
            groups[_orphan_holder(paths, garbage, vocabulary)].append(index)
        rows = [
            OrphanRow(
                holder,
                len(group),
                sum(sizes[i] for i in group),
                tuple(names[id(handles[i])] for i in group if id(handles[i]) in names)[
                    :3
                ],
            )
            for holder, group in groups.items()
        ]
        self.orphans = tuple(sorted(rows, key=lambda row: -row.bytes))

    def count_heap(self) -> None:
        """One reading for all models' holders and for the types."""
        owned = _core.Owned(self.models, [], [self.models], [], [])
        answer = _core.ask(
            [self.models], self.models, owned, [], [],
            limit=PATH_LIMIT, types=_ALL_TYPES, lean=False, fork=self.fork,
        )  # fmt: skip
        owned.forget()
        self.models.clear()
        self._stood_still(answer)
        self.objects, _, self.small_bytes, types = answer["types"]
        vocabulary = find_vocabulary()
        for index, (paths, by_c, _) in enumerate(answer.get("held", ())):
            found = [str(holder) for holder in holders_of("", paths, vocabulary)]
            if by_c:
                found.append(c_code(by_c))
            self.rows[index] = replace(
                self.rows[index],
                holders=len(found),
                held_by=tuple(found[:3]) or (GARBAGE,),
            )
        self.types: Counter[str] = Counter()
        self.type_bytes: Counter[str] = Counter()
        for name, objects, size in types:
            self.types[name] += objects
            self.type_bytes[name] += size

    def _stood_still(self, answer: dict[str, Any]) -> None:
        if "pause" in answer:
            self.pause = (self.pause or 0.0) + answer["pause"]

    def result(self, started: float) -> Census:
        process, heap = self._accounts()
        return Census(
            models=tuple(sorted(self.rows, key=lambda row: -row.total)),
            orphans=self.orphans,
            orphan_graphs=self.orphan_graphs,
            tensors=self.tensors,
            tensor_bytes=self.tensor_bytes,
            process=process,
            heap=heap,
            objects=self.objects,
            types={
                name: (self.types[name], size)
                for name, size in self.type_bytes.most_common()
            },
            unfinished=self.unfinished,
            seconds=time.perf_counter() - started,
            pause=self.pause,
        )

    def _accounts(self) -> tuple[dict[str, int], dict[str, int]]:
        """What the resident set is made of; what is not known is told as such."""
        figures = _core.process()
        try:
            in_use, free = _core.heap()["in_use"], _core.heap()["free"]
        except UnsupportedError:  # a libc without mallinfo2
            in_use = free = 0
        process = {
            "files": figures["file"],
            "shared": figures["shared"],
            "heap": in_use,
            "heap_free": free,
            "python": self.small_bytes,
        }
        residue = figures["rss"] - sum(process.values())
        heap = {
            "models": sum(self.sizes.values()) + self.model_tensor_bytes,
            "orphans": sum(row.bytes for row in self.orphans),
            "tensors": self.tensor_bytes,
        }
        pool = None if self.adapter is None else self.adapter.pool_in_use()
        heap["pool"] = (pool or 0) - sum(heap.values()) if pool is not None else 0
        heap["other"] = in_use - sum(heap.values())
        return {**process, "residue": residue, "rss": figures["rss"]}, heap


def _python_bytes(owned: Any) -> dict[str, int]:
    """Bytes of the Python objects that a model keeps: of its functions, of the rest."""
    by_label = dict(zip(KINDS, owned.bytes[1:], strict=False))
    functions = by_label["functions"]
    return {"functions": functions, "objects": sum(owned.bytes) - functions}


def _made(box: list[Any]) -> str | None:
    """The newest line of the user's own that was running when the model was made.

    CPython 3.11 does not find objects that have attributes; what they refer to it does.
    """
    if not tracemalloc.is_tracing():
        return None
    for thing in (box[0], *vars(box[0]).values()):
        for frame in reversed(tracemalloc.get_object_traceback(thing) or ()):
            if not is_library(frame.filename):
                return f"{frame.filename}:{frame.lineno}"
    return None


def _orphan_holder(
    paths: list[tuple], garbage: list[tuple], vocabulary: Vocabulary
) -> str:
    if paths:
        place = name_path(paths[0], vocabulary).place
        return place.text.partition("[")[0] if place.kind == "registry" else place.text
    return GARBAGE if garbage else "C code"
