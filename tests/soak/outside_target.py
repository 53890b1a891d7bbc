"""A target of test_outside.py: keeps a model while it does what its mode says, and
tells at the end what came of it. Any Python from 3.10 on runs it.

python outside_target.py MODE, then a line on its standard input ends it:
    allocate  makes and drops objects and cycles, on two threads, and adds up
    fork      the same, and forks children that end at once
    end       the same, and ends by itself, at random within 0.3 s
    train     trains a small Keras model; argument 2, if any, how many steps
"""

import hashlib
import os
import random
import select
import sys
import threading
import time


class Model:
    __module__ = "keras.src.models.model"
    __qualname__ = "Model"

    def __init__(self, name):
        self.name = name


class Node:
    def __init__(self, before):
        self.before, self.other, self.values = before, None, [1, 2, (3, {4: "five"})]


def told_to_stop():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def work(rounds):
    """Objects that die young, cycles for the collector to find, dicts that grow."""
    total, table = 0, {}
    for i in range(rounds):
        first = last = Node(None)
        for _ in range(50):
            last = Node(last)
        first.other = last
        table[i % 997] = {"i": i, "s": str(i) * 3, "t": (i, [i])}
        total += sum(len(one["s"]) for one in list(table.values())[-3:])
        if i % 400 == 0:
            table.clear()
    return total


def busy(mode):
    model, failures = Model("kept"), []
    keeper = {"best": [model]}
    expected, stop = work(200), threading.Event()

    def go_on():
        while not stop.is_set():
            if work(200) != expected:
                failures.append("a sum is wrong")

    thread = threading.Thread(target=go_on)
    thread.start()
    print("ready", flush=True)
    end = time.monotonic() + random.random() * 0.3
    while not (time.monotonic() > end if mode == "end" else told_to_stop()):
        if work(200) != expected:
            failures.append("a sum is wrong")
        if mode == "fork":
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
    stop.set()
    thread.join()
    if keeper["best"][0].name != "kept" or failures:
        sys.exit("harmed")
    print("well", flush=True)


def train(steps):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np

    keras.utils.set_random_seed(7)
    layers = [keras.layers.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name="kept")
    model.compile("adam", "mse")
    keeper = {"best": [model]}
    x = np.linspace(0, 1, 256).reshape(32, 8)
    y = x.sum(axis=1, keepdims=True)
    done = 0
    print("ready", flush=True)
    while done < steps if steps else not told_to_stop():
        keeper["best"][0].fit(x, y, verbose=0, shuffle=False)
        done += 1
    weights = b"".join(np.asarray(w).tobytes() for w in model.get_weights())
    print(done, hashlib.sha256(weights).hexdigest(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    else:
        busy(sys.argv[1])
