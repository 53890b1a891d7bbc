"""gpu.map(): what the memory of GPUs is used for, pool by pool, to the byte."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from keraser import _core
from keraser.adapters.base import tensor_names
from keraser.receipt import format_bytes
from keraser.tables import Table

if TYPE_CHECKING:
    from keraser._core import _Chunk, _GpuMap, _GpuReading, _PoolReading

#: How many groups of chunks are shown; all are kept.
GROUPS_SHOWN = 10

IN_USE, FREE, GIVEN_BACK = "in use", "free", "given back"


class Chunk(NamedTuple):
    """What a pool has handed out in one go, or has free in one.

    Attributes:
        size: bytes.
        state: "in use", "free", or "given back": its pages went by `keraser.trim`.
        requested: of one in use the bytes that were asked for; the rest is rounding.
        given_back: of one given back, the bytes without memory. The rest of it, at the
            ends, is less than a page each, and has memory that is free.
        name: the operation it was taken for, in builds of TensorFlow for debugging,
            which alone write that down; or, with `names=True`, the tensor that is in
            it. None where neither is known.
        bin: the number of free chunks of like size that it is among; None in use.
        freed_at: when it was freed, by the pool's count of actions; None where
            TensorFlow does not write that down.
    """

    size: int
    state: str
    requested: int | None
    given_back: int
    name: str | None
    bin: int | None
    freed_at: int | None


@dataclass(frozen=True, repr=False)
class Region:
    """What a pool took from the driver in one go. `size` is `in_use` and `free` and
    `given_back`, and the sizes of the chunks; `mapped` is `size` without `given_back`,
    and with `padding`.

    Attributes:
        index: its place in the pool, by rising address.
        size: bytes of addresses.
        mapped: bytes of memory that it has from the driver now.
        in_use, free: bytes in use by the program, and free with memory behind them.
        given_back: bytes whose memory went back by `keraser.trim`, and comes again when
            they are needed. TensorFlow's own figures count them as in use.
        padding: bytes behind its end, since memory by pages comes in whole ones.
        chunks: by rising address.
    """

    index: int
    size: int
    mapped: int
    in_use: int
    free: int
    given_back: int
    padding: int
    chunks: tuple[Chunk, ...]

    def __repr__(self) -> str:
        size, chunks = format_bytes(self.size), len(self.chunks)
        return f"<region {self.index}: {size} in {chunks} chunks>"


@dataclass(frozen=True, repr=False)
class Pool:
    """A pool of memory. `held` is `in_use` and `free` and `padding`.

    Attributes:
        name: as TensorFlow has it: "GPU_0_bfc". "CUDA default pool": the driver's own,
            which TensorFlow uses with TF_GPU_ALLOCATOR=cuda_malloc_async, and other
            libraries may too.
        kind: where its memory is: "GPU", or "host", pinned memory among it.
        device: the number of the GPU, as CUDA shows them to this process. None of the
            host, and of a pool that has nothing yet.
        held: bytes of memory that it has from the driver, or the system.
        in_use, free, given_back, padding: as in `Region`, of all regions together.
        in_book: bytes in use as TensorFlow itself counts them (`get_memory_info`), with
            what was given back.
        regions: none of CUDA's own pool, which tells totals alone.
        refused: why nothing is known of it, None where it is.
    """

    name: str
    kind: str
    device: int | None
    held: int
    in_use: int
    free: int
    given_back: int
    padding: int
    in_book: int
    regions: tuple[Region, ...]
    refused: str | None = None

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """Of all its regions."""
        return tuple(chunk for region in self.regions for chunk in region.chunks)

    def groups(self) -> list[tuple[str, int, int]]:
        """(name, bytes, count) of its chunks in use, the largest first: by name, or
        by requested size where they have none."""
        sizes: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for chunk in self.chunks:
            if chunk.state == IN_USE:
                name = chunk.name or f"chunks of {format_bytes(chunk.requested or 0)}"
                sizes[name] += chunk.size
                counts[name] += 1
        return [(name, size, counts[name]) for name, size in sizes.most_common()]

    def __repr__(self) -> str:
        return f"<pool {self.name}: {format_bytes(self.held)}>"


@dataclass(frozen=True)
class Share:
    """Bytes of a GPU that are in none of the pools, and whose they are."""

    what: str
    bytes: int


@dataclass(frozen=True)
class GpuMemory:
    """A GPU. `used` is `pools` and `rest`; `rest` is all that is `outside`.

    Attributes:
        device: its number, as CUDA shows them to this process.
        name: what the driver calls it; None where it does not say.
        total, used: bytes that it has, and that are in use by all processes together,
            as the driver has it (`cuMemGetInfo`).
        pools: bytes that TensorFlow's pools, and CUDA's default pool, have of it.
        rest: the others: contexts, code, cuBLAS and cuDNN, other processes.
        process: bytes of this process, as NVIDIA's management library has it; None
            where that does not know this process.
        outside: `rest` by process; empty where the management library does not tell,
            or what it tells does not go with the driver's figures.
        refused: the driver's call that failed, None where none did.
    """

    device: int
    name: str | None
    total: int
    used: int
    pools: int
    rest: int
    process: int | None
    outside: tuple[Share, ...] = ()
    refused: str | None = None

    @property
    def free(self) -> int:
        return self.total - self.used


@dataclass(frozen=True, repr=False)
class GpuMap:
    """What `keraser.gpu.map` found. Plain data: it holds no memory.

    Attributes:
        gpus: one entry for each GPU on which this process has a context.
        pools: pools of GPU memory, of pinned memory, and of CPU memory where
            TensorFlow's CPU allocator is of the same kind.
        steady: all figures are of one moment: False where the driver's have changed
            each time while the pools were read.
        note: why there is nothing, in words; else None.
    """

    gpus: tuple[GpuMemory, ...]
    pools: tuple[Pool, ...]
    steady: bool
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return {
            "gpus": [{**asdict(gpu), "free": gpu.free} for gpu in self.gpus],
            "pools": [_pool_dict(pool) for pool in self.pools],
            "steady": self.steady,
            "note": self.note,
        }

    def tables(self) -> list[Table]:
        """Pools and the rest; and of each pool what is in use."""
        if not self.pools and not self.gpus:
            return []
        tables = [_groups(pool) for pool in self.pools]
        return [_overview(self), *(table for table in tables if table.rows)]

    def __repr__(self) -> str:
        from keraser.gpu_map_picture import as_text

        parts = [table.text() for table in self.tables()]
        parts += [picture for pool in self.pools if (picture := as_text(pool))]
        return "\n\n".join([*parts, *self._words()])

    def _repr_html_(self) -> str:
        import html

        from keraser.gpu_map_picture import as_svg

        parts = [table.html() for table in self.tables()]
        parts += [as_svg(pool) for pool in self.pools if pool.regions]
        parts += [f"<p>{html.escape(words)}</p>" for words in self._words()]
        return "".join(parts)

    def _words(self) -> list[str]:
        words = [] if self.note is None else [self.note]
        if not self.steady:
            words.append("memory came and went meanwhile: figures of several moments")
        return words


def map(*, names: bool = False) -> GpuMap:  # noqa: A001  (gpu.map, as a user types it)
    """What the memory of the GPUs of this process is used for: what the driver says,
    what TensorFlow's pools have of it, chunk by chunk, and how much is not theirs.

    The sums agree to the byte: pools and rest are the driver's figure, chunks their
    region, regions their pool. What `keraser.trim` has given back of an armed pool
    counts as that, and not as in use. Changes nothing, starts no driver and makes no
    context: in a process that uses no GPU it says so. Threads that allocate wait while
    TensorFlow writes a pool's map down: 10 ms for 10,000 chunks (bench/gpu_map.py).

    Args:
        names: name chunks by the tensors that Python has: variables by their path in
            Keras, others by type and shape. Reads each variable once; TensorFlow copies
            one that is updated by parts (an Embedding's) to do so, for a moment.

    Raises:
        MemoryError: there was no memory to do it in.

    Example:
        >>> print(keraser.gpu.map())       # doctest: +SKIP
    """
    found = _core.gpu_map()
    name_of = tensor_names().get if names and found["pools"] else None
    pools = [_pool(pool, name_of) for pool in found["pools"]]
    pools += [_cuda_pool(gpu) for gpu in found["gpus"] if gpu["pool_held"]]
    gpus = tuple(_gpu(gpu, pools) for gpu in found["gpus"])
    steady = found["steady"] and all(gpu.rest >= 0 for gpu in gpus)
    return GpuMap(gpus, tuple(pools), steady, _note(found))


def _note(found: _GpuMap) -> str | None:
    if found["refused"] is not None:
        return f"GPU driver: {found['refused']}"
    if not found["gpus"]:
        return "no GPU is in use in this process"
    return None


# ---- out of what the core has read ---------------------------------------------------

_Name = Callable[[int], str | None] | None


def _pool(found: _PoolReading, name_of: _Name) -> Pool:
    regions = tuple(
        _region(index, *region, name_of)
        for index, region in enumerate(found["regions"])
    )
    return Pool(
        found["pool"] or "TensorFlow's pools",
        "GPU" if found["of_gpu"] else "host",
        found["device"] if found["device"] >= 0 else None,
        in_book=found["in_book"],
        regions=regions,
        refused=found["refused"],
        held=sum(region.mapped for region in regions),
        in_use=sum(region.in_use for region in regions),
        free=sum(region.free for region in regions),
        given_back=sum(region.given_back for region in regions),
        padding=sum(region.padding for region in regions),
    )


def _region(
    index: int,
    size: int,
    mapped: int,
    given_back: int,
    chunks: Iterable[_Chunk],
    name_of: _Name,
) -> Region:
    made = tuple(_chunk(chunk, name_of) for chunk in chunks)
    in_use = sum(chunk.size for chunk in made if chunk.state == IN_USE)
    return Region(
        index,
        size,
        mapped,
        in_use,
        size - in_use - given_back,
        given_back,
        mapped - (size - given_back),
        made,
    )


def _chunk(found: _Chunk, name_of: _Name) -> Chunk:
    size, requested, given_back, in_use, ours, bin_, freed_at, op, address = found
    if not in_use:
        state, bin_or_none = (GIVEN_BACK, None) if ours else (FREE, bin_)
        return Chunk(size, state, None, given_back, op, bin_or_none, freed_at or None)
    name = op or (None if name_of is None else name_of(address))
    return Chunk(size, IN_USE, requested, 0, name, None, None)


def _cuda_pool(gpu: _GpuReading) -> Pool:
    held, used = gpu["pool_held"], gpu["pool_used"]
    return Pool(
        "CUDA default pool",
        "GPU",
        gpu["device"],
        held=held,
        in_use=used,
        free=held - used,
        given_back=0,
        padding=0,
        in_book=used,
        regions=(),
    )


def _gpu(found: _GpuReading, pools: Iterable[Pool]) -> GpuMemory:
    held = sum(pool.held for pool in pools if pool.device == found["device"])
    rest = found["used"] - held
    users = dict(found["users"] or ())
    outside = _outside(users, found["used"], held)
    return GpuMemory(
        found["device"],
        found["name"],
        found["total"],
        found["used"],
        held,
        rest,
        users.get(os.getpid()) if outside else None,
        outside,
        found["refused"],
    )


def _outside(users: dict[int, int], used: int, held: int) -> tuple[Share, ...]:
    """Whose the rest is. Figures that do not go together are none: an older driver
    gives processes the numbers of the host, and in a container ours may be another's.
    """
    own = users.get(os.getpid())
    unnamed = used - sum(users.values())
    if own is None or own < held or unnamed < 0:
        return ()
    return (
        Share("this process", own - held),
        *(
            Share(f"process {pid}", size)
            for pid, size in users.items()
            if pid != os.getpid()
        ),
        *((Share("nobody that is known", unnamed),) if unnamed else ()),
    )


def _pool_dict(pool: Pool) -> dict[str, Any]:
    regions = [
        {**vars(region), "chunks": [chunk._asdict() for chunk in region.chunks]}
        for region in pool.regions
    ]
    return {**vars(pool), "regions": regions}


# ---- as tables -----------------------------------------------------------------------


def _overview(found: GpuMap) -> Table:
    headers = ("pool", "memory", "in use", "free", "given back", "regions", "chunks")
    table = Table("GPU memory", headers, numbers=frozenset(headers[1:]))
    for gpu in found.gpus:
        table.rows += [_pool_row(p) for p in found.pools if p.device == gpu.device]
        table.rows += _gpu_rows(gpu)
    table.rows += [_pool_row(pool) for pool in found.pools if pool.device is None]
    return table


def _pool_row(pool: Pool) -> tuple[str, ...]:
    if pool.refused is not None:
        return (f"{pool.name}: {pool.refused}", *[""] * 6)
    figures = (pool.held, pool.in_use, pool.free, pool.given_back)
    counts = (len(pool.regions), sum(len(region.chunks) for region in pool.regions))
    has_counts = pool.regions or pool.kind == "host"
    return (
        pool.name,
        *(format_bytes(size) for size in figures),
        *(str(count) if has_counts else "" for count in counts),
    )


def _gpu_rows(gpu: GpuMemory) -> list[tuple[str, ...]]:
    def row(name: str, size: int) -> tuple[str, ...]:
        return (name, format_bytes(size), *[""] * 5)

    if gpu.refused is not None:
        return [(f"GPU:{gpu.device}: {gpu.refused}", *[""] * 6)]
    name = f"GPU:{gpu.device} {gpu.name or ''}".strip()
    return [
        row("not TensorFlow's", gpu.rest),
        *(row(f"  {share.what}", share.bytes) for share in gpu.outside),
        row(f"{name}, in use of {format_bytes(gpu.total)}", gpu.used),
    ]


def _groups(pool: Pool) -> Table:
    title, groups = f"in use in {pool.name}", pool.groups()
    table = Table(
        title, ("what", "memory", "chunks"), numbers=frozenset({"memory", "chunks"})
    )
    for name, size, count in groups[:GROUPS_SHOWN]:
        table.rows.append((name, format_bytes(size), str(count)))
    if len(groups) > GROUPS_SHOWN:
        rest = groups[GROUPS_SHOWN:]
        size, count = sum(g[1] for g in rest), sum(g[2] for g in rest)
        table.rows.append((f"{len(rest)} others", format_bytes(size), str(count)))
    return table
