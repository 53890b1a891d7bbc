"""held="hollow": the memory goes, whoever holds it; what others use stays whole."""

import copy
import pickle
import threading

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from keraser.adapters.keras_tf import values
from small_models import (
    X,
    Y,
    build,
    growth,
    layers,
    slot_bytes,
    trained,
    weight_bytes,
)

SHELF = {}


@pytest.fixture(autouse=True)
def _empty_shelf():
    yield
    SHELF.clear()


def bits(model):
    return model.predict(X, verbose=0).tobytes()


def shells(receipt):
    return {shell.what: shell.holders for shell in receipt.shells}


def kept(receipt):
    return {one.what: one.holders for one in receipt.kept}


def branch(shared, head=None):
    """A model on a shared layer, trained."""
    inputs = keras.Input((8,))
    model = keras.Model(inputs, (head or layers.Dense(1))(shared(inputs)))
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    return model


# ---- who holds the shell -------------------------------------------------------------


def in_a_list(model):
    SHELF["list"] = [model]
    return lambda: SHELF["list"][0], "SHELF['list'][0]"


def in_a_closure(model):
    SHELF["hook"] = lambda: model
    return lambda: SHELF["hook"](), "closure 'model' of <lambda>"


def in_a_history(model):
    SHELF["history"] = model.fit(X, Y, verbose=0)
    return lambda: SHELF["history"].model, "History.model"


def in_a_method(model):
    SHELF["predict"] = model.predict
    return lambda: SHELF["predict"].__self__, "method Trainer"


@pytest.mark.parametrize("hold", [in_a_list, in_a_closure, in_a_history, in_a_method])
def test_whoever_holds_the_model_holds_a_shell_that_says_so(hold):
    model = trained(512)
    sizes = weight_bytes(model), slot_bytes(model)
    name = model.name
    find, holder = hold(model)

    receipt = keraser.clear(model)

    assert receipt.cleared
    assert any(holder.split()[0] in h for h in shells(receipt)[f"model {name!r}"])
    assert (receipt.freed["weights"], receipt.freed["optimizer"]) == sizes
    assert receipt.handles.after == receipt.graphs.after == 0
    assert receipt.kept == ()
    for use in (
        lambda: find().predict(X),
        lambda: find()(X),
        lambda: find().fit(X, Y),
        lambda: find().get_weights(),
        lambda: find().save("nowhere.keras"),
        lambda: find().layers,
    ):
        with pytest.raises(
            keraser.ClearedModelError,
            match=rf"{name}.*test_hollow\.py:\d+.*held=\"keep\"",
        ):
            use()


def test_the_pool_of_tensorflow_has_it_back():
    model = trained(1)
    wide = keras.Sequential([keras.Input((512,)), layers.Dense(512)])
    wide.compile("adam", "mse")
    rows = np.zeros((2, 512), "float32")
    wide.fit(rows, rows, verbose=0)
    SHELF["models"] = [model, wide]
    owned = 3 * 512 * 512 * 4
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]

    keraser.clear(wide)

    after = tf.config.experimental.get_memory_info("CPU:0")["current"]
    assert before - after >= owned
    assert model.predict(X, verbose=0).shape == (32, 1)


def test_a_model_that_nobody_holds_leaves_no_shell():
    model = trained()
    receipt = keraser.clear(model)
    assert receipt.shells == receipt.kept == ()


def test_rounds_with_a_shelf_of_shells_do_not_grow():
    def round_():
        model = branch(layers.Dense(4))
        SHELF["models"] = [model, model.optimizer, model.weights, model.output]
        keraser.clear(model)
        SHELF.clear()

    assert growth(round_, rounds=3) <= 0


def test_the_frames_of_a_stored_error_protect_no_layer():
    model = build()
    try:
        model(np.zeros((2, 5), "float32"))
    except ValueError as error:
        SHELF["error"] = error
    owned = weight_bytes(model)
    receipt = keraser.clear(model)
    assert receipt.freed["weights"] == owned
    assert receipt.kept == ()


# ---- what holds only parts of it -----------------------------------------------------


def test_variables_in_a_list_become_shells():
    model = trained()
    owned = weight_bytes(model)
    SHELF["weights"] = model.weights
    path = model.weights[0].path

    receipt = keraser.clear(model)

    assert receipt.freed["weights"] >= owned - 8  # of one element: not emptied
    assert any(path in what for what in shells(receipt))
    for use in (
        lambda: SHELF["weights"][0].numpy(),
        lambda: np.array(SHELF["weights"][0]),
        lambda: SHELF["weights"][-1] + 1,
        lambda: float(SHELF["weights"][-1]),
    ):
        with pytest.raises(keraser.ClearedModelError, match="variable"):
            use()


def test_a_variable_of_tensorflow_itself_is_empty():
    model = trained()
    SHELF["kernel"] = model.layers[0].kernel.value
    keraser.clear(model)
    assert values.is_empty(SHELF["kernel"].handle)
    assert SHELF["kernel"].numpy().size == 0


