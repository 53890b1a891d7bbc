"""Answers of `_core` where CPython has a surprise: sizes, names, half-made objects."""

import gc
import sys
from collections import OrderedDict

import pytest
from keraser import _core


def size_of(thing):
    """What a walk says that `thing`, a new object, takes by itself."""
    box = [thing]
    del thing
    return _core.Owned(box, [box], [box], [], []).bytes[1]


def stream(inside):
    yield inside


SIZED = {
    "int": lambda: 1 << 3000,
    "negative int": lambda: -(1 << 3000),
    "float": lambda: float("1.25"),
    "complex": lambda: complex("1j"),
    "str": lambda: "é" * len(sys.argv[0]),
    "bytes": lambda: bytes(1000),
    "bytearray": lambda: bytearray(1000),
    "list": lambda: list(range(100)),
    "tuple": lambda: tuple(range(100)),
    "dict": lambda: dict.fromkeys(range(100)),
    "set": lambda: set(range(100)),
    "frozenset": lambda: frozenset(range(100)),
    "OrderedDict": lambda: OrderedDict.fromkeys(range(100)),
    "generator": lambda: stream(None),
    "range": lambda: range(7),
}


@pytest.mark.parametrize("make", SIZED.values(), ids=SIZED)
def test_the_size_of_a_built_in_object_is_what_python_says(make):
    thing = make()
    expected = sys.getsizeof(thing)
    if sys.version_info < (3, 11) and hasattr(thing, "gi_frame"):
        expected += sys.getsizeof(thing.gi_frame)  # goes with it
    assert size_of(make()) == expected


def test_a_suspended_generator_of_a_walk_has_a_sane_size():
    suspended = stream([])
    next(suspended)
    box = [suspended]
    del suspended
    found = _core.Owned(box, [box], [box], [], [])
    assert 0 < sum(found.bytes) < 4096


def test_a_subclass_that_counts_its_items_itself_has_a_sane_size():
    class Number(int):
        def __sizeof__(self):
            raise AssertionError("a walk runs no Python code")

    assert 0 < size_of(Number(1 << 3000)) < 4096


@pytest.fixture
def own_path():
    """Sets the folder whose functions hold nothing; puts the package's back."""
    import keraser

    yield _core.set_own_path
    _core.set_own_path(keraser.__file__.removesuffix("__init__.py"))


HOLD = """
def hold(inner):
    return _core.ask([], [inner], None, [], [])["held"][0][0]
"""


def names_hold(paths):
    return any("hold" in root for root, _ in paths)


@pytest.mark.parametrize("folder", ["/\udcff/", "/π/", "/😀/"])
def test_the_package_may_be_in_a_folder_of_any_name(own_path, folder):
    names = {"_core": _core}
    exec(compile(HOLD, folder + "hold.py", "exec"), names)
    assert names_hold(names["hold"]([]))
    own_path(folder)
    assert not names_hold(names["hold"]([]))


@pytest.mark.parametrize("name", ["\udcff", "π", "😀"])
def test_a_class_made_inside_a_function_may_have_any_name(name):
    local = type("Local", (), {"__qualname__": f"make.<locals>.{name}"})
    box = [local()]
    del local
    gc.collect()
    found = _core.Owned(box, [], [box], [], [])
    assert type(box[0]) in found


def test_variables_says_where_an_object_stands_though_another_is_there_twice():
    first, second = [1], [2]
    rows = _core.variables([first, first, second])
    assert sorted((index, row[5]) for index, row in rows) == [
        (0, "first"),
        (2, "second"),
    ]


def test_what_only_a_suspended_generator_holds_goes_with_it():
    box = [stream([[]])]
    inside = next(box[0])
    found = _core.Owned(box, [], [box], [], [])
    assert inside not in found  # a variable holds it
    ids = {id(inside), id(inside[0])}
    del inside, found
    found = _core.Owned(box, [], [box], [], [])
    assert ids <= {id(thing) for thing in found.instances(list)}


def test_what_a_running_generator_holds_stays():
    def run():
        inside = [1]
        shelf.append(weak := inside)
        box = [[generator]]
        del weak
        yield _core.Owned(box, [], [box], [], []).instances(list)

    shelf = []
    generator = run()
    found = next(generator)
    assert shelf[0] not in found


def test_an_answer_is_not_in_itself():
    found = _core.instances((list,))
    assert not any(thing is found for thing in found)


def test_a_tuple_in_the_making_is_neither_handed_out_nor_spoiled():
    def parts():
        yield marker
        found.append(_core.instances((tuple, list)))
        answer = _core.ask([], [marker], None, [], [], objects=True)
        found.append(answer["held"][0][0])
        yield 2

    marker, found = ["marker"], []
    assert tuple(parts()) == (marker, 2)
    assert marker in found[0]
    assert not any(type(thing) is tuple for thing in found[0])
    (half_made,) = [steps[0] for root, steps in found[1] if root[0] == "C"]
    assert half_made[1:] == ("tuple", None, "index", 0)
    assert type(half_made[0]) is int
