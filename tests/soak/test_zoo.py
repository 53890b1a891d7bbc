"""Every recipe, 30 trials, each in a process of its own; prints the table. Then every
recipe in a scope, a few trials, in one process.

SOAK_RECIPES="fit_loop fit_sgd" measures only these.
"""

import os
import re

import pytest
from catalogue import RECIPES
from flatness import HEAD, Process, as_row

pytestmark = pytest.mark.own_process

TRIALS, FEW = 30, 8
COUNTS = ("objects", "graphs", "handles", "functions")
CHOSEN = os.environ.get("SOAK_RECIPES", "").split() or list(RECIPES)


def those(what):
    return [name for name in CHOSEN if what(RECIPES[name])]


@pytest.fixture
def measure(capfd):
    """measure(recipe, arm) in a fresh process; prints its row of the table."""
    processes = []

    def in_its_own_process(recipe, arm):
        processes.append(Process(arm, "--freeze"))
        figures = processes[0].measure(recipe, TRIALS, full_size=True)
        with capfd.disabled():
            print(f"\n{HEAD}\n{as_row(recipe, arm, figures)}")
        return figures

    yield in_its_own_process
    for process in processes:
        process.stop()


def growing(figures, recipe):
    """The counts that grow. (keraser's own notes may shrink when a model has died.)"""
    allowed = {"objects": RECIPES[recipe].objects}
    return {
        name: figures[name] for name in COUNTS if figures[name] > allowed.get(name, 0)
    }


@pytest.mark.parametrize("recipe", CHOSEN)
def test_clear_leaves_nothing_or_names_what_the_user_keeps(measure, recipe):
    facts = RECIPES[recipe]
    figures = measure(recipe, "clear")

    assert figures["heap"] / 1024 <= facts.heap_kib
    if facts.users_own:
        receipt = figures["receipt"]
        told = str([receipt[name] for name in ("kept", "shells", "limits")])
        assert re.search(facts.users_own, told)
    else:
        assert figures["receipt"]["cleared"], figures["receipt"]["kept"]
        assert not growing(figures, recipe)


@pytest.mark.parametrize("recipe", those(lambda facts: facts.leaks))
def test_the_usual_advice_is_seen_to_leak(measure, recipe):
    figures = measure(recipe, "article")

    assert figures["heap"] / 1024 > 100
    if recipe != "scalar_cache":  # whose entries no collector tracks
        assert figures["objects"] > 0


@pytest.mark.parametrize("recipe", those(lambda facts: not facts.leaks))
def test_the_usual_advice_is_enough_in_this_version(measure, recipe):
    figures = measure(recipe, "article")

    assert not growing(figures, recipe)
    assert figures["heap"] / 1024 <= 16


@pytest.mark.parametrize("recipe", those(lambda facts: facts.leaks and facts.guarded))
def test_guard_alone_keeps_nothing_of_a_dropped_model(measure, recipe):
    figures = measure(recipe, "guard")

    assert not growing(figures, recipe)
    assert figures["heap"] / 1024 <= RECIPES[recipe].heap_kib


@pytest.fixture(scope="module")
def one_process():
    process = Process("scope", "--freeze")
    yield process
    process.stop()


@pytest.mark.parametrize("recipe", those(lambda facts: not facts.users_own))
def test_scope_leaves_nothing_of_a_trial(one_process, recipe):
    figures = one_process.measure(recipe, FEW)

    assert figures["receipt"]["cleared"], figures["receipt"]["kept"]
    assert not growing(figures, recipe)
