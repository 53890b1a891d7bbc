"""Where parked values are kept: in host memory, or in a file that others can read.

Knows arrays and names, and nothing of models. What was kept is told from anything else
by name, shape, type and a digest of the bytes, which stay in memory.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keraser.errors import KeraserError, UnsupportedError

#: What the writers of the two formats take for themselves.
RESERVED = ("file", "allow_pickle", "__dtypes__", "__metadata__")
SUFFIXES = (".safetensors", ".npz")


@dataclass(frozen=True)
class Entry:
    """One array as it was when it was kept."""

    name: str
    dtype: Any
    shape: tuple[int, ...]
    digest: bytes


class HostStore:
    """Arrays in host memory."""

    place = "host memory"

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays = list(arrays)

    def load(self, file: str | os.PathLike[str] | None = None) -> list[Any]:
        """The arrays, as they were kept."""
        if file is not None:
            raise ValueError(f"the values are in {self.place}, not in a file")
        return self._arrays

    def discard(self) -> None:
        """Forgets what was kept."""
        self._arrays.clear()


class FileStore:
    """Arrays in a file, which stays until the user deletes it."""

    def __init__(self, path: str, entries: list[Entry]) -> None:
        self.path = path
        self._entries = entries
        _in_use.add(self)

    @property
    def place(self) -> str:
        return repr(self.path)

    def load(self, file: str | os.PathLike[str] | None = None) -> list[Any]:
        """The arrays, read as a whole and compared with what was kept.

        Args:
            file: where the file is now, if it was moved.

        Raises:
            KeraserError: the file cannot be read, or is not as it was written.
        """
        path = self.path if file is None else os.fspath(file)
        try:
            arrays = _read(path, self._suffix(), self._entries)
            wrong = _differences(self._entries, arrays)
        except MemoryError:
            raise
        except Exception as error:
            raise KeraserError(self._complaint(path, str(error))) from error
        if wrong:
            raise KeraserError(self._complaint(path, f"{wrong} is not as it was kept"))
        return arrays

    def _suffix(self) -> str:
        return os.path.splitext(self.path)[1].lower()

    def _complaint(self, path: str, why: str) -> str:
        return (
            f"the parked values cannot be taken from {path!r}: {why}. The model stays "
            "parked: put the file back, or say where it is by "
            "keraser.unpark(model, file=...)"
        )

    def discard(self) -> None:
        """Forgets what was kept; the file stays."""
        _in_use.discard(self)


Store = HostStore | FileStore

#: Files with the only copy of something.
_in_use: weakref.WeakSet[FileStore] = weakref.WeakSet()


def check_target(to: str | os.PathLike[str] | None, overwrite: bool) -> str | None:
    """The path to write to, None for host memory. Looks, and changes nothing.

    Raises:
        ValueError: neither of the two suffixes.
        FileExistsError: there is such a file, and `overwrite` is False.
        OSError: no such directory, or one that cannot be written to.
        KeraserError: another parked model has its values in this file.
        UnsupportedError: safetensors is not installed.
    """
    if to is None:
        return None
    path = os.path.realpath(os.fspath(to))
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"values are parked in a .safetensors or .npz file, not in {to!r}"
        )
    if suffix == ".safetensors":
        _safetensors()
    if any(store.path == path for store in _in_use):
        raise KeraserError(
            f"{path!r} has the values of another parked model; give another name"
        )
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not overwrite and os.path.lexists(path):
        why = f"{os.strerror(errno.EEXIST)}; use overwrite=True or another name"
        raise FileExistsError(errno.EEXIST, why, path)
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), directory)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), directory)
    return path


def keep(
    names: Sequence[str], arrays: Sequence[Any], path: str | None, overwrite: bool
) -> Store:
    """Keeps arrays; those in a file are read back before this returns.

    Raises:
        OSError: the file cannot be written; what there was before is as it was.
        KeraserError: what was read back differs.
    """
    if path is None:
        return HostStore(arrays)
    entries = [
        Entry(name, array.dtype, array.shape, digest(array))
        for name, array in zip(unique(names), arrays, strict=True)
    ]
    directory, base = os.path.split(path)
    draft = os.path.join(directory, f".{base}.{secrets.token_hex(4)}.tmp")
    try:
        _write(draft, os.path.splitext(path)[1].lower(), entries, arrays)
        _sync(draft)
        wrong = _differences(entries, _read(draft, os.path.splitext(path)[1], entries))
        if wrong:
            raise KeraserError(f"{path!r} was not written right: {wrong} reads back")
        check_target(path, overwrite)  # somebody else may have been faster
        os.replace(draft, path)
        _sync(directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    return FileStore(path, entries)


def unique(names: Sequence[str]) -> list[str]:
    """The names, later ones of several alike with a number behind.

    >>> unique(["a", "b", "a"])
    ['a', 'b', 'a#2']
    """
    taken, found = set(RESERVED), []
    for name in names:
        key, count = name, 1
        while key in taken:
            count += 1
            key = f"{name}#{count}"
        taken.add(key)
        found.append(key)
    return found


def digest(array: Any) -> bytes:
    """Of the bytes of an array."""
    return hashlib.blake2b(_bits(array.reshape(-1), 1).data, digest_size=16).digest()


def _bits(array: Any, size: int) -> Any:
    """The same bytes as unsigned numbers of so many bytes."""
    return array.view(f"u{size}")


def _is_native(dtype: Any) -> bool:
    """Whether numpy itself knows the type; bfloat16 comes from elsewhere."""
    return bool(dtype.isbuiltin == 1)


def _differences(entries: list[Entry], arrays: list[Any]) -> str:
    """The first array that is not as its entry says, "" if all are."""
    for entry, array in zip(entries, arrays, strict=True):
        same = array.dtype == entry.dtype and array.shape == entry.shape
        if not same or digest(array) != entry.digest:
            return repr(entry.name)
    return ""


def _sync(path: str) -> None:
    """Waits until a file or directory is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


