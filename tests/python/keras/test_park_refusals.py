"""What park and unpark refuse, and what they take back when something fails half way:
the model is as it was, or parked and whole."""

import os
import shutil
import threading

import keras
import keraser
import numpy as np
import parkable
import pytest
import tensorflow as tf
from keraser import array_files, storage
from keraser.adapters.keras_tf import KerasTensorFlow, values
from parkable import layers
from small_models import X, Y, build, trained


@pytest.fixture
def state():
    """A trained model, and a check that it is still what it was."""
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    before, kinds = parkable.values(model), parkable.classes(model)
    prediction = model.predict(x, verbose=0)
    before = parkable.values(model)
    seen = parkable.traces(model)

    def check():
        assert parkable.classes(model) == kinds
        assert parkable.values(model) == before
        assert model.predict(x, verbose=0).tobytes() == prediction.tobytes()
        assert parkable.traces(model) == seen
        assert "_keraser_ticket" not in vars(model)

    return model, check


@pytest.mark.parametrize("thing", [3, "model", keras.layers.Dense(1), keras.Model, X])
@pytest.mark.parametrize("verb", [keraser.park, keraser.unpark])
def test_what_is_no_model_is_refused(verb, thing):
    with pytest.raises(TypeError, match=r"takes a keras.Model"):
        verb(thing)


def test_a_parked_model_is_not_parked_twice():
    model = trained()
    keraser.park(model)
    with pytest.raises(keraser.ParkedModelError, match=r"test_park_refusals\.py"):
        keraser.park(model)
    keraser.unpark(model)
    with pytest.raises(keraser.KeraserError, match="not parked"):
        keraser.unpark(model)


def test_a_cleared_model_is_refused():
    model = trained()
    keraser.clear(model)
    for verb in (keraser.park, keraser.unpark):
        with pytest.raises(keraser.ClearedModelError, match="cleared at"):
            verb(model)


def test_a_model_within_another_is_refused_and_a_part_of_a_parked_one_too():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(4)], name="park_inner")
    outer = keras.Sequential([keras.Input((8,)), inner, layers.Dense(1)])
    before = parkable.floats(8)
    prediction = outer.predict(before, verbose=0)
    with pytest.raises(keraser.StillHeldError, match="is a layer of"):
        keraser.park(inner)
    assert outer.predict(before, verbose=0).tobytes() == prediction.tobytes()
    keraser.park(outer)
    with pytest.raises(keraser.ParkedModelError, match="park_inner"):
        keraser.park(inner)
    keraser.unpark(outer)
    assert outer.predict(before, verbose=0).tobytes() == prediction.tobytes()


def test_a_running_model_is_refused():
    model, errors = build(), []

    class Parking(keras.callbacks.Callback):
        def on_train_batch_end(self, *_, **__):
            try:
                keraser.park(self.model)
            except keraser.StillHeldError as error:
                errors.append(str(error))

    history = model.fit(X, Y, verbose=0, callbacks=[Parking()])
    assert "running fit() in this thread" in errors[0]
    assert len(history.history["loss"]) == 1

    inside, go_on = threading.Event(), threading.Event()

    class Waiting(keras.callbacks.Callback):
        def on_train_begin(self, *_, **__):
            inside.set()
            go_on.wait()

    thread = threading.Thread(
        target=lambda: model.fit(X, Y, verbose=0, callbacks=[Waiting()]),
        name="park_trainer",
    )
    thread.start()
    inside.wait()
    try:
        with pytest.raises(keraser.StillHeldError, match="thread 'park_trainer'"):
            keraser.park(model)
    finally:
        go_on.set()
        thread.join()


def test_text_and_a_layout_of_its_own_are_refused_by_name():
    class Wordy(keras.Sequential):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.word = tf.Variable("text")

    class Slotted(keras.Sequential):
        __slots__ = ("extra",)

    inputs = [keras.Input((8,)), layers.Dense(1)]
    with pytest.raises(keraser.UnsupportedError, match="Slotted"):
        keraser.park(Slotted(inputs))
    model = Wordy(inputs)
    keraser.park(model)
    keraser.unpark(model)
    assert model.word.numpy() == b"text"


def test_a_path_that_cannot_be_is_refused_before_anything_is_done(state, tmp_path):
    model, check = state
    there = tmp_path / "there.npz"
    there.write_text("mine")
    (tmp_path / "folder.npz").mkdir()
    for path, error, word in (
        ("values.h5", ValueError, r"\.safetensors or \.npz"),
        (tmp_path / "nowhere" / "a.npz", FileNotFoundError, "nowhere"),
        (there, FileExistsError, "overwrite=True"),
        (tmp_path / "folder.npz", IsADirectoryError, "folder"),
    ):
        with pytest.raises(error, match=word):
            keraser.park(model, to=path)
        check()
    assert there.read_text() == "mine"
    keraser.park(model, to=there, overwrite=True)
    keraser.unpark(model)
    check()


