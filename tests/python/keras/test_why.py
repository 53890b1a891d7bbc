"""why(): each holder by the name that a user would give it, and nothing left behind."""

import gc
import json
import subprocess
import sys
from pathlib import Path

import keraser
import pytest
from small_models import build, growth, trained

SCRIPTS = Path(__file__).parents[1] / "zoo"

#: Recipe of zoo/holding.py -> (the first path, the line to type). In the paths NN is
#: a line number.
EXPECTED = {
    "in_a_list": ('variable "models"[2]', "del models[2]"),
    "nested": (
        "variable \"registry\"['a']['best'][1]",
        "del registry['a']['best'][1]",
    ),
    "in_a_variable": ('variable "model_7"', "del model_7"),
    "history_kept": (
        'variable "results"[0] → History.model',
        "results[0].set_model(None)",
    ),
    "callbacks_kept": (
        'variable "callbacks"[0] → EarlyStopping.model',
        "callbacks[0].set_model(None)",
    ),
    "optimizer_kept": ('variable "optimizers"[0]', "del optimizers[0]"),
    "closure_kept": (
        "variable \"hooks\"[0] → closure 'model' of <lambda>",
        "del hooks[0]",
    ),
    "callback_variable": ("variable \"cb\" → closure 'm' of cb", "del cb"),
    "default_arg": (
        "variable \"functions\"[0] → default argument 'net' of score",
        "del functions[0]",
    ),
    "kerastensor_kept": ('variable "outs"[0]', "del outs[0]"),
    "layer_kept": ('variable "kept_layers"[0]', "del kept_layers[0]"),
    "weight_of_a_kept_layer": (
        'variable "kept_layers"[1] → Dense._kernel',
        "del kept_layers[1]",
    ),
    "lru_cache": (
        "variable \"get\" → lru_cache result for (('tenant', 3),)",
        "get.cache_clear()",
    ),
    "bounded_lru_cache": ('variable "get" → lru_cache', "get.cache_clear()"),
    "generator_frame": (
        "variable \"generators\"[0] → generator stream, local 'inside'",
        "generators[0].close()",
    ),
    "exception_kept": (
        "variable \"failed\"[0] → error ValueError, local 'model' in trial() "
        "(holding.py:NN)",
        "failed[0].__traceback__ = None",
    ),
    "register_serializable": (
        "registered custom object 'exp3>loss_fn' → default argument 'net' of loss_fn",
        "from keras.src.saving import object_registration as r; "
        "r.GLOBAL_CUSTOM_NAMES.pop(r.GLOBAL_CUSTOM_OBJECTS.pop('exp3>loss_fn'))",
    ),
    "cycle": (None, None),
    "garbage": ("garbage that was not collected yet (Trainer)", "gc.collect()"),
    "step_takes_model": (
        'variable "step" → tf.function → captures of a concrete function',
        "del step",
    ),
    "concrete_kept": (
        "variable \"routes\"['a'] → captures of a concrete function",
        "del routes['a']",
    ),
    "gradient_registry": (
        "TensorFlow's gradient registry['CustomGradient-NN'] → captures of a graph",
        "keraser.clear()",
    ),
    "in_an_attribute": (
        "variable \"tenants\"['acme'] → Tenant.model",
        "del tenants['acme']",
    ),
    "in_a_slot": ("variable \"tenants\"['acme'] → Tenant.model", "del tenants['acme']"),
    "bound_method": (
        'variable "hooks"[1] → method TensorFlowTrainer.predict',
        "del hooks[1]",
    ),
    "partial": ('variable "hooks"[2] → partial.args[0]', "del hooks[2]"),
    "thread_local": ("variable \"local\" → thread-local 'model'", "del local"),
    "waiting_thread": (
        "frame serve() thread \"w-1\", local 'best' (holding.py:NN)",
        "del best in serve(), or return from it",
    ),
    "figure": (
        "pyplot figure 1 → FigureManagerBase.canvas → FigureCanvasAgg.figure → … → "
        "_StrongRef._obj → closure 'model' of <lambda>",
        "plt.close(1)",
    ),
    "last_error": (
        "last error ZeroDivisionError, local 'model' in go() (holding.py:NN)",
        "sys.last_exc = sys.last_value = sys.last_traceback = None",
    ),
}

