"""guard(): registry entries that live as long as what needs them."""

import gc

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from small_models import X, Y, growth, layers, trained
from tensorflow.python.framework import ops


def registered():
    return [n for n in ops.gradient_registry._registry if "CustomGradient-" in n]


@pytest.fixture(autouse=True)
def guard():
    gc.collect()
    yield keraser.guard()
    keraser.guard().undo()


@tf.custom_gradient
def strange(x):
    """x squared, whose gradient is said to be 10 x."""
    return x * x, lambda upstream: upstream * 10.0 * x


def gradient(function, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def test_a_trained_model_s_entries_go_with_it():
    before = registered()
    model = trained()
    assert set(registered()) - set(before)
    del model
    gc.collect()
    assert set(registered()) <= set(before)


def test_a_loop_with_plain_del_is_flat():
    def round_():
        model = trained()
        del model
        keras.backend.clear_session()

    assert growth(round_) == 0


def test_twice_is_once(guard):
    registry = ops.gradient_registry._registry
    assert keraser.guard().active
    assert ops.gradient_registry._registry is registry
    assert "on" in repr(guard)


def test_undo_puts_an_ordinary_dict_back_with_what_is_alive(guard):
    function = tf.function(strange)
    x = tf.constant(2.0)
    function(x)
    names = registered()
    guard.undo()
    assert type(ops.gradient_registry._registry) is dict
    assert registered() == names
    assert not guard.active
    assert gradient(function, x).numpy() == 20.0
    guard.undo()


def test_entries_made_before_are_handed_to_their_graphs(guard):
    guard.undo()
    before = registered()
    model = trained()
    assert set(registered()) - set(before)
    keraser.guard()
    del model
    gc.collect()
    assert set(registered()) <= set(before)


def test_a_function_traced_forward_only_differentiates_later():
    function = tf.function(strange)
    x = tf.constant(3.0)
    function(x)
    gc.collect()
    assert gradient(function, x).numpy() == 30.0


def test_nested_functions_differentiate():
    inner = tf.function(strange)
    outer = tf.function(lambda x: inner(x) + 1.0)
    x = tf.constant(3.0)
    outer(x)
    gc.collect()
    assert gradient(outer, x).numpy() == 30.0


def test_an_inner_function_that_died_is_differentiated_through_the_outer_one():
    def make():
        inner = tf.function(strange)
        return tf.function(lambda x: inner(x) * 1.0)

    outer = make()
    x = tf.constant(3.0)
    outer(x)
    del make
    gc.collect()
    assert gradient(outer, x).numpy() == 30.0


@pytest.mark.parametrize("branch", ["cond", "while"])
def test_control_flow_differentiates(branch):
    def cond(x):
        return tf.cond(x > 0.0, lambda: strange(x * 1.0) * 1.0, lambda: x * 2.0)

    def loop(x):
        return tf.while_loop(
            lambda i, _: i < 1, lambda i, y: (i + 1, strange(y)), (0, x)
        )[1]

    function = tf.function(cond if branch == "cond" else loop)
    x = tf.constant(3.0)
    function(x)
    gc.collect()
    assert gradient(function, x).numpy() == 30.0


def test_second_derivatives_are_right():
    @tf.custom_gradient
    def cube(x):
        def first(upstream):
            @tf.custom_gradient
            def slope(y):
                return 3.0 * y * y, lambda again: again * 100.0 * y

            return upstream * slope(x)

        return x * x * x, first

    @tf.function
    def both(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = cube(x)
            slope = inner.gradient(y, x)
        return slope, outer.gradient(slope, x)

    slope, curvature = both(tf.constant(2.0))
    assert (slope.numpy(), curvature.numpy()) == (12.0, 200.0)


def test_a_gradient_of_a_gradient_through_a_function_is_right():
    function = tf.function(lambda x: strange(x))
    x = tf.constant(2.0)
    function(x)
    gc.collect()
    with tf.GradientTape() as outer:
        outer.watch(x)
        slope = gradient(function, x)
    assert slope.numpy() == 20.0
    assert outer.gradient(slope, x).numpy() == 10.0


def test_a_reloaded_saved_model_keeps_its_custom_gradient(tmp_path):
    class Saved(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((), tf.float32)])
        def __call__(self, x):
            return strange(x)

    module = Saved()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, str(tmp_path / "saved"), options=options)
    del module
    gc.collect()
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    gc.collect()
    assert gradient(loaded, tf.constant(3.0)).numpy() == 30.0


def test_a_living_model_trains_on_and_retraces():
    model = trained()
    gc.collect()
    model.fit(X[:7], Y[:7], verbose=0, batch_size=7)
    other = keras.Sequential([keras.Input((8,)), layers.Dense(4, "swish")])
    other.compile("adam", "mse")
    other.fit(X, np.zeros((32, 4)), verbose=0)


def test_clear_works_under_the_guard():
    before = registered()
    model = trained()
    receipt = keraser.clear(model)
    assert receipt.cleared
    assert receipt.kept == ()
    assert set(registered()) <= set(before)


def test_the_registry_still_refuses_a_name_taken_twice():
    name = "KeraserTestTwice"
    ops.gradient_registry.register(lambda _, g: g, name)
    with pytest.raises(KeyError, match="Registering two"):
        ops.gradient_registry.register(lambda _, g: g, name)
    del ops.gradient_registry._registry[name]
    with pytest.raises(LookupError):
        ops.gradient_registry.lookup(name)


def test_an_unknown_registry_is_refused_by_name(guard, monkeypatch):
    guard.undo()
    monkeypatch.setattr(ops.gradient_registry, "_registry", [])
    with pytest.raises(keraser.UnsupportedError, match="gradient registry"):
        keraser.guard()
