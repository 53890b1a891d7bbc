"""Bad input: a clear error or a defined result, and nothing lost."""

import gc
import threading

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from small_models import X, Y, build, trained


@pytest.mark.parametrize("thing", [3, "model", keras.layers.Dense(1), keras.Model, X])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(TypeError, match=r"takes a keras.Model"):
        keraser.clear(thing)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="keep"):
        keraser.clear(held="please")


def test_another_backend_is_refused_by_name(monkeypatch):
    model = trained()
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(keraser.UnsupportedError, match="jax"):
        keraser.clear(model)
    monkeypatch.undo()
    model.fit(X, Y, verbose=0)


def test_clear_from_a_callback_inside_fit_is_refused():
    model = build()
    errors = []

    class Clearing(keras.callbacks.Callback):
        def on_train_batch_end(self, *_, **__):
            try:
                keraser.clear(self.model)
            except keraser.StillHeldError as error:
                errors.append(str(error))

    history = model.fit(X, Y, verbose=0, callbacks=[Clearing()])
    assert errors
    assert "running fit() in this thread" in errors[0]
    assert len(history.history["loss"]) == 1
    model.fit(X, Y, verbose=0)


def test_a_model_that_another_thread_trains_is_refused():
    model = build()
    inside, go_on = threading.Event(), threading.Event()

    class Waiting(keras.callbacks.Callback):
        def on_train_begin(self, *_, **__):
            inside.set()
            go_on.wait()

    def train():
        model.fit(X, Y, verbose=0, callbacks=[Waiting()])

    thread = threading.Thread(target=train, name="trainer")
    thread.start()
    inside.wait()
    try:
        with pytest.raises(keraser.StillHeldError, match="thread 'trainer'"):
            keraser.clear(model, held="keep")
    finally:
        go_on.set()
        thread.join()
    assert keraser.clear(model) is not None


def test_other_models_may_be_cleared_while_one_is_trained():
    live = build()
    receipts = []

    class Clearing(keras.callbacks.Callback):
        def on_train_batch_end(self, *_, **__):
            receipts.append(keraser.clear(trained(4)))

    live.fit(X, Y, verbose=0, batch_size=16, callbacks=[Clearing()])
    assert all(receipt.cleared for receipt in receipts)
    assert live.predict(X, verbose=0).shape == (32, 1)


def test_clear_from_a_finalizer_is_refused():
    errors = []

    class Dying:
        def __init__(self):
            self.me = self

        def __del__(self):
            try:
                keraser.clear()
            except keraser.KeraserError as error:
                errors.append(str(error))

    Dying()
    gc.collect()
    assert errors
    assert "garbage collector runs" in errors[0]


def test_clear_inside_a_strategy_s_scope_works_and_the_scope_stays():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = build()
        model.fit(X, Y, verbose=0)
        receipt = keraser.clear(model)
        assert receipt.cleared
        keraser.clear()
        assert tf.distribute.get_strategy() is strategy
        again = build()
        again.fit(X, Y, verbose=0)
    assert np.isfinite(again.predict(X, verbose=0)).all()


def test_clear_while_a_graph_is_traced_does_not_disturb_it():
    model = trained()

    @tf.function
    def tracing(x):
        keraser.clear(model)
        return x + 1.0

    assert tracing(tf.constant(1.0)).numpy() == 2.0


def test_threads_that_clear_at_once_do_not_meet():
    receipts, errors = [], []

    def work():
        try:
            for _ in range(3):
                receipts.append(keraser.clear(trained(4)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(receipts) == 9
