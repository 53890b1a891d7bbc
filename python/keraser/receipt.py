"""The receipt: what was freed, what was kept and why, as plain data."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keraser.trimming import Trim

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def format_bytes(size: float) -> str:
    """Bytes as people read them, in powers of 1024.

    >>> format_bytes(1536)
    '1.5 KiB'
    """
    sign, size = ("-", -size) if size < 0 else ("", size)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{sign}{size:.0f} {unit}" if unit == "B" else f"{sign}{size:.1f} {unit}"


@dataclass(frozen=True)
class Reset:
    """Something of the process that was reset.

    Attributes:
        what: its name.
        count: how many entries, None where the framework does not say.
        note: what was done.
    """

    what: str
    count: int | None
    note: str


@dataclass(frozen=True)
class Kept:
    """Something that is still alive after the clear, and who holds it.

    Attributes:
        what: the thing, as a user would call it.
        bytes: native memory behind it (tensors), 0 for a mere object.
        holders: who holds it, shortest path first; empty if nobody could be found.
    """

    what: str
    bytes: int
    holders: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A figure before and after. Bytes or a count, as its place says; None: unknown."""

    before: int | None
    after: int | None

    @property
    def freed(self) -> int:
        return (self.before or 0) - (self.after or 0)


@dataclass(frozen=True)
class Receipt:
    """What `keraser.clear` did. Plain data: it refers to no model.

    Attributes:
        model: name of the model, or "session" for a clear of all models.
        kind: its class.
        where: file and line of the call.
        when: local date and time.
        held: the rule that the call was given: "hollow", "cut", "keep" or "raise".
        cleared: False when the model was left as it is, since others hold it.
        freed: bytes by kind. weights, optimizer, metrics: of tensors, exact; orphans:
            of tensors that no model had any more; functions, objects: of Python
            objects, graphs being among the functions.
        objects, graphs, handles, functions: Python objects that the collector tracks,
            FuncGraphs, resource handles and runtime functions of the model: owned
            before, still alive after.
        runtime_functions: functions in the framework's runtime, of all models.
        rss, heap, pool: resident set, C heap in use, the framework's CPU pool in use.
            The pool takes its memory from the heap and keeps it: do not add the two.
        kept: what of the model is still alive, with its holders.
        shells: what others hold of it, emptied: each use raises `ClearedModelError`.
        trimmed: what the native pools gave back to the system, None if they were not
            asked to.
        resets: what of the process was reset.
        settings: the user's settings, the same before and after.
        limits: what clearing cannot reach here, and the way out.
        seconds: how long the call took.
    """

    model: str
    kind: str
    where: str
    when: str
    held: str
    cleared: bool
    freed: dict[str, int]
    objects: Change
    graphs: Change
    handles: Change
    functions: Change
    runtime_functions: Change
    rss: Change
    heap: Change
    pool: Change
    kept: tuple[Kept, ...] = ()
    shells: tuple[Kept, ...] = ()
    trimmed: Trim | None = None
    resets: tuple[Reset, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def freed_bytes(self) -> int:
        """All kinds together."""
        return sum(self.freed.values())

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        trimmed = None if self.trimmed is None else self.trimmed.to_dict()
        return {**asdict(self), "trimmed": trimmed, "freed_bytes": self.freed_bytes}

    def __repr__(self) -> str:
        return block(_headline(self), _rows(self))

    def _repr_html_(self) -> str:
        return html_block(_headline(self), _rows(self))


@dataclass(frozen=True, repr=False)
class Parked:
    """What `keraser.park` did. Plain data: it refers to no model.

    Attributes:
        model: name of the model.
        kind: its class.
        where: file and line of the call.
        when: local date and time.
        to: the file that has the values, None for host memory.
        bytes: freed bytes of tensors by kind: weights, optimizer, metrics. Values of
            one element are kept as well, but not freed.
        variables: how many values were kept.
        functions: how many functions that captured a value were barred.
        kept: what the model shares, which was left as it is, with who uses it.
        rss: resident set, bytes.
        seconds: how long the call took.
    """

    model: str
    kind: str
    where: str
    when: str
    to: str | None
    bytes: dict[str, int]
    variables: int
    functions: int
    kept: tuple[Kept, ...]
    rss: Change
    seconds: float

    @property
    def freed_bytes(self) -> int:
        """All kinds together."""
        return sum(self.bytes.values())

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return {**asdict(self), "freed_bytes": self.freed_bytes}

    def __repr__(self) -> str:
        return block(self._headline(), self._rows())

    def _repr_html_(self) -> str:
        return html_block(self._headline(), self._rows())

    def _headline(self) -> str:
        size, took = format_bytes(self.freed_bytes), f"{self.seconds * 1e3:.1f} ms"
        place = "host memory" if self.to is None else self.to
        return f"{self.kind} {self.model!r} parked: {size} to {place} in {took}"

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("freed", _by_kind(self.bytes)),
            ("values", f"{self.variables} kept, {self.functions} functions barred"),
            ("RSS", _change(self.rss, format_bytes)),
            *(("kept", f"{k.what}, used by {'; '.join(k.holders)}") for k in self.kept),
            ("back by", "keraser.unpark(model)"),
            ("called at", f"{self.where}, {self.when}"),
        ]


