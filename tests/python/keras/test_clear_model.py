"""clear(model): what it frees, for every kind of model."""

import gc
import weakref

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from small_models import X, Y, build, growth, layers, slot_bytes, trained, weight_bytes


def functional():
    inputs = keras.Input((8,))
    branch = layers.Dense(8, "relu")(inputs)
    outputs = layers.Dense(1)(layers.Concatenate()([inputs, branch]))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse")
    return model


def subclassed():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = layers.Dense(8, "relu")
            self.head = layers.Dense(1)

        def call(self, x):
            return self.head(self.hidden(x))

    model = Net()
    model.compile("adam", "mse")
    return model


def nested():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(4, "relu")])
    model = keras.Sequential([keras.Input((8,)), inner, layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def custom_train_step():
    class Net(keras.Sequential):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss}

    model = Net([keras.Input((8,)), layers.Dense(4), layers.Dense(1)])
    model.compile("adam")
    return model


def jitted():
    return build(jit_compile=True)


def eager():
    return build(run_eagerly=True)


def with_swish():
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(8, "swish"), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def mixed_precision():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(8, dtype="mixed_bfloat16"),
            layers.Dense(1, dtype="float32"),
        ]
    )
    model.compile("adam", "mse")
    return model


KINDS = [
    build,
    functional,
    subclassed,
    nested,
    custom_train_step,
    jitted,
    eager,
    with_swish,
    mixed_precision,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_trained_model_goes_with_all_it_owns(kind):
    model = kind()
    model.fit(X, Y, verbose=0)
    model.predict(X, verbose=0)
    weights, slots = weight_bytes(model), slot_bytes(model)
    handles = [weakref.ref(v.value.handle) for v in model.variables]
    handles += [weakref.ref(v.value.handle) for v in model.optimizer.variables]
    layer = weakref.ref(model.layers[0])

    receipt = keraser.clear(model)

    assert receipt.cleared
    assert receipt.kept == ()
    assert layer() is None
    assert [handle() for handle in handles] == [None] * len(handles)
    assert receipt.freed["weights"] == weights
    assert receipt.freed["optimizer"] == slots
    assert receipt.objects.after == 0
    assert receipt.graphs.after == receipt.handles.after == 0
    assert receipt.functions.after == 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_models_made_in_turn_leave_no_object(kind):
    def round_():
        model = kind()
        model.fit(X, Y, verbose=0)
        keraser.clear(model)

    assert growth(round_) == 0


def test_a_model_that_was_never_compiled_goes():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4)])
    size = weight_bytes(model)
    receipt = keraser.clear(model)
    assert receipt.kept == ()
    assert receipt.freed["weights"] == size


def test_a_model_that_was_never_built_goes():
    model = keras.Sequential([layers.Dense(4)])
    assert keraser.clear(model).cleared


def test_a_loaded_model_goes(tmp_path):
    path = tmp_path / "model.keras"
    trained().save(path)
    model = keras.saving.load_model(path)
    model.predict(X, verbose=0)
    receipt = keraser.clear(model)
    assert receipt.kept == ()
    assert receipt.handles.before > 0
    assert receipt.handles.after == 0


def test_a_model_trained_by_a_function_of_the_user_goes_with_it():
    def train():
        model = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(1)])
        optimizer = keras.optimizers.Adam()

        @tf.function
        def step(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return loss

        step(tf.constant(X), tf.constant(Y))
        return model, weakref.ref(optimizer)

    model, optimizer = train()
    receipt = keraser.clear(model)
    assert receipt.kept == ()
    assert optimizer() is None


def test_the_name_is_bound_to_a_shell_that_says_what_happened():
    model = trained()
    keraser.clear(model)
    with pytest.raises(keraser.ClearedModelError, match=r"test_clear_model\.py"):
        model.fit(X, Y)
    with pytest.raises(keraser.ClearedModelError, match="cannot be called"):
        model(X)


def test_a_second_clear_does_nothing_and_says_when_the_first_was():
    model = trained()
    keraser.clear(model)
    again = keraser.clear(model)
    assert again.freed_bytes == 0
    assert "cleared before" in repr(again)


def test_a_model_that_no_name_is_bound_to_goes():
    assert keraser.clear(trained()).kept == ()


def test_the_registry_s_entries_of_the_model_go_and_are_named():
    from tensorflow.python.framework import ops

    before = set(ops.gradient_registry._registry)
    model = trained()
    assert set(ops.gradient_registry._registry) > before
    receipt = keraser.clear(model)
    assert set(ops.gradient_registry._registry) <= before
    assert any("gradient_registry" in reset.what for reset in receipt.resets)


def test_the_bytes_of_the_receipt_agree_with_the_allocator():
    """1 M parameters in blocks that the C heap or the pool accounts for."""
    model = build(100_000)
    model.predict(X, verbose=0)
    size = weight_bytes(model)
    receipt = keraser.clear(model)
    allocator = receipt.heap.freed + receipt.pool.freed
    assert receipt.freed["weights"] == size
    assert allocator >= size * 0.95


def test_a_receipt_holds_no_model_and_reads_as_data():
    model = trained()
    layer = weakref.ref(model.layers[0])
    receipt = keraser.clear(model)
    assert layer() is None
    import json

    assert json.loads(json.dumps(receipt.to_dict()))["model"] == receipt.model
    assert receipt.model in repr(receipt)
    assert receipt._repr_html_().startswith("<b>")


def test_python_bytes_count_the_graph_among_the_functions():
    model = trained()
    receipt = keraser.clear(model)
    assert receipt.freed["functions"] > 500_000
    assert receipt.graphs.before > 2


def test_outputs_of_other_models_are_the_same_to_the_bit():
    live = trained(8)
    before = live.predict(X, verbose=0)
    for _ in range(3):
        model = trained()
        keraser.clear(model)
    assert np.array_equal(live.predict(X, verbose=0), before)
    live.fit(X, Y, verbose=0)


def test_clear_works_with_the_collector_switched_off():
    model = trained()
    gc.disable()
    try:
        receipt = keraser.clear(model)
    finally:
        gc.enable()
    assert receipt.kept == ()
