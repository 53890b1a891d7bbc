"""XLA's executables: dropped where nothing can be running one, and only there."""

import gc
import threading

import keraser
import numpy as np
import pytest
import tensorflow as tf
from keraser import _core
from keraser.adapters.keras_tf.executables import drop_executables, why_not
from small_models import X, trained


def jitted(factor):
    @tf.function(jit_compile=True)
    def function(x):
        return tf.reduce_sum(x @ x) * factor

    return function


def compile_one(factor=1.0):
    return float(jitted(factor)(tf.ones((8, 8))))


@pytest.fixture(autouse=True)
def _nothing_compiled():
    keraser.clear()
    compile_one()
    gc.collect()
    drop_executables()
    assert why_not() is None


def test_executables_are_dropped_once_and_compiled_again():
    assert compile_one() == 512.0
    gc.collect()
    reset = drop_executables()
    assert reset.what == "XLA executables"
    assert drop_executables() is None  # nothing is left
    assert compile_one(2.0) == 1024.0
    gc.collect()
    assert drop_executables() is not None


def test_without_dropping_jitted_functions_grow_and_with_it_they_grow_less():
    def growth(drop):
        used = []
        for number in range(12):
            compile_one(1.0 + number + 100 * drop)
            gc.collect()
            assert not drop or drop_executables() is not None
            if number in (3, 11):
                used.append(_core.heap()["in_use"])
        return (used[1] - used[0]) / 8

    kept, dropped = growth(False), growth(True)
    assert kept > 2 * dropped
    assert kept - dropped > 100_000


def test_a_living_jitted_function_keeps_them():
    function = jitted(3.0)
    function(tf.ones((8, 8)))
    assert "functions that XLA compiles are alive" in why_not()
    assert drop_executables() is None
    assert float(function(tf.ones((8, 8)))) == 1536.0
    del function
    gc.collect()
    assert drop_executables() is not None


def test_a_jitted_model_keeps_them_until_it_is_cleared():
    model = trained(jit_compile=True)
    right = model.predict(X, verbose=0)
    assert drop_executables() is None
    np.testing.assert_array_equal(model.predict(X, verbose=0), right)
    receipt = keraser.clear(model)
    assert "XLA executables" in [reset.what for reset in receipt.resets]
    assert drop_executables() is None  # nothing is left


def test_a_function_that_is_not_jitted_keeps_nothing():
    compile_one()
    gc.collect()
    plain = tf.function(lambda x: x + 1, jit_compile=False)
    assert float(plain(tf.constant(1.0))) == 2.0
    assert drop_executables() is not None
    assert float(plain(tf.constant(2.0))) == 3.0


def test_another_thread_keeps_them_wherever_it_is():
    compile_one()
    gc.collect()
    over = threading.Event()
    thread = threading.Thread(target=over.wait, args=(60,))
    thread.start()
    reason, kept = why_not(), drop_executables()
    over.set()
    thread.join()
    assert reason == "another Python thread is alive"
    assert kept is None
    assert drop_executables() is not None


def test_an_iterator_whose_functions_may_run_keeps_them():
    compile_one()
    gc.collect()
    iterator = iter(tf.data.Dataset.range(3))
    assert "iterator" in why_not()
    assert drop_executables() is None
    assert int(next(iterator)) == 0
    del iterator
    assert drop_executables() is not None


def test_asynchronous_execution_and_automatic_clustering_keep_them(monkeypatch):
    compile_one()
    gc.collect()
    before = tf.config.experimental.get_synchronous_execution()
    tf.config.experimental.set_synchronous_execution(False)
    assert why_not() == "TensorFlow executes asynchronously"
    assert drop_executables() is None
    tf.config.experimental.set_synchronous_execution(before)
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    assert "by itself" in why_not()
    assert drop_executables() is None
    monkeypatch.undo()
    assert drop_executables() is not None
