"""why(): who keeps an object alive, in words, each with the line to type."""

from __future__ import annotations

import html
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from keraser import _core
from keraser.adapters.base import Witness, find_adapter, find_vocabulary
from keraser.collector import await_collector
from keraser.errors import KeraserError, UnsupportedError
from keraser.names import GARBAGE, Name, Place, Vocabulary, c_code, name_path
from keraser.receipt import format_bytes

#: How many paths of one thing are read, before those that say the same are merged.
PATH_LIMIT = 256

#: How many holders of one thing are told.
HOLDER_LIMIT = 32

_PLAIN = (str, int, float, bool, bytes, type(None))


@dataclass(frozen=True)
class Holder:
    """One place from which something is kept alive.

    Attributes:
        what: what is held, "" for the thing that was asked for itself.
        path: the retention path in words, from its place on.
        also: further places that a user takes for the same: `_12` beside `Out[12]`.
        kind: "variable", "local", "notebook", "error", "module", "thread", "c",
            "garbage", or that of a registry.
        place: where the path begins: what a user would lay hands on.
        fix: what to type to let go, or what to do.
        steps: references from the root to what is held.
    """

    what: str
    path: str
    also: tuple[str, ...]
    kind: str
    place: str
    fix: str
    steps: int

    def __str__(self) -> str:
        also = f" (also {', '.join(self.also)})" if self.also else ""
        return f"{self.path}{also}"


@dataclass(frozen=True, repr=False)
class Holders:
    """What `keraser.why` found. Text and numbers: it keeps nothing alive.

    Attributes:
        thing: what was asked for, as a user would call it.
        holders: who holds it, the shortest path first, at most 32 of one thing; for a
            model, then who holds parts of it.
        objects, bytes: Python objects that would go with it, and their own bytes.
        seconds: how long it took.
    """

    thing: str
    holders: tuple[Holder, ...]
    objects: int
    bytes: int
    seconds: float
    _witness: Witness | None = field(default=None, compare=False)

    def __iter__(self) -> Iterator[Holder]:
        return iter(self.holders)

    def __len__(self) -> int:
        return len(self.holders)

    def __bool__(self) -> bool:
        return bool(self.holders)

    def __getitem__(self, index: int) -> Holder:
        return self.holders[index]

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return {
            "thing": self.thing,
            "holders": [asdict(holder) for holder in self.holders],
            "objects": self.objects,
            "bytes": self.bytes,
            "seconds": self.seconds,
        }

    def cut(self, dry_run: bool = False) -> Any:
        """Drops what holds the thing and can safely be dropped.

        Variables of the user's modules, items of lists, dicts and sets, IPython's
        results, stored tracebacks, a callback's model, dead registry entries. Looks
        again first, since what was found may have changed.

        Args:
            dry_run: only say what would be done.

        Returns:
            A `Cut`: what was dropped, and what was left and why.

        Raises:
            KeraserError: the thing is gone, or cannot be found again without holding
                it (it takes no weak reference).
        """
        from keraser.cutting import cut

        return cut([self._find_again()], self.thing, dry_run)

    def _find_again(self) -> Any:
        if self._witness is None:
            raise KeraserError(
                f"{self.thing} takes no weak reference, so it cannot be found again; "
                "type the lines that are given with each holder"
            )
        thing = self._witness()
        if thing is None:
            raise KeraserError(f"{self.thing} is gone already: nothing holds it")
        return thing

    def __repr__(self) -> str:
        if not self.holders:
            return f"{self.thing}: nothing holds it but you"
        lines = [_headline(self)]
        for number, holder in enumerate(self.holders, 1):
            what = f"{holder.what}: " if holder.what else ""
            lines.append(f"{number:>3}. {what}{holder}")
            if holder.fix:
                lines.append(f"       fix: {holder.fix}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{html.escape(text)}</td>"
                for text in (holder.what, str(holder), holder.fix)
            )
            + "</tr>"
            for holder in self.holders
        )
        return (
            f"<b>{html.escape(_headline(self))}</b><table><tr><th>what</th>"
            f"<th>held by</th><th>fix</th></tr>{rows}</table>"
        )


def _headline(holders: Holders) -> str:
    count = len(holders.holders)
    places = "1 place" if count == 1 else f"{count} places"
    size = format_bytes(holders.bytes)
    return (
        f"{holders.thing} is held from {places}; {holders.objects} Python objects "
        f"({size}) would go with it"
    )


