"""instances() and holders(): the heap as a whole."""

import gc
import threading

import pytest
from keraser import _core
from keraser.names import name_path


class Thing:
    pass


HELD_BY_MODULE = {}


def holders(target, limit=8):
    box = [target]
    paths, _, _ = _core.ask([box], box, None, [], [], limit=limit)["held"][0]
    return [name_path(path).text for path in paths]


def test_every_instance_is_found():
    class Local(Thing):
        pass

    things = [Local() for _ in range(5)]
    assert len(_core.instances((Local,))) == len(things)


def test_frozen_objects_are_found_where_the_lists_are_known():
    class Local(Thing):
        pass

    thing = Local()
    gc.freeze()
    try:
        found = _core.instances((Local,))
    finally:
        gc.unfreeze()
    if _core.seams()["enumerate"] != "heads":
        pytest.skip("this Python has no known lists")
    assert found == [thing]


def test_the_newest_instances_are_found_within_the_limit():
    class Local(Thing):
        pass

    old = Local()
    filler = [[] for _ in range(5000)]
    new = Local()
    if _core.seams()["enumerate"] != "heads":
        pytest.skip("this Python has no known lists")
    assert _core.instances((Local,), 1000) == [new]
    del old, filler


def test_survivors_are_told_by_their_addresses():
    things = [Thing(), Thing()]
    things[0].itself = things[0]
    ids = [id(thing) for thing in things]
    assert sorted(_core.survivors([*ids, 16])) == sorted(ids)
    del things[0]
    assert _core.survivors(ids) == ids[1:]
    with pytest.raises(TypeError):
        _core.survivors(["no address"])


def test_what_takes_the_place_of_the_dead_is_no_survivor():
    """The dead are lists; so is what the addresses come in, made after they died."""
    new = []

    def make(phase, _info):
        if phase == "stop":
            new.extend([] for _ in range(100))

    gc.callbacks.append(make)
    try:
        dead = [[] for _ in range(100)]
        places = tuple(map(id, dead))
        del dead
        assert _core.survivors([*places]) == []
    finally:
        gc.callbacks.remove(make)
    if not set(places) & set(map(id, new)):
        pytest.skip("this allocator, of a sanitizer, gives no address out again")


def test_frozen_survivors_are_told_where_the_lists_are_known():
    thing = Thing()
    gc.freeze()
    try:
        found = _core.survivors([id(thing)])
    finally:
        gc.unfreeze()
    if _core.seams()["enumerate"] != "heads":
        pytest.skip("this Python has no known lists")
    assert found == [id(thing)]


def test_a_module_s_dict_is_named():
    HELD_BY_MODULE["best"] = thing = Thing()
    try:
        assert f"{__name__}.HELD_BY_MODULE['best']" in holders(thing)
    finally:
        HELD_BY_MODULE.clear()


def test_a_function_s_variable_is_named():
    thing = Thing()
    assert any("local 'thing'" in name for name in holders(thing))


def test_a_closure_is_named_by_its_variable():
    def make():
        captured = Thing()
        return lambda: captured

    callback = make()
    names = holders(callback())
    assert any("closure 'captured' of <lambda>" in name for name in names), names


def test_an_attribute_and_an_index_are_named():
    shelf = Thing()
    shelf.models = [0, 0, Thing()]
    names = holders(shelf.models[2])
    assert any(name.endswith(" → Thing.models[2]") for name in names), names
    assert any("local 'shelf'" in name for name in names), names


def test_a_suspended_generator_is_named():
    def stream():
        inside = Thing()
        yield inside

    generator = stream()
    names = holders(next(generator))
    assert any("generator stream, local 'inside'" in name for name in names), names


def test_another_thread_s_variable_is_named():
    ready, done = threading.Event(), threading.Event()
    shelf = []

    def hold():
        deep = Thing()
        shelf.append(id(deep))
        ready.set()
        done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    try:
        (deep,) = (t for t in _core.instances((Thing,)) if id(t) == shelf[0])
        assert any("hold()" in name for name in holders(deep))
    finally:
        done.set()
        thread.join()


def test_asking_leaves_nothing_behind():
    thing = Thing()
    holders(thing)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(5):
        holders(thing)
    gc.collect()
    assert len(gc.get_objects()) <= before


def test_a_proxy_that_lies_about_its_class_is_named_all_the_same():
    class Liar:
        def __init__(self, inner):
            self.inner = inner

        @property
        def __class__(self):
            return dict

    liar = Liar(Thing())
    names = holders(liar.inner)
    assert any("Liar.inner" in name for name in names), names


def test_the_limit_of_holders_is_kept():
    thing = Thing()
    shelves = [[thing] for _ in range(20)]
    assert len(holders(thing, limit=3)) == 3
    del shelves
