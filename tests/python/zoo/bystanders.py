"""Live models among many that are built, trained and cleared. A process of its own:

    python tests/python/zoo/bystanders.py --rounds 200 --seed 1

Three models live through it all: a functional one with a gradient of the user's own, a
subclassed one, a Sequential with BatchNormalization. In each round a model of a random
kind comes and goes; some share layers with a live one. Raises AssertionError as soon as
a live model's output differs in one bit, cannot be trained, or gets a wrong gradient.

Gradients: tf.functions of the live models are traced before, forward only. To take a
gradient through such a one makes TensorFlow look for the custom gradient's entry in its
registry, now, after everything that was cleared since.
"""

import argparse
import os
import random

from flatness import ENVIRONMENT

os.environ.update(ENVIRONMENT)

import keras
import keraser
import numpy as np
import tensorflow as tf

layers = keras.layers
WIDTH, ROWS = 12, 32
#: Rounds between two gradients and fits of the live models.
EVERY = 10
NUMBERS = np.random.default_rng(0)
X = NUMBERS.random((ROWS, WIDTH), np.float32)
Y = NUMBERS.random((ROWS, 1), np.float32)


# ---- the live models ---------------------------------------------------------------


@tf.custom_gradient
def doubled_backwards(x):
    """The identity, whose gradient no automatic rule would give."""
    return tf.identity(x), lambda upstream: 2.0 * upstream * tf.cast(x > 0, x.dtype)


class Doubled(layers.Layer):
    def call(self, x):
        return doubled_backwards(x)

    def compute_output_shape(self, shape):
        return shape


def functional():
    inputs = keras.Input((WIDTH,))
    hidden = layers.Dense(16, "silu", name="hidden")(inputs)
    outputs = layers.Dense(1)(Doubled(name="doubled")(hidden))
    return keras.Model(inputs, outputs, name="functional_alive")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed_alive")
        self.hidden = layers.Dense(16, "swish")
        self.head = layers.Dense(1)

    def call(self, x):
        return self.head(self.hidden(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input((WIDTH,)),
            layers.Dense(16, "gelu"),
            layers.BatchNormalization(),
            layers.Dense(1),
        ],
        name="sequential_alive",
    )


class Live:
    """A model that must not notice anything."""

    def __init__(self, model, gradients):
        self.model = model
        model.compile("adam", "mse")
        fit(model)
        self._traced = [self._trace() for _ in range(gradients)]
        self.expect()

    def _trace(self):
        forward = tf.function(lambda x: self.model(x, training=False))
        forward(tf.constant(X))
        return forward

    def _outputs(self):
        called = self.model(X, training=False).numpy()
        return called, self.model.predict(X, verbose=0), self._traced[-1](X).numpy()

    def expect(self):
        """What the model gives now is what it shall give."""
        self._expected = self._outputs()

    def check_outputs(self, when):
        for expected, found in zip(self._expected, self._outputs(), strict=True):
            same = expected.tobytes() == found.tobytes()
            assert same, f"{self.model.name} gives other numbers {when}"

    def check_gradient(self, when):
        """Takes the first gradient ever through one of the functions traced before."""
        forward = self._traced.pop(0)
        variables = self.model.trainable_variables
        x = tf.constant(X)
        found = gradients_of(forward, x, variables)
        expected = gradients_of(lambda x: self.model(x, training=False), x, variables)
        for variable, ours, eager in zip(variables, found, expected, strict=True):
            name = f"{variable.path} of {self.model.name}"
            assert np.any(eager), f"no gradient of {name}, so nothing is compared"
            np.testing.assert_allclose(
                ours, eager, rtol=1e-4, atol=1e-6, err_msg=f"{name} {when}"
            )

    def check_fit(self, when):
        before = [weight.copy() for weight in self.model.get_weights()]
        loss = fit(self.model)
        after = self.model.get_weights()
        assert np.isfinite(loss), f"{self.model.name} {when}: loss {loss}"
        moved = any(np.any(a != b) for a, b in zip(before, after, strict=True))
        assert moved, f"fit changes nothing in {self.model.name} {when}"
        self.expect()