#: What asking may free meanwhile: young garbage. Nothing may be added.
FREES_GARBAGE = {"step_takes_model", "concrete_kept", "gradient_registry"}


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [line.removeprefix("JSON ") for line in done.stdout.splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
def told():
    return {row["recipe"]: row for row in run("holding.py")}


def without_numbers(text):
    import re

    text = re.sub(r"(holding\.py:)\d+", r"\1NN", text)
    return re.sub(r"(CustomGradient-)\d+", r"\1NN", text)


@pytest.mark.own_process
def test_every_recipe_is_expected(told):
    assert set(told) == set(EXPECTED)


@pytest.mark.own_process
@pytest.mark.parametrize("recipe", EXPECTED)
def test_the_first_path_names_the_true_holder_and_what_to_type(told, recipe):
    row, (path, fix) = told[recipe], EXPECTED[recipe]
    assert (row["path"] and without_numbers(row["path"]) == path) or path is None
    assert row["fix"] == fix
    assert len(row["holders"]) == (path is not None), row["holders"]


@pytest.mark.own_process
@pytest.mark.parametrize("recipe", EXPECTED)
def test_asking_adds_no_reference(told, recipe):
    before, after = told[recipe]["references"]
    assert after <= before
    assert after == before or recipe in FREES_GARBAGE


#: Recipe of zoo/notebook.py -> the first path.
IN_IPYTHON = {
    "nb_out_cache": "Out[NN]",
    "nb_out_history": "Out[NN] → History.model",
    "nb_numbered": 'variable "model_1"',
    "nb_errors_list": (
        "variable \"errs\"[0] → error ZeroDivisionError, local 'model' in go() (CELL)"
    ),
    "nb_last_traceback": "last error ZeroDivisionError, local 'model' in go() (CELL)",
    "nb_default_arg": "variable \"fns\"[0] → default argument 'net' of score",
    "nb_shared_callbacks": 'variable "callbacks"[0] → EarlyStopping.model',
    "nb_figure": EXPECTED["figure"][0],
}

#: Those that cut() leaves to the user.
LEFT = {"nb_default_arg", "nb_figure"}


@pytest.fixture(scope="module")
def notebook():
    pytest.importorskip("IPython")
    return {row["recipe"]: row for row in run("notebook.py")}


def without_cells(text):
    import re

    text = re.sub(r"Out\[\d+\]", "Out[NN]", text)
    return re.sub(r"\(<?ipython-input[^)]*\)|\(\d+\.py:\d+\)", "(CELL)", text)


@pytest.mark.own_process
@pytest.mark.parametrize("recipe", IN_IPYTHON)
def test_in_a_real_shell_the_first_path_names_the_true_holder(notebook, recipe):
    row = notebook[recipe]
    assert without_cells(row["path"]) == IN_IPYTHON[recipe]
    assert len(row["holders"]) == 1, row["holders"]


@pytest.mark.own_process
def test_all_places_of_a_result_are_one_holder(notebook):
    number = notebook["nb_out_cache"]["path"].strip("Out[]")
    also = notebook["nb_out_cache"]["also"]
    assert {"_", f"_{number}", "display hook._"} <= set(also)


@pytest.mark.own_process
@pytest.mark.parametrize("recipe", IN_IPYTHON)
def test_cut_lets_go_where_that_is_safe(notebook, recipe):
    row = notebook[recipe]
    assert row["gone"] == (recipe not in LEFT), row
    assert bool(row["left"]) == (recipe in LEFT), row


@pytest.mark.own_process
def test_a_report_shown_by_a_cell_holds_no_model(notebook):
    assert notebook["nb_report_kept"]["gone"]


# ---- in this process ----------------------------------------------------------------

SHELF = {}


@pytest.fixture(autouse=True)
def _empty_shelf():
    yield
    SHELF.clear()


def test_why_holds_nothing_and_leaves_nothing():
    model = SHELF["model"] = trained()
    parts = [*model.variables, *model.optimizer.variables, *model.layers, model]

    def ask():
        found = keraser.why(model)
        return repr(found), found._repr_html_(), found.to_dict()

    ask()
    before = [sys.getrefcount(part) for part in parts]
    assert growth(ask) == 0
    assert [sys.getrefcount(part) for part in parts] == before


def test_a_kept_report_adds_no_reference():
    model = SHELF["model"] = trained()
    keraser.why(model)
    before = [sys.getrefcount(v) for v in [model, *model.variables]]
    SHELF["report"] = [keraser.why(model), keraser.census(), keraser.top()]
    assert [sys.getrefcount(v) for v in [model, *model.variables]] == before


def test_a_part_that_others_hold_is_told_beside_its_model():
    model = build()
    SHELF["layer"] = model.layers[0]
    told = [(holder.what, holder.path) for holder in keraser.why(model)]
    name = model.layers[0].name
    assert (f"layer {name!r}", f"{__name__}.SHELF['layer']") in told


def test_every_item_of_a_list_is_told():
    model = build()
    SHELF["models"] = [model, None, model]
    paths = [holder.path for holder in keraser.why(model)]
    for index in (0, 2):
        assert f"{__name__}.SHELF['models'][{index}]" in paths


def test_both_names_of_one_holder_are_told():
    model = build()
    SHELF["a"] = SHELF["b"] = {"model": model}
    paths = [holder.path for holder in keraser.why(model)]
    assert f"{__name__}.SHELF['a']['model']" in paths
    assert f"{__name__}.SHELF['b']['model']" in paths


def test_a_child_process_gives_the_same_answer():
    SHELF["models"] = [build()]
    here = keraser.why(SHELF["models"][0])
    there = keraser.why(SHELF["models"][0], fork=True)
    assert [h.path for h in there] == [h.path for h in here]
    assert there.objects == here.objects


@pytest.mark.parametrize("thing", ["text", 3, 1.5, True, None, b"bytes"])
def test_plain_values_are_refused(thing):
    with pytest.raises(TypeError, match="plain values"):
        keraser.why(thing)


def test_why_inside_a_finalizer_is_refused():
    class Dying:
        def __del__(self):
            try:
                keraser.why(self)
            except keraser.KeraserError as error:
                SHELF["error"] = str(error)

    cycle = Dying()
    cycle.me = cycle
    del cycle
    gc.collect()
    assert "garbage collector" in SHELF["error"]


@pytest.mark.own_process
def test_the_example_ends_with_the_model_gone():
    example = Path(__file__).parents[3] / "examples" / "why.py"
    done = subprocess.run([sys.executable, example], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "held from 4 places" in done.stdout
    assert "dropped 3, left 1" in done.stdout
    assert "and now: None" in done.stdout