def test_an_optimizer_becomes_a_shell_with_its_slots():
    model = trained()
    SHELF["optimizer"] = model.optimizer
    owned = slot_bytes(model)
    receipt = keraser.clear(model)
    assert receipt.freed["optimizer"] >= owned - 16  # step and rate: one element each
    with pytest.raises(keraser.ClearedModelError, match="optimizer"):
        print(SHELF["optimizer"].learning_rate)


def test_an_optimizer_without_variables_yet_can_be_used_again():
    model = build()
    SHELF["optimizer"] = model.optimizer
    keraser.clear(model)
    again = build()
    again.compile(SHELF["optimizer"], "mse")
    again.fit(X, Y, verbose=0)


def test_functions_that_captured_it_refuse_and_others_go_on():
    model, live = trained(), trained()
    step = tf.function(lambda net, x: net(x))
    for net in (model, live):
        SHELF[net.name] = step.get_concrete_function(net, tf.TensorSpec((None, 8)))
        SHELF[net.name](tf.constant(X))
    expected = SHELF[live.name](tf.constant(X)).numpy()
    name = model.name
    keraser.clear(model)
    with pytest.raises(keraser.ClearedModelError, match=name):
        SHELF[name](tf.constant(X))
    assert np.array_equal(SHELF[live.name](tf.constant(X)), expected)


def test_inputs_that_somebody_holds_make_the_next_model():
    inputs = SHELF["inputs"] = keras.Input((8,))
    hidden = SHELF["hidden"] = layers.Dense(4)(inputs)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    del inputs, hidden
    receipt = keraser.clear(model)
    assert receipt.kept == ()
    with pytest.raises(keraser.ClearedModelError):
        keras.Model(SHELF["inputs"], SHELF["hidden"])
    again = keras.Model(SHELF["inputs"], layers.Dense(2)(SHELF["inputs"]))
    assert again.predict(X, verbose=0).shape == (32, 2)


# ---- what stays whole ------------------------------------------------------------


def test_a_layer_that_somebody_holds_stays_whole_and_is_named():
    model = trained()
    layer = SHELF["layer"] = model.layers[0]
    SHELF["model"] = model
    kernel, name = layer.kernel.numpy(), layer.name
    del layer
    receipt = keraser.clear(model)
    assert "SHELF['layer']" in kept(receipt)[f"layer {name!r}"][0]
    assert np.array_equal(SHELF["layer"].kernel.numpy(), kernel)
    again = branch(SHELF["layer"])
    assert again.predict(X, verbose=0).shape == (32, 1)


@pytest.mark.parametrize("first", [True, False])
def test_a_model_that_shares_a_layer_is_bit_identical_and_trains(first):
    shared = layers.Dense(8, "relu", name="shared")
    models = [branch(shared), branch(shared)]
    model, live = models if first else reversed(models)
    del shared, models
    SHELF["model"] = model
    before, config = bits(live), live.get_config()

    receipt = keraser.clear(model)

    assert receipt.cleared
    assert "layer 'shared'" in kept(receipt)
    assert bits(live) == before
    assert live.get_config() == config
    weights = [w.copy() for w in live.get_weights()]
    live.fit(X, Y, verbose=0)
    assert any((a != b).any() for a, b in zip(weights, live.get_weights(), strict=True))
    with pytest.raises(keraser.ClearedModelError):
        SHELF["model"].predict(X)


def test_a_shared_base_stays_with_all_its_layers():
    base = keras.Sequential([keras.Input((8,)), layers.Dense(8, "relu")])
    live, model = branch(base), branch(base)
    del base
    SHELF["model"] = model
    before = bits(live)
    keraser.clear(model)
    assert bits(live) == before
    live.fit(X, Y, verbose=0)


def test_a_model_cut_out_of_the_cleared_one_works_on():
    model = trained()
    front = keras.Model(model.inputs, model.layers[0].output)
    SHELF["model"] = model
    before = bits(front)
    keraser.clear(model)
    assert bits(front) == before


def test_a_variable_that_a_layer_of_another_model_tracks_stays():
    class Tied(layers.Layer):
        def __init__(self, kernel):
            super().__init__()
            self.kernel = kernel

        def call(self, x):
            return x @ self.kernel

    model = trained()
    kernel = model.layers[0].kernel
    inputs = keras.Input((8,))
    live = keras.Model(inputs, Tied(kernel)(inputs))
    del kernel
    SHELF["model"] = model
    before = bits(live)
    keraser.clear(model)
    assert bits(live) == before


def test_a_model_that_is_a_layer_of_another_is_left_whole_and_that_one_named():
    base = keras.Sequential([keras.Input((8,)), layers.Dense(8)])
    live = branch(base)
    before = bits(base), bits(live)
    receipt = keraser.clear(base)
    assert not receipt.cleared
    assert receipt.freed_bytes == 0
    assert any(live.name in holder for one in receipt.kept for holder in one.holders)
    assert (bits(base), bits(live)) == before


