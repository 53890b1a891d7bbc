"""census(): what every model owns, what is left of dead ones, and the process."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from keraser.collector import await_collector
from keraser.holders import find_adapter_or_none
from keraser.receipt import format_bytes
from keraser.tables import Table

if TYPE_CHECKING:
    from keraser.difference import CensusDiff

#: How many types are told; all are kept, for diff().
TYPE_LIMIT = 10


@dataclass(frozen=True)
class ModelRow:
    """A living model.

    Attributes:
        name, kind: its name and its class.
        id: its id(), good while it lives.
        bytes: by kind. weights, optimizer, metrics: of its variables, exact; tensors:
            of other tensors that it alone keeps; functions, objects: of Python objects
            that it alone keeps.
        objects: how many Python objects it alone keeps.
        graphs: how many function graphs it alone keeps.
        shared: bytes of variables that other models have too.
        shared_with: names of these.
        holders: how many places hold it.
        held_by: the first of them, in words.
        made: file and line where it was made, where tracemalloc was tracing; or None.
    """

    name: str
    kind: str
    id: int
    bytes: dict[str, int]
    objects: int
    graphs: int
    shared: int
    shared_with: tuple[str, ...]
    holders: int
    held_by: tuple[str, ...]
    made: str | None

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


@dataclass(frozen=True)
class OrphanRow:
    """Variables that no living model has, by what keeps them.

    Attributes:
        held_by: what keeps them, in words.
        count: how many.
        bytes: of their tensors.
        names: paths of some, where Keras still knows them.
    """

    held_by: str
    count: int
    bytes: int
    names: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Census:
    """What `keraser.census` found. Plain data: it keeps nothing alive.

    Attributes:
        models: living models that stand on their own, the largest first.
        unfinished: models that another thread was making just then; not looked at.
        orphans: variables that no living model has.
        orphan_graphs: function graphs that capture one of these.
        tensors, tensor_bytes: other tensors that no model keeps.
        process: what the resident set consists of, bytes. "rss" is the sum of "files",
            "shared", "heap", "heap_free", "python" and "residue".
        heap: what of "heap" is known. "models", "orphans", "tensors": of tensors;
            "pool": the rest of what the framework's CPU pool has handed out; "other".
        objects: Python objects in all.
        types: count and bytes by type.
        seconds: how long it took.
        pause: for how long the program stood still, None: all the time.
    """

    models: tuple[ModelRow, ...]
    orphans: tuple[OrphanRow, ...]
    orphan_graphs: int
    tensors: int
    tensor_bytes: int
    process: dict[str, int]
    heap: dict[str, int]
    objects: int
    types: dict[str, tuple[int, int]] = field(compare=False)
    unfinished: int = field(compare=False)
    seconds: float = field(compare=False)
    pause: float | None = field(compare=False, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return asdict(self)

    def diff(self, earlier: Census) -> CensusDiff:
        """What grew since an earlier census."""
        from keraser.difference import diff

        return diff(earlier, self)

    def tables(self, models_only: bool = False) -> list[Table]:
        """Those that have rows; `models_only`: not of the process, nor of types."""
        tables = [_models(self), _orphans(self)]
        if not models_only:
            tables += [_process(self), _types(self)]
        return [table for table in tables if table.rows]

    def __repr__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


def census(*, fork: bool = False) -> Census:
    """Counts what is alive: models, what is left of dead ones, tensors, the process.

    Bytes of weights, optimizer and metrics are those of the variables, exact. Nothing
    is changed and nothing is kept alive.

    Args:
        fork: read the heap in a forked child; the program then stands still for what
            each model takes to look at and for the fork, not for the whole heap.

    Returns:
        A `Census`; `later.diff(earlier)` says what grew.

    Raises:
        KeraserError: called while the garbage collector runs.

    Example:
        >>> before = keraser.census()                      # doctest: +SKIP
        >>> print(keraser.census().diff(before))           # doctest: +SKIP
    """
    await_collector("census()")
    from keraser.counting import Count

    started = time.perf_counter()
    count = Count(find_adapter_or_none(), fork)
    count.count_models()
    count.count_tensors()
    count.count_heap()
    return count.result(started)


# ---- tables -------------------------------------------------------------------------


def _models(census: Census) -> Table:
    headers = (
        "model",
        "class",
        "weights",
        "optimizer",
        "other",
        "graphs",
        "shared",
        "held by",
    )
    rows = []
    for row in census.models:
        other = row.total - row.bytes["weights"] - row.bytes["optimizer"]
        more = f" (+{row.holders - 1})" if row.holders > 1 else ""
        shared = f"{format_bytes(row.shared)} with {', '.join(row.shared_with)}"
        rows.append(
            (
                row.name,
                row.kind,
                format_bytes(row.bytes["weights"]),
                format_bytes(row.bytes["optimizer"]),
                format_bytes(other),
                str(row.graphs),
                shared if row.shared else "",
                row.held_by[0] + more,
            )
        )
    return Table(
        f"{len(rows)} living models", headers, list(rows), frozenset(headers[2:6])
    )


def _orphans(census: Census) -> Table:
    headers = ("variables", "bytes", "kept by", "such as")
    rows = [
        (str(row.count), format_bytes(row.bytes), row.held_by, ", ".join(row.names))
        for row in census.orphans
    ]
    graphs = census.orphan_graphs
    title = f"variables of no living model, captured by {graphs} graphs"
    return Table(title, headers, list(rows), frozenset(headers[:2]))


#: Names of the figures, in the order in which they are told.
_ACCOUNTS = {
    "files": "mapped files (libraries)",
    "shared": "shared memory",
    "heap": "C heap in use",
    "heap_free": "C heap kept free (may not be resident)",
    "python": "small Python objects",
    "residue": "residue: stacks, unused parts of arenas, what is not resident",
}
_HEAP = {
    "models": "  tensors of living models",
    "orphans": "  variables of no living model",
    "tensors": "  other tensors",
    "pool": "  the framework's CPU pool beyond these",
    "other": "  other C memory",
}


def _process(census: Census) -> Table:
    rows: list[tuple[str, str]] = []
    for name, label in _ACCOUNTS.items():
        rows.append((label, format_bytes(census.process[name])))
        if name == "heap":
            rows += [
                (label, format_bytes(census.heap[n])) for n, label in _HEAP.items()
            ]
    rows.append(("resident set", format_bytes(census.process["rss"])))
    return Table("the process", ("what", "bytes"), list(rows), frozenset({"bytes"}))


def _types(census: Census) -> Table:
    headers = ("type", "objects", "bytes")
    rows = [
        (name, str(count), format_bytes(size))
        for name, (count, size) in list(census.types.items())[:TYPE_LIMIT]
    ]
    title = f"{census.objects} Python objects"
    return Table(title, headers, list(rows), frozenset(headers[1:]))
