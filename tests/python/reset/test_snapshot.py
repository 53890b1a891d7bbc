"""snapshot(): training again from the same place is the same, bit for bit."""

import gc
import threading
import weakref

import keras
import keraser
import numpy as np
import parkable
import pytest
import tensorflow as tf
from every_optimizer import EVERY_OPTIMIZER, SPECIAL, small
from keraser.adapters.keras_tf import KerasTensorFlow, batches
from parkable import MODELS
from trained_again import built, check_everywhere

layers, optimizers = keras.layers, keras.optimizers


def trained(make=parkable.dense):
    model, x, y = built(make)
    parkable.fit(model, x, y)
    return model, x, y


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_training_again_is_the_same(make):
    check_everywhere(*built(make))


@pytest.mark.parametrize("name", SPECIAL)
def test_optimizers_with_slots_of_their_own_kind(name):
    """All of them: tests/soak/test_reset.py."""
    check_everywhere(*built(lambda: small(EVERY_OPTIMIZER[name]())))


def test_masks_of_dropout_come_again():
    model, x, _ = trained()
    snap = keraser.snapshot(model)
    masked = [model(x, training=True).numpy().tobytes() for _ in range(3)]
    assert len(set(masked)) == 3
    snap.restore()
    assert [model(x, training=True).numpy().tobytes() for _ in range(3)] == masked


def test_recurrent_layers_remember_what_they_remembered():
    rnn = layers.GRU(3, stateful=True)
    model = keras.Sequential([keras.Input((5, 2), batch_size=4), rnn, layers.Dense(1)])
    model.compile("adam", "mse")
    x = parkable.floats(5, 2)
    model.predict(x, verbose=0)
    snap = keraser.snapshot(model)
    again = model.predict(x, verbose=0).tobytes()
    assert snap.diff().rows[-1].path == f"{rnn.path}/state_0"
    snap.restore()
    assert model.predict(x, verbose=0).tobytes() == again


def test_the_learning_rate_comes_back():
    model, _, _ = trained()
    snap = keraser.snapshot(model, scope="optimizer")
    rate = float(model.optimizer.learning_rate.value)
    model.optimizer.learning_rate = 0.5
    assert [row.path.rsplit("/")[-1] for row in snap.diff().rows] == ["learning_rate"]
    snap.restore()
    assert float(model.optimizer.learning_rate.value) == rate


# ---- what is taken, and how ----------------------------------------------------------


def addresses(model):
    return [
        batches.address(tensor)
        for tensor in batches.read_all(
            [v._value.handle for v in model.variables if np.prod(v.shape) > 1]
        )
    ]


def test_a_live_snapshot_copies_nothing_neither_when_taken_nor_when_restored():
    model, x, y = trained()
    before = addresses(model)
    snap = keraser.snapshot(model)
    assert snap.hold == "live"
    assert addresses(model) == before
    parkable.fit(model, x, y)
    assert not set(addresses(model)) & set(before)  # the step copied
    snap.restore()
    assert addresses(model) == before


def test_where_values_are_changed_in_place_copies_are_taken(monkeypatch):
    monkeypatch.setattr(KerasTensorFlow, "shares_buffers", lambda *_: False)
    model, x, y = trained()
    snap = keraser.snapshot(model)
    assert snap.hold == "copy"
    check = parkable.values(model)
    parkable.fit(model, x, y)
    snap.restore()
    assert parkable.values(model) == check


def test_sharing_is_tried_and_not_believed(monkeypatch):
    device = "/job:localhost/replica:0/task:0/device:CPU:0"
    attempt = batches.shares_buffers.__wrapped__
    assert attempt(device)
    read = batches.read_all
    with monkeypatch.context() as patch:  # reads copy
        patch.setattr(batches, "read_all", lambda hs: batches.copies(read(hs)))
        assert not attempt(device)

    def in_place(variable, _):
        [seen] = read([variable.handle])
        filled = np.full(64, 2.0, np.float32)
        keraser._core.copy([(seen, filled)], into_readonly=True)

    with monkeypatch.context() as patch:  # updates do not
        patch.setattr(type(tf.Variable(1.0)), "assign_add", in_place, raising=True)
        assert not attempt(device)


