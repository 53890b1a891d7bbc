"""The sweep: what one trial builds and fits. The same in all three arms.

A plain tabular network, the kind that hyper-parameter searches build by the hundred:
Dense + BatchNormalization + Dropout, Adam. Trials differ in what a search varies
without changing the size of the model: learning rate, dropout rate, Adam's beta_1.
"""

import keras
import numpy as np

FEATURES = 64
ROWS = 1024
LAYERS = 8


def data():
    """Synthetic rows: a noisy linear target, the same in every arm."""
    random = np.random.default_rng(0)
    x = random.standard_normal((ROWS, FEATURES), np.float32)
    noise = random.standard_normal((ROWS, 1), np.float32)
    return x, x @ random.standard_normal((FEATURES, 1), np.float32) + noise


def build(trial, units):
    """The model of one trial, compiled."""
    random = np.random.default_rng(trial)
    model = keras.Sequential([keras.Input((FEATURES,))])
    for _ in range(LAYERS):
        model.add(keras.layers.Dense(units, activation="relu"))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.Dropout(float(random.uniform(0.1, 0.5))))
    model.add(keras.layers.Dense(1))
    model.compile(
        keras.optimizers.Adam(
            learning_rate=float(10 ** random.uniform(-4, -2)),
            beta_1=float(random.uniform(0.85, 0.95)),
        ),
        loss="mse",
    )
    return model


def fit(model, x, y):
    """One epoch."""
    model.fit(x, y, epochs=1, batch_size=128, verbose=0)