def gradients_of(forward, x, variables):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_mean((forward(x) - Y) ** 2)
    gradients = tape.gradient(loss, [x, *(v.value for v in variables)])
    return [gradient.numpy() for gradient in gradients[1:]]


def fit(model):
    return model.fit(X, Y, batch_size=16, epochs=1, verbose=0).history["loss"][-1]


# ---- those that come and go ----------------------------------------------------------


def random_chain(dice, x):
    """A few layers of random kinds behind x."""
    for _ in range(dice.randint(1, 3)):
        kind = dice.choice(["dense", "silu", "norm", "dropout", "doubled", "lstm"])
        if kind == "norm":
            x = layers.BatchNormalization()(x)
        elif kind == "dropout":
            x = layers.Dropout(0.3)(x)
        elif kind == "doubled":
            x = Doubled()(x)
        elif kind == "lstm":
            x = layers.LSTM(4)(layers.Reshape((-1, 1))(x))
        else:
            width = dice.randint(2, 12)
            x = layers.Dense(width, "silu" if kind == "silu" else "relu")(x)
    return x


def stranger(dice, _live):
    """A functional model that shares nothing."""
    inputs = keras.Input((WIDTH,))
    return keras.Model(inputs, layers.Dense(1)(random_chain(dice, inputs)))


def stranger_subclassed(_dice, _live):
    return Subclassed()


def stranger_sequential(_dice, _live):
    return sequential()


def on_a_layer(dice, live):
    """A head on a layer inside the live functional model, which it shares."""
    base = live["functional"].model
    hidden = base.get_layer(dice.choice(["hidden", "doubled"])).output
    return keras.Model(base.input, layers.Dense(1)(random_chain(dice, hidden)))


def around_a_model(dice, live):
    """A model that calls a whole live one."""
    base = live[dice.choice(sorted(live))].model
    inputs = keras.Input((WIDTH,))
    return keras.Model(inputs, layers.Dense(1)(random_chain(dice, base(inputs))))


def with_a_live_layer(_dice, live):
    """A Sequential with a layer out of a live Sequential."""
    shared = live["sequential"].model.layers[0]
    head = layers.Dense(
        1, name="head"
    )  # automatic names may be taken, see test_untouched
    return keras.Sequential([keras.Input((WIDTH,)), shared, head])


KINDS = (
    stranger,
    stranger_subclassed,
    stranger_sequential,
    on_a_layer,
    around_a_model,
    with_a_live_layer,
)


def train(dice, model):
    """One of the ways in which a model is used before it is dropped."""
    use = dice.choice(["fit", "fit", "fit eagerly", "predict", "nothing"])
    if use.startswith("fit"):
        optimizer = dice.choice(["adam", "sgd", "rmsprop"])
        model.compile(optimizer, "mse", run_eagerly=use == "fit eagerly")
        fit(model)
    elif use == "predict":
        model.predict(X, verbose=0)


def play_round(dice, live, number):
    kind = dice.choice(KINDS)
    when = f"after round {number} ({kind.__name__})"
    model = kind(dice, live)
    train(dice, model)
    for one in live.values():  # the round may have trained a layer that both have
        one.expect()
    if dice.random() < 0.25:
        del model
        keraser.clear()
    else:
        assert keraser.clear(model).cleared, f"model kept {when}"
    for one in live.values():
        one.check_outputs(when)
    if number % EVERY == EVERY - 1:
        for one in live.values():
            one.check_gradient(when)
            one.check_fit(when)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guard", action="store_true")
    options = parser.parse_args()
    if options.guard:
        keraser.guard()
    keras.utils.set_random_seed(options.seed)
    makers = {
        "functional": functional,
        "subclassed": Subclassed,
        "sequential": sequential,
    }
    gradients = options.rounds // EVERY + 1
    live = {name: Live(make(), gradients) for name, make in makers.items()}
    dice = random.Random(options.seed)
    for number in range(options.rounds):
        play_round(dice, live, number)
    print(f"{options.rounds} rounds, {len(live)} models untouched")


if __name__ == "__main__":
    main()
