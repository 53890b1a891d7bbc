"""held="keep" and "raise": what others hold is kept, named, or a reason to refuse."""

import threading

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from small_models import X, Y, build, growth, layers, trained

SHELF = {}


@pytest.fixture(autouse=True)
def _empty_shelf():
    yield
    SHELF.clear()


def holders(receipt):
    return [holder for kept in receipt.kept for holder in kept.holders]


def test_a_model_in_a_dict_is_left_as_it_is_and_the_dict_named():
    model = trained()
    before = model.predict(X, verbose=0)
    SHELF["best"] = model
    receipt = keraser.clear(model, held="keep")
    assert not receipt.cleared
    assert receipt.freed_bytes == 0
    assert [h for h in holders(receipt) if h.endswith("SHELF['best']")]
    assert np.array_equal(SHELF["best"].predict(X, verbose=0), before)
    SHELF["best"].fit(X, Y, verbose=0)


def test_raise_names_the_holder_and_changes_nothing():
    model = trained()
    SHELF["best"] = model
    before = model.predict(X, verbose=0)
    with pytest.raises(keraser.StillHeldError, match=r"SHELF\['best'\]") as error:
        keraser.clear(model, held="raise")
    assert error.value.holders
    assert np.array_equal(model.predict(X, verbose=0), before)
    model.fit(X, Y, verbose=0)


def test_raise_clears_what_nobody_holds():
    model = trained()
    assert keraser.clear(model, held="raise").cleared


def test_a_history_holds_its_model():
    model = build()
    SHELF["history"] = model.fit(X, Y, verbose=0)
    receipt = keraser.clear(model, held="keep")
    assert any("SHELF['history'] → History.model" in h for h in holders(receipt))


def test_a_closure_holds_its_model():
    def hook(model):
        return lambda: model.count_params()

    model = trained()
    SHELF["hook"] = hook(model)
    receipt = keraser.clear(model, held="keep")
    assert any("closure 'model' of <lambda>" in h for h in holders(receipt))


def test_a_variable_of_another_thread_holds_the_model():
    ready, done = threading.Event(), threading.Event()

    def serve(mine):
        ready.set()
        done.wait()
        return mine

    model = trained()
    thread = threading.Thread(target=serve, args=(model,))
    thread.start()
    ready.wait()
    try:
        receipt = keraser.clear(model, held="keep")
    finally:
        done.set()
        thread.join()
    assert not receipt.cleared
    assert any("serve()" in h for h in holders(receipt)), holders(receipt)


def test_a_layer_that_somebody_holds_stays_and_is_named():
    model = trained()
    layer = SHELF["layer"] = model.layers[0]
    kernel = layer.kernel.numpy()
    del layer
    receipt = keraser.clear(model, held="keep")
    assert receipt.cleared
    assert any("SHELF['layer']" in h for h in holders(receipt))
    assert np.array_equal(SHELF["layer"].kernel.numpy(), kernel)


def test_an_optimizer_that_somebody_holds_stays_with_its_slots():
    model = trained()
    SHELF["optimizer"] = model.optimizer
    name = f"optimizer {model.optimizer.name!r}"
    receipt = keraser.clear(model, held="keep")
    kept = {k.what for k in receipt.kept}
    assert name in kept
    assert receipt.freed["optimizer"] == 0
    assert len(SHELF["optimizer"].variables) > 2


def test_a_living_tf_function_that_captured_the_weights_is_named():
    model = trained()
    SHELF["route"] = tf.function(model).get_concrete_function(tf.TensorSpec((None, 8)))
    receipt = keraser.clear(model, held="keep")
    assert any("SHELF['route']" in h for h in holders(receipt)), holders(receipt)
    assert any("tf.function" in limit for limit in receipt.limits)
    assert SHELF["route"](tf.constant(X)).shape == (32, 1)


def test_a_registered_custom_object_that_closes_over_the_model_is_named():
    def register(net):
        @keras.saving.register_keras_serializable("keraser_test")
        def loss(a, b, net=net):
            return a - b * net.count_params()

    model = build()
    register(model)
    try:
        receipt = keraser.clear(model, held="keep")
        assert not receipt.cleared
        assert any("default argument" in h for h in holders(receipt)), holders(receipt)
        assert any("custom object" in limit for limit in receipt.limits)
    finally:
        keras.saving.get_custom_objects().pop("keraser_test>loss")