def why(thing: Any, *, fork: bool = False) -> Holders:
    """Says who keeps an object alive: every distinct retention path, named.

    Of a model, its parts are looked at too: layers, variables, optimizer and metrics
    that something else would keep alive after the model. Reading the heap adds no
    holder: no frame is asked for its variables, no instance for its attributes.

    Args:
        thing: a model, layer, variable, tensor, graph: any object but plain values.
        fork: read the heap in a forked child, so that the program stands still only
            for the fork (some ms) and not for the reading.

    Returns:
        `Holders`: iterable, and printed as a list of paths with the line to type for
        each. It refers to `thing` weakly or not at all.

    Raises:
        TypeError: a str, int, float, bool, bytes or None, which the whole process
            shares.
        KeraserError: called while the garbage collector runs.

    Example:
        >>> models = [[]]
        >>> keraser.why(models[0])[0].fix                  # doctest: +SKIP
        'del models[0]'
    """
    if is_plain(thing):
        raise TypeError(
            f"why() takes an object such as a model, not {thing!r}: plain values are "
            "shared by the whole process"
        )
    await_collector("why()")
    return explain([thing], fork)


def is_plain(thing: Any) -> bool:
    """Whether it is a value that the whole process shares."""
    return type(thing) in _PLAIN


def explain(box: list[Any], fork: bool = False) -> Holders:
    """`why` for the one object in `box`."""
    started = time.perf_counter()
    subject = Subject(box)
    answer = subject.ask(fork=fork)
    objects, size = answer["keeps"]
    holders = subject.holders(answer["held"])
    subject.drop()
    return Holders(
        subject.name,
        tuple(holders),
        objects,
        size,
        time.perf_counter() - started,
        _witness_of(box),
    )


def _witness_of(box: list[Any]) -> Witness | None:
    try:
        return Witness(box[0])
    except TypeError:
        return None


class Subject:
    """What is asked about: an object, and of a model the parts that others may hold.

    Attributes:
        name: what the object is called.
        targets: the object, then the parts that something else holds.
        labels: what each target is called beside the object, "" for itself.
    """

    def __init__(self, box: list[Any]) -> None:
        self.box = box
        self.targets = list(box)
        self.labels = [""]
        self.ours: list[Any] = [box]
        self.owned: Any = None
        self.plan: Any = None
        adapter = find_adapter_or_none()
        if adapter is not None and adapter.is_model(box[0]):
            self._add_parts(adapter)
        else:
            self.name = _describe(box)

    def _add_parts(self, adapter: Any) -> None:
        self.plan = plan = adapter.plan(self.box)
        self.name = f"{plan.kind} {plan.name!r}"
        containers = plan.containers()
        self.owned = _core.Owned(
            plan.seeds, plan.groups, [self.box, *containers], [], []
        )
        self.ours += [plan.seeds, *plan.groups, *containers]
        for index, part in enumerate(plan.parts):
            if part not in self.owned:
                self.targets.append(part)
                self.labels.append(plan.part_names[index])

    def ask(self, fork: bool = False, objects: bool = False) -> dict[str, Any]:
        """One reading of the heap, see `_core.ask`."""
        return _core.ask(
            self.ours, self.targets, self.owned, [], [],
            limit=PATH_LIMIT, fork=fork, objects=objects,
        )  # fmt: skip

    def holders(self, rows: list[tuple]) -> list[Holder]:
        """The holders of each target, said once."""
        vocabulary = find_vocabulary()
        told: dict[tuple[str, str], Holder] = {}
        places: set[str] = set()
        libraries = self._libraries(rows)
        for label, target, (paths, by_c, garbage) in zip(
            self.labels, self.targets, rows, strict=True
        ):
            for holder in holders_of(label, paths, vocabulary, libraries):
                if label == "":
                    places.add(holder.place)
                elif holder.place in places:
                    continue  # what lets go of the whole lets go of the part
                told.setdefault((holder.what, holder.path), holder)
            if by_c:
                holder = _held_by_c(label, by_c, libraries.get(id(target), []))
                told.setdefault((label, holder.path), holder)
            if garbage:
                holder = _held_by_garbage(label, garbage)
                told.setdefault((label, holder.path), holder)
        return list(told.values())

    def _libraries(self, rows: list[tuple]) -> dict[int, list[str]]:
        held = [address for paths, _, _ in rows for address in _held_by_nobody(paths)]
        held += [
            id(target) for target, row in zip(self.targets, rows, strict=True) if row[1]
        ]
        return find_libraries(held)

    def drop(self) -> None:
        """Lets go of every object."""
        if self.owned is not None:
            self.owned.forget()
        if self.plan is not None:
            self.plan.drop()
        self.targets.clear()
        self.ours.clear()


def find_adapter_or_none() -> Any:
    """The adapter, None where there is no Keras or none that keraser knows."""
    try:
        return find_adapter()
    except UnsupportedError:  # another backend: its models are objects like any other
        return None


def _describe(box: list[Any]) -> str:
    kind = type(box[0])
    name = getattr(kind, "__qualname__", kind.__name__)
    return f"{name} object"


