"""Why is a model still there? Ask, cut, and see it go.

    python examples/why.py

Keeps one small model in four ways that are easily forgotten, asks keraser who holds
it, drops what can be dropped, and asks again.
"""

import gc
import weakref

import keras
import keraser
import numpy as np

X, Y = np.ones((32, 8), "f4"), np.ones((32, 1), "f4")

history, failed, models, hooks = None, [], [], []


def build():
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def train():
    """What a cell of a notebook does, and what stays behind."""
    global history
    model = build()
    history = model.fit(X, Y, verbose=0)
    models.append(model)
    hooks.append(lambda: model.count_params())
    try:
        model.predict(np.ones((4, 3), "f4"), verbose=0)  # the wrong width
    except Exception as error:
        failed.append(error)
    return weakref.ref(model)


def main():
    model = train()
    keras.backend.clear_session()
    gc.collect()
    print("after clear_session() and gc.collect():", model(), "\n")
    print(keraser.why(model()), "\n")
    print(keraser.why(model()).cut(), "\n")
    hooks.clear()  # the one that only we can know to be of no use
    gc.collect()
    print("and now:", model(), "\n")
    print(keraser.census(), "\n")
    print(keraser.clear())


if __name__ == "__main__":
    main()
