"""Small models, and what the process says of them."""

import gc
import itertools
import statistics

import keras
import numpy as np

layers = keras.layers

#: Inputs and targets of every model here.
X = np.random.default_rng(0).random((32, 8), np.float32)
Y = np.random.default_rng(1).random((32, 1), np.float32)


def build(units=16, **compile_arguments):
    """Dense, BatchNormalization, Dropout, compiled with Adam."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(units, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", **compile_arguments)
    return model


def trained(units=16, **compile_arguments):
    model = build(units, **compile_arguments)
    model.fit(X, Y, verbose=0)
    return model


def weight_bytes(model):
    return _bytes_of(model.variables)


def slot_bytes(model):
    return _bytes_of(model.optimizer.variables)


def _bytes_of(variables):
    return sum(v.numpy().nbytes for v in variables)


def objects():
    """Objects that the collector tracks, after a collection."""
    gc.collect()
    return len(gc.get_objects())


def growth(round_, rounds=5):
    """Objects that a round leaves behind: the median, so that something which the
    process does once (a cache, a late collection) is not taken for growth."""
    round_()
    counts = []
    for _ in range(rounds + 1):
        round_()
        counts.append(objects())
    return statistics.median(b - a for a, b in itertools.pairwise(counts))
