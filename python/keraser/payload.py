"""What travels between processes: something pickled, with its big buffers, in a memfd.

    header   magic, version, number of buffers, bytes in all, bytes of the pickle
    table    offset and length of each buffer
    pickle   protocol 5, of cloudpickle
    buffers  each at a multiple of `ALIGN`

The descriptor goes to the other process, the bytes do not: there they are mapped, and
arrays lie in the mapping, which is private. The memfd is sealed, so that nobody can
change it or make it shorter under whoever reads it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import struct
from collections.abc import Sequence
from typing import Any

from keraser import _core, pickling
from keraser.errors import KeraserError
from keraser.pickling import PayloadTooLarge

__all__ = ["PayloadTooLarge", "pack", "unpack"]

MAGIC = b"keraser\0"
VERSION = 1
HEADER = struct.Struct("<8sIIQQ")
ENTRY = struct.Struct("<QQ")

#: What TensorFlow and numpy's vector loops want.
ALIGN = 64

#: Written at once: a longer write is no faster, and a signal has to wait for it.
CHUNK = 8 << 20

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
NEEDED = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE


def pack(thing: Any, *, limit: int | None = None, called: str = "result") -> int:
    """A descriptor of a sealed memfd with the pickled `thing`; the caller's to close.

    Args:
        thing: what cloudpickle takes, Keras models and tensors besides.
        limit: bytes that the payload may have, all in all.
        called: how an error calls the thing; "" takes the keys of a dict for names.

    Raises:
        pickle.PicklingError: it does not pickle; names the part of it that does not.
        PayloadTooLarge: before anything was written.
        UnsupportedError: cloudpickle is not installed.
        OSError: no descriptor or no memory is left.
    """
    pickled = pickling.dump(thing, limit, called)
    views = [buffer.raw() for buffer in pickled.buffers]
    offsets, size = _lay_out(pickled.size, [view.nbytes for view in views])
    if limit is not None and size > limit:
        raise PayloadTooLarge(size, limit)
    head = HEADER.pack(MAGIC, VERSION, len(views), size, pickled.size)
    for offset, view in zip(offsets, views, strict=True):
        head += ENTRY.pack(offset, view.nbytes)
    descriptor = os.memfd_create("keraser", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        at = _write(descriptor, memoryview(head), 0)
        for chunk in pickled.chunks:
            at = _write(descriptor, chunk, at)
        for offset, view in zip(offsets, views, strict=True):
            _write(descriptor, view, offset)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lay_out(pickled: int, lengths: Sequence[int]) -> tuple[list[int], int]:
    """Where each buffer goes, and the size of all."""
    offsets = []
    end = HEADER.size + len(lengths) * ENTRY.size + pickled
    for length in lengths:
        offsets.append(-(-end // ALIGN) * ALIGN)
        end = offsets[-1] + length
    return offsets, end


def _write(descriptor: int, view: memoryview, at: int) -> int:
    """Straight from the buffer; of a memfd it is faster than to copy into a mapping,
    whose new pages the kernel fills with zeros first. Returns where it ended."""
    done = 0
    while done < view.nbytes:
        done += os.pwrite(descriptor, view[done : done + CHUNK], at + done)
    return at + done


def unpack(descriptor: int) -> Any:
    """What `pack` put into a memfd. The descriptor is closed, whatever happens.

    Arrays lie in the mapping: they can be written to, which nobody else sees. As long
    as one of them lives, or a view of one, so does the memory of the whole payload;
    buffers of less than `pickling.BIG` bytes are copied, and keep nothing. To keep a
    part of something big, copy the part.

    Raises:
        KeraserError: this is no sealed memfd, not what `pack` writes, or nothing that
            can be unpickled in this process; the message says which.
        MemoryError: there is no room to map it.
    """
    try:
        whole = _map(descriptor)
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    stream, buffers = _parse(whole)
    try:
        return pickle.loads(stream, buffers=buffers)
    except (MemoryError, KeraserError):
        raise
    except Exception as error:
        raise KeraserError(
            "what was sent cannot be unpickled in this process: "
            f"{type(error).__name__}: {error}"
        ) from error


def _map(descriptor: int) -> memoryview:
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        size = os.fstat(descriptor).st_size
    except OSError as error:
        raise _refused(f"descriptor {descriptor} is no memfd ({error})") from error
    if seals & NEEDED != NEEDED:
        raise _refused("it is not sealed: who has it could change it while it is read")
    if size < HEADER.size:
        raise _refused(f"it has {size} bytes, fewer than a header")
    try:
        mapping: Any = _core.Mapping(descriptor, size)
        return memoryview(mapping)
    except OSError as error:
        raise MemoryError(f"no room to map a payload of {size} bytes") from error


def _parse(whole: memoryview) -> tuple[memoryview, list[memoryview]]:
    """The pickle and the buffers; nothing in the header is trusted."""
    magic, version, count, size, pickled = HEADER.unpack_from(whole)
    if magic != MAGIC:
        raise _refused("it does not begin as one")
    if version != VERSION:
        raise _refused(f"it is of version {version}, not {VERSION}")
    if size != whole.nbytes:
        raise _refused(f"it has {whole.nbytes} bytes and says {size}")
    start = HEADER.size + count * ENTRY.size
    end = start + pickled
    if end > size:
        raise _refused("its table and its pickle do not fit into it")
    buffers = []
    for offset, length in ENTRY.iter_unpack(whole[HEADER.size : start]):
        if offset % ALIGN or offset < end or offset + length > size:
            raise _refused(f"a buffer of {length} bytes cannot be at {offset}")
        end = offset + length
        buffers.append(whole[offset:end])
    return whole[start : start + pickled], buffers


def _refused(why: str) -> KeraserError:
    return KeraserError(f"this is no payload of keraser: {why}")
