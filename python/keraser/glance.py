"""A quick look at a process: its models, their bytes, its figures. What is shown live
is read so, many times over; who holds what, `census` says."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from keraser import _core
from keraser.adapters.base import Adapter, Witness, find_adapter
from keraser.collector import await_collector
from keraser.errors import KeraserError, UnsupportedError

#: Looking for models reads the collector's lists, some 10 ms for each 200,000 objects:
#: it waits for this many times as long as it took, so takes 1 % of the time at most.
REST = 100


@dataclass(frozen=True)
class ModelGlance:
    """A living model that stands on its own. Bytes are those of its variables, exact.

    Attributes:
        name, kind: its name and its class.
        id: its id(), good while it lives.
        weights, optimizer, metrics: bytes.
        running: a method of it is running now, such as fit.
    """

    name: str
    kind: str
    id: int
    weights: int
    optimizer: int
    metrics: int
    running: bool = False

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.metrics


@dataclass(frozen=True)
class GpuGlance:
    """A GPU on which this process has a context: bytes in all, and in use by all
    processes together."""

    device: int
    total: int
    used: int


@dataclass(frozen=True)
class Glance:
    """What one look found. Plain data: it keeps nothing alive.

    Attributes:
        models: the largest first.
        rss, peak: resident set now and at most, bytes.
        threads: of the process.
        pool: bytes in use in the framework's CPU pool; None where it does not tell.
        gpus: those in use.
        age: for how long, in seconds, no model has been looked for that is new.
        note: why models are not known, "" where they are.
    """

    models: tuple[ModelGlance, ...]
    rss: int
    peak: int
    threads: int
    pool: int | None
    gpus: tuple[GpuGlance, ...]
    age: float
    note: str = ""


class Glancer:
    """Looks again and again, at little cost, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[tuple[Witness, ModelGlance]] = []
        self._looked = float("-inf")
        self._took = 0.0
        self._note = ""

    def look(self) -> Glance:
        """The figures of now. Of models, those that are gone are left out at once, and
        new ones are there when it was time to look for them."""
        with self._lock:
            adapter = self._adapter()
            if time.monotonic() - self._looked >= REST * self._took:
                self._look_for_models(adapter)
            models = self._running(adapter) if adapter else []
            process = _core.process()
            return Glance(
                tuple(sorted(models, key=lambda model: -model.total)),
                process["rss"],
                process["peak"],
                process["threads"],
                adapter.pool_in_use() if adapter else None,
                _gpus(),
                time.monotonic() - self._looked,
                self._note,
            )

    def forget(self) -> None:
        """The next look looks for models, whenever that is: something has changed."""
        self._looked = float("-inf")

    def _adapter(self) -> Adapter | None:
        self._note = ""
        try:
            return find_adapter()
        except UnsupportedError as reason:
            self._note = str(reason)
            return None

    def _look_for_models(self, adapter: Adapter | None) -> None:
        began = time.monotonic()
        try:
            self._rows = _find_models(adapter) if adapter else []
        except KeraserError as reason:  # a collection is under way: the next time
            self._note = str(reason)
            return
        self._looked = time.monotonic()
        self._took = self._looked - began

    def _running(self, adapter: Adapter) -> list[ModelGlance]:
        """The rows of those that are alive, with what is running now."""
        alive, rows = [], []
        for witness, row in self._rows:
            model = witness()
            if model is not None and adapter.is_model(model):
                alive.append(model)
                rows.append(row)
        model = None
        variables: list[list[Any]] = [[] for _ in alive]
        for variable in _core.variables(alive):
            variables[variable[0]].append(variable)
        alive.clear()
        return [
            replace(row, running=adapter.running(found) is not None)
            for row, found in zip(rows, variables, strict=True)
        ]


def _find_models(adapter: Adapter) -> list[tuple[Witness, ModelGlance]]:
    await_collector("a look at models")
    models = adapter.models()
    found = []
    while models:
        model = models.pop()
        if not adapter.is_whole(model):
            continue  # another thread is making it
        sizes = adapter.sizes(model)
        row = ModelGlance(model.name, type(model).__name__, id(model), **sizes)
        found.append((Witness(model), row))
    return found


def _gpus() -> tuple[GpuGlance, ...]:
    return tuple(
        GpuGlance(gpu["device"], gpu["total"], gpu["used"])
        for gpu in _core.gpus()
        if gpu["refused"] is None
    )
