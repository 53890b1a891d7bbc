"""Resident memory of a process that builds, trains and clears fat models.

python resident.py [--units N] [--rounds N]. Each model is held by a list, a closure, a
notebook's Out and a History. Prints a line of JSON: bytes of weights and slots, RSS
after training and after the clear in each round. TensorFlow's settings are its own.
"""

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keraser
import numpy as np

SHELF, OUT, HOOKS = [], {}, []


def rss():
    with open("/proc/self/statm") as figures:
        return int(figures.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def round_(number, units):
    model = keras.Sequential([keras.Input((units,)), keras.layers.Dense(units)])
    model.compile("adam", "mse")
    rows = np.ones((8, units), "float32")
    history = model.fit(rows, rows, verbose=0)
    SHELF.append([model])
    HOOKS.append(lambda: model)
    OUT[number] = model
    OUT[-1 - number] = history
    variables = {id(v): v for v in (*model.variables, *model.optimizer.variables)}
    owned = sum(v.value.dtype.size * int(np.prod(v.shape)) for v in variables.values())
    del variables
    full = rss()
    receipt = keraser.clear(model)
    return {
        "owned": owned,
        "full": full,
        "empty": rss(),
        "freed": receipt.freed["weights"] + receipt.freed["optimizer"],
        "shells": [holder for shell in receipt.shells for holder in shell.holders],
        "seconds": receipt.seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    rounds = [round_(number, options.units) for number in range(options.rounds)]
    print(json.dumps(rounds))


if __name__ == "__main__":
    main()
