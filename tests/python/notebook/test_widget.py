"""keraser.widget() in a real kernel, which gets the messages that its view would send.

The view itself is tested in a browser: tests/soak/test_jupyterlab.py.
"""

import json
import time

import pytest

VIEW = "application/vnd.jupyter.widget-view+json"
MIB = 2**20

#: A cell that knows its cellId: ours do not send one.
CELL = "get_ipython().get_parent()['metadata']['cellId'] = 'one'\n%memory"

#: What of a widget could be left in the kernel.
LEFT = """
def left():
    import comm, gc, keraser.adapters.any_widget as ours, keraser.memory_widget as mine
    from ipywidgets.widgets import widget
    gc.collect()
    kinds = {ours.FrontEnd, mine.MemoryWidget, mine.Curve, mine.Glancer}
    names = {kind.__qualname__ for kind in kinds}
    things = [o for o in gc.get_objects() if type(o).__qualname__ in names]
    events = get_ipython().events.callbacks
    return (
        len(things), len(widget._instances), len(comm.get_comm_manager().comms),
        sum(map(len, events.values())),
        sum("keraser.widget" in str(vars(c)) for c in ours.FrontEnd.__subclasses__()),
    )
"""


class Shown:
    """A widget as its notebook sees it: what it is sent, and what it sends."""

    def __init__(self, kernel, cell="%memory"):
        self.kernel = kernel
        output = kernel.run(cell)
        assert not output.error, output.error
        self.comm = output.shown[-1][VIEW]["model_id"]

    def tell(self, **content):
        """The messages of the widget that came back."""
        return custom(self.kernel.tell(self.comm, content), self.comm)

    def state(self):
        return self.tell(do="look")[-1]

    def row(self, name):
        return self.await_row(lambda row: row["name"] == name)

    def await_row(self, wanted):
        """Models that are new are looked for now and then."""
        for _ in range(100):
            found = [row for row in self.state()["models"] if wanted(row)]
            if found:
                return found[0]
            time.sleep(0.1)
        raise AssertionError(self.state()["models"])

    def press(self, verb, row, **other):
        address = {key: row[key] for key in ("id", "name", "class")}
        said, state = self.tell(do=verb, **{**address, **other})
        assert (said["kind"], state["kind"]) == ("answer", "state")
        assert {**said, **other} == {**said, **address, "do": verb, **other}
        return said, state


def custom(output, comm):
    return [
        data["content"]
        for kind, its, data in output.comms
        if kind == "comm_msg" and its == comm and data["method"] == "custom"
    ]


@pytest.fixture(scope="module", autouse=True)
def _reader_of_what_is_left(kernel):
    kernel.run(LEFT)
    Shown(kernel).tell(do="gone")  # what anywidget and ipywidgets make once


@pytest.fixture
def shown(kernel):
    kernel.run("model, other = net(), net(); model.name = 'first'; other.name = 'o'")
    shown = Shown(kernel)
    yield shown
    shown.tell(do="gone")
    kernel.run("%clear --all --out --errors")


def test_a_row_has_the_bytes_of_its_model_by_kind(kernel, shown):
    row = shown.row("first")
    sizes = kernel.value(
        "[sum(v.numpy().nbytes for v in vs) for vs in"
        " (model.weights, model.optimizer.variables, model.metrics_variables)]"
    )
    assert [row[kind] for kind in ("weights", "optimizer", "metrics")] == sizes
    assert row["id"] == str(kernel.value("id(model)"))
    assert (row["class"], row["parked"]) == ("Sequential", False)
    now = shown.state()["now"]
    assert abs(now["rss"] - kernel.resident()) < 16 * MIB


def test_clear_by_the_button_frees_the_memory_and_the_next_cell_says_so(kernel, shown):
    row, handles = shown.row("first"), kernel.value("handles()")
    fat, number = kernel.resident(), shown.state()["curve"][-1]["cell"]
    said, state = shown.press("clear", row)
    assert said["good"]
    assert said["headline"].startswith("Sequential 'first' cleared: ")
    assert 'held by variable "model"' in said["text"]
    assert [one["name"] for one in state["models"]] == ["o"]
    assert kernel.value("handles()") <= handles - 8
    assert kernel.resident() < fat - 8 * MIB
    error = kernel.run("model.summary()").error
    assert error.startswith(
        "ClearedModelError: model 'first' was cleared at the memory"
    )
    assert f"the memory widget, after In[{number}]" in error
    assert kernel.value("other.count_params() > 0")


