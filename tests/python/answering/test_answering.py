"""What a process answers to a command line, on the listener's own thread."""

import gc
import os
import sys
import threading
import weakref

import keras
import keraser
import pytest
from asking import ALL, FORCE, FRAMES, VERBS, ask, connect, glance
from keraser import _core, answering, listening
from keraser.adapters.base import find_adapter
from keraser.glance import Glancer
from small_models import X, Y, build, slot_bytes, trained, weight_bytes


@pytest.fixture(autouse=True)
def _clean():
    """No models of the test before, and models are looked for at once."""
    gc.collect()
    answering._glancer.forget()


@pytest.fixture
def path():
    return listening.path()


class Training:
    """A model in the middle of fit() on another thread, for the length of a block."""

    def __init__(self, model):
        self.model, self.error = model, None
        self.begun, self.go_on = threading.Event(), threading.Event()
        pause = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs: self._pause(logs)
        )
        self.thread = threading.Thread(target=self._fit, args=(pause,))

    def _pause(self, _):
        self.begun.set()
        assert self.go_on.wait(60)

    def _fit(self, pause):
        try:
            self.model.fit(X, Y, epochs=2, verbose=0, callbacks=[pause])
        except BaseException as error:
            self.error = type(error)

    def __enter__(self):
        self.thread.start()
        assert self.begun.wait(60)
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self.thread.join()


# ---- TOP ----------------------------------------------------------------------------


def test_top_tells_each_model_by_its_bytes_and_the_process(path):
    model, other = trained(), build(64)
    rows, process = glance(path)
    row = rows[model.name]
    assert (row.weights, row.optimizer) == (weight_bytes(model), slot_bytes(model))
    assert row.metrics == sum(v.numpy().nbytes for v in model.metrics_variables)
    assert (row.id, row.kind, row.running) == (id(model), "Sequential", 0)
    assert rows[other.name].weights == weight_bytes(other)
    assert process.models == len(rows)
    assert process.rss <= process.peak
    assert 0.5 < process.rss / _core.process()["rss"] < 2
    assert (process.gpus, process.note) == (0, "")


def test_top_marks_a_model_that_is_in_training(path):
    model, other = trained(), build()
    with Training(model):
        rows, _ = glance(path)
    assert (rows[model.name].running, rows[other.name].running) == (1, 0)


def test_a_model_that_is_gone_is_gone_at_once_and_top_held_nothing(path):
    model = build()
    name, witness = model.name, weakref.ref(model)
    assert name in glance(path)[0]
    del model
    gc.collect()
    assert witness() is None
    assert name not in glance(path)[0]


def test_models_are_looked_for_only_now_and_then(monkeypatch):
    looks = []
    adapter = type(find_adapter())
    models = adapter.models
    monkeypatch.setattr(adapter, "models", lambda self: looks.append(1) or models(self))
    glancer = Glancer()
    for _ in range(50):
        glancer.look()
    assert len(looks) == 1
    glancer.forget()
    glancer.look()
    assert len(looks) == 2


def test_a_model_that_is_a_layer_is_part_of_the_other(path):
    inner = build()
    outer = keras.Sequential([keras.Input((8,)), inner])
    rows, _ = glance(path)
    assert outer.name in rows
    assert inner.name not in rows


# ---- which model --------------------------------------------------------------------


@pytest.mark.parametrize("word", ["name", "id", "hex", "variable"])
def test_a_model_is_found_by_name_id_and_variable(path, word, monkeypatch):
    model = build()
    monkeypatch.setattr(sys.modules["__main__"], "net_of_mine", model, raising=False)
    words = {
        "name": model.name,
        "id": str(id(model)),
        "hex": hex(id(model)),
        "variable": "net_of_mine",
    }
    found = ask(path, "WHY", words[word])
    assert found.outcome == "OK"
    assert found.data["thing"] == f"Sequential {model.name!r}"
    assert found.text.startswith(found.data["thing"])
    assert found.data["pid"] == os.getpid()
    assert found.data["schema_version"] == 1
    assert found.data["verb"] == "why"
    assert any(holder["place"] for holder in found.data["holders"])


def test_what_is_no_model_is_absent_and_those_that_there_are_are_named(path):
    model = build()
    found = ask(path, "WHY", "nobody")
    assert found.outcome == "ABSENT"
    assert "'nobody'" in found.reason
    assert model.name in found.reason
    assert found.data["reason"] == found.reason
    assert found.text == ""


