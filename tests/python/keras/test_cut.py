"""cut(): what it drops, what it leaves and why, and held="cut"."""

import gc
import weakref

import keras
import keraser
import numpy as np
import pytest
from small_models import X, Y, build, trained

SHELF = {}


@pytest.fixture(autouse=True)
def _empty_shelf():
    yield
    SHELF.clear()


def held(put):
    """A weak reference to a model that only `put` holds on to."""
    model = build()
    put(model)
    return weakref.ref(model)


def cut(reference, **arguments):
    done = keraser.why(reference()).cut(**arguments)
    gc.collect()
    return done


def in_a_dict(model):
    SHELF["best"] = model


def in_a_list(model):
    SHELF["models"] = [1, model, 2, model]


def in_a_set(model):
    SHELF["seen"] = {model, 3}


def in_a_history(model):
    SHELF["history"] = model.fit(X, Y, verbose=0)


def in_an_error(model):
    def fail(model):
        raise ValueError(model.name)

    try:
        fail(model)
    except ValueError as error:
        SHELF["error"] = error


def in_a_closure(model):
    SHELF["hook"] = lambda: model.count_params()


def in_a_tuple(model):
    SHELF["pair"] = (model, 1)


def in_a_generator(model):
    def stream(inside):
        yield inside

    SHELF["stream"] = stream(model)
    next(SHELF["stream"])


def in_an_object(model):
    class Tenant:
        pass

    SHELF["tenant"] = Tenant()
    SHELF["tenant"].model = model


CUT = [in_a_dict, in_a_list, in_a_set, in_a_history, in_an_error]
LEFT = {
    in_a_closure: "would break",
    in_a_tuple: "a tuple",
    in_a_generator: "runs its code",
    in_an_object: "its owner",
}


@pytest.mark.parametrize("put", CUT)
def test_what_is_safe_is_dropped_and_the_model_goes(put):
    reference = held(put)
    done = cut(reference)
    assert done.done
    assert not done.left
    assert reference() is None


@pytest.mark.parametrize("put", LEFT)
def test_what_is_not_is_left_with_the_reason(put):
    reference = held(put)
    done = cut(reference)
    assert not done.done
    ((path, reason, fix),) = done.left
    assert f"{__name__}.SHELF" in path
    assert LEFT[put] in reason
    assert fix
    assert reference() is not None


@pytest.mark.parametrize("put", CUT)
def test_a_dry_run_says_the_same_and_changes_nothing(put):
    reference = held(put)
    before = repr(sorted(SHELF)), len(keraser.why(reference()))
    would = cut(reference, dry_run=True)
    assert would.dry_run
    assert (repr(sorted(SHELF)), len(keraser.why(reference()))) == before
    assert cut(reference).done == would.done
    assert reference() is None


def test_items_beside_the_model_stay():
    reference = held(in_a_list)
    cut(reference)
    assert SHELF["models"] == [1, 2]


def test_a_history_stays_useful():
    reference = held(in_a_history)
    cut(reference)
    assert list(SHELF["history"].history) == ["loss"]


def test_an_error_keeps_its_message():
    reference = held(in_an_error)
    name = reference().name
    cut(reference)
    assert str(SHELF["error"]) == name


def test_a_model_of_its_own_is_left_to_its_variable():
    model = build()
    done = keraser.why(model).cut()
    assert not done.done
    ((path, reason, _),) = done.left
    assert "local 'model'" in path
    assert "running function" in reason


def test_what_is_gone_already_is_said():
    reference = held(in_a_dict)
    found = keraser.why(reference())
    SHELF.clear()
    gc.collect()
    with pytest.raises(keraser.KeraserError, match="gone already"):
        found.cut()


def test_what_takes_no_weak_reference_is_refused():
    SHELF["list"] = [1]
    found = keraser.why(SHELF["list"])
    with pytest.raises(keraser.KeraserError, match="weak reference"):
        found.cut()
    assert SHELF["list"] == [1]


def test_dead_registry_entries_are_dropped():
    model = trained()
    SHELF["kernel"] = model.layers[0].kernel.value.handle
    reference = weakref.ref(SHELF["kernel"])
    del model, SHELF["kernel"]
    gc.collect()
    found = keraser.why(reference())
    assert found[0].kind == "registry"
    del found
    done = cut(reference)
    assert "keraser.clear()" in done.done
    assert reference() is None


def test_clear_cuts_the_holders_and_names_them():
    model = trained()
    SHELF["models"] = [model]
    SHELF["history"] = model.history
    receipt = keraser.clear(model, held="cut")
    assert receipt.cleared
    assert SHELF["models"] == []
    assert SHELF["history"].history
    cut = [reset.note for reset in receipt.resets if reset.what == "holders"]
    assert len(cut) == 1
    assert "SHELF['models'][0]" in cut[0]
    with pytest.raises(keraser.ClearedModelError):
        model.predict(X)


def test_clear_leaves_a_model_that_cannot_be_cut_loose():
    model = trained()
    before = model.predict(X, verbose=0)
    SHELF["models"] = [model]
    SHELF["hook"] = (lambda kept: lambda: kept.count_params())(model)
    receipt = keraser.clear(model, held="cut")
    assert not receipt.cleared
    assert SHELF["models"] == []
    (kept,) = receipt.kept
    assert all("closure 'kept' of <lambda>" in holder for holder in kept.holders)
    assert np.array_equal(model.predict(X, verbose=0), before)


def test_cut_of_one_model_leaves_others_alone():
    one, other = build(), build()
    SHELF["models"] = [one, other]
    reference = weakref.ref(one)
    del one
    cut(reference)
    assert SHELF["models"] == [other]
    assert isinstance(other, keras.Model)
