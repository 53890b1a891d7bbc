"""scope(): what a block builds is cleared at its end, but for what it hands out."""

import gc
import subprocess
import sys
import threading
import weakref

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from small_models import X, Y, build, trained

told_what_returns = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 does not tell what is returned"
)


def is_shell(thing):
    return isinstance(thing, keraser.ClearedModel)


def cleared(scope):
    return [receipt.model for receipt in scope.receipts[:-1] if receipt.cleared]


def test_clears_what_was_built_and_nothing_else():
    before = trained()
    expected = before.predict(X, verbose=0)
    with keraser.scope() as scope:
        first, second = trained(), trained()
        names = [first.name, second.name]
    assert is_shell(first)
    assert is_shell(second)
    assert sorted(cleared(scope)) == sorted(names)
    assert all(receipt.handles.after == 0 for receipt in scope.receipts[:-1])
    with pytest.raises(keraser.ClearedModelError, match=r"scope\.keep"):
        first.predict(X)
    assert np.array_equal(before.predict(X, verbose=0), expected)
    keraser.clear(before)


def test_whoever_holds_them():
    shelf = []
    with keraser.scope():
        shelf.append(trained())
        history = shelf[0].fit(X, Y, verbose=0)
    assert is_shell(shelf[0])
    assert len(history.history["loss"]) > 0


def test_keep():
    with keraser.scope() as scope:
        best = scope.keep(trained())
        others = {"a": [trained()], "b": (trained(),)}
        scope.keep(others["a"])
        lost = others["b"][0]
    assert best.predict(X, verbose=0).shape[0] == 32
    others["a"][0].predict(X, verbose=0)
    assert is_shell(lost)
    for model in (best, others["a"][0]):
        keraser.clear(model)


def test_keep_after_the_end_is_refused():
    with keraser.scope() as scope:
        pass
    with pytest.raises(keraser.KeraserError, match="inside the block"):
        scope.keep(1)
    with pytest.raises(keraser.KeraserError, match="one block"):
        scope.__enter__()


@told_what_returns
def test_what_a_block_returns_is_handed_out():
    def search():
        for _ in range(2):
            with keraser.scope():
                other = trained()
                return trained(), [other.name], other.count_params()

    model, _, _ = search()
    assert not is_shell(model)
    model.predict(X, verbose=0)
    keraser.clear(model)


def test_what_a_decorated_function_returns_is_handed_out():
    made = []

    @keraser.scope()
    def search():
        made.append(trained())
        return {"best": [trained()]}

    for _ in range(2):
        best = search()["best"][0]
        assert not is_shell(best)
        keraser.clear(best)
    assert all(map(is_shell, made))


def test_functions_that_run_in_pieces_cannot_be_decorated():
    def pieces():
        yield

    with pytest.raises(TypeError, match="in pieces"):
        keraser.scope()(pieces)


def test_a_generator_that_is_closed_clears():
    made = []

    def pieces():
        with keraser.scope():
            made.append(trained())
            yield 1

    for _ in pieces():
        break
    assert is_shell(made[0])


def test_nesting():
    with keraser.scope() as outer:
        first = trained()
        with keraser.scope() as inner:
            second = trained()
            third = inner.keep(trained())
            name = third.name
        assert is_shell(second)
        assert not is_shell(first)
        assert not is_shell(third)
        assert len(cleared(inner)) == 1
    assert is_shell(first)
    assert is_shell(third)
    assert name in cleared(outer)
    assert len(cleared(outer)) == 2


def test_an_exception_passes_and_its_traceback_keeps_no_memory():
    error = None
    try:
        with keraser.scope() as scope:
            model = trained()
            kept = weakref.ref(model.optimizer)
            raise ValueError("of the user")
    except ValueError as caught:
        error = caught
    assert str(error) == "of the user"
    assert is_shell(model)
    assert len(cleared(scope)) == 1
    gc.collect()
    assert kept() is None


def test_other_threads_are_left_alone():
    def build(into):
        into.append(trained())

    mine, theirs = [], []
    with keraser.scope():
        thread = threading.Thread(target=build, args=[theirs])
        thread.start()
        build(mine)
        thread.join()
    assert is_shell(mine[0])
    assert not is_shell(theirs[0])
    with keraser.scope(all_threads=True):
        thread = threading.Thread(target=build, args=[theirs])
        thread.start()
        thread.join()
    assert is_shell(theirs[1])
    assert not is_shell(theirs[0])
    keraser.clear(theirs[0])