def test_of_two_models_of_one_name_none_is_touched(path):
    one, other = build(), build()
    one.name = other.name = "twins"
    found = ask(path, "CLEAR", "twins")
    assert found.outcome == "ABSENT"
    assert hex(id(one)) in found.reason
    assert hex(id(other)) in found.reason
    assert one.count_params() == other.count_params() > 0
    assert ask(path, "CLEAR", hex(id(one))).outcome == "OK"
    assert isinstance(one, keraser.ClearedModel)
    assert other.count_params() > 0


# ---- CLEAR --------------------------------------------------------------------------


def test_clear_frees_the_one_and_says_so(path):
    model, other = trained(512), trained()
    before = other.predict(X, verbose=0)
    size = weight_bytes(model) + slot_bytes(model)
    found = ask(path, "CLEAR", model.name)
    [receipt] = found.data["receipts"]
    assert found.outcome == "OK"
    assert receipt["cleared"] is True
    assert receipt["handles"]["after"] == 0
    assert sum(receipt["freed"][kind] for kind in ("weights", "optimizer")) == size
    assert found.text.startswith(f"Sequential {receipt['model']!r} cleared")
    with pytest.raises(keraser.ClearedModelError, match="keraser clear"):
        model.predict(X)
    assert (other.predict(X, verbose=0) == before).all()


def test_clear_takes_what_to_do_with_holders(path):
    model = trained()
    holders = [model]
    found = ask(path, "CLEAR", model.name, held="RAISE")
    assert found.outcome == "REFUSED"
    assert "holders" in found.reason or "held" in found.reason
    assert holders[0].predict(X, verbose=0).shape == (32, 1)


def test_a_model_in_training_is_left_unless_forced(path):
    model = trained()
    with Training(model) as training:
        found = ask(path, "CLEAR", model.name)
        assert found.outcome == "REFUSED"
        assert "fit()" in found.reason
        assert "--force" in found.reason
    assert training.error is None
    with Training(model) as training:
        assert ask(path, "CLEAR", model.name, FORCE).outcome == "OK"
    assert training.error is keraser.ClearedModelError


def test_clear_all_leaves_only_what_is_in_training_and_says_which(path):
    models = [trained() for _ in range(3)]
    names = {model.name for model in models[1:]}
    with Training(models[0]) as training:
        found = ask(path, "CLEAR", flags=ALL)
    assert training.error is None
    assert found.outcome == "OK"
    assert [left["model"] for left in found.data["left"]] == [models[0].name]
    assert f"model {models[0].name!r} was left" in found.text
    assert names <= {r["model"] for r in found.data["receipts"] if r["cleared"]}
    assert set(glance(path)[0]) == {models[0].name}


# ---- the rest -----------------------------------------------------------------------


def test_the_other_verbs_answer_as_their_functions_do(path):
    model = build()
    census = ask(path, "CENSUS")
    assert model.name in [row["name"] for row in census.data["models"]]
    assert census.data["pause"] is not None  # the heap was read in a child
    assert f" {model.name} " in census.text
    trim = ask(path, "TRIM")
    assert trim.data["returned"] == sum(p["returned"] for p in trim.data["pools"])
    doctor = ask(path, "DOCTOR")
    assert {"findings", "pitfalls"} <= set(doctor.data)
    assert doctor.text.count("\n") >= len(doctor.data["findings"]) - 1


def test_an_error_on_the_way_is_an_answer(path, monkeypatch):
    def fail():
        raise OSError("no such luck")

    monkeypatch.setattr("keraser.trimming.trim", fail)
    found = ask(path, "TRIM")
    assert (found.outcome, found.reason) == ("FAILED", "OSError: no such luck")


def test_a_long_reason_is_cut_and_whole_in_the_json(path, monkeypatch):
    def fail():
        raise OSError("ä" * 2000)

    monkeypatch.setattr("keraser.trimming.trim", fail)
    found = ask(path, "TRIM")
    assert found.reason == "OSError: " + "ä" * 507
    assert found.data["reason"] == "OSError: " + "ä" * 2000


def test_a_verb_of_another_version_is_refused(path):
    found = ask(path, max(VERBS.values()) + 1)
    assert found.outcome == "REFUSED"
    assert "installed with it" in found.reason


def test_who_leaves_before_the_answer_disturbs_nobody(path, capfd):
    for _ in range(20):
        connect(path).close()
    asking = connect(path)
    values = (VERBS["CENSUS"], 0, 0)
    _core.send(asking.fileno(), FRAMES["QUESTION"], 0, values)
    asking.close()
    assert ask(path, "TRIM").outcome == "OK"
    assert capfd.readouterr().err == ""


def test_python_has_no_thread_more(path):
    known = threading.enumerate()
    ask(path, "TRIM")
    assert threading.enumerate() == known
