"""What grew between two censuses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from keraser.receipt import format_bytes
from keraser.tables import Table

if TYPE_CHECKING:
    from keraser.inventory import Census, ModelRow

#: How many types are told.
TYPE_LIMIT = 10


@dataclass(frozen=True)
class Growth:
    """A figure of both censuses.

    Attributes:
        what: what it is of.
        before, after: bytes.
        count: how many more of it there are.
    """

    what: str
    before: int
    after: int
    count: int

    @property
    def bytes(self) -> int:
        return self.after - self.before


@dataclass(frozen=True, repr=False)
class CensusDiff:
    """What changed from one census to a later one. Plain data.

    Attributes:
        born, gone: names of models that only the later, the earlier one has.
        models: models of both whose bytes differ, and those born and gone.
        orphans: variables of no living model, by what keeps them.
        process: figures of the process.
        types: types of Python objects that grew, those with the most bytes first.
        objects: how many more Python objects there are.
    """

    born: tuple[str, ...]
    gone: tuple[str, ...]
    models: tuple[Growth, ...]
    orphans: tuple[Growth, ...]
    process: tuple[Growth, ...]
    types: tuple[Growth, ...]
    objects: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return asdict(self)

    def tables(self) -> list[Table]:
        title = f"{len(self.born)} models more, {len(self.gone)} gone"
        return [
            table
            for table in (
                _table(title, "model", self.models),
                _table("variables of no living model", "kept by", self.orphans),
                _table("the process", "what", self.process),
                _table(f"{self.objects:+} Python objects", "type", self.types),
            )
            if table.rows
        ]

    def __repr__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables()) or "nothing changed"

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables()) or "nothing changed"


def diff(earlier: Census, later: Census) -> CensusDiff:
    """See `Census.diff`."""
    before = {_key(row): row for row in earlier.models}
    after = {_key(row): row for row in later.models}
    models = [
        Growth(
            key[0],
            before[key].total if key in before else 0,
            after[key].total if key in after else 0,
            (key in after) - (key in before),
        )
        for key in before | after
    ]
    return CensusDiff(
        born=tuple(key[0] for key in after if key not in before),
        gone=tuple(key[0] for key in before if key not in after),
        models=_changed(models),
        orphans=_changed(_orphans(earlier, later)),
        process=_changed(
            Growth(name, earlier.process[name], later.process[name], 0)
            for name in later.process
        ),
        types=_grown_types(earlier, later),
        objects=later.objects - earlier.objects,
    )


def _key(row: ModelRow) -> tuple[str, str, int]:
    """A name may be given again, and so may an id(): both together hardly are."""
    return row.name, row.kind, row.id


def _orphans(earlier: Census, later: Census) -> list[Growth]:
    before = {row.held_by: row for row in earlier.orphans}
    after = {row.held_by: row for row in later.orphans}
    grown = []
    for holder in before | after:
        old, new = before.get(holder), after.get(holder)
        grown.append(
            Growth(
                holder,
                old.bytes if old else 0,
                new.bytes if new else 0,
                (new.count if new else 0) - (old.count if old else 0),
            )
        )
    return grown


def _grown_types(earlier: Census, later: Census) -> tuple[Growth, ...]:
    grown = []
    for name, (count, size) in later.types.items():
        old_count, old_size = earlier.types.get(name, (0, 0))
        grown.append(Growth(name, old_size, size, count - old_count))
    grown = [growth for growth in grown if growth.count > 0 or growth.bytes > 0]
    return tuple(sorted(grown, key=lambda growth: -growth.bytes)[:TYPE_LIMIT])


def _changed(growths: Any) -> tuple[Growth, ...]:
    changed = [growth for growth in growths if growth.bytes or growth.count]
    return tuple(sorted(changed, key=lambda growth: -abs(growth.bytes)))


def _table(title: str, header: str, growths: tuple[Growth, ...]) -> Table:
    headers = (header, "before", "after", "more", "count")
    rows = [
        (
            growth.what,
            format_bytes(growth.before),
            format_bytes(growth.after),
            ("+" if growth.bytes >= 0 else "") + format_bytes(growth.bytes),
            f"{growth.count:+}" if growth.count else "",
        )
        for growth in growths
    ]
    return Table(title, headers, list(rows), frozenset(headers[1:]))
