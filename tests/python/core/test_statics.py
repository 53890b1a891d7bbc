"""static_holders(): the variables of libraries in which an address stands."""

import ctypes
import os

from keraser import _core

#: The interpreter is linked into the program or a library of its own.
INTERPRETER = ("python", "libpython")

#: A static variable of the interpreter that only its prompt looks at.
hook = ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyOS_InputHook")


class Thing:
    pass


def held_by(thing):
    [found] = _core.static_holders([id(thing)])
    return found


def assert_in_interpreter(path):
    assert os.path.basename(path).startswith(INTERPRETER)
    assert os.path.exists(path)


def test_a_static_variable_is_found_with_its_library_for_as_long_as_it_holds():
    thing, before = Thing(), hook.value
    assert held_by(thing) == []
    try:
        hook.value = id(thing)
        [(path, count)] = held_by(thing)
    finally:
        hook.value = before
    assert_in_interpreter(path)
    assert count == 1
    assert held_by(thing) == []


def test_a_type_of_the_interpreter_is_in_its_static_objects():
    found = held_by(type(None))  # None has it for its class
    assert sum(os.path.basename(path).startswith(INTERPRETER) for path, _ in found) == 1
    assert all(count > 0 for _, count in found)


def test_objects_that_hold_are_not_static_variables():
    thing = Thing()
    holders = [[thing] * 100_000, {"thing": thing}, (thing,)]
    assert held_by(thing) == []
    assert holders
