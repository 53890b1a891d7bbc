"""How long a program stands still while a command line reads it: the longest gap in a
loop of pure Python on its main thread, undisturbed and during each verb.

    python bench/outside.py [--models 4] [--calls 20]

Gaps of some milliseconds are those in which another thread has the GIL
(sys.getswitchinterval() is 5 ms) or the machine has something else to do: compare the
rows."""

import argparse
import os
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from keraser import listening

TESTS = str(Path(__file__).parents[1] / "tests" / "python")

#: Asks from a process of its own, so that no other thread of this one runs Python.
CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
from asking import ask, glance
for line in sys.stdin:
    path, verb, model = line.rstrip("\\n").split(" ")
    glance(path) if verb == "TOP" else ask(path, verb, model)
    print(flush=True)
"""


def trained(units, x, y):
    hidden = [keras.layers.Dense(units, "relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((32,)), *hidden, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    return model


class Client:
    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, TESTS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, verb, model=""):
        self.process.stdin.write(f"{listening.path()} {verb} {model}\n")
        self.process.stdin.flush()

    def has_answered(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def take(self):
        self.process.stdout.readline()


def gaps_during(client, verb, model=""):
    """The longest gap, and how long the call took, in milliseconds. No verb: 0.5 s."""
    began = last = time.perf_counter()
    if verb:
        client.ask(verb, model)
    longest = 0.0
    while not client.has_answered() if verb else last < began + 0.5:
        now = time.perf_counter()
        longest = max(longest, now - last)
        last = now
    if verb:
        client.take()
    return longest * 1e3, (time.perf_counter() - began) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--calls", type=int, default=20)
    given = parser.parse_args()
    x, y = np.ones((64, 32), np.float32), np.ones((64, 1), np.float32)
    models = [trained(64 + i, x, y) for i in range(given.models)]
    client = Client()
    calls = {
        "nothing": ("",),
        "top": ("TOP",),
        "why a model": ("WHY", models[0].name),
        "why, all": ("CENSUS",),
        "trim": ("TRIM",),
    }
    print(f"{'':12} {'took':>9} {'gap, median':>12} {'most':>9}   ms")
    for label, call in calls.items():
        rows = [gaps_during(client, *call) for _ in range(given.calls)]
        gaps, took = zip(*rows, strict=True)
        print(
            f"{label:12} {statistics.median(took):9.1f} "
            f"{statistics.median(gaps):12.1f} {max(gaps):9.1f}"
        )


main()
