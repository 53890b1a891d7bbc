"""Where parked values are kept: in host memory, or in a file that others can read.

Knows arrays and names, and nothing of models. What was kept is told from anything else
by name, shape, type and a digest of the bytes, which stay in memory.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keraser import array_files
from keraser.errors import KeraserError


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
            arrays = read(path, self._suffix(), self._entries)
            wrong = find_difference(self._entries, arrays)
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
    array_files.check_suffix(path)
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
    entries = describe(names, arrays)
    put(path, entries, arrays, overwrite)
    return FileStore(path, entries)


def describe(names: Sequence[str], arrays: Sequence[Any]) -> list[Entry]:
    """What a file of these arrays has to contain."""
    return [
        Entry(name, array.dtype, array.shape, digest(array))
        for name, array in zip(unique(names), arrays, strict=True)
    ]


def put(
    path: str,
    entries: list[Entry],
    arrays: Sequence[Any],
    overwrite: bool,
    note: str | None = None,
) -> None:
    """Writes arrays beside `path`, reads them back, and gives the file its name.

    Raises:
        OSError: the file cannot be written; what there was before is as it was.
        KeraserError: what was read back differs.
    """
    directory, base = os.path.split(path)
    suffix = os.path.splitext(path)[1].lower()
    draft = os.path.join(directory, f".{base}.{secrets.token_hex(4)}.tmp")
    named = {e.name: array for e, array in zip(entries, arrays, strict=True)}
    try:
        array_files.write(draft, suffix, named, note)
        _sync(draft)
        if wrong := find_difference(entries, read(draft, suffix, entries)):
            raise KeraserError(f"{path!r} was not written right: {wrong} reads back")
        check_target(path, overwrite)  # somebody else may have been faster
        os.replace(draft, path)
        _sync(directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def read(path: str, suffix: str, entries: list[Entry]) -> list[Any]:
    """The arrays of a file that has these and no others.

    Raises whatever the reader raises, and ValueError where a name is missing.
    """
    named = array_files.read(path, suffix, {e.name: e.dtype for e in entries})
    if missing := [e.name for e in entries if e.name not in named]:
        raise ValueError(f"it has no {missing[0]!r}")
    if len(named) > len(entries):
        raise ValueError("it has other values, too")
    return [named[entry.name] for entry in entries]


def unique(names: Sequence[str]) -> list[str]:
    """The names, later ones of several alike with a number behind.

    >>> unique(["a", "b", "a"])
    ['a', 'b', 'a#2']
    """
    taken, found = set(array_files.RESERVED), []
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
    return hashlib.blake2b(array.reshape(-1).view("u1").data, digest_size=16).digest()


def find_difference(entries: list[Entry], arrays: list[Any]) -> str:
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