def _headline(receipt: Receipt) -> str:
    if not receipt.cleared:
        return f"{receipt.kind} {receipt.model!r} kept: others hold it"
    took = f"{receipt.seconds * 1e3:.1f} ms"
    freed = format_bytes(receipt.freed_bytes)
    return f"{receipt.kind} {receipt.model!r} cleared: {freed} freed in {took}"


def block(headline: str, rows: list[tuple[str, str]]) -> str:
    """A headline and rows below it, names and texts aligned."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([headline, *(f"  {name:<{width}}  {text}" for name, text in rows)])


def html_block(headline: str, rows: list[tuple[str, str]]) -> str:
    """The same for a notebook."""
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<b>{html.escape(headline)}</b><table>{body}</table>"


def _rows(receipt: Receipt) -> list[tuple[str, str]]:
    rows = [("freed", _by_kind(receipt.freed))]
    rows += [
        (name, _change(getattr(receipt, name), str))
        for name in ("objects", "graphs", "handles", "functions")
    ]
    rows.append(("runtime functions", _change(receipt.runtime_functions, str)))
    rows += [
        (label, _change(getattr(receipt, name), format_bytes))
        for name, label in (
            ("rss", "RSS"),
            ("heap", "heap in use"),
            ("pool", "CPU pool"),
        )
    ]
    if receipt.trimmed is not None:
        took = f"{receipt.trimmed.seconds * 1e3:.1f} ms"
        returned = format_bytes(receipt.trimmed.returned)
        rows.append(("given back", f"{returned} to the system in {took}"))
    for label, things in (("shell", receipt.shells), ("kept", receipt.kept)):
        for kept in things:
            held_by = "; ".join(kept.holders) or "nobody that could be found"
            size = f" ({format_bytes(kept.bytes)})" if kept.bytes else ""
            rows.append((label, f"{kept.what}{size}, held by {held_by}"))
    for reset in receipt.resets:
        count = "" if reset.count is None else f"{reset.count} "
        rows.append(("reset", f"{reset.what}: {count}{reset.note}"))
    settings = ", ".join(f"{k}={v}" for k, v in receipt.settings.items())
    rows.append(("settings kept", settings or "none"))
    rows += [("cannot reach", limit) for limit in receipt.limits]
    rows.append(("called at", f"{receipt.where}, {receipt.when}"))
    return rows


def _by_kind(freed: dict[str, int]) -> str:
    return ", ".join(f"{kind} {format_bytes(size)}" for kind, size in freed.items())


def _change(change: Change, show: Any) -> str:
    before, after = (
        "unknown" if figure is None else show(figure)
        for figure in (change.before, change.after)
    )
    return f"{before} -> {after}"