def test_what_is_not_there_any_more_is_refused_and_nothing_changes(kernel, shown):
    """The id() of another model by now; a name that another has; no number at all."""
    row, before = shown.row("first"), kernel.value("alive()")
    cases = {
        "another has the id": {"id": str(kernel.value("id(other)"))},
        "another name": {"name": "second"},
        "another class": {"class": "Functional"},
        "an id of no model": {"id": str(kernel.value("id(X)"))},
        "no number": {"id": "id(model)"},
        "no text": {"id": None, "name": ["first"], "class": {}},
    }
    for case, other in cases.items():
        for verb in ("clear", "park", "unpark", "why"):
            said, _ = shown.press(verb, row, **other)
            assert not said["good"], case
            assert "is not there any more (nothing was changed)" in said["headline"]
    assert kernel.value("alive()") == before
    assert kernel.value("model.count_params() == other.count_params()")


def test_messages_that_are_none_are_ignored(kernel, shown):
    before = kernel.value("alive()")
    for content in ({}, {"do": "eval"}, {"do": ["clear"]}, [], "clear", 7, None):
        output = kernel.tell(shown.comm, content)
        assert not output.text + output.error, content
        assert all(one["kind"] == "state" for one in custom(output, shown.comm))
    assert kernel.value("alive()") == before


def test_park_and_back_bring_the_same_values(kernel, shown):
    kernel.run("kept = model.get_weights()")
    row = shown.row("first")
    said, state = shown.press("park", row)
    assert said["good"]
    assert "back by" in said["text"]
    parked = next(one for one in state["models"] if one["parked"])
    assert (parked["name"], parked["class"]) == ("first", "ParkedModel")
    assert parked["weights"] == row["weights"]
    assert "ParkedModelError" in kernel.run("model.summary()").error
    said, state = shown.press("unpark", parked)
    assert said["headline"] == "model 'first' is back"
    assert not any(one["parked"] for one in state["models"])
    assert kernel.value(
        "all((a == b).all() for a, b in zip(kept, model.get_weights()))"
    )


def test_a_parked_model_can_be_cleared(kernel, shown):
    _, state = shown.press("park", shown.row("first"))
    parked = next(one for one in state["models"] if one["parked"])
    said, state = shown.press("clear", parked)
    assert said["good"]
    assert [one["name"] for one in state["models"]] == ["o"]
    assert "ClearedModelError" in kernel.run("model.summary()").error


def test_why_names_who_holds_it_and_not_the_widget(kernel, shown):
    kernel.run("kept = {'best': model}")
    said, _ = shown.press("why", shown.row("first"))
    held = {holder["text"]: holder["fix"] for holder in said["holders"]}
    assert held == {
        'variable "model"': "del model",
        "variable \"kept\"['best']": "del kept['best']",
    }
    for verb in ("park", "unpark"):
        shown.press(verb, next(m for m in shown.state()["models"] if m["name"] != "o"))
    places = kernel.value("[holder.place for holder in keraser.why(model)]")
    assert sorted(places) == ["variable \"kept\"['best']", 'variable "model"']
    kernel.run("del kept")


def test_a_model_that_trains_in_another_thread_is_not_cleared(kernel, shown):
    kernel.run("""
import threading
ready, go = threading.Event(), threading.Event()
class Wait(keras.callbacks.Callback):
    def on_epoch_begin(self, *_):
        ready.set(); go.wait(30)
fit = lambda: model.fit(X, Y, verbose=0, callbacks=[Wait()])
trainer = threading.Thread(target=fit); trainer.start()
ready.wait(30);
""")
    row = shown.row("first")
    assert row["running"]
    said, _ = shown.press("clear", row)
    assert not said["good"]
    assert "model 'first' is running fit() in thread" in said["headline"]
    kernel.run("go.set(); trainer.join();")
    assert kernel.value("len(model.history.history['loss'])") == 1


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "a\u202eb\x00\x07\n\t\"'`${x}</script>",
        "lone \ud800 surrogate",
        "n" * 100_000,
    ],
)
def test_hostile_names_come_as_text_that_calls_the_model(kernel, shown, name):
    output = kernel.run(f"%clear model\nmodel = net(); model.name = {name!r}")
    assert not output.error + output.text, output
    row = shown.await_row(lambda row: row["name"] != "o")
    assert len(json.dumps(row)) < 1000
    assert row["name"] == name or "\ud800" in name or len(name) > 120
    said, state = shown.press("clear", row)
    assert said["good"], said["headline"][:300]
    assert [one["name"] for one in state["models"]] == ["o"]


