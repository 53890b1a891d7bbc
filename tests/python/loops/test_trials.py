"""trials(): a loop that stays flat, says so, and names what does not."""

import json
import re
import sys
import xml.etree.ElementTree
from importlib.util import find_spec

import keraser
import pytest
import tensorflow as tf
from keraser import progress_bar
from small_models import X, Y, build, trained

COUNTS = ("graphs", "handles", "functions", "threads")


def is_shell(thing):
    return isinstance(thing, keraser.ClearedModel)


def sweep(values, **settings):
    return keraser.trials(values, progress=False, **settings)


def test_a_plain_loop_is_flat():
    trials = sweep([8, 16] * 4, on_growth="raise")
    models = []
    for trial in trials:
        models.append(trained(trial.value))
    report = trials.report()
    assert all(map(is_shell, models))
    assert report.trials == 8
    assert [report[name].trend.slope for name in COUNTS] == [0] * len(COUNTS)
    assert not report.leaking
    assert report.failures == ()


def test_a_leak_is_found_and_its_holder_named():
    kept_by_the_user = []
    trials = sweep(range(10), on_growth="warn")

    def loop():
        for trial in trials:
            kept_by_the_user.append(trial.keep(trained()))

    with pytest.warns(keraser.GrowthWarning, match="kept_by_the_user"):
        loop()
    report = trials.report()
    assert {"graphs", "handles", "objects"} <= set(report.leaking)
    assert report.verdict == "leaking"
    assert "8 more Sequential" in "\n".join(report.culprits)
    assert "kept_by_the_user" in report.summary()
    for model in kept_by_the_user:
        keraser.clear(model)


def test_growth_can_end_the_loop_or_call_a_function():
    shelf, reports = [], []

    def loop(on_growth):
        for trial in sweep(range(12), on_growth=on_growth):
            shelf.append(trial.keep(tf.function(lambda x: x + 1)))
            shelf[-1](tf.ones(3))

    with pytest.raises(keraser.GrowthError, match="graphs") as caught:
        loop("raise")
    assert caught.value.report.trials == 7
    loop(reports.append)
    assert "graphs" in reports[0].leaking
    told = set()
    for report in reports:  # each says something new
        assert set(report.leaking) - told
        told |= set(report.leaking)


def test_running_out_of_memory_ends_a_trial_and_not_the_loop():
    trials = sweep([1, 2, 3])
    models = []
    for trial in trials:
        with trial:
            models.append(trained())
            if trial.value == 1:
                raise MemoryError("of the host")
            if trial.value == 2:
                raise tf.errors.ResourceExhaustedError(None, None, "of the device")
    assert all(map(is_shell, models))
    failures = trials.report().failures
    assert [failure.number for failure in failures] == [0, 1]
    assert "MemoryError: of the host" in failures[0].error
    assert "of the device" in failures[1].error


def test_other_errors_pass():
    def loop():
        for trial in sweep([1]):
            with trial:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()


def test_run_returns_what_the_function_returns():
    def attempt(units):
        if units == 16:
            raise MemoryError
        model = trained(units)
        return units, model

    trials = sweep([8, 16, 4])
    (first, kept), failed, (last, other) = trials.run(attempt)
    assert (first, failed, last) == (8, None, 4)
    assert not is_shell(kept)
    assert not is_shell(other)
    keraser.clear(kept)
    keraser.clear(other)


def test_a_trial_can_be_taken_apart_like_its_value():
    for trial in sweep([(8, "relu")]):
        units, activation = trial
        assert (units, activation, trial[0]) == (8, "relu", 8)


def test_a_loop_that_is_left_early_leaves_its_last_trial_alone():
    models = []
    for trial in sweep(range(3)):
        models.append(build())
        if trial.number == 1:
            break
    assert [is_shell(model) for model in models] == [True, False]
    models[1].fit(X, Y, verbose=0)
    keraser.clear(models[1])


def test_each_loop_has_trials_of_its_own():
    trials = sweep([1])
    list(trials)
    with pytest.raises(keraser.KeraserError, match="for each loop"):
        list(trials)


@pytest.mark.parametrize(
    ("error", "arguments", "settings"),
    [
        (TypeError, [5], {}),
        (ValueError, [[1]], {"on_growth": "shout"}),
        (ValueError, [[1]], {"on_growth": None}),
    ],
)
def test_bad_arguments_are_refused(error, arguments, settings):
    with pytest.raises(error):
        keraser.trials(*arguments, **settings)


def test_the_report_can_be_saved(tmp_path):
    trials = sweep(range(5))
    for _ in trials:
        pass
    report = trials.report()
    told = json.loads(report.save(tmp_path / "growth.json").read_text())
    assert told["trials"] == 5
    assert len(told["figures"]) == len(report.figures)
    assert all(len(figure["values"]) == 5 for figure in told["figures"])
    svg = report.save(tmp_path / "growth.svg").read_text()
    root = xml.etree.ElementTree.fromstring(svg)
    circles = root.iter("{http://www.w3.org/2000/svg}circle")
    assert len(list(circles)) == 5 * len(report.figures)
    if find_spec("matplotlib"):
        png = report.save(tmp_path / "growth.png").read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
    with pytest.raises(ValueError, match="ends in none"):
        report.save(tmp_path / "growth.txt")
    assert "trials" in repr(report)
    assert "<table" in report._repr_html_()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the stack cannot be read")
def test_what_a_trial_returns_is_handed_out():
    def first():
        for trial in sweep([8, 16]):
            with trial:
                other, found = trained(4), trained(trial.value)
                return found, other.count_params()

    found, _ = first()
    assert not is_shell(found)
    assert found.predict(X, verbose=0).shape == (len(X), 1)
    keraser.clear(found)


@pytest.mark.skipif(not find_spec("rich"), reason="rich is not installed")
def test_memory_and_growth_stand_beside_the_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress_bar, "_is_watched", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    shelf = []
    for _ in keraser.trials(range(8), on_growth="ignore"):
        shelf.extend([[]] for _ in range(500))
    told = capsys.readouterr().err
    assert "8/8" in told
    note = re.search(r"RSS [\d.,]+ [MG]iB, \+([\d,.]+) objects a trial \(.+\)", told)
    assert 900 < float(note[1].replace(",", "")) < 1100


@pytest.mark.parametrize(("wanted", "watched"), [(False, True), (True, False)])
def test_no_bar_where_nobody_wants_it_or_looks(monkeypatch, capsys, wanted, watched):
    monkeypatch.setattr(progress_bar, "_is_watched", lambda: watched)
    for _ in keraser.trials(range(3), progress=wanted):
        pass
    assert capsys.readouterr().err == ""
