"""What the map of a pool costs, by the number of its chunks.

    ./dev bench gpu_map      or      python bench/gpu_map.py [--rounds 5]

On TensorFlow's CPU pool of the kind that GPUs have (TF_CPU_ALLOCATOR_USE_BFC), full of
tensors of 256 bytes, every fourth of them freed. Medians on the clock: the map itself;
the part of it in which TensorFlow holds the lock of the pool, that is its own
RecordMemoryMap(), is most of `core`, what is read before objects are made. Numbers of a
GPU's pool are the same but for the driver's calls.
"""

import argparse
import gc
import os
import statistics
import time

os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "true"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def milliseconds(function, rounds):
    times = []
    for _ in range(rounds):
        gc.collect()
        began = time.perf_counter()
        function()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    import keraser
    import numpy as np
    import tensorflow as tf
    from keraser import _core

    value = tf.constant(np.ones(64, np.float32))
    tensors = []
    print("  chunks     core      map     repr     html  to_dict   (ms)")
    for count in 1_000, 10_000, 100_000:
        while len(tensors) < count:
            tensors.append(value + 1.0)
        kept = [t for i, t in enumerate(tensors) if i % 4]
        tensors = kept + [None] * (len(tensors) - len(kept))
        found = keraser.gpu.map()
        chunks = sum(len(pool.chunks) for pool in found.pools)
        times = [
            milliseconds(function, rounds)
            for function in (
                _core.gpu_map,
                keraser.gpu.map,
                found.__repr__,
                found._repr_html_,
                found.to_dict,
            )
        ]
        print(f"{chunks:8}" + "".join(f"{ms:9.1f}" for ms in times))


if __name__ == "__main__":
    main()
