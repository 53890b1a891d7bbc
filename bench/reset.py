"""What it costs to go back: snapshots and resets against what people do without them.

    ./dev bench reset [--rounds N] [--sizes 1 4 16]

A row of Dense layers with Adam: 85 MB of weights and 170 MB of slots in 44 variables,
and 4 and 16 times that. Prints medians over rounds, in one process, and ratios:

- live snapshot and restore. Bounded by one runtime call for each value (read, assign),
  whatever its size; the step after copies what it changes, and pays for the bytes.
- set_weights() and assign() of the slots: through NumPy, value by value.
- host copy against memcpy of the same bytes into memory of the same kind: both into
  pages that are new to the process, bounded by the kernel's zeroing of these, and both
  into the same pages again, bounded by the memory's bandwidth.
- back and the first step, against a new model, compile and the first step, which is
  bounded by tracing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import keraser
import numpy as np
from keraser import _core

LAYERS = 7
WIDTH = 1742  # 7 of them are 85 MB


def build(times: int) -> keras.Model:
    width = round(WIDTH * times**0.5)
    dense = [keras.layers.Dense(width) for _ in range(LAYERS)]
    model = keras.Sequential([keras.Input((width,)), *dense])
    model.compile("adam", "mse")
    return model


def seconds(act, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        act()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def show(what: str, taken: float, note: str = "") -> None:
    print(f"  {what:<44} {taken * 1e3:9.2f} ms  {note}")


def of_size(times: int, rounds: int) -> tuple[float, float]:
    model = build(times)
    model.optimizer.build(model.trainable_variables)
    snap = keraser.snapshot(model)
    print(f"{times} x: {len(snap)} values, {snap.bytes / 1e6:,.0f} MB, {snap.hold}")
    take = seconds(lambda: keraser.snapshot(model), rounds)
    back = seconds(snap.restore, rounds)
    show("live snapshot", take)
    show("restore", back)
    keraser.clear(model)
    return take, back


def by_hand(model: keras.Model, rounds: int) -> float:
    weights = model.get_weights()
    slots = [variable.numpy() for variable in model.optimizer.variables]

    def assign() -> None:
        model.set_weights(weights)
        for variable, value in zip(model.optimizer.variables, slots, strict=True):
            variable.assign(value)

    return seconds(assign, rounds)


def host(model: keras.Model, rounds: int) -> None:
    """The baseline is numpy.copyto, which is memcpy for arrays like these."""
    arrays = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    size = sum(array.nbytes for array in arrays)

    def fresh() -> None:
        made = [np.empty_like(array) for array in arrays]  # all of them at a time
        for target, array in zip(made, arrays, strict=True):
            np.copyto(target, array)

    targets = [np.empty_like(array) for array in arrays]

    def again() -> None:
        for target, array in zip(targets, arrays, strict=True):
            np.copyto(target, array)

    pairs = [
        (t.reshape(-1).view("u1"), a.reshape(-1).view("u1"))
        for t, a in zip(targets, arrays, strict=True)
    ]
    new, old = seconds(fresh, rounds), seconds(again, rounds)
    took = seconds(lambda: keraser.snapshot(model, hold="host"), rounds)
    copied = seconds(lambda: _core.copy(pairs), rounds)
    show("memcpy into new pages", new, f"{size / new / 1e9:.1f} GB/s")
    show("host snapshot", took, f"{size / took / 1e9:.1f} GB/s, {new / took:.2f} of it")
    show("memcpy into the same pages", old, f"{size / old / 1e9:.1f} GB/s")
    show(
        "_core.copy into the same pages",
        copied,
        f"{size / copied / 1e9:.1f} GB/s, {old / copied:.2f} of it",
    )


def resnet() -> keras.Model:
    """About as many bytes, in more variables and more operations to trace."""
    model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3))
    model.compile("adam", "categorical_crossentropy")
    return model


def first_steps(make: Callable[[], keras.Model], rounds: int) -> None:
    model = make()
    x = np.ones((4, *model.input_shape[1:]), np.float32)
    y = np.ones((4, *model.output_shape[1:]), np.float32)
    model.train_on_batch(x, y)
    snap = keraser.snapshot(model)

    def again() -> None:
        snap.restore()
        model.train_on_batch(x, y)

    def reset() -> None:
        keraser.reset(model, 1)
        model.train_on_batch(x, y)

    def anew() -> None:
        other = make()
        other.train_on_batch(x, y)

    print(f"{model.name}: {len(snap)} values, {snap.bytes / 1e6:,.0f} MB, 4 rows")
    step = seconds(lambda: model.train_on_batch(x, y), rounds)
    back, fresh = seconds(again, rounds), seconds(reset, rounds)
    new = seconds(anew, max(rounds // 3, 1))
    show("a step", step)
    show("restore and a step", back, f"the step copies {snap.bytes / 1e6:,.0f} MB")
    show("reset and a step", fresh)
    show(
        "build, compile and the first step",
        new,
        f"{new / back:.0f} x a restore, {new / fresh:.0f} x a reset",
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()
    taken = [of_size(times, options.rounds) for times in options.sizes]
    largest = [max(column) / min(column) for column in zip(*taken, strict=True)]
    print(f"between sizes: snapshot {largest[0]:.2f} x, restore {largest[1]:.2f} x\n")
    model = build(1)
    model.optimizer.build(model.trainable_variables)
    snap = keraser.snapshot(model)
    hand = by_hand(model, options.rounds)
    back = seconds(snap.restore, options.rounds)
    print("1 x: in place")
    show("set_weights and assign of slots", hand, f"{hand / back:.0f} x a restore")
    host(model, options.rounds)
    keraser.clear(model)
    for make in (lambda: build(1), resnet):
        first_steps(make, options.rounds)


if __name__ == "__main__":
    main()
