"""A process that trains one model, epoch after epoch, and makes others beside it, which
may be cleared at any time. Told by tests/soak/test_outside_in.py.

    python outside_in_training.py SEED EPOCHS LOG

EPOCHS 0: until stdin ends. LOG gets a line an epoch: its loss and a digest of all that
the model has learnt."""

import collections
import gc
import hashlib
import os
import sys
import threading
import time

import keras
import keraser  # listens
import numpy as np
import tensorflow as tf

SPARES = 3  # alive at a time
PAUSE = 0.1  # seconds: four of these and the calls share a machine


def build(name):
    model = keras.Sequential(
        [
            keras.Input((32,)),
            keras.layers.Dense(64, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1),
        ],
        name=name,
    )
    model.compile("adam", "mse")
    return model


def digest(model):
    values = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    return hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest()


def main(seed, epochs, log):
    stop = threading.Event()
    if not epochs:
        threading.Thread(target=lambda: (sys.stdin.read(), stop.set())).start()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    data = np.random.default_rng(seed)
    x = data.random((512, 32), np.float32)
    y = data.random((512, 1), np.float32)
    model = build("trained")
    spares = collections.deque()
    print("training", os.getpid(), keraser.__version__, flush=True)
    epoch = 0
    while not stop.is_set() and (not epochs or epoch < epochs):
        loss = model.fit(x, y, epochs=1, verbose=0).history["loss"][0]
        if len(spares) == SPARES:
            spares.popleft()
            gc.collect()  # or there are two of its name
        spares.append(build(f"spare{epoch % SPARES}"))
        log.write(f"{loss.hex()} {digest(model)}\n")
        log.flush()
        epoch += 1
        time.sleep(PAUSE)


with open(sys.argv[3], "w") as file:
    main(int(sys.argv[1]), int(sys.argv[2]), file)
