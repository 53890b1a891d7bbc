"""Clears a model under the threads that use it.

python hollow_under_fire.py --rounds N. Each round builds a model and lets four threads
predict with it, each in its own way, and one train it (at a learning rate of 0, so that
the right numbers are known). In the midst of it the model is cleared. Each thread must
then end with a clean error, none may ever see a wrong number, and when they have ended
nothing of the model's memory may be left.
"""

import argparse
import gc
import sys
import threading
import time

import keras
import keraser
import numpy as np
import tensorflow as tf
from keras import layers
from keraser.adapters.base import Witness
from keraser.adapters.keras_tf import values
from keraser.adapters.keras_tf.model import handles_of

WIDTH = 128
X = np.linspace(-1, 1, 16 * WIDTH, dtype="float32").reshape(16, WIDTH)
Y = np.zeros((16, WIDTH), "float32")
CLEAN = (keraser.ClearedModelError, tf.errors.InvalidArgumentError)
PATIENCE = 60  # seconds


class Tally:
    """What the threads saw."""

    def __init__(self):
        self.right, self.wrong, self.errors = 0, [], {}

    def add(self, numbers, expected):
        if np.allclose(numbers, expected, rtol=1e-5, atol=1e-6):
            self.right += 1
        else:
            self.wrong.append(f"a number: {np.shape(numbers)}, {np.ravel(numbers)[:3]}")

    def end(self, error):
        name = type(error).__name__
        self.errors[name] = self.errors.get(name, 0) + 1
        if not isinstance(error, CLEAN):
            self.wrong.append(f"{name}: {error}"[:2000])


def build():
    model = keras.Sequential(
        [
            keras.Input((WIDTH,)),
            layers.Dense(2 * WIDTH, "relu"),
            layers.LayerNormalization(),
            layers.Dense(WIDTH),
        ]
    )
    model.compile(keras.optimizers.Adam(0.0), "mse")
    model.fit(X, Y, verbose=0)
    return model


def uses(model):
    """Four ways to a prediction, and one to train."""
    step = tf.function(lambda x: model(x))
    return [
        lambda: model.predict(X, verbose=0),
        lambda: model.predict_on_batch(X),
        lambda: model(X).numpy(),
        lambda: step(X).numpy(),
        lambda: model.fit(X, Y, verbose=0) and None,
    ]


def work(use, expected, tally):
    try:
        while True:
            numbers = use()
            if numbers is not None:
                tally.add(numbers, expected)
    except Exception as error:
        tally.end(error)
        error.__traceback__ = None


def bytes_left(witnesses):
    gc.collect()
    alive = [handle for handle, _ in witnesses if handle() is not None]
    left = {id(handle) for handle in alive if not values.is_empty(handle())}
    return sum(size for handle, size in witnesses if id(handle) in left)


def round_(tally, pause):
    model = build()
    expected = model.predict(X, verbose=0)
    witnesses = [
        (Witness(handle), variable.value.dtype.size * int(np.prod(variable.shape)))
        for variable in (*model.variables, *model.optimizer.variables)
        for handle in handles_of(variable)
        if values.can_be_empty(handle)
    ]
    threads = [
        threading.Thread(target=work, args=(use, expected, tally), daemon=True)
        for use in uses(model)
    ]
    for thread in threads:
        thread.start()
    time.sleep(pause)
    receipt = keraser.clear(model)
    if not receipt.cleared:
        tally.wrong.append(f"not cleared: {receipt}")
    for thread in threads:
        thread.join(PATIENCE)
        if thread.is_alive():
            tally.wrong.append("a thread goes on with a cleared model")
    del threads, thread, model
    return bytes_left(witnesses)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    tally, left = Tally(), 0
    for number in range(rounds):
        left += round_(tally, 0.05 + 0.01 * (number % 20))
    errors = ", ".join(f"{count} {name}" for name, count in tally.errors.items())
    for wrong in tally.wrong[:3]:
        print(wrong, file=sys.stderr)
    print(
        f"{rounds} rounds, {len(tally.wrong)} wrong, {left} bytes left: "
        f"{tally.right} right numbers, {errors}"
    )
    return 1 if tally.wrong or left or not tally.right else 0


if __name__ == "__main__":
    sys.exit(main())
