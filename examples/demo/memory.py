"""What this process holds, read the same way in every arm and without keraser.

Four figures, since none is proof alone: RSS stays up when memory is free inside an
allocator; TensorFlow's CPU pool knows only its own blocks; the C heap counts the pool's
regions as in use whether the pool uses them or not; Python objects weigh nothing on
their own, but they are what holds the rest.
"""

import ctypes
import gc
import os

import tensorflow as tf

_FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class _Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS.split()]


def measure():
    """Figures after a full collection, which is not part of any arm's clear."""
    gc.collect()
    return {
        "objects": len(gc.get_objects()),
        "rss": resident(),
        "heap": heap_in_use(),
        "pool": pool_in_use(),
    }


def resident():
    """Resident set, bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def heap_in_use():
    """Bytes that malloc has handed out, or None on a libc without mallinfo2."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return None
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return info.uordblks + info.hblkhd


def pool_in_use():
    """Bytes in use in TensorFlow's CPU pool: blocks of 256 KiB and more."""
    try:
        return tf.config.experimental.get_memory_info("CPU:0")["current"]
    except ValueError:  # a TensorFlow without oneDNN has no such pool
        return None
