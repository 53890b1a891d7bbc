"""top(): the biggest owners of the process."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from keraser import _core
from keraser.adapters.base import find_vocabulary
from keraser.collector import await_collector
from keraser.holders import find_adapter_or_none
from keraser.names import name_path
from keraser.receipt import format_bytes
from keraser.tables import Table


@dataclass(frozen=True)
class Owner:
    """An object and all that would go with it.

    Attributes:
        path: where it is, in words.
        kind: its type.
        bytes: Python objects that it alone keeps, native memory included.
        native: of these, memory of tensors.
        objects: how many Python objects it alone keeps, itself included.
    """

    path: str
    kind: str
    bytes: int
    native: int
    objects: int


@dataclass(frozen=True, repr=False)
class Top:
    """What `keraser.top` found. Plain data, the biggest owner first."""

    owners: tuple[Owner, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return asdict(self)

    def table(self) -> Table:
        headers = ("owner", "type", "bytes", "native", "objects")
        rows = [
            (
                o.path,
                o.kind,
                format_bytes(o.bytes),
                format_bytes(o.native),
                str(o.objects),
            )
            for o in self.owners
        ]
        title = "what would go with it, biggest owners first"
        return Table(title, headers, list(rows), frozenset(headers[2:]))

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def top(limit: int = 10, *, fork: bool = False) -> Top:
    """The process' biggest owners by retained size, memory of tensors included.

    What an object owns is what every path from the modules, running functions and
    threads reaches through it alone (its dominator tree). Plain values (str, int,
    float, bytes) are left out of the count.

    Args:
        limit: how many.
        fork: read the heap in a forked child; the program stands still for some ms.

    Returns:
        A `Top`. It keeps nothing alive.

    Raises:
        ValueError: `limit` below 1.
        KeraserError: called while the garbage collector runs.

    Example:
        >>> print(keraser.top(3))                          # doctest: +SKIP
    """
    if limit < 1:
        raise ValueError(f"top() takes a limit of at least 1, not {limit}")
    await_collector("top()")
    started = time.perf_counter()
    adapter = find_adapter_or_none()
    natives: list[Any] = []
    sizes: list[int] = []
    if adapter is not None:
        adapter.add_native(natives, sizes)
    answer = _core.ask([], [], None, natives, sizes, top=limit, fork=fork)
    natives.clear()
    vocabulary = find_vocabulary()
    owners = [
        Owner(
            name_path(path, vocabulary).text, _kind(kind, label), size, native, objects
        )
        for path, kind, label, _, size, native, objects in answer["top"]
    ]
    return Top(tuple(owners), time.perf_counter() - started)


def _kind(kind: str, label: str | None) -> str:
    short = kind.rpartition(".")[2]
    return short if label is None else f"{short} {label}"
