"""Every layer class that has weights: once hollow, each use is an error, no number.

All layers are branches of their own: one model for each. They are predicted with, and
called by a tf.function that somebody keeps, before they are cleared.
"""

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from keraser.adapters.base import Witness
from keraser.adapters.keras_tf import values
from keraser.adapters.keras_tf.model import handles_of
from weighted_layers import CASES, covered, make_model, with_weights

#: What keeps the shells alive.
SHELF = {}

#: Its statistics are constants of what is traced: a function of the user's owns them.
CONSTANT = {"Normalization"}

#: All that they have is of one element, which is not emptied.
ONE_ELEMENT = {"Attention"}


@pytest.fixture(autouse=True)
def _empty_shelf():
    yield
    SHELF.clear()


def test_every_layer_class_that_makes_weights_is_among_the_cases():
    assert with_weights() - covered() == set()
    assert len(CASES) > 30


def uses(model, arrays, functions, path):
    """Every way to use a model, and the functions that captured it."""
    targets = np.zeros((len(arrays[0]), 1), "float32")
    return [
        lambda: model(arrays),
        lambda: model.predict(arrays, verbose=0),
        lambda: model.predict_on_batch(arrays),
        lambda: model.fit(arrays, targets, verbose=0),
        lambda: model.train_on_batch(arrays, targets),
        lambda: model.evaluate(arrays, targets, verbose=0),
        lambda: model.save(path),
        lambda: model.get_weights(),
        lambda: model.weights[0].numpy(),
        lambda: model.get_config(),
        lambda: model.summary(),
        lambda: model.layers,
        lambda: model.compile("sgd", "mse"),
        lambda: keras.models.clone_model(model),
        *(lambda function=function: function(arrays) for function in functions),
    ]


@pytest.mark.parametrize("name", CASES)
def test_each_use_of_a_hollow_layer_is_an_error(name, tmp_path):
    model, arrays = make_model(CASES[name], name.lower())
    step = tf.function(lambda x: model(x))
    jitted = tf.function(lambda x: model(x), jit_compile=True)
    step(arrays), jitted(arrays)
    model.predict(arrays, verbose=0)
    SHELF[name] = model, step, jitted
    sizes = {v.path: v.numpy().nbytes for v in model.weights}
    handles = [Witness(h) for v in model.weights for h in handles_of(v)]

    receipt = keraser.clear(model)

    assert receipt.cleared
    assert receipt.freed["weights"] >= sum(s for s in sizes.values() if s > 8)
    assert not [k for k in receipt.kept if k.bytes], receipt
    for handle in handles:
        alive = handle()
        gone = alive is None or values.is_empty(alive)
        assert gone or not values.can_be_empty(alive)
    functions = () if name in CONSTANT else (step, jitted)
    for use in uses(model, arrays, functions, tmp_path / "model.keras"):
        with pytest.raises(keraser.ClearedModelError, match=name.lower()):
            use()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", sorted(set(CASES) - CONSTANT - ONE_ELEMENT))
def test_behind_the_shell_tensorflow_refuses_the_emptied_values(name):
    model, arrays = make_model(CASES[name], name.lower())
    step = tf.function(lambda x: model(x))
    expected = step(arrays)
    handles = [h for v in model.weights for h in handles_of(v)]
    emptied = [(h, values.read(h)) for h in handles if values.can_be_empty(h)]
    for handle, _ in emptied:
        values.empty(handle)

    for use in (step, model):
        with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
            use(arrays)

    for handle, value in emptied:
        values.assign(handle, value)
    assert np.array_equal(step(arrays), expected)


def test_mixed_precision_and_xla_training_are_refused_as_well():
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model, arrays = make_model(CASES["Dense"], "mixed", jit_compile=True)
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    targets = np.zeros((2, 3), "float32")
    model.fit(arrays, targets, verbose=0)
    SHELF["mixed"] = model, model.optimizer, model.optimizer.variables
    variables = {id(v): v for v in model.optimizer.variables}.values()
    slots = sum(v.numpy().nbytes for v in variables)
    small = sum(v.numpy().nbytes for v in variables if not v.shape)
    del variables

    receipt = keraser.clear(model)

    assert receipt.cleared
    assert slots - small <= receipt.freed["optimizer"] <= slots
    for use in (
        lambda: model.fit(arrays, targets, verbose=0),
        lambda: model.predict(arrays),
        lambda: SHELF["mixed"][1].learning_rate,
        lambda: SHELF["mixed"][2][-1].numpy(),
    ):
        with pytest.raises(keraser.ClearedModelError):
            use()