def test_an_optimizer_that_another_model_trains_with_stays():
    inputs = keras.Input((8,))
    outputs = layers.Dense(1)(inputs)
    model, live = keras.Model(inputs, outputs), keras.Model(inputs, outputs)
    del inputs, outputs
    adam = keras.optimizers.Adam()
    for one in (model, live):
        one.compile(adam, "mse")
        one.fit(X, Y, verbose=0)
    before, slots = bits(live), [v.numpy() for v in adam.variables]
    keraser.clear(model)
    assert bits(live) == before
    for variable, value in zip(adam.variables, slots, strict=True):
        assert np.array_equal(variable.numpy(), value)
    live.fit(X, Y, verbose=0)
    assert live.optimizer is adam


def test_a_metric_and_a_seed_generator_that_somebody_holds_stay():
    metric = SHELF["metric"] = keras.metrics.MeanSquaredError()
    seed = SHELF["seed"] = keras.random.SeedGenerator(7)

    class Noise(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed = seed

        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x), seed=self.seed)

    model = keras.Sequential([keras.Input((8,)), Noise(), layers.Dense(1)])
    model.compile("adam", "mse", metrics=[metric])
    model.fit(X, Y, verbose=0)
    SHELF["model"] = model
    state, total = seed.state.numpy(), metric.result().numpy()
    del metric
    keraser.clear(model)
    assert np.array_equal(SHELF["seed"].state.numpy(), state)
    assert SHELF["metric"].result().numpy() == total
    SHELF["metric"].update_state([1.0], [2.0])


# ---- while it is used, and when it fails ---------------------------------------------


def test_a_model_that_another_thread_trains_goes_and_the_training_says_so():
    model = build()
    inside, go_on, said = threading.Event(), threading.Event(), []

    class Waiting(keras.callbacks.Callback):
        def on_train_batch_begin(self, *_, **__):
            inside.set()
            go_on.wait()

    def train():
        try:
            model.fit(X, Y, verbose=0, callbacks=[Waiting()])
        except keraser.ClearedModelError as error:
            said.append(str(error))

    thread = threading.Thread(target=train)
    thread.start()
    inside.wait()
    try:
        receipt = keraser.clear(model)
    finally:
        go_on.set()
        thread.join()
    assert receipt.cleared
    assert "test_hollow.py" in said[0]


def test_a_callback_cannot_clear_the_model_that_is_being_trained():
    model = build()

    class Clearing(keras.callbacks.Callback):
        def on_epoch_end(self, *_, **__):
            keraser.clear(self.model)

    with pytest.raises(keraser.StillHeldError, match="running fit"):
        model.fit(X, Y, verbose=0, callbacks=[Clearing()])
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("nth", [0, 3, 9])
@pytest.mark.parametrize("broken", ["read", "empty"])
def test_when_tensorflow_fails_in_the_midst_all_is_as_it_was(monkeypatch, nth, broken):
    model = trained()
    SHELF["weights"] = model.weights, model.optimizer.variables
    SHELF["model"] = model
    SHELF["step"] = tf.function(lambda x: model(x))
    SHELF["step"](X)
    before = bits(model)
    slots = [v.numpy() for v in model.optimizer.variables]
    calls, works = [], getattr(values, broken)

    def fail(handle):
        calls.append(1)
        if len(calls) > nth:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory")
        return works(handle)

    monkeypatch.setattr(values, broken, fail)
    with pytest.raises(keraser.KeraserError, match=r"nothing was changed.*no memory"):
        keraser.clear(model)
    monkeypatch.undo()

    assert len(calls) == nth + 1
    assert bits(model) == before
    assert SHELF["step"](X).numpy().tobytes() == before
    for variable, value in zip(model.optimizer.variables, slots, strict=True):
        assert np.array_equal(variable.numpy(), value)
    model.fit(X, Y, verbose=0)
    assert keraser.clear(model).cleared


# ---- the shell, and the receipt ------------------------------------------------------


def test_a_shell_refuses_what_python_does_without_asking():
    model = trained()
    SHELF["model"] = model
    keraser.clear(model)
    shell = SHELF["model"]
    for use in (
        lambda: copy.copy(shell),
        lambda: copy.deepcopy(shell),
        lambda: pickle.dumps(shell),
        lambda: setattr(shell, "trainable", False),
        lambda: len(shell),
        lambda: list(shell),
        lambda: np.asarray(shell),
    ):
        with pytest.raises(keraser.ClearedModelError):
            use()
    assert shell
    assert "empty shell" in repr(shell)
    assert keraser.clear(shell).freed_bytes == 0


def test_the_receipt_tells_of_shells_and_of_what_was_given_back():
    model = trained()
    SHELF["model"] = model
    receipt = keraser.clear(model)
    assert "SHELF['model']" in str(receipt.to_dict()["shells"])
    assert "SHELF['model']" in repr(receipt)
    assert "SHELF[&#x27;model&#x27;]" in receipt._repr_html_()
    assert receipt.trimmed.returned == receipt.to_dict()["trimmed"]["returned"]
    assert "given back" in repr(receipt)


def test_clear_gives_nothing_back_when_told_not_to():
    receipt = keraser.clear(trained(), trim=False)
    assert receipt.trimmed is None
    assert "given back" not in repr(receipt)
