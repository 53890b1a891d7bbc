"""clear() without a model, and the settings that every clear leaves alone."""

import gc
import logging

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from small_models import X, Y, build, layers, trained
from tensorflow.python.framework import ops

CUSTOM = "CustomGradient-"


def registered():
    return [name for name in ops.gradient_registry._registry if CUSTOM in name]


def drop_a_trained_model():
    trained()
    gc.collect()


def test_what_a_dead_model_left_behind_is_freed_and_named():
    before = registered()
    drop_a_trained_model()
    assert set(registered()) - set(before)
    receipt = keraser.clear()
    assert set(registered()) <= set(before)
    assert receipt.freed["orphans"] > 0
    assert receipt.graphs.before > 0
    assert receipt.graphs.after == receipt.handles.after == 0
    assert any("one_step_on_data" in reset.note for reset in receipt.resets)


def test_living_models_are_named_with_bytes_and_work_on():
    model = trained()
    before = model.predict(X, verbose=0)
    receipt = keraser.clear()
    (kept,) = (k for k in receipt.kept if repr(model.name) in k.what)
    assert kept.bytes > 0
    assert any("local 'model'" in holder for holder in kept.holders)
    assert np.array_equal(model.predict(X, verbose=0), before)
    model.fit(X, Y, verbose=0)


def test_raise_refuses_while_a_model_lives():
    model = trained()
    drop_a_trained_model()
    before = registered()
    with pytest.raises(keraser.StillHeldError, match=model.name):
        keraser.clear(held="raise")
    assert set(registered()) <= set(before)


def test_automatic_names_start_again_after_those_in_use():
    gc.collect()
    keraser.clear()
    first = layers.Dense(1).name
    layers.Dense(1)
    keraser.clear()
    assert layers.Dense(1).name == first
    living = layers.Dense(1)
    keraser.clear()
    assert layers.Dense(1).name != living.name


def test_entries_of_living_functions_stay_and_their_gradients_are_right():
    @tf.custom_gradient
    def double_gradient(x):
        return x * x, lambda upstream: upstream * 4.0 * x

    outer = tf.function(lambda x: double_gradient(x) + 1.0)
    x = tf.constant(3.0)
    outer(x)  # traced forward only
    drop_a_trained_model()
    keraser.clear()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = outer(x)
    assert tape.gradient(y, x).numpy() == 12.0


def test_python_functions_of_living_datasets_stay_and_dead_ones_go():
    block = np.ones((4, 8), "f4")
    live = tf.data.Dataset.range(4).map(
        lambda k: tf.numpy_function(lambda j: block[j], [k], tf.float32)
    )
    for _ in live:
        pass
    tf.py_function(lambda t: t + 1.0, [tf.ones(())], tf.float32)
    receipt = keraser.clear()
    assert any("py_functions" in reset.what for reset in receipt.resets)
    assert len(list(live)) == 4
    graph = ops._default_graph_stack._global_default_graph
    assert len(graph._py_funcs_used_in_graph) == 1
    del live
    gc.collect()
    keraser.clear()
    assert graph._py_funcs_used_in_graph == []


def test_a_living_function_with_many_traces_is_listed_with_the_way_out():
    function = tf.function(lambda x, n: x * n)
    for n in range(6):
        function(tf.ones(2), n)
    limits = keraser.clear().limits
    assert any("alive with 6 traces" in limit for limit in limits)
    del function
    gc.collect()
    assert not any("6 traces" in limit for limit in keraser.clear().limits)


def change_settings():
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(7)
    keras.random.uniform((2,))
    keras.config.disable_interactive_logging()
    keras.config.disable_traceback_filtering()


@pytest.fixture
def settings():
    policy = keras.config.dtype_policy()
    change_settings()
    yield
    keras.config.set_dtype_policy(policy)
    keras.config.enable_interactive_logging()
    keras.config.enable_traceback_filtering()


def read_settings():
    return (
        keras.config.dtype_policy().name,
        keras.config.is_interactive_logging_enabled(),
        keras.config.is_traceback_filtering_enabled(),
        keras.config.floatx(),
        keras.utils.get_random_seed() if hasattr(keras.utils, "get_random_seed") else 0,
    )


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("whole_session", [False, True])
def test_the_user_s_settings_survive(whole_session):
    before = read_settings()
    model = build()
    receipt = keraser.clear() if whole_session else keraser.clear(model)
    assert read_settings() == before
    assert receipt.settings["dtype_policy"].endswith("mixed_bfloat16")
    assert receipt.settings["interactive_logging"] == "False"
    assert receipt.settings["traceback_filtering"] == "False"
    assert receipt.settings["global_random_seed"] == "7"


@pytest.mark.parametrize("whole_session", [False, True])
def test_random_numbers_go_on_as_if_nothing_was_cleared(whole_session):
    from keras.src.random.seed_generator import global_seed_generator

    keras.random.uniform((3,))
    generator = global_seed_generator()
    before = generator.state.numpy()
    keraser.clear() if whole_session else keraser.clear(keras.Sequential())
    assert global_seed_generator() is generator
    assert np.array_equal(generator.state.numpy(), before)


def test_open_scopes_stay_open():
    with keras.name_scope("outer"), keras.saving.custom_object_scope({"f": print}):
        keraser.clear()
        assert keras.saving.get_registered_object("f") is print
        inner = layers.Dense(1, name="inner")
        inner.build((None, 2))
        assert inner.path == "outer/inner"


def test_a_distribution_stays():
    from keras.src.backend.common import global_state

    marker = object()
    global_state.set_global_attribute("distribution", marker)
    try:
        keraser.clear(keras.Sequential())
        keraser.clear()
        assert global_state.get_global_attribute("distribution") is marker
    finally:
        global_state.set_global_attribute("distribution", None)


def test_nothing_is_logged_or_printed(capfd):
    logging.getLogger("tensorflow").setLevel(logging.INFO)
    keraser.clear(trained())
    keraser.clear()
    assert capfd.readouterr() == ("", "")


def test_doctor_says_what_is_registered():
    keep = trained()
    note = next(f.note for f in keraser.doctor().findings if "registry" in f.what)
    assert note.startswith(str(len(registered())))
    assert keraser.doctor().healthy
    assert keraser.doctor().to_dict()["healthy"]
    assert keep.built
