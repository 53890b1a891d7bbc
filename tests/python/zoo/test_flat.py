"""Loops over models leave nothing behind, where the usual advice leaves megabytes."""

import re

import pytest
from catalogue import RECIPES

pytestmark = pytest.mark.own_process

#: A few trials see a little of what fills up once; a variable's kernel alone is 35 KiB.
FEW_TRIALS_KIB = 16
COUNTS = ("objects", "graphs", "handles", "functions")

FREED = [name for name, facts in RECIPES.items() if not facts.users_own]
KEPT = [name for name, facts in RECIPES.items() if facts.users_own]
LIVES_ON = ("recompile", "head_on_shared_base", "head_after_shared_base")


def growing(figures):
    """The counts that grow. (keraser's own notes may shrink when a model has died.)"""
    return {name: figures[name] for name in COUNTS if figures[name] > 0}


def known_bug(recipes, bugs):
    """Those that fail today, with the reason. Strict: whoever mends one, strikes it."""
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=bugs[name]))
        if name in bugs
        else name
        for name in recipes
    ]


DEFAULT_GRAPH = (
    "the default graph's list of Python functions holds the model, so that clear() "
    "takes it for held by the user; clear_session() frees it"
)
LIVING_FUNCTION = (
    "clear() does not list the tf.functions that live on with their traces"
)
ALIVE_LISTS = (
    "the node lists of layers that live on are counted as the model's, and then named "
    "as survivors that nobody holds"
)


@pytest.mark.parametrize(
    "recipe",
    known_bug(
        FREED,
        {"py_function_eager": DEFAULT_GRAPH, "map_closes_model": DEFAULT_GRAPH},
    ),
)
def test_clear_leaves_nothing_of_a_trial(zoo, recipe):
    figures = zoo(recipe, "clear")

    assert figures["receipt"]["cleared"], figures["receipt"]["kept"]
    assert not growing(figures)
    assert figures["heap"] / 1024 <= RECIPES[recipe].heap_kib + FEW_TRIALS_KIB


@pytest.mark.parametrize(
    "recipe",
    known_bug(
        KEPT, {"retrace_scalar": LIVING_FUNCTION, "retrace_shape": LIVING_FUNCTION}
    ),
)
def test_clear_names_what_the_users_own_code_keeps(zoo, recipe):
    receipt = zoo(recipe, "clear")["receipt"]

    told = [f"{kept['what']} {kept['holders']}" for kept in receipt["kept"]]
    told += receipt["limits"]
    assert re.search(RECIPES[recipe].users_own, "\n".join(told))


@pytest.mark.parametrize(
    "recipe", known_bug(LIVES_ON, dict.fromkeys(LIVES_ON[1:], ALIVE_LISTS))
)
def test_clear_names_a_holder_of_all_that_lives_on(zoo, recipe):
    receipt = zoo(recipe, "clear")["receipt"]

    assert receipt["kept"]
    assert [kept["what"] for kept in receipt["kept"] if not kept["holders"]] == []


@pytest.mark.parametrize(
    "recipe", ["fit_loop", "fit_subclass", "custom_gradient_layer", "predict_silu"]
)
def test_guard_alone_keeps_no_python_object_of_a_dropped_model(zoo, recipe):
    figures = zoo(recipe, "guard")

    assert not growing(figures)


@pytest.mark.parametrize("recipe", ["fit_loop", "recompile"])
def test_clear_leaves_nothing_under_guard_either(zoo, recipe):
    figures = zoo(recipe, "guard+clear")

    assert not growing(figures)
    assert figures["heap"] / 1024 <= RECIPES[recipe].heap_kib + FEW_TRIALS_KIB


@pytest.mark.parametrize("recipe", ["fit_sgd", "custom_gradient_layer"])
def test_the_usual_advice_keeps_a_graph_and_its_weights_each_trial(zoo, recipe):
    figures = zoo(recipe, "article")

    assert figures["objects"] > 100
    assert figures["graphs"] >= 1
    assert figures["handles"] >= 4
    assert figures["heap"] > 100 * 1024
