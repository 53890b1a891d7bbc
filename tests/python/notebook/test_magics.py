"""The other magics of `%load_ext keraser`, in a real kernel and in a terminal."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def model(kernel):
    kernel.run("model = net()")
    yield "model"
    kernel.run("%clear --all --out --errors")


@pytest.mark.usefixtures("model")
def test_models_shows_each_model_once_as_text_and_as_a_table(kernel):
    shown = kernel.run("%models").shown
    assert len(shown) == 1  # rich, left alone, shows a table of its own
    assert 'variable "model"' in shown[0]["text/plain"]
    assert "<table>" in shown[0]["text/html"]
    assert "resident set" not in shown[0]["text/plain"]
    assert "resident set" in kernel.run("%models --all").plain


@pytest.mark.usefixtures("model")
def test_why_names_who_holds_it(kernel):
    kernel.run("kept = [model]")
    said = kernel.run("%why model").plain
    assert 'variable "kept"[0]' in said
    assert "kept[0]" in kernel.run("%why kept[0].layers[0]").plain
    assert "no variable 'modle'" in kernel.run("%why modle").text
    kernel.run("number = 3")
    assert "plain value" in kernel.run("%why number").text
    kernel.run("del kept")


@pytest.mark.usefixtures("model")
def test_a_result_is_one_holder_wherever_ipython_has_it(kernel):
    """Among these is the outcome of the cell before, which is no error."""
    kernel.run("model.history = None; callback = keras.callbacks.History()")
    kernel.run("callback.set_model(model); callback")
    said = kernel.run("%why model").plain
    assert said.count("History.model") == 2, said  # the variable's and the result's
    assert "last_execution_result.result" in said
    assert "sys.last_exc" not in said


@pytest.mark.usefixtures("model")
def test_reset_weights_draws_what_keraser_reset_draws(kernel):
    kernel.run("keraser.reset(model, 7); first = model.get_weights()[0].copy()")
    assert "seed       7" in kernel.run("%reset_weights model 7").plain
    assert kernel.value("bool((model.get_weights()[0] == first).all())")
    kernel.run("%reset_weights model")
    assert not kernel.value("bool((model.get_weights()[0] == first).all())")
    for line, why in {
        "%reset_weights X": "'X' is no model",
        "%reset_weights model many": "'many' is no seed",
        "%reset_weights model -1": "seed must be from 0",
        "%reset_weights": "reset what?",
    }.items():
        assert why in kernel.run(line).text


def test_what_is_said_of_a_result_is_the_line_that_frees_it(kernel):
    kernel.run("net()")
    kernel.run("found = keraser.why(refs[-1]())")
    assert kernel.value("{h.fix for h in found}") == {"%clear --out"}
    kernel.run("%unload_ext keraser\nfixes = {h.fix for h in keraser.why(refs[-1]())}")
    kernel.run("%load_ext keraser\n%models --no-hints\n%clear --out")
    assert kernel.value("fixes") == {"%reset -f out"}
    assert kernel.value("refs[-1]() is None")


@pytest.mark.usefixtures("model")
def test_a_cell_is_called_by_the_number_that_it_shows(kernel):
    number = kernel.value("len(In) - 1")
    kernel.run("%clear model")
    assert f"was cleared at In[{number + 1}] (" in kernel.run("model.summary()").error


def test_trim_says_what_it_gave_back(kernel):
    assert "given back to the system" in kernel.run("%trim").plain
    assert "takes nothing" in kernel.run("%trim all").text


def test_a_trial_leaves_nothing(kernel):
    said = kernel.run("%%trial\nscratch = net()\nscratch.fit(X, Y, verbose=0)").plain
    assert "trial over: 1 model cleared" in said
    assert "handles      +0" in said
    assert kernel.value("alive()") == kernel.empty
    assert "%%trial -k NAME" in kernel.run("scratch.summary()").error


def test_a_trial_keeps_its_last_value_or_a_variable(kernel):
    said = kernel.run("%%trial -k best\nscratch = net()\nkept = net()\nkept").plain
    assert "1 model cleared" in said
    assert kernel.value("best.count_params() > 0")
    kernel.run("%%trial -k best\nbest = net()\nscratch = net();")
    assert kernel.value("best.count_params() > 0")
    assert "ClearedModelError" in kernel.run("scratch.summary()").error
    said = kernel.run("%%trial -k nobody\nnet();").plain
    assert "nothing: the cell neither" in said
    assert "%%trial [-k NAME]" in kernel.run("%%trial -k\nlost = net()").text
    assert "NameError" in kernel.run("lost").error
    kernel.run("%clear --all")


def test_a_trial_that_fails_leaves_nothing_and_shows_its_error(kernel):
    output = kernel.run("%%trial\nscratch = net()\n1 / 0")
    assert output.error.startswith("ZeroDivisionError")
    assert "error" in output.plain
    assert kernel.value("alive()") == kernel.empty


@pytest.mark.usefixtures("model")
def test_names_of_models_and_options_are_completed(kernel):
    kernel.run("second = net(); number = 3")
    assert kernel.complete("%clear ") == ["model", "second"]
    assert kernel.complete("clear model ") == ["second"]
    assert kernel.complete("%why sec") == ["second"]
    assert kernel.complete("%reset_weights m") == ["model"]
    assert kernel.complete("%clear --") == ["--all", "--dry-run", "--errors", "--out"]


@pytest.mark.usefixtures("model")
def test_the_hint_is_given_once_and_can_be_switched_off(kernel):
    fit = "model.fit(X, Y, verbose=0)"
    assert "Out now keeps" not in kernel.run(fit).text
    kernel.run("%models --hints")
    assert "Out now keeps" not in kernel.run("1 + 1").text
    assert "Out now keeps" not in kernel.run(f"{fit};").text
    assert "by a History" in kernel.run(fit).text
    assert "Out now keeps" not in kernel.run(fit).text
    kernel.run("%models --hints")
    kernel.run("%models --no-hints")
    assert "Out now keeps" not in kernel.run("model").text


@pytest.mark.usefixtures("model")
def test_the_extension_holds_no_model(kernel):
    kernel.run("%models --hints")
    for cell in (
        "model",
        "%models",
        "%why model",
        "%reset_weights model",
        "%clear -n --all --out --errors",
        "%clear --out",
        "%%trial\nmodel.predict(X, verbose=0)",
    ):
        kernel.run(cell)
    kernel.complete("%clear mo")
    places = kernel.value("[holder.place for holder in keraser.why(model)]")
    assert places == ['variable "model"']
    kernel.run("%models --no-hints")


def test_unloading_takes_everything_back(kernel):
    kernel.run("%unload_ext keraser")
    assert "not found" in kernel.run("%models").text
    assert "not found" in kernel.run("%%trial\n1").text
    assert "\x1b[H" in kernel.run("%clear").text
    assert not kernel.value(
        "[m for m in get_ipython().Completer.custom_matchers"
        " if 'keraser' in m.__module__]"
    )
    kernel.run("%load_ext keraser\n%models --no-hints")
    assert kernel.run("%models").shown


def test_clear_alone_clears_the_screen(kernel):
    assert "\x1b[H" in kernel.run("%clear").text


def test_a_terminal_has_them_as_text():
    lines = ("%load_ext keraser", "%clear", "%models", "%clear nobody",
             "%unload_ext keraser", "%clear", "")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "TERM": "xterm"},
    )
    assert "no living models" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("\x1b[H") == 2
    assert "no variable 'nobody'" in done.stdout + done.stderr


def test_importing_keraser_imports_no_ipython():
    code = (
        "import keraser, sys; keraser.load_ipython_extension;"
        "print('IPython' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"
