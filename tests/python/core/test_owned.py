"""Owned: what would die with some objects. No framework: plain Python graphs."""

import gc
import random
import sys
import threading
import time

import pytest
from keraser import _core


class Thing:
    """An object with attributes, and a cycle in it."""

    def __init__(self, *parts):
        self.me = self
        self.parts = list(parts)


def owned(seeds, groups=(), ours=(), given=(), namespaces=()):
    return _core.Owned(
        list(seeds), list(groups), list(ours), list(given), list(namespaces)
    )


def test_what_only_the_seed_refers_to_is_owned():
    box = [Thing(Thing(), Thing())]
    left, right = box[0].parts
    del left, right
    found = owned(box, ours=[box])
    assert all(part in found for part in box[0].parts)
    assert box[0] in found
    assert found.outside(box[0]) == 0


def test_what_a_container_outside_holds_is_not_owned_nor_what_it_leads_to():
    inner = Thing()
    middle = Thing(inner)
    box = [Thing(middle)]
    shelf = [middle]
    del inner, middle
    found = owned(box, ours=[box])
    assert shelf[0] not in found
    assert shelf[0].parts[0] not in found
    assert box[0] in found


def test_a_variable_of_a_running_function_holds_a_part():
    part = Thing()
    box = [Thing(part)]
    assert part not in owned(box, ours=[box])


def test_variables_bound_to_the_given_object_do_not_hold_it():
    box = [Thing()]
    model = box[0]
    another_name = model
    assert owned(box, ours=[box]).outside(model) == 2
    assert owned(box, ours=[box], given=box).outside(another_name) == 0


def test_a_closure_s_cell_counts_once_for_all_running_functions_that_share_it():
    box = [Thing()]
    model = box[0]

    def inner():
        assert model is box[0]
        return owned(box, ours=[box], given=box).outside(model)

    assert inner() == 0


def test_names_in_a_namespace_do_not_hold_the_given_object_but_parts_they_do():
    box = [Thing(Thing())]
    namespace = {"model": box[0], "part": box[0].parts[0]}
    found = owned(box, ours=[box], given=box, namespaces=[namespace])
    assert found.outside(box[0]) == 0
    assert namespace["part"] not in found


def test_a_list_holds_the_given_object_as_often_as_it_is_in_it():
    box = [Thing()]
    shelf = [box[0], box[0]]
    assert owned(box, ours=[box], given=box).outside(shelf[0]) == 2


def test_the_walk_never_goes_through_modules_or_classes():
    box = [Thing(gc, Thing, len)]
    found = owned(box, ours=[box])
    assert gc not in found
    assert Thing not in found
    assert found.visited < len(sys.modules) + 100


def test_a_class_made_inside_a_function_goes_with_its_instances():
    def make():
        class Local(Thing):
            pass

        return Local()

    box = [make()]
    found = owned(box, ours=[box])
    assert type(box[0]) in found


def test_groups_tell_objects_apart_by_what_leads_to_them_first():
    weights, rest = Thing({"a": 1.5}), Thing(Thing(), Thing())
    box = [Thing(weights, rest)]
    groups = [[weights], [box[0]]]
    del weights, rest
    found = owned(box, groups, ours=[box])
    by_weights, by_model = found.objects[1:3]
    assert by_weights >= 3  # the Thing, its list, its dict
    assert by_model > by_weights
    assert sum(found.objects) == by_weights + by_model
    assert found.bytes[1] > 0


def test_release_frees_what_is_owned_and_says_that_nothing_is_left():
    died = []
    box = [Thing(Thing(), Thing())]
    import weakref

    for part in box[0].parts:
        weakref.finalize(part, died.append, 1)
    del part
    found = owned(box, ours=[box])
    gc.disable()
    try:
        del box[:]
        collected, alive = found.release()
    finally:
        gc.enable()
    assert alive == []
    assert collected >= 3
    assert died == [1, 1]


def test_release_hands_back_what_stayed_alive():
    box = [Thing(Thing())]
    found = owned(box, ours=[box])
    kept = box[0].parts[0]  # somebody takes a part between walk and release
    del box[:]
    _, alive = found.release()
    assert kept in alive
    assert not any(type(thing) is Thing and thing is not kept for thing in alive)


def test_a_resurrecting_finalizer_keeps_its_objects_whole():
    saved = []

    class Lazarus(Thing):
        def __del__(self):
            saved.append(self)

    box = [Lazarus(Thing())]
    found = owned(box, ours=[box])
    del box[:]
    found.release()
    assert len(saved) == 1
    assert saved[0].parts[0].me is saved[0].parts[0]
    del Lazarus.__del__


@pytest.fixture
def slow_collection():
    """Starts a collection in another thread that takes 0.2 s to begin."""
    begun = threading.Event()

    def wait(phase, _):
        if phase == "start" and threading.current_thread() is thread:
            begun.set()
            time.sleep(0.2)

    def start():
        thread.start()
        assert begun.wait(10)

    thread = threading.Thread(target=gc.collect)
    gc.callbacks.append(wait)
    yield start
    thread.join()
    gc.callbacks.remove(wait)