def holders_of(
    label: str,
    paths: list[tuple],
    vocabulary: Vocabulary,
    libraries: dict[int, list[str]] | None = None,
) -> list[Holder]:
    """Paths in words, one for each place.

    Args:
        libraries: what `find_libraries` says of these paths and others.
    """
    if libraries is None:
        libraries = find_libraries(_held_by_nobody(paths))
    groups: dict[tuple, list[tuple[Name, int]]] = {}
    for path in paths:
        name = name_path(path, vocabulary)
        if name.place.kind == "c":
            known = libraries.get(path[1][0][0], [])
            name.place.text = c_code(path[0][1], known)
        groups.setdefault(_place_of(name), []).append((name, len(path[1]) + 1))
    holders = [_merge(label, group) for group in groups.values()]
    return sorted(holders, key=_rank)[:HOLDER_LIMIT]


def _held_by_nobody(paths: list[tuple]) -> list[int]:
    """Where paths begin that no object of Python explains: id() of the first thing."""
    return [steps[0][0] for root, steps in paths if root[0] == "C" and steps]


def _place_of(name: Name) -> tuple:
    """What makes two paths one to a user: one place; for what IPython and sys keep of
    one result or error, what follows."""
    if name.place.kind in ("notebook", "custom"):
        return (name.place.kind, *name.hops)
    if name.place.kind in ("error", "registry"):
        return (name.place.kind,)
    if name.place.kind == "c":
        return ("c", name.text)
    return (name.place.kind, name.place.text)


def _merge(label: str, group: list[tuple[Name, int]]) -> Holder:
    first = group[0]
    if first[0].place.kind == "notebook":
        first = max(group, key=lambda one: one[0].place.text.startswith("Out["))
    elif first[0].place.kind in ("error", "custom"):
        first = max(group, key=lambda one: len(one[0].place.text))
    name, steps = first
    place = name.place
    also: dict[str, None] = {}
    if place.kind in ("notebook", "error", "registry"):
        others = [other.place for other, _ in group if other.place.text != place.text]
        also = dict.fromkeys(_short(other) for other in others)
    return Holder(
        label, name.text, tuple(also), place.kind, place.text, fix_of(name), steps
    )


def _short(place: Place) -> str:
    """A further name of the same thing."""
    text = place.code if place.kind == "error" else place.text
    return text.removeprefix("notebook result ")


def _rank(holder: Holder) -> tuple[int, int]:
    """What a user can lay hands on first; then the shortest."""
    order = {"c": 3, "thread": 2, "module": 2}
    return order.get(holder.kind, 1), holder.steps


def _held_by_c(label: str, references: int, libraries: list[str]) -> Holder:
    fix = "nothing in Python can let go of it: end what took it"
    return Holder(label, c_code(references, libraries), (), "c", "C code", fix, 1)


def find_libraries(addresses: list[int]) -> dict[int, list[str]]:
    """Which libraries hold an address in a static variable, if that can be told. One
    reading of their variables serves all.

    Not the interpreter's own: its free lists and caches name what they do not hold.
    """
    wanted = sorted(set(addresses))
    try:
        found = _core.static_holders(wanted) if wanted else []
    except OSError:  # a sandbox that forbids reading one's own memory
        return {}
    return dict(zip(wanted, map(_names, found), strict=True))


def _names(found: list[tuple[str, int]]) -> list[str]:
    own = os.path.realpath(sys.executable)
    names = [path.rsplit("/", 1)[-1] for path, _ in found if path != own]
    return [name for name in names if not name.startswith("libpython")]


def _held_by_garbage(label: str, garbage: list[tuple]) -> Holder:
    kinds = dict.fromkeys(kind.rpartition(".")[2] for kind, _ in garbage)
    path = f"{GARBAGE} ({', '.join(kinds)})"
    return Holder(label, path, (), "garbage", "garbage", "gc.collect()", 0)


def fix_of(name: Name) -> str:
    """What to type to cut a path, or what to do about it."""
    place, via = name.place, name.via
    if place.fix:
        return place.fix
    if place.kind == "error":
        return "sys.last_exc = sys.last_value = sys.last_traceback = None"
    if place.kind == "notebook":
        magics = sys.modules.get("keraser.magics")
        loaded = magics is not None and magics.is_loaded()
        return "%clear --out" if loaded else "%reset -f out"
    if place.kind == "module":
        return f"{place.code} belongs to a library: see whether it can let go"
    if place.kind == "thread":
        return "let go of it in that thread, or end the thread"
    if place.kind == "c":
        return "nothing in Python can let go of it: end what took it"
    line = _line(place, via)
    if name.let_go and len(via) == 1:
        line = f"{place.code}.{name.let_go}"
    if place.kind == "local":
        return f"{line} in {place.function}(), or return from it"
    return line


def _line(place: Place, via: list[str]) -> str:
    first = via[0] if via else ""
    if first == "error":
        return f"{place.code}.__traceback__ = None"
    if first == "generator":
        return f"{place.code}.close()"
    if first == "cache":
        return f"{place.code}.cache_clear()"
    if place.container in ("tuple", "frozenset"):  # these let go of nothing
        return f"del {place.code.partition('[')[0]}"
    if place.container == "set":
        return f"{place.code}.discard(...)"
    return f"del {place.code}"