@pytest.mark.parametrize("scope", ["weights", "optimizer"])
def test_a_scope_leaves_the_rest_as_it_is(scope):
    model, x, y = trained()
    snap = keraser.snapshot(model, scope=scope)
    before = parkable.values(model)
    parkable.fit(model, x, y)
    after = parkable.values(model)
    snap.restore()
    count = len(model.variables)
    split = {
        "weights": slice(None, count),
        "optimizer": slice(count, -len(model.metrics_variables)),
    }[scope]
    expected = list(after)
    expected[split] = before[split]
    assert parkable.values(model) == expected
    assert len(snap) == len(before[split])


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (lambda model: model.layers[0], ["kernel", "bias"]),
        (lambda _: "batch_norm*", ["gamma", "beta", "moving_mean", "moving_variance"]),
        (lambda _: "*/bias", ["bias", "bias"]),
        (lambda _: lambda la: isinstance(la, layers.Dense), ["kernel", "bias"] * 2),
        (lambda m: [m.layers[0], "*/gamma"], ["kernel", "bias", "gamma"]),
        (lambda _: "adam*/learning_rate", ["learning_rate"]),
    ],
)
def test_only_some_values_are_taken(only, names):
    model, x, y = trained()
    snap = keraser.snapshot(model, only=only(model))
    before = parkable.values(model)
    parkable.fit(model, x, y)
    after = parkable.values(model)
    changed = [row.path for row in snap.diff().rows]
    snap.restore()
    now = parkable.values(model)
    back = [i for i, value in enumerate(now) if value != after[i]]
    assert [before[i][0] for i in back] == changed
    assert all(now[i] == before[i] for i in back)
    assert len(snap) == len(names)
    assert {path.rsplit("/")[-1] for path in changed} <= set(names)


def test_a_snapshot_holds_no_model():
    model, _, _ = trained()
    snap, ghost = keraser.snapshot(model), weakref.ref(model.layers[0])
    assert keraser.clear(model).kept == ()
    assert ghost() is None
    with pytest.raises(keraser.ClearedModelError, match="was cleared at"):
        snap.restore()
    del model
    with pytest.raises(keraser.KeraserError, match="is gone"):
        snap.restore()


def test_a_hundred_restores_leave_nothing_behind():
    model, x, y = trained()
    snap = keraser.snapshot(model)
    seen = parkable.traces(model)
    parkable.fit(model, x, y)
    snap.restore()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100):
        snap.restore()
    gc.collect()
    assert len(gc.get_objects()) - before <= 0
    assert parkable.traces(model) == seen


def test_a_diff_counts_elements_and_says_by_how_much():
    model, _, _ = trained()
    snap = keraser.snapshot(model)
    kernel = model.layers[0].kernel
    values = kernel.numpy()
    values[0, 0] += 2.0
    values[3, 1] = np.nan
    kernel.assign(values)
    diff = snap.diff()
    [row] = diff.rows
    assert (row.path, row.kind, row.elements, row.changed) == (
        kernel.path,
        "weights",
        values.size,
        2,
    )
    assert row.largest == pytest.approx(2.0)
    assert diff.to_dict()["rows"][0]["changed"] == 2
    assert "2 of 128, by 2 at most" in repr(diff)


def test_it_says_what_it_is():
    model, _, _ = trained()
    snap = keraser.snapshot(model)
    assert snap.bytes == sum(len(content) for *_, content in parkable.values(model))
    assert "test_snapshot.py" in snap.where
    assert f"{len(snap)} values" in repr(snap)


# ---- files ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("make", ["dense", "mixed_float16", "bfloat16", "nested"])
def test_a_file_brings_another_model_to_the_same_place(make, suffix, tmp_path):
    model, x, y = trained(MODELS[make])
    path = tmp_path / f"snap.{suffix}"
    keraser.snapshot(model).save(path)
    before = [content for *_, content in parkable.values(model)]
    expected = list(parkable.fit(model, x, y).values())
    other, _, _ = trained(MODELS[make])
    loaded = keraser.Snapshot.load(path, other)
    assert loaded.hold == "file"
    loaded.restore()
    assert [content for *_, content in parkable.values(other)] == before
    assert list(parkable.fit(other, x, y).values()) == expected


def test_others_read_the_file(tmp_path):
    model, _, _ = trained()
    keraser.snapshot(model, scope="weights").save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        for variable in model.variables:
            assert file[variable.path].tobytes() == variable.numpy().tobytes()