def test_a_class_with_a_hostile_name_too(kernel, shown):
    kernel.run(
        "%clear model\nmodel = net()\n"
        "model.__class__ = type('<b>x', (type(model),), {})"
    )
    row = shown.await_row(lambda row: row["name"] != "o" and row["class"][0] == "<")
    assert row["class"] == "<b>x"
    assert shown.press("clear", row)[0]["good"]


def test_each_cell_is_a_point_of_the_curve_and_says_what_grew(kernel, shown):
    kernel.run("1;")
    kernel.run("big = np.ones(64 << 20, 'u1');")
    curve = shown.state()["curve"]
    before, after = [point for point in curve if point["cell"]][-2:]
    assert after["cell"] == before["cell"] + 1
    assert after["rss"] - before["rss"] >= 60 * MIB
    for _ in range(5):  # nothing changes between cells
        assert len(shown.state()["curve"]) <= len(curve) + 1
    kernel.run("del big")


def test_it_is_told_when_a_cell_ends(kernel, shown):
    output = kernel.run("third = net();")
    states = custom(output, shown.comm)
    assert [state["kind"] for state in states] == ["state"]
    assert not states[0]["running"]
    assert len(states[0]["models"]) == 3 or states[0]["curve"]
    kernel.run("%clear third")


@pytest.mark.parametrize("way", ["close", "gone", "again"])
def test_closing_leaves_nothing(kernel, way):
    before = kernel.value("left()")
    if way == "again":  # the cell runs again: JupyterLab says which by its cellId
        first = Shown(kernel, CELL)
        second = Shown(kernel, CELL)
        assert not kernel.tell(first.comm, {"do": "look"}).comms
        assert second.state()["kind"] == "state"
        second.tell(do="gone")
    elif way == "gone":
        Shown(kernel).tell(do="gone")
    else:
        shown = Shown(kernel, "w = keraser.widget(); display(w)")
        assert kernel.value("left()") != before
        kernel.run("print(w)")
        shown.state()
        closing = kernel.run("w.close(); w.close()")
        assert ("comm_close", shown.comm) in [one[:2] for one in closing.comms]
        assert kernel.value("repr(w)") == "<keraser widget, closed>"
        assert VIEW not in kernel.run("display(w)").shown[0]
        kernel.run("del w")
    assert kernel.value("left()") == before


def test_out_keeps_no_widget_by_the_magic_and_no_model_by_the_function(kernel):
    before = kernel.value("len(Out)")
    shown = Shown(kernel)
    assert kernel.value("len(Out)") == before
    shown.tell(do="gone")
    kernel.run("model = net(); %models --hints")
    output = kernel.run("w = keraser.widget()\nw")
    assert "Out now keeps" not in output.text
    kernel.run("%models --no-hints")
    assert kernel.run("%clear --out -n").plain.count("result") == 0
    kernel.run("w.close()\n%clear --all")


def test_without_anywidget_one_line_says_what_to_install(kernel):
    kernel.run(
        "import sys; kept = {n: sys.modules.pop(n) for n in list(sys.modules)"
        " if n.partition('.')[0] == 'anywidget' or n.endswith('any_widget')}"
    )
    kernel.run("sys.modules['anywidget'] = None")
    before = kernel.value("sum(map(len, get_ipython().events.callbacks.values()))")
    error = kernel.run("keraser.widget()").error
    said = kernel.run("%memory").text
    kernel.run("del sys.modules['anywidget']; sys.modules.update(kept)")
    assert error.startswith("UnsupportedError: keraser.widget() needs anywidget (")
    assert "pip install 'keraser[widget]'" in error
    assert "pip install 'keraser[widget]'" in said
    after = kernel.value("sum(map(len, get_ipython().events.callbacks.values()))")
    assert after == before
