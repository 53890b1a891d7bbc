"""Models as people have them: small ones, one for each way to put a model together, and
those of keras.applications, without their weights.

Every function of `MODELS` returns (model, inputs, targets), compiled and not trained.
"""

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers
numbers = np.random.default_rng(0)

ROWS = 4


def _floats(*shape):
    return numbers.random((ROWS, *shape), np.float32)


def _words(length, words=50):
    return numbers.integers(0, words, (ROWS, length))


def _compiled(model, *inputs, optimizer="adam", loss="mse", **arguments):
    model.compile(optimizer, loss, **arguments)
    x = inputs[0] if len(inputs) == 1 else list(inputs)
    return model, x, _floats(1)


# ---- one for each way to put a model together ---------------------------------------


def dense():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )
    return _compiled(model, _floats(8), metrics=["mae"])


def lstm():
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(8), layers.Dense(1)])
    return _compiled(model, _floats(5, 3), optimizer="rmsprop")


def bidirectional_gru():
    gru = layers.Bidirectional(layers.GRU(6, return_sequences=True))
    model = keras.Sequential(
        [keras.Input((5, 3)), gru, layers.GlobalMaxPooling1D(), layers.Dense(1)]
    )
    return _compiled(model, _floats(5, 3))


def attention():
    words = keras.Input((7,), dtype="int32")
    embedded = layers.Embedding(50, 8)(words)
    attended = layers.MultiHeadAttention(2, 4, dropout=0.1)(embedded, embedded)
    x = layers.LayerNormalization()(layers.Add()([embedded, attended]))
    outputs = layers.Dense(1)(layers.GlobalAveragePooling1D()(x))
    return _compiled(keras.Model(words, outputs), _words(7), optimizer="adamw")


def conv1d():
    model = keras.Sequential(
        [
            keras.Input((16, 2)),
            layers.Conv1D(4, 3, activation="gelu"),
            layers.MaxPooling1D(2),
            layers.SeparableConv1D(6, 3, activation="silu"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    sgd = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
    return _compiled(model, _floats(16, 2), optimizer=sgd)


def nested():
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, "relu"), layers.BatchNormalization()],
        name="inner",
    )
    inputs = keras.Input((6,))
    middle = keras.Model(inputs, layers.Dropout(0.2)(inner(inputs)), name="middle")
    outer = keras.Input((6,))
    outputs = layers.Dense(1)(middle(layers.Dense(6)(outer)))
    return _compiled(keras.Model(outer, outputs), _floats(6))


def shared_layer():
    """One layer, its weights counted once, called from two branches."""
    tower = layers.Dense(9, "tanh")
    left, right = keras.Input((4,)), keras.Input((4,))
    both = layers.Concatenate()([tower(left), tower(right)])
    model = keras.Model([left, right], layers.Dense(1)(both))
    return _compiled(model, _floats(4), _floats(4))