def damaged(data, suffix):
    yield "cut short", data[: len(data) // 2]
    yield "cut by a byte", data[:-1]
    yield "empty", b""
    for at in {"npz": [2000], "safetensors": [2000, len(data) - 2]}[suffix]:
        yield "a flipped bit", data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_damaged_file_changes_nothing(suffix, tmp_path):
    model, _, _ = trained()
    good, bad = tmp_path / f"good.{suffix}", tmp_path / f"bad.{suffix}"
    keraser.snapshot(model).save(good)
    before = parkable.values(model)
    for what, data in damaged(good.read_bytes(), suffix):
        bad.write_bytes(data)
        with pytest.raises(keraser.KeraserError, match=r"bad\."):
            pytest.fail(f"{what}: {keraser.Snapshot.load(bad, model)}")
    assert parkable.values(model) == before


def test_a_file_of_something_else_is_refused(tmp_path):
    model, _, _ = trained()
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(keraser.KeraserError, match="no snapshot by keraser"):
        keraser.Snapshot.load(tmp_path / "other.npz", model)
    with pytest.raises(FileNotFoundError):
        keraser.Snapshot.load(tmp_path / "none.npz", model)
    with pytest.raises(ValueError, match=r"\.h5"):
        keraser.snapshot(model).save(tmp_path / "a.h5")


def test_a_file_is_not_overwritten_unasked(tmp_path):
    model, _, _ = trained()
    path, snap = tmp_path / "a.npz", keraser.snapshot(model)
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        snap.save(path)
    assert path.read_bytes() == b"precious"
    snap.save(path, overwrite=True)
    keraser.Snapshot.load(path, model).restore()


# ---- refusals: an error by name, and nothing changed ---------------------------------


def with_layer_added():
    model, _, _ = trained()
    snap = keraser.snapshot(model)
    model.add(layers.Dense(2))
    return snap, model, "dense.* is new"


def with_optimizer_changed():
    model, x, y = trained()
    snap = keraser.snapshot(model)
    model.compile("sgd", "mse")
    parkable.fit(model, x, y)
    return snap, model, "momentum.* is gone"


def with_other_shape():
    model, _, _ = trained()
    snap = keraser.snapshot(model)
    kernel = model.layers[0].kernel
    batches.assign_all([kernel._value.handle], [tf.zeros([8, 15])])
    return snap, model, r"\[8, 16\] float32 is .* \[8, 15\] float32 now"


@pytest.mark.parametrize(
    "change", [with_layer_added, with_optimizer_changed, with_other_shape]
)
def test_what_does_not_fit_changes_nothing(change):
    snap, model, text = change()
    before = parkable.values(model)
    with pytest.raises(keraser.KeraserError, match=text):
        snap.restore()
    with pytest.raises(keraser.KeraserError, match=text):
        snap.diff()
    assert parkable.values(model) == before


@pytest.mark.parametrize("other", ["conv", "nested", "bfloat16"])
def test_a_file_of_another_model_changes_nothing(other, tmp_path):
    model, _, _ = trained()
    keraser.snapshot(trained(MODELS[other])[0]).save(tmp_path / "a.npz")
    before = parkable.values(model)
    with pytest.raises(keraser.KeraserError, match="does not fit"):
        keraser.Snapshot.load(tmp_path / "a.npz", model)
    assert parkable.values(model) == before


@pytest.mark.parametrize("at", [1, 5, 20])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_fails_midway_is_taken_back(at, error, monkeypatch):
    model, x, y = trained()
    snap = keraser.snapshot(model)
    parkable.fit(model, x, y)
    before, count = parkable.values(model), [0]
    make = batches._assigner

    def assigner():
        assign = make()

        def once(handle, tensor):
            count[0] += 1
            if count[0] == at:
                raise error
            assign(handle, tensor)

        return once

    monkeypatch.setattr(batches, "_assigner", assigner)
    with pytest.raises(error):
        snap.restore()
    assert parkable.values(model) == before
    snap.restore()
    assert not snap.diff()


def test_what_is_asked_wrongly_is_refused():
    model, _, _ = trained()
    for arguments, text in [
        ({"scope": "slots"}, "scope must be"),
        ({"hold": "disk"}, "hold must be"),
        ({"only": "nothing*"}, "names nothing"),
        ({"only": keras.layers.Dense(1)}, "none of the model's"),
    ]:
        with pytest.raises(ValueError, match=text):
            keraser.snapshot(model, **arguments)
    with pytest.raises(TypeError, match="only= takes"):
        keraser.snapshot(model, only=3)
    with pytest.raises(TypeError, match=r"snapshot\(\) takes a keras.Model"):
        keraser.snapshot(model.layers[0])
    with pytest.raises(ValueError, match="no weights yet"):
        keraser.snapshot(keras.Sequential([layers.Dense(2)]))


def test_parked_and_cleared_models_have_nothing_to_take():
    model, _, _ = trained()
    snap = keraser.snapshot(model)
    keraser.park(model)
    for act in (lambda: keraser.snapshot(model), snap.restore, snap.diff):
        with pytest.raises(keraser.ParkedModelError):
            act()
    keraser.unpark(model)
    snap.restore()
    keraser.clear(model)
    with pytest.raises(keraser.ClearedModelError):
        keraser.snapshot(model)


def test_a_thread_that_predicts_gets_the_old_or_the_new_numbers():
    """One layer, one variable: never a mixture."""
    model = keras.Sequential([keras.Input((64,)), layers.Dense(256, use_bias=False)])
    x = parkable.floats(64)
    old = keraser.snapshot(model)
    answers = {model.predict(x, verbose=0).tobytes()}
    model.layers[0].kernel.assign(model.layers[0].kernel * 2)
    new = keraser.snapshot(model)
    answers.add(model.predict(x, verbose=0).tobytes())
    wrong, done, rounds = [], threading.Event(), [0]

    def predict():
        ask = tf.function(lambda t: model(t))
        tensor = tf.constant(x)
        while not done.is_set():
            rounds[0] += 1
            if ask(tensor).numpy().tobytes() not in answers:
                wrong.append(1)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    turns = 0
    while rounds[0] < 300 and all(thread.is_alive() for thread in threads):
        (old, new)[turns % 2].restore()
        turns += 1
    done.set()
    for thread in threads:
        thread.join()
    assert rounds[0] >= 300
    assert turns > 10
    assert not wrong
