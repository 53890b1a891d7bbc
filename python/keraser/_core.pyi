"""What the C extension offers. Checked against the built module by `./dev lint`."""

import sys
from collections.abc import Callable
from typing import Any, TypedDict, final

version: str

class _Process(TypedDict):
    rss: int
    peak: int
    file: int
    shared: int
    swap: int
    threads: int

class _Heap(TypedDict):
    in_use: int
    free: int

class _Trim(TypedDict):
    pool: str
    refused: str | None
    before: int
    after: int
    returned: int
    size: int
    grew: bool

class _Gpu(TypedDict):
    device: int
    refused: str | None
    total: int
    used: int
    pool_held: int
    pool_used: int
    own: int | None

class _GpuReading(TypedDict):
    device: int
    name: str | None
    refused: str | None
    total: int
    used: int
    pool_held: int
    pool_used: int
    users: list[tuple[int, int]] | None

# size, requested, given back, in use, ours, bin, freed at, op, address
_Chunk = tuple[int, int, int, bool, bool, int, int, str | None, int]

class _PoolReading(TypedDict):
    pool: str
    of_gpu: bool
    device: int
    refused: str | None
    in_book: int
    regions: list[tuple[int, int, int, list[_Chunk]]]  # size, mapped, given back

class _GpuMap(TypedDict):
    gpus: list[_GpuReading]
    pools: list[_PoolReading]
    steady: bool
    refused: str | None

class _Seams(TypedDict):
    enumerate: str
    frames: bool
    caller_keeps_arguments: bool
    attributes: bool
    arrays: bool

#: thread, depth, file, function, line, name, is argument, in a cell
_Variable = tuple[int, int, str, str, int, str, int, int]

@final
class Owned:
    def __new__(
        cls,
        seeds: list[Any],
        groups: list[list[Any]],
        ours: list[Any],
        given: list[Any],
        namespaces: list[dict[str, Any]],
    ) -> Owned: ...
    def __contains__(self, thing: object, /) -> bool: ...
    def outside(self, thing: object, /) -> int: ...
    def instances(self, kind: type, /) -> list[Any]: ...
    def forget(self) -> None: ...
    def release(self) -> tuple[int, list[Any]]: ...
    @property
    def objects(self) -> tuple[int, ...]: ...
    @property
    def bytes(self) -> tuple[int, ...]: ...
    @property
    def tracked(self) -> int: ...
    @property
    def visited(self) -> int: ...

@final
class Mapping:
    def __new__(cls, descriptor: int, size: int) -> Mapping: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Listener:
    def __new__(
        cls, answer: Callable[[int, int, int, int, bytes], object]
    ) -> Listener: ...
    @property
    def path(self) -> str | None: ...
    def stop(self) -> None: ...

def process() -> _Process: ...
def heap() -> _Heap: ...
def variables(objects: list[Any], /) -> list[tuple[int, _Variable]]: ...
def instances(types: tuple[type, ...], limit: int = 0, /) -> list[Any]: ...
def count(types: tuple[type, ...], /) -> tuple[int, list[int]]: ...
def count_types() -> dict[type, int]: ...
def stack(depth: int, /) -> list[Any]: ...
def survivors(ids: list[int], /) -> list[int]: ...
def ask(
    ours: list[Any],
    targets: list[Any],
    owned: Owned | None,
    natives: list[Any],
    native_bytes: list[int],
    /,
    *,
    limit: int = 64,
    types: int = 0,
    top: int = 0,
    objects: bool = False,
    lean: bool = True,
    fork: bool = False,
) -> dict[str, Any]: ...
def static_holders(addresses: list[int], /) -> list[list[tuple[str, int]]]: ...
def seams() -> _Seams: ...
def collector_idle() -> bool: ...
def edge(chain: list[Any], nth: int = 0, /) -> tuple[str, str | int | None, int]: ...
def label(thing: object, /) -> str | None: ...
def words(thing: object, /) -> list[int]: ...
def learn_arrays(view: object, base: object, /) -> bool: ...
def copy(
    pairs: list[tuple[Any, Any]], *, into_readonly: bool = False, threads: int = 0
) -> int: ...
def address(buffer: Any, /) -> int: ...
def trim() -> list[_Trim]: ...
def gpus() -> list[_Gpu]: ...
def gpu_refusal() -> str | None: ...
def arm_gpu() -> tuple[str | None, bool]: ...
def gpu_map() -> _GpuMap: ...
def gpu_armed() -> bool: ...
def region_pools() -> list[_Trim]: ...
def capabilities() -> list[tuple[str, bool, str]]: ...
def tensorflow_hash(name: str, /) -> int: ...
def collapse() -> int: ...
def serve(
    listener: int,
    lease: int,
    parent: int,
    broken: str | None,
    hazard: Callable[[], str | None],
    /,
) -> int | None: ...
def listen() -> tuple[int, bytes]: ...
def connect(name: bytes, /) -> int: ...
def send(
    socket: int,
    kind: int,
    trial: int,
    values: tuple[int, ...],
    text: bytes | bytearray | memoryview = b"",
    descriptor: int = -1,
    /,
) -> None: ...
def receive(
    socket: int, milliseconds: int = -1, /
) -> tuple[int, int, tuple[int, ...], bytes, int] | None: ...
def protocol() -> dict[str, dict[str, int]]: ...
def set_own_path(path: str, /) -> None: ...
