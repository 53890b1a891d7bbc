"""Snapshots in files: the arrays, and beside them what they are the values of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from keraser import array_files, storage
from keraser.errors import KeraserError
from keraser.matching import Row, Structure

#: Of the note in the file; another one is refused.
VERSION = 1


def save(path: str, taken: Structure, arrays: Sequence[Any], overwrite: bool) -> None:
    """Writes a file that `load` reads.

    Raises:
        OSError, KeraserError: as `storage.put`.
    """
    entries = storage.describe([row.path for row in taken.rows], arrays)
    note = {
        "version": VERSION,
        "model": taken.model,
        "scope": taken.scope,
        "partial": taken.partial,
        "optimizer_was_built": taken.optimizer_was_built,
        "rows": taken.rows,
        "names": [entry.name for entry in entries],
        "digests": [entry.digest.hex() for entry in entries],
    }
    text = json.dumps(note)
    storage.put(path, entries, arrays, overwrite, _digest(text) + text)


def _digest(text: str) -> str:
    """Of the note itself: a file may be damaged there as well."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def load(path: str) -> tuple[Structure, list[Any]]:
    """What `save` wrote, whole and unharmed.

    Raises:
        ValueError: another suffix. UnsupportedError: safetensors is not installed.
        OSError: no such file, or one that may not be read.
        KeraserError: it is damaged, or none that `save` wrote.
    """
    array_files.check_suffix(path)
    suffix = os.path.splitext(path)[1].lower()
    try:
        text = array_files.read_note(path, suffix)
        if text is None:
            raise ValueError("no snapshot by keraser")
        digest, text = text[:32], text[32:]
        if digest != _digest(text):
            raise ValueError("its note is not as it was written")
        taken, entries = _understand(json.loads(text))
        arrays = storage.read(path, suffix, entries)
        if wrong := storage.find_difference(entries, arrays):
            raise ValueError(f"{wrong} is not as it was written")
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the readers raise errors of many kinds
        raise KeraserError(f"{path!r} cannot be read as a snapshot: {error}") from error
    return taken, arrays


def _understand(note: dict[str, Any]) -> tuple[Structure, list[storage.Entry]]:
    import numpy

    if note["version"] != VERSION:
        raise ValueError(f"format {note['version']}, this keraser reads {VERSION}")
    rows = [Row(path, kind, tuple(s), dtype) for path, kind, s, dtype in note["rows"]]
    taken = Structure(
        model=note["model"],
        scope=note["scope"],
        partial=note["partial"],
        rows=rows,
        optimizer_was_built=note["optimizer_was_built"],
    )
    entries = [
        storage.Entry(name, numpy.dtype(row.dtype), row.shape, bytes.fromhex(digest))
        for name, row, digest in zip(note["names"], rows, note["digests"], strict=True)
    ]
    return taken, entries