def test_a_file_with_the_values_of_another_is_not_overwritten(state, tmp_path):
    model, check = state
    other = trained()
    expected = parkable.values(other)
    keraser.park(other, to=tmp_path / "other.npz")
    with pytest.raises(keraser.KeraserError, match="another parked model"):
        keraser.park(model, to=tmp_path / "other.npz", overwrite=True)
    check()
    assert parkable.values(keraser.unpark(other)) == expected
    keraser.park(model, to=tmp_path / "other.npz", overwrite=True)
    keraser.unpark(model)


def test_a_missing_package_is_named(state, tmp_path, monkeypatch):
    model, check = state
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(keraser.UnsupportedError, match=r"keraser\[safetensors\]"):
        keraser.park(model, to=tmp_path / "a.safetensors")
    check()


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_full_disk_leaves_model_and_folder_as_they_were(
    state, tmp_path, monkeypatch, suffix
):
    model, check = state

    def full(path):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(storage, "_sync", full)
    with pytest.raises(OSError, match="No space left"):
        keraser.park(model, to=tmp_path / f"a.{suffix}")
    check()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_reads_back_differently_is_not_trusted(
    state, tmp_path, monkeypatch
):
    model, check = state
    write = array_files.write

    def bad_disk(path, suffix, named, note):
        wrong = {name: np.array(a) + a.dtype.type(1) for name, a in named.items()}
        write(path, suffix, wrong, note)

    monkeypatch.setattr(array_files, "write", bad_disk)
    with pytest.raises(keraser.KeraserError, match="not written right"):
        keraser.park(model, to=tmp_path / "a.npz")
    check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["read_value", "empty_value", "bar_functions"])
@pytest.mark.parametrize("to", [None, "a.npz"])
def test_park_that_fails_half_way_takes_everything_back(
    state, tmp_path, monkeypatch, step, to
):
    model, check = state
    _fail(monkeypatch, step, at=1 if step == "bar_functions" else 5)
    with pytest.raises(MemoryError):
        keraser.park(model, to=to and tmp_path / to)
    monkeypatch.undo()
    check()
    assert list(tmp_path.iterdir()) == []


def test_unpark_that_fails_half_way_can_be_repeated(state, tmp_path, monkeypatch):
    model, check = state
    handles = [v.value.handle for v in parkable.variables(model)]
    for to in (None, tmp_path / "a.npz"):
        keraser.park(model, to=to)
        _fail(monkeypatch, "write_value", at=5)
        with pytest.raises(MemoryError):
            keraser.unpark(model)
        monkeypatch.undo()
        with pytest.raises(keraser.ParkedModelError):
            model.predict(X)
        assert all(map(values.is_empty, filter(values.can_be_empty, handles)))
        keraser.unpark(model)
        check()


def test_interrupted_while_the_guard_is_lifted_it_can_be_repeated(state, monkeypatch):
    model, check = state
    keraser.park(model)
    _fail(monkeypatch, "admit_functions", at=1, error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        keraser.unpark(model)
    monkeypatch.undo()
    with pytest.raises(keraser.ParkedModelError):
        model.predict(X)
    keraser.unpark(model)
    check()


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_damaged_file_leaves_the_model_parked_until_it_is_put_back(
    state, tmp_path, suffix
):
    model, check = state
    path, spare = tmp_path / f"a.{suffix}", tmp_path / "spare"
    keraser.park(model, to=path)
    shutil.copy(path, spare)
    content = spare.read_bytes()
    at = content.rindex(b"\x3f") if suffix == "safetensors" else len(content) // 2
    damages = {
        "missing": lambda: os.unlink(path),
        "empty": lambda: path.write_bytes(b""),
        "truncated": lambda: path.write_bytes(content[:-40]),
        "one bit": lambda: path.write_bytes(
            content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        ),
        "another": lambda: _write_another(path),
    }
    for what, damage in damages.items():
        damage()
        with pytest.raises(keraser.KeraserError, match="stays parked") as caught:
            keraser.unpark(model)
        assert str(path) in str(caught.value), what
        with pytest.raises(keraser.ParkedModelError):
            model.predict(X)
    os.unlink(path)
    keraser.unpark(model, file=spare)
    check()


def test_a_file_is_not_asked_for_in_host_memory():
    model = trained()
    keraser.park(model)
    with pytest.raises(ValueError, match="host memory"):
        keraser.unpark(model, file="a.npz")
    keraser.unpark(model)


def _write_another(path):
    """A whole file, of the same names and shapes, and other values."""
    if path.suffix == ".npz":
        with np.load(path.parent / "spare") as file:
            arrays = {name: np.zeros_like(file[name]) for name in file.files}
        with open(path, "wb") as file:
            np.savez(file, **arrays)
    else:
        from safetensors.numpy import load_file, save_file

        arrays = load_file(path.parent / "spare")
        save_file({n: np.zeros_like(a) for n, a in arrays.items()}, path)


def _fail(monkeypatch, step, at, error=MemoryError):
    """Lets the adapter's step fail when it is called for the `at`-th time."""
    calls, real = [], getattr(KerasTensorFlow, step)

    def failing(self, *arguments):
        calls.append(step)
        if len(calls) == at:
            raise error
        return real(self, *arguments)

    monkeypatch.setattr(KerasTensorFlow, step, failing)