# ---- the two formats ----------------------------------------------------------------


def _write(path: str, suffix: str, entries: list[Entry], arrays: Sequence[Any]) -> None:
    named = {e.name: array for e, array in zip(entries, arrays, strict=True)}
    if suffix == ".npz":
        _write_npz(path, named)
    else:
        _safetensors().numpy.save_file(named, path)


def _write_npz(path: str, named: dict[str, Any]) -> None:
    """Types that numpy does not know go as bits, and `__dtypes__` says which."""
    import numpy

    foreign = {n: a.dtype.name for n, a in named.items() if not _is_native(a.dtype)}
    stored = {
        name: _bits(array, array.dtype.itemsize) if name in foreign else array
        for name, array in named.items()
    }
    if foreign:
        stored["__dtypes__"] = numpy.array(json.dumps(foreign))
    with open(path, "xb") as file:
        numpy.savez(file, **stored)


def _read(path: str, suffix: str, entries: list[Entry]) -> list[Any]:
    """Raises whatever the reader raises, and KeyError where a name is missing."""
    named = _read_npz(path) if suffix == ".npz" else _read_safetensors(path, entries)
    if missing := [e.name for e in entries if e.name not in named]:
        raise ValueError(f"it has no {missing[0]!r}")
    if len(named) > len(entries):
        raise ValueError("it has other values, too")
    return [_typed(named[entry.name], entry) for entry in entries]


def _typed(array: Any, entry: Entry) -> Any:
    """Bits get back the type they had."""
    if _is_native(entry.dtype) or array.dtype == entry.dtype:
        return array
    if array.dtype != f"u{entry.dtype.itemsize}":
        return array
    return array.view(entry.dtype)


def _read_npz(path: str) -> dict[str, Any]:
    import numpy

    with numpy.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != "__dtypes__"}


def _read_safetensors(path: str, entries: list[Entry]) -> dict[str, Any]:
    import numpy

    types = {entry.name: entry.dtype for entry in entries}
    named = {}
    with open(path, "rb") as file:
        content = _safetensors().deserialize(file.read())
    for name, tensor in content:
        code = tensor["dtype"]
        dtype = types.get(name, numpy.dtype("u1"))
        if _code(dtype) != code:
            raise ValueError(f"{name!r} is {code}, not {_code(dtype)}")
        named[name] = numpy.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
    return named


def _code(dtype: Any) -> str:
    """What safetensors calls a type: F32, BF16, U8, F8_E4M3."""
    name = dtype.name
    if name.startswith("float8_"):
        return "F8_" + name.removeprefix("float8_").removesuffix("fn").upper()
    for word, letter in (("bfloat", "BF"), ("float", "F"), ("uint", "U"), ("int", "I")):
        name = name.replace(word, letter)
    return str(name.replace("complex", "C").upper())


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise UnsupportedError(
            "a .safetensors file needs the package safetensors: pip install "
            '"keraser[safetensors]", or park to a .npz file'
        ) from error
    return safetensors
