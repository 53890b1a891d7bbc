"""%clear in a real kernel: what a notebook keeps, it frees, by handles and bytes."""

import pytest
from zoo.notebook import RECIPES

FAIL = "def go():\n    model = net()\n    1/0\ngo()"

#: Those of the zoo, and what only a kernel can do: (cell, what is typed into it).
CELLS = {
    **{name: [(cell, ()) for cell in cells] for name, cells in RECIPES.items()},
    "nb_underscore": [("net()", ()), ("1 + 1", ())],
    "nb_results": [
        ("model = net()\nmodel", ()),
        ("model.fit(X, Y, verbose=0)", ()),
        ("[model, model.history]", ()),
        ("del model", ()),
    ],
    "nb_tb": [(FAIL, ()), ("%tb", ())],
    "nb_debug": [(FAIL, ()), ("%debug", ("p model", "q"))],
}

#: Recipe -> what frees it.
CLEAR = {
    "nb_out_cache": "%clear --out",
    "nb_out_history": "%clear --out",
    "nb_numbered": "%clear model_1",
    "nb_errors_list": "%clear errs",
    "nb_last_traceback": "%clear --errors",
    "nb_default_arg": "%clear fns",
    "nb_shared_callbacks": "%clear callbacks",
    "nb_figure": "%clear --all",
    "nb_underscore": "%clear --out",
    "nb_results": "%clear --out",
    "nb_tb": "%clear --errors",
    "nb_debug": "%clear --errors",
}

MIB = 2**20


def act(kernel, name):
    for cell, typed in CELLS[name]:
        kernel.run(cell, typed)


def test_every_recipe_of_the_zoo_is_here():
    assert CLEAR.keys() == CELLS.keys() - {"nb_report_kept"}  # a report keeps nothing


@pytest.mark.parametrize("name", CLEAR)
def test_one_line_frees_what_a_notebook_keeps(kernel, name):
    act(kernel, name)
    assert kernel.value("handles()") >= kernel.empty[0] + 8  # or it keeps nothing
    fat = kernel.resident()
    said = kernel.run(CLEAR[name])
    assert not said.text, said.text
    assert kernel.resident() < fat - 8 * MIB, said.plain  # of 13: weights, two slots
    assert kernel.value("alive()") == kernel.empty, said.plain


def test_n_says_the_same_and_changes_nothing(kernel):
    act(kernel, "nb_results")
    before = kernel.value("alive()")
    would = kernel.run("%clear --out --errors -n").plain.splitlines()
    assert kernel.value("alive()") == before
    done = kernel.run("%clear --out --errors").plain.splitlines()
    assert [line for line in would if "result" in line]
    assert set(would[1:]) <= {*done, would[-1]}
    assert kernel.value("alive()") == kernel.empty


def test_one_line_frees_all_of_them_together(kernel):
    for name in sorted(RECIPES.keys() & CLEAR.keys()):
        act(kernel, name)
    assert kernel.value("handles()") >= kernel.empty[0] + 8 * (len(RECIPES) - 1)
    said = kernel.run("%clear --all --out --errors")
    assert kernel.value("alive()") == kernel.empty, said.plain
    kernel.run("import sys")
    assert not kernel.value("[name for name in dir(sys) if name.startswith('last_')]")


def test_results_that_keep_no_model_stay(kernel):
    kernel.run("'a text worth keeping'")
    kernel.run("model = net()\nmodel")
    place = kernel.value("[n for n, shown in Out.items() if shown is model]")
    said = kernel.run("%clear --out").plain
    assert f"Out[{place[0]}]" in said
    assert kernel.value("'a text worth keeping' in Out.values()")
    assert not kernel.value("any(shown is model for shown in Out.values())")
    assert kernel.value("model.count_params() > 0")
    kernel.run("%clear model")


def test_with_a_name_only_results_of_that_model_are_forgotten(kernel):
    kernel.run("one = net(); other = net(); one")
    kernel.run("other")
    kernel.run("%clear one --out")
    assert kernel.value("[shown is other for shown in Out.values()].count(True)") == 1
    assert kernel.value("other.count_params() > 0")
    assert "ClearedModelError" in kernel.run("one.count_params()").error
    kernel.run("%clear other --out")


def test_a_figure_keeps_hooks_that_have_to_do_with_no_model(kernel):
    kernel.run(
        "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as plt\n"
        "fig = plt.figure(); presses = []; model = net()\n"
        "fig.canvas.mpl_connect('key_press_event', lambda event: model(event))\n"
        "(lambda model: fig.canvas.mpl_connect("
        "'close_event', lambda event: model(event)))(model)\n"
        "fig.canvas.mpl_connect('close_event', presses.append);"
    )
    said = kernel.run("%clear model").plain
    assert "close_event of figure" in said
    assert "key_press_event" not in said  # a variable's name, not the model
    kernel.run("fig.canvas.callbacks.process('close_event', 1); plt.close(fig)")
    assert kernel.value("len(presses)") == 1


def test_what_was_cleared_is_a_shell_that_says_so(kernel):
    kernel.run("model = net()")
    cell = kernel.run("%clear model").number
    assert f"cleared at In[{cell}]" in kernel.run("model.summary()").error
    assert "cleared before" in kernel.run("%clear model").plain


def test_what_it_does_not_know_is_refused_by_name_and_nothing_is_changed(kernel):
    kernel.run("model = net(); models = [model]")
    for line, why in {
        "%clear model modle": "no variable 'modle'; models here: model",
        "%clear model X": "'X' is no model but a ndarray; models here: model",
        "%clear model models[3]": "'models[3]' is nothing (IndexError",
        "%clear model net()": "'net()' is no name",
        "%clear --al": "no option --al",
        "%clear --all model": "names or --all, not both",
        "%clear -n": "clear what?",
    }.items():
        assert why in kernel.run(line).text, line
    assert kernel.value("model.count_params() > 0")
    assert "models here" not in kernel.run("%clear models[0]").text
    assert "ClearedModelError" in kernel.run("model.summary()").error
