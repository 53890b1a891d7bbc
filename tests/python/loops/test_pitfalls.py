"""doctor() names the pitfalls that this process has fallen into, and no others."""

import functools
import gc
import pathlib
import subprocess
import sys
import threading

import keras
import keraser
import pytest
import tensorflow as tf
from small_models import X, Y, build, trained


@pytest.fixture(autouse=True)
def _clean():
    keraser.clear()
    yield
    for model in found_models():
        keraser.clear(model)
    gc.collect()


def found_models():
    from keraser import _core

    return [m for m in _core.instances((keras.Model,)) if m.built]


def pitfalls(name):
    """Those of this name, as (seen, line)."""
    return [(p.seen, p.line) for p in keraser.doctor().pitfalls if p.name == name]


def names():
    return {pitfall.name for pitfall in keraser.doctor().pitfalls}


def test_what_is_in_order_is_no_pitfall():
    callbacks = [keras.callbacks.EarlyStopping(patience=1)]
    model = build()
    history = model.fit(X, Y, validation_split=0.5, callbacks=callbacks, verbose=0)

    @functools.lru_cache(maxsize=4)
    def square(number):
        return number**2

    @tf.function
    def double(x):
        return x * 2

    for number in range(6):
        square(number)
        double(tf.constant(float(number)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(X))
    tape.gradient(loss, model.trainable_variables)
    for rows in (8, 16, 32):
        model.evaluate(X[:rows], Y[:rows], batch_size=rows, verbose=0)
        model.predict(X[:rows], batch_size=rows, verbose=0)
    try:
        raise ValueError
    except ValueError as error:
        told = str(error)
    assert names() == set()
    assert history.model is model
    assert told == ""


def test_callbacks_that_alone_keep_a_model():
    callbacks = [keras.callbacks.EarlyStopping(patience=1)]

    def search():
        build().fit(X, Y, validation_split=0.5, callbacks=callbacks, verbose=0)

    search()
    ((seen, line),) = pitfalls("callback kept")
    assert "callbacks" in seen
    callbacks.clear()
    gc.collect()
    keraser.clear()
    assert line
    assert pitfalls("callback kept") == []


def test_an_error_that_keeps_its_frames():
    errors = []

    def search():
        model = trained()
        raise ValueError(model.name)

    try:
        search()
    except ValueError as error:
        errors.append(error)
    ((seen, _),) = pitfalls("error kept")
    assert "errors" in seen
    errors.clear()
    assert pitfalls("error kept") == []


def test_a_registered_function_that_closes_over_a_model():
    def make(model):
        @keras.saving.register_keras_serializable(package="pitfalls")
        def distil(x):
            return model(x)

        return distil

    make(trained())
    ((seen, _),) = pitfalls("registered closure")
    assert "distil" in seen
    keras.saving.get_custom_objects().pop("pitfalls>distil")
    gc.collect()
    assert pitfalls("registered closure") == []


def test_an_unbounded_cache_over_a_builder():
    @functools.cache
    def cached(units):
        return trained(units)

    cached(4)
    assert pitfalls("unbounded cache") == []
    cached(5)
    ((seen, line),) = pitfalls("unbounded cache")
    assert "cached() keeps 2 models" in seen
    assert "test_pitfalls.py:" in line
    cached.cache_clear()
    assert pitfalls("unbounded cache") == []


def test_a_tape_that_records_is_in_order():
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(tf.ones(1))
        assert pitfalls("tape kept") == []
    assert len(pitfalls("tape kept")) == 1
    del tape


def test_a_function_traced_for_shapes_is_not_traced_by_value():
    double = tf.function(lambda x: x * 2)
    for length in range(1, 12):
        double(tf.ones(length))
    assert pitfalls("traced by value") == []


def test_a_tape_that_is_kept():
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_sum(build()(X))
    tape.gradient(loss, loss)
    ((seen, line),) = pitfalls("tape kept")
    assert "'tape'" in seen
    assert "del tape" in line
    del tape
    assert pitfalls("tape kept") == []


def test_a_thread_local_that_is_kept():
    store = threading.local()
    store.model = trained()
    ((seen, _),) = pitfalls("thread-local kept")
    assert "store" in seen
    del store.model
    gc.collect()
    assert pitfalls("thread-local kept") == []


def test_compile_in_a_loop():
    model = build()
    for _ in range(6):
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)
    ((seen, _),) = pitfalls("compiled in a loop")
    assert model.name in seen


@pytest.mark.parametrize("kind", ["numbers", "objects"])
def test_a_function_fed_with_python_values(kind):
    @tf.function
    def scale(x, by):
        return x * (by if kind == "numbers" else by.weight)

    class Box:
        weight = 2.0

    boxes = [Box() for _ in range(6)]
    for number in range(6):
        scale(tf.ones(2), number if kind == "numbers" else boxes[number])
    ((seen, line),) = pitfalls("traced by value")
    assert "scale" in seen
    assert kind in seen
    assert "test_pitfalls.py:" in line
    del scale
    gc.collect()
    assert pitfalls("traced by value") == []


def test_the_diagnosis_shows_them():
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(tf.ones(1))
    diagnosis = keraser.doctor()
    assert "tape kept" in repr(diagnosis)
    assert diagnosis.to_dict()["pitfalls"][0]["name"] == "tape kept"


NOTEBOOK = """
import os, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
sys.path.insert(0, {folder!r})
cells = [
    "import keraser; from small_models import build, X, Y",
    "build().fit(X, Y, verbose=0)",
    "found = keraser.doctor().pitfalls",
    "from keraser.adapters import ipython; ipython.forget(Out[2])",
    "import gc; gc.collect();",
    "left = keraser.doctor().pitfalls",
]
for cell in cells:
    shell.run_cell(cell, store_history=True).raise_error()
names = shell.user_ns
print([(p.name, p.seen) for p in names["found"]], [p.name for p in names["left"]])
"""


def test_a_history_as_the_last_value_of_a_cell():
    folder = str(pathlib.Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK.format(folder=folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = done.stdout.splitlines()[-1]
    assert "('result kept', \"model " in told or "('result kept', 'model " in told
    assert "Out[2]" in told
    assert told.endswith(" []")
