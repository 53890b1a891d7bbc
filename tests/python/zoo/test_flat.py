"""Loops over models leave nothing behind, where the usual advice leaves megabytes."""

import re

import pytest
from catalogue import RECIPES

pytestmark = pytest.mark.own_process

#: A few trials see a little of what fills up once; a variable's kernel alone is 35 KiB.
FEW_TRIALS_KIB = 16
COUNTS = ("objects", "graphs", "handles", "functions")


def those(what):
    """Recipes by their facts."""
    return [name for name, facts in RECIPES.items() if what(facts)]


def growing(figures, recipe):
    """The figures that grow. (keraser's own notes may shrink when a model has died.)"""
    facts = RECIPES[recipe]
    allowed = dict.fromkeys(COUNTS, 0) | {
        "objects": facts.objects,
        "heap": (facts.heap_kib + FEW_TRIALS_KIB) * 1024,
    }
    return {name: figures[name] for name in allowed if figures[name] > allowed[name]}


def seen_growing(zoo, recipe, arm):
    """What grows each time it is measured. In so few trials a table that fills once in
    a process looks like growth: TensorFlow's notes of each thread whose identity is
    new, four objects, or a hash table that doubles."""
    first = growing(zoo(recipe, arm), recipe)
    return first and growing(zoo(recipe, arm, again=True), recipe)


@pytest.mark.parametrize("recipe", those(lambda facts: not facts.users_own))
def test_clear_leaves_nothing_of_a_trial(zoo, recipe):
    receipt = zoo(recipe, "clear")["receipt"]

    assert receipt["cleared"], receipt["kept"]
    assert not seen_growing(zoo, recipe, "clear")


#: Each way that a scope ends things; the soak does so with every recipe.
IN_SCOPE = [
    *("fit_loop", "fit_class_of_its_own", "fit_nested", "load_and_train", "recompile"),
    *("custom_gradient_layer", "head_on_shared_base", "step_takes_model"),
    *("scalar_cache", "new_tf_function", "map_closes_model", "fit_checkpoints"),
]


@pytest.mark.parametrize("recipe", IN_SCOPE)
def test_scope_leaves_nothing_of_a_trial(zoo, recipe):
    receipt = zoo(recipe, "scope")["receipt"]

    assert receipt["cleared"], receipt["kept"]
    assert not seen_growing(zoo, recipe, "scope")


@pytest.mark.parametrize("recipe", ["retrace_scalar", "retrace_shape"])
def test_scope_names_the_traces_that_a_living_function_keeps(zoo, recipe):
    kept = zoo(recipe, "scope")["receipt"]["kept"]

    assert any(RECIPES[recipe].users_own in str(one["holders"]) for one in kept)


@pytest.mark.parametrize("recipe", those(lambda facts: facts.users_own))
def test_clear_names_what_the_users_own_code_keeps(zoo, recipe):
    receipt = zoo(recipe, "clear")["receipt"]

    held = receipt["kept"] + receipt["shells"]
    told = [f"{one['what']} {one['holders']}" for one in held]
    told += receipt["limits"]
    assert re.search(RECIPES[recipe].users_own, "\n".join(told))


@pytest.mark.parametrize(
    "recipe", ["recompile", "head_on_shared_base", "head_after_shared_base"]
)
def test_clear_names_a_holder_of_all_that_lives_on(zoo, recipe):
    receipt = zoo(recipe, "clear")["receipt"]

    assert receipt["kept"]
    assert [kept["what"] for kept in receipt["kept"] if not kept["holders"]] == []


@pytest.mark.parametrize(
    "recipe", ["fit_loop", "fit_subclass", "custom_gradient_layer", "predict_silu"]
)
def test_guard_alone_keeps_nothing_of_a_dropped_model(zoo, recipe):
    assert not seen_growing(zoo, recipe, "guard")


@pytest.mark.parametrize("recipe", ["fit_loop", "recompile"])
def test_clear_leaves_nothing_under_guard_either(zoo, recipe):
    assert not seen_growing(zoo, recipe, "guard+clear")


@pytest.mark.parametrize("recipe", ["fit_sgd", "custom_gradient_layer"])
def test_the_usual_advice_keeps_a_graph_and_its_weights_each_trial(zoo, recipe):
    figures = zoo(recipe, "article")

    assert figures["objects"] > 100
    assert figures["graphs"] >= 1
    assert figures["handles"] >= 4
    assert figures["heap"] > 100 * 1024
