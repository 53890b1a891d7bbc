"""census() and top(): figures that agree with the variables, sums that add up."""

import gc
import json
import sys
import tracemalloc

import keras
import keraser
import numpy as np
import pytest
import tensorflow as tf
from small_models import X, Y, build, growth, layers, slot_bytes, trained, weight_bytes

SHELF = {}


@pytest.fixture(autouse=True)
def _clean():
    gc.collect()
    keraser.clear()
    yield
    SHELF.clear()


def orphans_of(census):
    """But for the session's seed generator, which an earlier test may have made."""
    return [row for row in census.orphans if "session state" not in row.held_by]


def row_of(census, model):
    (row,) = [row for row in census.models if row.id == id(model)]
    return row


def test_bytes_are_those_of_the_variables():
    model = trained(units=300)
    row = row_of(keraser.census(), model)
    assert row.bytes["weights"] == weight_bytes(model)
    assert row.bytes["optimizer"] == slot_bytes(model)
    assert row.bytes["metrics"] == sum(
        v.numpy().nbytes for v in model.metrics_variables
    )
    assert (row.name, row.kind) == (model.name, "Sequential")
    assert row.graphs > 0
    assert row.objects > 1000


def test_a_holder_is_named():
    SHELF["models"] = [0, build()]
    row = row_of(keraser.census(), SHELF["models"][1])
    assert row.held_by == (f"{__name__}.SHELF['models'][1]",)
    assert row.holders == 1


def test_shared_variables_are_told_and_counted_once():
    shared = layers.Dense(100, name="shared")

    def head():
        inputs = keras.Input((8,))
        return keras.Model(inputs, layers.Dense(1)(shared(inputs)))

    one, other = head(), head()
    census = keraser.census()
    rows = row_of(census, one), row_of(census, other)
    size = sum(v.numpy().nbytes for v in shared.variables)
    assert [row.shared for row in rows] == [size, size]
    assert [row.shared_with for row in rows] == [(other.name,), (one.name,)]
    own = sum(weight_bytes(model) for model in (one, other))
    tensors = sum(row.bytes["tensors"] for row in rows)
    assert census.heap["models"] == own - size + tensors


def test_what_the_registry_keeps_of_a_dead_model_is_an_orphan():
    model = trained(units=64)
    size = weight_bytes(model) + slot_bytes(model)
    named = {id(v.value.handle): v.path for v in model.variables}
    assert not orphans_of(keraser.census())
    del model
    gc.collect()
    census = keraser.census()
    (row,) = orphans_of(census)
    assert row.held_by == "TensorFlow's gradient registry"
    assert size * 0.9 < row.bytes <= size + 64
    assert row.count >= len(named)
    assert census.orphan_graphs > 0
    assert census.heap["orphans"] == sum(row.bytes for row in census.orphans)


def test_a_kept_layer_is_an_orphan_with_its_holder_and_names():
    model = build()
    SHELF["layer"] = model.layers[0]
    size, count = weight_bytes(model), len(model.variables)
    paths = {variable.path for variable in model.variables}
    del model
    gc.collect()
    (row,) = orphans_of(keraser.census())
    assert row.held_by == f"{__name__}.SHELF['layer']"
    assert (row.count, row.bytes) == (count, size)
    assert set(row.names) <= paths
    assert row.names


def test_a_model_that_only_garbage_holds_is_said_to_be():
    model = build()
    model.me = model
    gc.collect()
    name = model.name
    gc.disable()
    try:
        del model
        (row,) = [row for row in keraser.census().models if row.name == name]
    finally:
        gc.enable()
    assert row.held_by == ("garbage that was not collected yet",)


def test_other_tensors_are_counted_to_the_byte():
    before = keraser.census()
    SHELF["tensor"] = tf.zeros((1000, 3), tf.float64)
    after = keraser.census()
    assert after.tensor_bytes - before.tensor_bytes == 24_000
    assert after.tensors - before.tensors == 1
    assert after.heap["tensors"] == after.tensor_bytes


def test_the_sums_add_up():
    model = trained()
    census = keraser.census()
    *parts, rss = census.process.values()
    assert sum(parts) == rss == census.process["rss"]
    assert sum(census.heap.values()) == census.process["heap"]
    assert rss > census.process["files"] > 1 << 20
    assert census.process["python"] > 10 << 20
    assert sum(size for _, size in census.types.values()) >= census.process["python"]
    assert sum(count for count, _ in census.types.values()) == census.objects
    assert model.built


def test_diff_says_what_grew():
    before = keraser.census()
    SHELF["model"] = model = build(units=200)
    between = keraser.census()
    diff = between.diff(before)
    assert diff.born == (model.name,)
    assert diff.gone == ()
    assert diff.models[0].after == row_of(between, model).total
    assert diff.objects > 100
    assert any(growth.what == "dict" and growth.count > 0 for growth in diff.types)
    name = model.name
    del model
    SHELF.clear()
    gc.collect()
    assert keraser.census().diff(between).gone == (name,)


