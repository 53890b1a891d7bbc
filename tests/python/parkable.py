"""Models to be parked: one for each way in which a model keeps values."""

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from real_models import Careful

layers, optimizers = keras.layers, keras.optimizers
numbers = np.random.default_rng(3)
ROWS = 4


def floats(*shape):
    return numbers.random((ROWS, *shape), np.float32)


def dense(**arguments):
    """With a seed generator and a metric of many values."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1, "sigmoid"),
        ]
    )
    auc = keras.metrics.AUC(num_thresholds=20)
    model.compile(arguments.pop("optimizer", "adam"), "mse", metrics=[auc], **arguments)
    return model, floats(8), np.round(floats(1))


def conv():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation="silu"),
            layers.SeparableConv2D(4, 3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(optimizers.SGD(0.01, momentum=0.9), "mse")
    return model, floats(8, 8, 2), floats(1)


def recurrent():
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.LSTM(4, return_sequences=True, dropout=0.1),
            layers.GRU(4),
            layers.Dense(1),
        ]
    )
    model.compile("rmsprop", "mse")
    return model, floats(5, 3), floats(1)


def bidirectional():
    gru = layers.Bidirectional(layers.GRU(3))
    model = keras.Sequential([keras.Input((5, 3)), gru, layers.Dense(1)])
    model.compile("adam", "mse")
    return model, floats(5, 3), floats(1)


def attention():
    words = keras.Input((7,), dtype="int32")
    x = layers.Embedding(50, 8)(words)
    attended = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    outputs = layers.Dense(1)(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(words, outputs)
    model.compile("adamw", "mse")
    return model, numbers.integers(0, 50, (ROWS, 7)), floats(1)


def mixed_float16():
    """Its optimizer has another in it, and lists the same variables as that."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(10, "relu", dtype="mixed_float16"),
            layers.Dense(1, dtype="float32"),
        ]
    )
    model.compile(optimizers.LossScaleOptimizer(optimizers.Adam()), "mse")
    return model, floats(8), floats(1)


def bfloat16():
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(10), layers.Dense(1)],
    )
    model = keras.models.clone_model(
        model,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": "bfloat16"}
        ),
    )
    model.compile("sgd", "mse")
    return model, floats(8), floats(1)


def custom_train_step():
    model = Careful()
    model.compile("adam", "mse")
    return model, floats(4), floats(1)


def jitted():
    return dense(jit_compile=True)


def two_ends():
    """Two inputs, two outputs, one layer called twice."""
    left, right = keras.Input((4,)), keras.Input((4,))
    tower = layers.Dense(6, "tanh")
    x = layers.Concatenate()([tower(left), tower(right)])
    outputs = [layers.Dense(1, name="one")(x), layers.Dense(2, name="two")(x)]
    model = keras.Model([left, right], outputs)
    model.compile("adam", ["mse", "mae"])
    return model, [floats(4), floats(4)], [floats(1), floats(2)]


def nested():
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, "relu"), layers.BatchNormalization()]
    )
    inputs = keras.Input((6,))
    middle = keras.Model(inputs, layers.Dropout(0.2)(inner(inputs)))
    outer = keras.Input((6,))
    model = keras.Model(outer, layers.Dense(1)(middle(layers.Dense(6)(outer))))
    model.compile("adam", "mse")
    return model, floats(6), floats(1)


MODELS = {
    function.__name__: function
    for function in (
        dense,
        conv,
        recurrent,
        bidirectional,
        attention,
        mixed_float16,
        bfloat16,
        custom_train_step,
        jitted,
        two_ends,
        nested,
    )
}


def variables(model):
    """Every variable that a user can ask the model for, each once."""
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())


def values(model):
    """Path, type, shape and bytes of each."""
    return [
        (v.path, str(v.dtype), tuple(v.shape), np.asarray(v.value).tobytes())
        for v in variables(model)
    ]


def traces(model):
    """How often the functions of the trainer were traced, and which they are."""
    found = []
    for name in ("train_function", "predict_function"):
        function = getattr(model, name)
        closure = getattr(function, "__closure__", None) or ()
        inner = [cell.cell_contents for cell in closure]
        counts = [
            f.experimental_get_tracing_count()
            for f in (function, *inner)
            if isinstance(f, tf.types.experimental.PolymorphicFunction)
        ]
        assert counts, f"{name} has no tf.function that could be asked"
        found.append((id(function), counts))
    return found


def fit(model, x, y):
    return model.fit(x, y, epochs=2, verbose=0, shuffle=False).history


def set_back(model, before):
    """Gives every variable the value that `values()` saw."""
    for variable, (_, _, shape, content) in zip(variables(model), before, strict=True):
        kind = np.asarray(variable.value).dtype
        variable.assign(np.frombuffer(content, kind).reshape(shape))


def check_round_trip(make, to):
    """Parks between two times of training, and compares with training in one go."""
    model, x, y = make()
    fit(model, x, y)
    before, prediction = values(model), model.predict(x, verbose=0)
    history, after = fit(model, x, y), values(model)
    set_back(model, before)
    seen, kinds = traces(model), classes(model)

    receipt = keraser.park(model, to=to)
    assert receipt.kept == ()
    assert receipt.variables == len(before)
    with pytest.raises(keraser.ParkedModelError):
        model.predict(x, verbose=0)
    assert keraser.unpark(model) is model

    assert values(model) == before
    assert classes(model) == kinds
    again = model.predict(x, verbose=0)
    assert [a.tobytes() for a in _flat(again)] == [
        a.tobytes() for a in _flat(prediction)
    ]
    assert fit(model, x, y) == history
    assert values(model) == after
    assert traces(model) == seen


def _flat(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def parts(model):
    """Everything that is going to be guarded, as far as a user can reach it."""
    return [*model._flatten_layers(), *model.metrics, model.optimizer]


def classes(model):
    return [type(part) for part in (*parts(model), *variables(model))]