class Careful(keras.Model):
    """Has a train_step, a metric and a count of its own."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(12, "relu")
        self.head = layers.Dense(1)
        self.steps = self.add_weight((), "zeros", "int32", trainable=False)
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x):
        return self.head(self.hidden(x))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_variables, strict=True)
        )
        self.steps.assign_add(1)
        self.seen.update_state(loss)
        return {"loss": loss, "seen": self.seen.result()}


def subclassed():
    return _compiled(Careful(), _floats(4))


def class_of_a_function():
    """Class and method are made anew, as in a notebook cell, and die with the model."""

    class Local(Careful):
        def call(self, x):
            return super().call(x) * 2

    return _compiled(Local(), _floats(4))


def lambda_layer():
    scale = 3.0
    model = keras.Sequential(
        [keras.Input((4,)), layers.Lambda(lambda x: x * scale), layers.Dense(1)]
    )
    return _compiled(model, _floats(4))


def preprocessing():
    """Text, categories and numbers into one model: tables are no variables."""
    texts = layers.TextVectorization(max_tokens=20, output_sequence_length=5)
    texts.adapt(["the cat sat", "on the mat", "and the dog too"])
    lookup = layers.StringLookup(vocabulary=["red", "green"], output_mode="one_hot")
    normalization = layers.Normalization()
    normalization.adapt(_floats(3))
    text = keras.Input((1,), dtype="string")
    color = keras.Input((1,), dtype="string")
    number = keras.Input((3,))
    embedded = layers.Flatten()(layers.Embedding(20, 4)(texts(text)))
    joined = layers.Concatenate()([embedded, lookup(color), normalization(number)])
    model = keras.Model([text, color, number], layers.Dense(1)(joined))
    return _compiled(
        model,
        tf.constant([["the cat"], ["a dog"], ["mat"], ["sat on"]]),
        tf.constant([["red"], ["green"], ["blue"], ["red"]]),
        tf.constant(_floats(3)),
    )


def mixed_precision():
    """Half-precision arithmetic; an optimizer in another that scales the loss."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential(
            [
                keras.Input((8,)),
                layers.Dense(10, "relu"),
                layers.LayerNormalization(),
                layers.Dense(1, dtype="float32"),
            ]
        )
        return _compiled(model, _floats(8))
    finally:
        keras.config.set_dtype_policy(before)


def stateful():
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(ROWS, 5, 3)),
            layers.GRU(4, stateful=True, return_sequences=True),
            layers.LSTM(4, stateful=True),
            layers.Dense(1),
        ]
    )
    return _compiled(model, _floats(5, 3))


class Noisy(layers.Layer):
    """Draws from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(7)

    def call(self, x, training=False):
        if not training:
            return x
        return x + keras.random.normal(keras.ops.shape(x), seed=self.generator)


def seeds():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            Noisy(),
            layers.Dropout(0.3, seed=1),
            layers.GaussianNoise(0.1),
            layers.Dense(1),
        ]
    )
    adam = keras.optimizers.Adam(use_ema=True, ema_momentum=0.9)
    return _compiled(model, _floats(4), optimizer=adam)


# ---- keras.applications -------------------------------------------------------------


def _application(name, side=32, run_eagerly=False, **arguments):
    """Tracing a step of the deepest takes minutes: these take theirs eagerly."""
    model = getattr(keras.applications, name)(
        weights=None, classes=3, input_shape=(side, side, 3), **arguments
    )
    model.compile(
        "adam",
        "categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=run_eagerly,
    )
    return model, _floats(side, side, 3)[:2], np.eye(3, dtype="float32")[:2]


def mobilenet():
    return _application("MobileNet", alpha=0.25)


def mobilenet_v2():
    return _application("MobileNetV2", alpha=0.35)


def mobilenet_v3_small():
    return _application("MobileNetV3Small")


def efficientnet_b0():
    return _application("EfficientNetB0", run_eagerly=True)


def efficientnet_v2_b0():
    return _application("EfficientNetV2B0", run_eagerly=True)


def nasnet_mobile():
    return _application("NASNetMobile", run_eagerly=True)


def densenet121():
    return _application("DenseNet121", run_eagerly=True)


def resnet50():
    return _application("ResNet50")


def xception():
    return _application("Xception", side=71, run_eagerly=True)


def vgg16():
    return _application("VGG16")


SMALL = {
    function.__name__: function
    for function in (
        dense,
        lstm,
        bidirectional_gru,
        attention,
        conv1d,
        nested,
        shared_layer,
        subclassed,
        class_of_a_function,
        lambda_layer,
        preprocessing,
        mixed_precision,
        stateful,
        seeds,
    )
}
APPLICATIONS = {
    function.__name__: function
    for function in (
        mobilenet,
        mobilenet_v2,
        mobilenet_v3_small,
        efficientnet_b0,
        efficientnet_v2_b0,
        nasnet_mobile,
        densenet121,
        resnet50,
        xception,
        vgg16,
    )
}
MODELS = SMALL | APPLICATIONS