def test_release_waits_for_another_threads_collection(slow_collection):
    box = [Thing(Thing())]
    found = owned(box, ours=[box])
    kept = box[0].parts[0]
    del box[:]
    slow_collection()
    _, alive = found.release()
    assert kept in alive
    assert not any(type(thing) is Thing and thing is not kept for thing in alive)


def test_a_collection_that_begins_in_the_midst_of_release_hides_no_survivor(
    slow_collection,
):
    class Last:
        def __del__(self):
            slow_collection()

    box = [Thing(Thing())]
    box[0].last = Last()
    del box[0].me
    found = owned(box, ours=[box])
    kept = box[0].parts[0]
    del box[:]
    _, alive = found.release()
    assert kept in alive
    assert not any(type(thing) is Thing and thing is not kept for thing in alive)


def test_release_from_within_a_collection_lets_nothing_go():
    said = []

    def callback(phase, _):
        if phase == "start":
            try:
                found.release()
            except RuntimeError as error:
                said.append(str(error))

    found = owned([Thing()])
    gc.callbacks.append(callback)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(callback)
    assert "garbage collector is running" in said[0]
    assert found.release()[0] >= 1


def test_release_works_once():
    found = owned([Thing()])
    found.release()
    with pytest.raises(ValueError, match="released already"):
        found.release()


def test_an_abandoned_walk_lets_go_of_its_references():
    box = [Thing(Thing())]
    part = box[0].parts[0]
    before = sys.getrefcount(part)
    found = owned(box, ours=[box])
    assert sys.getrefcount(part) >= before
    found.forget()
    assert sys.getrefcount(part) == before
    assert part not in found


@pytest.mark.parametrize(
    "arguments",
    [
        ((), [], [], [], []),
        ([], [3], [], [], []),
        ([], [], [], [], [3]),
        ([], [[]] * 16, [], [], []),
    ],
)
def test_arguments_of_another_kind_are_refused(arguments):
    with pytest.raises((TypeError, ValueError)):
        _core.Owned(*arguments)


def test_an_object_the_walk_did_not_visit_is_a_key_error():
    with pytest.raises(KeyError):
        owned([Thing()]).outside(Thing())


def _make(kind, parts):
    if kind == "list":
        return list(parts)
    if kind == "dict":
        return dict(enumerate(parts))
    if kind == "function":
        return (lambda captured: lambda: captured)(parts)
    return Thing(*parts)


def _random_graph(random_):
    """Nodes that refer to each other at random; node 0 is the seed."""
    kinds = ["list", "dict", "thing", "function"]
    nodes = [[] for _ in range(random_.randrange(2, 30))]
    edges = [
        (random_.randrange(len(nodes)), random_.randrange(len(nodes)))
        for _ in range(random_.randrange(3 * len(nodes)))
    ]
    made = [_make(random_.choice(kinds), [node]) for node in nodes]
    for source, target in edges:
        nodes[source].append(made[target])
    return made, nodes, edges


def _closure(edges, starts, barred=()):
    seen, pending = set(), [s for s in starts if s not in barred]
    while pending:
        at = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        pending += [t for s, t in edges if s == at and t not in barred]
    return seen


@pytest.mark.parametrize("seed", range(100))
def test_random_graphs_agree_with_the_definition(seed):
    random_ = random.Random(seed)
    made, nodes, edges = _random_graph(random_)
    outside = {n for n in range(1, len(made)) if random_.random() < 0.15}
    shelf = [made[n] for n in outside]
    box, every = [made[0]], [list(made), nodes]
    del nodes, made
    found = _core.Owned(box, [], [box, every, every[0], every[1]], [], [])
    below = _closure(edges, {0})
    # Nodes that the seed does not lead to are held by our lists alone, so what they
    # refer to is held from outside the walk.
    strangers = set(range(len(every[0]))) - below
    alive = _closure(edges, (outside | strangers), barred={0})
    expected = below - alive
    got = {n for n, node in enumerate(every[0]) if node in found and n in below}
    assert got == expected
    del shelf


def test_the_memory_that_an_array_shows_goes_with_it():
    numpy = pytest.importorskip("numpy")
    whole = numpy.zeros(2)
    assert _core.learn_arrays(whole[:1], whole)
    box = [Thing(numpy.zeros(3)[1:])]
    everything = owned(box, ours=[box]).objects
    box[0].parts[0] = box[0].parts[0].base
    assert sum(everything) == sum(owned(box, ours=[box]).objects) + 1


def test_variables_bound_to_any_of_the_given_objects_do_not_hold_them():
    box = [Thing(), Thing()]
    first, second = box
    one = box[:1]
    inner = owned(box, ours=[box, one], given=one)
    assert [inner.outside(first), inner.outside(second)] == [0, 1]
    inner.forget()  # it holds what it owns
    both = owned(box, ours=[box, one], given=box)
    assert [both.outside(first), both.outside(second)] == [0, 0]
