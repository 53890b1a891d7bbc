"""The package as such: import, figures, seams, husk."""

import subprocess
import sys

import keraser
import pytest
from keraser import _core
from keraser.husk import ClearedModel, Facts, make_husk


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_keraser_imports_no_framework():
    loaded = run("import keraser, sys; print(*sys.modules)")
    assert not {"tensorflow", "keras", "numpy"} & set(loaded.split())


def test_every_public_name_is_there():
    for name in keraser.__all__:
        assert getattr(keraser, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'cleer'"):
        keraser.cleer  # noqa: B018


def test_clear_without_keras_has_nothing_to_do():
    assert "'session'" in run("import keraser; print(keraser.clear())")


def test_clear_of_something_else_without_keras_is_a_type_error():
    code = "import keraser\ntry: keraser.clear(3)\nexcept TypeError as e: print(e)"
    assert "takes a keras.Model, not int" in run(code)


def test_guard_without_keras_says_what_to_do():
    code = (
        "import keraser\n"
        "try: keraser.guard()\n"
        "except keraser.KeraserError as e: print(e)"
    )
    assert "import keras first" in run(code)


def test_doctor_without_keras_is_healthy():
    code = "import keraser, sys; d = keraser.doctor(); print(d.healthy); "
    assert "True" in run(code + "print('keras' in sys.modules)")


def test_process_and_heap_figures_agree_with_the_kernel():
    with open("/proc/self/statm") as statm:
        rss, shared = (int(pages) * 4096 for pages in statm.read().split()[1:3])
    figures = _core.process()
    assert abs(figures["rss"] - rss) < 4 << 20
    assert abs(figures["file"] + figures["shared"] - shared) < 4 << 20
    before = _core.heap()["in_use"]
    block = bytearray(64 << 20)
    assert _core.heap()["in_use"] - before >= len(block)


def test_a_husk_says_what_it_was_and_where_it_was_cleared():
    class Model:
        def fit(self):
            return 1

    model = Model()
    model.weights = [1.0]
    make_husk(model, Facts("model 'net'", "train.py:7", "today"))
    assert type(model) is ClearedModel
    for use in (lambda: model.fit(), lambda: model.weights, lambda: model(1)):
        with pytest.raises(keraser.ClearedModelError, match=r"'net'.*train.py:7"):
            use()
    assert "train.py:7" in repr(model)


def test_a_model_with_a_layout_of_its_own_is_emptied_all_the_same():
    class Model(dict):
        pass

    model = Model()
    model.weights = [1.0]
    make_husk(model, Facts("model 'net'", "train.py:7", "today"))
    assert not hasattr(model, "weights")


def test_a_call_inside_a_collection_is_known():
    seen = []

    class Dying:
        def __init__(self):
            self.me = self

        def __del__(self):
            seen.append(_core.collector_idle())

    import gc

    Dying()
    gc.collect()
    assert seen == [False]
    assert _core.collector_idle()
