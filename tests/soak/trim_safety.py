"""A process of its own: trims among threads that make tensors, fill them with a number
of their own and look whether it is still there.

    python trim_safety.py TRIMS MIB

Then all is freed but one tensor of MIB, and what is resident is compared with what a
process has that made this tensor and nothing else (MIB alone, TRIMS 0)."""

import gc
import json
import os
import sys
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from keraser import _core

MIB = 1 << 20
THREADS = 3
ROOM = 512  # MiB of the pool before the first trim; 1/32 goes into its bookkeeping


def is_full_of(value, tensor):
    """By TensorFlow: numpy's copies would come from the C heap, whose arenas keep the
    end of what such threads had (malloc_trim() does not reach it: 68 MB here)."""
    return float(tf.reduce_min(tensor)) == float(tf.reduce_max(tensor)) == value


def numbers(seed, over, counts):
    """Tensors of 256 KiB to 4 MiB, up to eight at a time."""
    rng, live = np.random.default_rng(seed), []
    while not over.is_set():
        size, value = int(rng.integers(1 << 16, 1 << 20)), float(rng.integers(1, 1000))
        live.append((value, tf.fill((size,), value)))
        if len(live) > 7:
            value, tensor = live.pop(int(rng.integers(len(live))))
            counts["spoiled"] += not is_full_of(value, tensor)
            counts["checked"] += 1
    for value, tensor in live:
        counts["spoiled"] += not is_full_of(value, tensor)


def trims_among_threads(count):
    tf.fill((ROOM * MIB // 4,), 1.0)
    size, over = _core.trim()[0]["size"], threading.Event()
    each = [{"spoiled": 0, "checked": 0} for _ in range(THREADS)]
    threads = [
        threading.Thread(target=numbers, args=(seed, over, counts))
        for seed, counts in enumerate(each)
    ]
    for thread in threads:
        thread.start()
    grew = returned = 0
    for done in range(count):
        trim = _core.trim()[0]
        assert trim["refused"] is None, trim
        grew += trim["grew"]
        returned += trim["returned"]
        while min(counts["checked"] for counts in each) < done:
            over.wait(0.001)  # as many tensors of each thread as trims
    over.set()
    for thread in threads:
        thread.join()
    return {
        "spoiled": sum(counts["spoiled"] for counts in each),
        "checked": sum(counts["checked"] for counts in each),
        "grown": _core.trim()[0]["size"] - size,
        "grew": grew,
        "returned": returned,
    }


def main(trims, mib):
    kept = tf.fill((mib * MIB // 4,), 7.0)
    figures = trims_among_threads(trims) if trims else {}
    gc.collect()
    _core.trim()
    assert float(tf.reduce_min(kept)) == 7.0
    print(json.dumps(figures | {"rss": _core.process()["rss"]}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
