"""What holds of a model in a census, and the same found out without keraser.

A model is bound to `MODEL` of this module, and to nothing else, while it is looked at.
What is found is plain data, so that it can be judged when the model is gone.
"""

import gc
from dataclasses import dataclass
from typing import Any

import keraser
from keraser import _core

MODEL = None

#: Largest owners to look among: a model that was not trained is one of the first 100.
OWNERS = 500


#: What AutoGraph remembers of a function, in a dictionary with weak keys.
LISTED_WEAKLY = {"tensorflow.python.autograph.core.converter.ConversionOptions"}


@dataclass(frozen=True)
class Facts:
    """What was found of a model.

    Attributes:
        variables: bytes of its variables by NumPy, each once, by kind.
        rows, orphans: keraser's rows of it, and of orphans, while it lived.
        kept: (objects, bytes) that it alone keeps, by the way this was found.
        said_to_die, survivors: how many tracked objects go with it by trial deletion,
            and how many of these were still there when it had been dropped.
        others_died: types of Keras and TensorFlow of which objects died with it that
            were not said to.
        rows_after, orphans_after: keraser's rows when it had been dropped.
    """

    variables: dict[str, int]
    rows: list[Any]
    orphans: tuple
    kept: dict[str, tuple[int, int]]
    said_to_die: int
    survivors: int
    others_died: frozenset[str]
    rows_after: list[Any]
    orphans_after: tuple


class Truths:
    """Tests of a fixture `facts`, and of `orphans_before`, those of other models."""

    def test_every_variable_is_counted_once_and_to_the_byte(self, facts):
        (row,) = facts.rows
        assert {kind: row.bytes[kind] for kind in facts.variables} == facts.variables

    def test_nothing_of_a_model_on_its_own_is_shared(self, facts):
        (row,) = facts.rows
        assert (row.shared, row.shared_with) == (0, ())

    def test_nothing_of_a_living_model_is_an_orphan(self, facts, orphans_before):
        assert facts.orphans == orphans_before

    def test_three_ways_to_find_what_a_model_keeps_agree(self, facts):
        assert facts.kept["search"] == facts.kept["trial deletion"]
        assert facts.kept["dominators"] == facts.kept["trial deletion"]

    def test_what_is_said_to_die_with_a_model_dies(self, facts):
        assert facts.said_to_die > 100
        assert facts.survivors == 0

    def test_nothing_else_of_keras_or_tensorflow_dies_with_a_model(self, facts):
        assert facts.others_died <= LISTED_WEAKLY

    def test_nothing_is_left_of_a_dropped_model(self, facts, orphans_before):
        assert (facts.rows_after, facts.orphans_after) == ([], orphans_before)


def orphans():
    """What earlier tests left; what the registry alone keeps is let go first."""
    keraser.clear()
    gc.collect()
    return keraser.census().orphans


def examine(make, train):
    """Makes a model, trains it for a step or not, looks at it and drops it: `Facts`.

    Under guard(), so that TensorFlow's registry is none of those that hold it. Older
    objects are frozen, which makes collections quick.
    """
    guard = keraser.guard()
    gc.collect()
    gc.freeze()
    try:
        _make(make, train)
        return _examine()
    finally:
        _drop()
        gc.unfreeze()
        guard.undo()


def _make(make, train):
    global MODEL
    MODEL, x, y = make()
    if train:
        MODEL.fit(x, y, batch_size=len(y), verbose=0)


def _drop():
    global MODEL
    MODEL = None
    gc.collect()


def _examine():
    gc.collect()
    address = id(MODEL)
    census = keraser.census()
    variables = _variable_bytes()
    kept = {
        "trial deletion": _kept_by_trial_deletion(),
        "search": _kept_by_search(),
        "dominators": _kept_by_dominators(),
    }
    said_to_die, survivors, others_died = _drop_and_see()
    after = keraser.census()
    return Facts(
        variables,
        [row for row in census.models if row.id == address],
        census.orphans,
        kept,
        said_to_die,
        survivors,
        others_died,
        [row for row in after.models if row.id == address],
        after.orphans,
    )


def _variable_bytes():
    kinds = {
        "weights": MODEL.variables,
        "optimizer": MODEL.optimizer.variables,
        "metrics": MODEL.metrics_variables,
    }
    return {
        kind: sum(v.numpy().nbytes for v in {id(v): v for v in variables}.values())
        for kind, variables in kinds.items()
    }


def _walk():
    return _core.Owned([MODEL], [], [], [MODEL], [globals()])


def _kept_by_trial_deletion():
    walk = _walk()
    return sum(walk.objects), sum(walk.bytes)


def _kept_by_search():
    box = [MODEL]
    return _core.ask([box], box, None, [], [], lean=False)["keeps"]


def _kept_by_dominators():
    rows = _core.ask([], [], None, [], [], lean=False, top=OWNERS)["top"]
    for _, _, _, address, size, _, objects in rows:
        if address == id(MODEL):
            return objects, size
    raise AssertionError(f"the model is none of {OWNERS} largest owners")


def _drop_and_see():
    """Values of dictionaries with weak keys and of thread-locals die too, without being
    the model's, some of them in a second collection. Nearly all are of built-in types.

    No function may be made before what is alive is known: it takes a dead one's place.
    """
    gc.collect()
    said = set(map(id, _walk().instances(object)))
    before = {id(thing): type(thing) for thing in gc.get_objects()}
    kinds = {
        address: f"{kind.__module__}.{kind.__qualname__}"
        for address, kind in before.items()
        if kind.__module__.startswith(("keras.", "tensorflow."))
    }
    del before  # a class may be the model's
    _drop()
    gc.collect()
    alive = set(map(id, gc.get_objects()))
    others = kinds.keys() - alive - said
    return len(said), len(said & alive), frozenset(kinds[other] for other in others)