def test_diff_names_the_orphans_that_came():
    before = keraser.census()
    trained()
    gc.collect()
    diff = keraser.census().diff(before)
    (growth,) = diff.orphans
    assert growth.what == "TensorFlow's gradient registry"
    assert growth.count > 0
    assert growth.bytes > 0
    assert "gradient registry" in repr(diff)


def test_where_a_model_was_made_is_told_when_it_is_known():
    tracemalloc.start(25)
    try:
        model = build()
        row = row_of(keraser.census(), model)
    finally:
        tracemalloc.stop()
    assert row.made.rpartition(":")[0].endswith("small_models.py")
    assert row_of(keraser.census(), model).made is None


def test_taking_a_census_leaves_nothing_behind():
    model = SHELF["model"] = trained()
    parts = [model, *model.variables, *model.optimizer.variables, *model.layers]

    def ask():
        keraser.census().diff(keraser.census())
        return repr(keraser.census()), keraser.top()._repr_html_()

    ask()
    before = [sys.getrefcount(part) for part in parts]
    assert growth(ask) == 0
    assert [sys.getrefcount(part) for part in parts] == before


def test_a_child_process_counts_the_same():
    model = build()
    here, there = keraser.census(), keraser.census(fork=True)
    assert here.pause is None
    assert there.pause > 0
    assert row_of(there, model) == row_of(here, model)
    assert there.heap["models"] == here.heap["models"]


def test_a_census_is_data():
    model = build()
    census = keraser.census()
    assert json.loads(json.dumps(census.to_dict()))["models"][0]["name"] == model.name
    for text in (repr(census), census._repr_html_()):
        assert model.name in text
        assert "resident set" in text


def test_without_rich_the_tables_are_plain(monkeypatch):
    model = build()
    monkeypatch.setitem(sys.modules, "rich", None)
    text = repr(keraser.census())
    assert model.name in text
    assert "─" not in text


def test_top_names_the_owner_with_its_native_memory():
    SHELF["model"] = build(units=1_000_000)
    first = keraser.top(1).owners[0]
    assert first.path == f"{__name__}.SHELF"
    assert first.native >= weight_bytes(SHELF["model"])
    assert first.bytes > first.native
    assert first.objects > 500
    assert keraser.top(1, fork=True).owners[0].native == first.native


def test_top_refuses_a_limit_below_one():
    with pytest.raises(ValueError, match="at least 1"):
        keraser.top(0)


def test_outputs_are_the_same_after_a_census():
    model = trained()
    before = model.predict(X, verbose=0)
    keraser.census(), keraser.census(fork=True), keraser.top(), keraser.why(model)
    assert np.array_equal(model.predict(X, verbose=0), before)
    model.fit(X, Y, verbose=0)


def test_states_of_a_recurrent_layer_are_its_model_s():
    inputs = keras.Input(batch_shape=(4, 5, 3))
    model = keras.Sequential([inputs, layers.GRU(4, stateful=True)])
    del inputs
    census = keraser.census()
    assert not orphans_of(census)
    row = row_of(census, model)
    assert row.bytes["weights"] == weight_bytes(model)
    assert row.bytes["tensors"] == 4 * 4 * 4
    receipt = keraser.clear(model)
    assert receipt.freed["states"] == 4 * 4 * 4
    assert receipt.freed["weights"] == row.bytes["weights"]


def test_a_census_makes_nothing_in_a_model():
    inputs = keras.Input((8,))
    model = keras.Model(inputs, keras.ops.relu6(layers.Dense(1)(inputs)))
    del inputs
    rows = [row_of(keraser.census(), model) for _ in range(2)]
    assert rows[0].objects == rows[1].objects
    assert rows[0].bytes == rows[1].bytes


def test_a_tensor_that_is_still_being_made_is_passed_by():
    from tensorflow.python.framework.ops import EagerTensor

    SHELF["half"] = EagerTensor.__new__(EagerTensor)
    SHELF["whole"] = tf.zeros(1000)
    before = keraser.census().tensor_bytes
    del SHELF["whole"]
    assert before - keraser.census().tensor_bytes == 4000
    assert keraser.top(1).owners


def test_a_graph_that_is_still_being_made_is_passed_by():
    from tensorflow.python.framework.func_graph import FuncGraph

    model = trained()
    SHELF["half"] = FuncGraph.__new__(FuncGraph)
    assert row_of(keraser.census(), model).bytes["weights"] == weight_bytes(model)
    assert keraser.clear(model).kept == ()


def test_a_model_that_is_still_being_made_is_passed_by():
    before = keraser.census()
    SHELF["half"] = object.__new__(keras.Sequential)
    census = keraser.census()
    assert census.unfinished == 1
    assert len(census.models) == len(before.models)
