"""Functions that build a model, in the ways in which people write that down."""

import keras
import numpy as np
import parkable
import real_models

layers, initializers = keras.layers, keras.initializers


class Scale(layers.Layer):
    """Keeps its arguments in no get_config(); Keras sees them."""

    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = factor

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[-1:], initializer="random_normal")
        self.seeds = keras.random.SeedGenerator()

    def call(self, x):
        return x * self.scale * self.factor


class Block(layers.Layer):
    """Leaves it to Keras to build what is in it."""

    def __init__(self, width, **arguments):
        super().__init__(**arguments)
        self.width = width
        self.attention = layers.MultiHeadAttention(2, 4, dropout=0.1)
        self.ahead = keras.Sequential([layers.Dense(width), layers.Dense(width)])

    def get_config(self):
        return {**super().get_config(), "width": self.width}

    def call(self, x):
        return self.ahead(self.attention(x, x))


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.second = layers.Dense(3)
        self.first = Scale(3.0)
        self.stack = [layers.Dense(4) for _ in range(2)]

    def call(self, x):
        x = self.second(self.first(x))
        for layer in self.stack:
            x = layer(x)
        return x


def sequential(*parts, shape=(6,), dtype="float32"):
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *parts])
    model.compile("adam", "mse")
    return model


def blocks():
    inputs = keras.Input((5, 8))
    x = Block(8)(layers.Dense(8)(inputs))
    x = layers.Dropout(0.1)(x)
    x = Block(8)(x)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))


def branches():
    inputs = keras.Input((6,))
    one = layers.Dense(4, "relu")(inputs)
    two = layers.Dense(4)(inputs)
    two = layers.Dropout(0.3)(two)
    return keras.Model(inputs, layers.Dense(1)(layers.Concatenate()([one, two])))


def subclassed():
    model = Net()
    model(np.zeros((2, 6), np.float32))
    return model


def added():
    model = keras.Sequential()
    model.add(keras.Input((5, 6)))
    model.add(Block(6))
    model.add(layers.Dense(2))
    return model


def unbuilt_at_first():
    model = keras.Sequential([layers.Dense(3), Scale(), layers.Dense(2)])
    model.build((None, 6))
    return model


class Odd(layers.Layer):
    """Its from_config() draws a seed before it fails."""

    def __init__(self, units=3):
        super().__init__()
        self.dense = layers.Dense(units)

    def get_config(self):
        return {"odd": True}

    @classmethod
    def from_config(cls, config):
        layers.Dense(1)
        return cls(**config)

    def call(self, x):
        return self.dense(x)


def odd():
    return sequential(Odd(4), layers.Dense(2))


class Graph(keras.Model):
    """Known by its graph, and made by its own code."""

    def __init__(self, width=5):
        inputs = keras.Input((6,))
        hidden = layers.Dense(width)(inputs)
        super().__init__(inputs, layers.Dense(2)(hidden))


def graph():
    return Graph(4)


def given_seeds():
    return sequential(
        layers.Dense(4, kernel_initializer=initializers.HeNormal(seed=3)),
        layers.Dense(
            4,
            kernel_initializer=initializers.Orthogonal(
                seed=keras.random.SeedGenerator(5)
            ),
        ),
        layers.Dense(4, kernel_initializer="orthogonal", bias_initializer="ones"),
        layers.Dense(4, kernel_initializer=initializers.VarianceScaling(2.0)),
        layers.Dense(4, kernel_initializer="truncated_normal"),
        layers.Dropout(0.5, seed=9),
        layers.GaussianNoise(0.1),
    )


def of_models():
    """Models of one layer are whole before the Sequential is."""
    first = keras.Sequential([keras.Input((6,)), layers.Dense(4)])
    inputs = keras.Input((4,))
    second = keras.Model(inputs, layers.Dense(3)(inputs))
    return sequential(first, layers.Dense(4), second, layers.Dense(1))


def written_within():
    """What is called last is made first, in Python's order."""
    inputs = keras.Input((6,))
    long = layers.Dense(4)(layers.Dense(5)(inputs))
    x = layers.add([layers.Dense(4)(inputs), long])
    return keras.Model(inputs, layers.Dense(1)(x) + layers.Dense(1)(x * 2))


def recurrent():
    return sequential(
        layers.LSTM(4, return_sequences=True, dropout=0.1, recurrent_dropout=0.2),
        layers.Bidirectional(layers.GRU(3, return_sequences=True, dropout=0.1)),
        layers.Bidirectional(
            layers.LSTM(3, return_sequences=True),
            backward_layer=layers.GRU(3, go_backwards=True, return_sequences=True),
        ),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], return_sequences=True),
        layers.TimeDistributed(layers.Dense(2)),
        layers.SimpleRNN(2),
        shape=(5, 3),
    )


def convolutional():
    return sequential(
        layers.RandomFlip(),
        layers.Conv2D(4, 3),
        layers.SeparableConv2D(4, 3),
        layers.DepthwiseConv2D(2),
        layers.Conv2DTranspose(2, 2),
        layers.SpectralNormalization(layers.Conv2D(2, 2)),
        layers.GroupNormalization(2),
        layers.SpatialDropout2D(0.1),
        layers.Flatten(),
        layers.Dense(1),
        shape=(12, 12, 2),
    )


def embedded():
    return sequential(
        layers.Embedding(20, 4),
        layers.Conv1D(4, 2, padding="same"),
        layers.LayerNormalization(),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1),
        shape=(7,),
        dtype="int32",
    )


def mixed():
    return sequential(
        layers.Dense(4, dtype="mixed_float16"),
        layers.Dense(4, dtype="mixed_bfloat16"),
        layers.Dense(2, dtype="float64"),
    )


OURS = [
    blocks,
    branches,
    subclassed,
    added,
    unbuilt_at_first,
    graph,
    odd,
    given_seeds,
    of_models,
    written_within,
    recurrent,
    convolutional,
    embedded,
    mixed,
]


def theirs(make):
    def build():
        model, x, _ = make()
        if not model.built:
            model(x)
        return model

    build.__name__ = make.__name__
    return build


#: bfloat16 is a clone, which is made after the model whose clone it is.
KNOWN = [theirs(make) for name, make in parkable.MODELS.items() if name != "bfloat16"]
REAL = [
    theirs(make)
    for name, make in real_models.MODELS.items()
    if name in ("conv1d", "shared_layer", "lambda_layer", "seeds", "mixed_precision")
]
BUILDS = [*OURS, *KNOWN, *REAL]
