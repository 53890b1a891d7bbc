"""Pages of an armed pool under fire: 4 threads × 2,000 operations while pages go and
come all the time. No wrong byte, and never out of memory."""

import random
import threading
import time

from fake_gpu import MIB, driver, on_gpu
from gpu_tensors import row

THREADS, OPERATIONS = 4, 2_000


@on_gpu(KERASER_GPU="arm")
def test_four_threads_find_memory_and_no_wrong_byte_in_8000_operations():
    import keras  # noqa: F401  (arms)
    import keraser
    import numpy as np
    import tensorflow as tf

    wrong, lacking, done = [], [], [0] * THREADS

    def work(seed):
        rng, live = np.random.default_rng(seed), []
        while done[seed] < OPERATIONS:
            size, value = int(rng.integers(1, 2 * MIB)), float(rng.integers(1, 1000))
            try:
                live.append((value, tf.Variable(np.full(size, value, np.float32))))
            except tf.errors.ResourceExhaustedError as error:
                lacking.append(str(error))
            if len(live) > 6:
                value, variable = live.pop(int(rng.integers(len(live))))
                wrong.extend([value] * (not (variable.numpy() == value).all()))
            done[seed] += 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    taken, rng = [], random.Random(0)
    while any(thread.is_alive() for thread in threads):
        trim = keraser.trim()
        taken.append(row(trim, "pages of GPU_0_bfc").returned)
        time.sleep(rng.random() / 20)
    assert wrong == lacking == []
    assert sum(size > 0 for size in taken) > 100
    print(len(taken), "trims", sum(taken) // MIB, "MiB", driver().calls("cuMemCreate"))
