"""A long sweep: a search over architectures by keraser.trials, and what it left behind.

    ./dev bench sweep --trials 100        or        python bench/sweep.py --trials 500

Models of five kinds (dense, convolutional, recurrent, separable, attention) in four
sizes with three optimizers are built and fitted; the best by its validation is kept by
its weights. With --full each is evaluated and asked for predictions as well.

Trial 20 has seen each kind in each size: every new shape costs memory once, in oneDNN's
cache of compiled primitives, up to 4 MB for attention, which TensorFlow has no way to
empty. Prints the report, and with --save writes it as a picture and as JSON.
"""

import argparse
import json

ROWS = 128


def build(number):
    import keras

    layers = keras.layers
    units = 16 + 16 * (number // 5 % 4)
    kind = number % 5
    inputs = keras.Input((8, 8, 1))
    if kind == 0:
        x = layers.Dense(units, activation="relu")(layers.Flatten()(inputs))
    elif kind == 1:
        x = layers.Conv2D(units, 3, activation="relu")(inputs)
        x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    elif kind == 2:
        x = layers.LSTM(units)(layers.Reshape((8, 8))(inputs))
    elif kind == 3:
        x = layers.Flatten()(layers.SeparableConv2D(units, 3)(inputs))
        x = layers.Dropout(0.2)(layers.Activation("silu")(x))
    else:
        x = layers.Reshape((8, 8))(inputs)
        x = layers.MultiHeadAttention(2, units)(x, x)
        x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(x))
    optimizer = ("adam", "sgd", "rmsprop")[number % 3]
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def sweep(trials, full):
    """The trials, the best accuracy and the weights that gave it."""
    import keraser
    import numpy as np

    numbers = np.random.default_rng(0)
    x = numbers.random((ROWS, 8, 8, 1), np.float32)
    y = numbers.integers(0, 4, ROWS)
    best, weights = 0.0, None
    loop = keraser.trials(range(trials))
    for trial in loop:
        model = build(trial.value)
        history = model.fit(
            x, y, epochs=1, batch_size=32, validation_split=0.25, verbose=0
        )
        if full:
            model.evaluate(x, y, verbose=0)
            model.predict(x[:8], verbose=0)
        accuracy = history.history["val_accuracy"][-1]
        if accuracy > best:
            best, weights = accuracy, model.get_weights()
    return loop, best, weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--full", action="store_true", help="evaluate and predict too")
    parser.add_argument("--save", metavar="PATH", help="PATH.svg and PATH.json")
    options = parser.parse_args()
    loop, best, _ = sweep(options.trials, options.full)
    report = loop.report()
    print(report)
    rss = [value for value in report["RSS"].values if value is not None]
    later = {"best": best, "trials": len(rss), "last": rss[-1]}
    if len(rss) > 20:
        later |= {"at_20": rss[20], "ratio": rss[-1] / rss[20]}
    if options.save:
        report.save(f"{options.save}.svg")
        report.save(f"{options.save}.json")
    print(json.dumps(later))


if __name__ == "__main__":
    main()