def test_datasets_and_functions_that_only_names_hold():
    kept = []
    with keraser.scope() as scope:
        data = tf.data.Dataset.from_tensor_slices(np.ones((64, 4), "float32"))
        batches = data.batch(8).map(lambda x: x * 2)
        iterator = iter(batches)
        next(iterator)

        @tf.function
        def double(x):
            return x * 2

        double(tf.ones(3))
        concrete = double.get_concrete_function(tf.TensorSpec([3]))
        held = tf.data.Dataset.range(3)
        kept.append(held)
        saved = scope.keep(tf.data.Dataset.range(4))
        graph = weakref.ref(concrete.graph)
    for gone in (data, batches, iterator, double, concrete):
        assert is_shell(gone), gone
        with pytest.raises(keraser.ClearedModelError, match="was cleared at"):
            iter(gone)
        assert "was cleared at" in repr(gone)
    assert graph() is None
    assert [int(x) for x in held] == [0, 1, 2]
    assert [int(x) for x in saved] == [0, 1, 2, 3]
    (named,) = scope.receipts[-1].kept
    assert "Range" in named.what
    assert "kept" in named.holders[0]


def test_layers_that_somebody_holds_by_themselves_stay():
    shelf = []
    with keraser.scope():
        model = trained()
        shelf.append(model.layers[0])
    assert is_shell(model)
    assert shelf[0](X).shape[0] == 32


def test_names_go_on_where_they_were():
    with keraser.scope():
        first = keras.layers.Dense(1).name
    with keraser.scope():
        again = keras.layers.Dense(1).name
    assert first == again
    with keraser.scope() as scope:
        kept = scope.keep(trained())
        taken = [layer.name for layer in kept.layers]
    later = trained()
    assert not {layer.name for layer in later.layers} & set(taken)
    keraser.clear(kept)
    keraser.clear(later)


def test_models_within_models():
    with keraser.scope() as scope:
        inner = build()
        outer = keras.Sequential([keras.Input((8,)), inner, keras.layers.Dense(1)])
        outer.compile("sgd", "mse")
        outer.predict(X, verbose=0)
    assert is_shell(inner)
    assert is_shell(outer)
    assert len(cleared(scope)) == 2


def test_a_kept_model_keeps_the_models_it_is_made_of():
    with keraser.scope() as scope:
        inner = build()
        outer = keras.Sequential([keras.Input((8,)), inner, keras.layers.Dense(1)])
        scope.keep(outer)
    assert outer.predict(X, verbose=0).shape == (32, 1)
    keraser.clear(outer)
    keraser.clear(inner)


def test_a_parked_model_goes_too():
    with keraser.scope() as scope:
        model = trained()
        name = model.name
        keraser.park(model)
    assert is_shell(model)
    with pytest.raises(keraser.ClearedModelError, match="was cleared"):
        model.predict(X)
    assert cleared(scope) == [name]


def test_a_model_whose_making_failed_is_no_trouble():
    class Half(keras.Model):
        def __init__(self):
            raise ValueError("halfway")

    made = []
    with keraser.scope() as scope:
        try:
            Half()
        except ValueError as error:
            made.append(error)
        model = trained()
    assert is_shell(model)
    assert len(cleared(scope)) == 1


def test_the_wrapped_constructors_are_put_back():
    def constructors():
        return [vars(keras.Model)["__new__"], vars(tf.data.Dataset)["__init__"]]

    before = constructors()
    with keraser.scope():
        inside = constructors()
    assert constructors() == before
    assert all(a is not b for a, b in zip(before, inside, strict=True))


def test_keys_of_a_dict_are_kept():
    with keraser.scope() as scope:
        model = build()
        scope.keep({model: "best"})
    assert not is_shell(model)
    keraser.clear(model)


def test_a_block_that_imports_keras_itself():
    script = """
import keraser
with keraser.scope():
    import keras
    model = keras.Sequential([keras.layers.Dense(1)])
    model.build((None, 2))
assert isinstance(model, keraser.ClearedModel), model
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