def test_a_layer_shared_with_a_living_model_stays_and_works():
    shared = layers.Dense(8, "relu", name="shared")

    def head():
        inputs = keras.Input((8,))
        model = keras.Model(inputs, layers.Dense(1)(shared(inputs)))
        model.compile("adam", "mse")
        model.fit(X, Y, verbose=0)
        return model

    live, model = head(), head()
    before = live.predict(X, verbose=0)
    own = model.layers[-1].name
    receipt = keraser.clear(model, held="keep")
    assert receipt.cleared
    named = " ".join(k.what for k in receipt.kept)
    assert "shared" in named
    assert own not in named
    assert np.array_equal(live.predict(X, verbose=0), before)
    live.fit(X, Y, verbose=0)
    keras.Model.from_config(live.get_config())


def test_the_older_of_two_models_that_share_a_layer_can_go_too():
    shared = layers.Dense(8, name="shared")

    def head():
        inputs = keras.Input((8,))
        return keras.Model(inputs, layers.Dense(1)(shared(inputs)))

    older, live = head(), head()
    before = live.predict(X, verbose=0)
    config = live.get_config()
    receipt = keraser.clear(older, held="keep")
    assert receipt.cleared
    assert {k.what for k in receipt.kept if "layer" in k.what} == {"layer 'shared'"}
    assert not any("objects" in k.what for k in receipt.kept), receipt
    assert receipt.objects.after == 0
    assert np.array_equal(live.predict(X, verbose=0), before)
    assert live.get_config() == config
    live.compile("adam", "mse")
    live.fit(X, Y, verbose=0)


def test_a_model_cut_out_of_the_cleared_one_works_on():
    model = trained()
    front = keras.Model(model.inputs, model.layers[0].output)
    before = front.predict(X, verbose=0)
    keraser.clear(model, held="keep")
    assert np.array_equal(front.predict(X, verbose=0), before)
    front.get_config()


def test_a_symbolic_tensor_that_somebody_holds_still_makes_models():
    inputs = keras.Input((8,))
    hidden = layers.Dense(4)(inputs)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    SHELF["hidden"], SHELF["inputs"] = hidden, inputs
    del inputs, hidden
    keraser.clear(model, held="keep")
    again = keras.Model(SHELF["inputs"], layers.Dense(2)(SHELF["hidden"]))
    assert again.predict(X, verbose=0).shape == (32, 2)


def test_heads_on_a_living_base_leave_nothing_behind():
    base = keras.Sequential([keras.Input((8,)), layers.Dense(8, "relu")])
    base.trainable = False

    def round_():
        inputs = keras.Input((8,))
        model = keras.Model(inputs, layers.Dense(1)(base(inputs)))
        model.compile("adam", "mse")
        model.fit(X, Y, verbose=0)
        del inputs
        return keraser.clear(model, held="keep")

    assert growth(round_) == 0
    assert base.predict(X, verbose=0).shape == (32, 8)


def test_a_python_function_that_nothing_calls_any_more_holds_nothing():
    def use(model):
        tf.py_function(lambda t: model(t), [tf.constant(X)], tf.float32)
        return model

    model = use(build())
    receipt = keraser.clear(model, held="keep")
    assert receipt.cleared
    assert receipt.kept == ()


def test_a_living_dataset_whose_function_calls_the_model_holds_it():
    def pipeline(model):
        return tf.data.Dataset.range(2).map(
            lambda k: tf.py_function(lambda _: model(X[:1])[0], [k], tf.float32)
        )

    model = build()
    dataset = pipeline(model)
    receipt = keraser.clear(model, held="keep")
    assert not receipt.cleared
    assert len(list(dataset)) == 2


def test_a_trace_made_for_the_model_as_an_argument_is_evicted():
    score = tf.function(lambda net, x: net(x))
    live = build()
    expected = score(live, tf.constant(X))
    traces = len(score._function_cache)
    model = build()
    score(model, tf.constant(X))
    receipt = keraser.clear(model, held="keep")
    assert receipt.kept == ()
    assert len(score._function_cache) == traces
    assert np.array_equal(score(live, tf.constant(X)), expected)
