"""variables(): what running functions hold, read without adding a holder."""

import gc
import sys
import threading

from keraser import _core


class Thing:
    pass


def names_of(thing):
    return {row[1][5]: row[1] for row in _core.variables([thing])}


def test_a_local_variable_is_found_with_its_function_and_line():
    probe = Thing()
    row = names_of(probe)["probe"]
    thread, _, file, function, line, name, is_argument, in_cell = row
    assert thread == threading.get_ident()
    assert file == __file__
    assert function == "test_a_local_variable_is_found_with_its_function_and_line"
    assert line == sys._getframe().f_lineno - 5
    assert (name, is_argument, in_cell) == ("probe", 0, 0)


def test_an_argument_is_told_from_a_local():
    def look(argument):
        local = argument
        rows = names_of(argument)
        return rows["argument"][6], rows["local"][6], local

    assert look(Thing())[:2] == (1, 0)


def test_a_captured_variable_is_found_through_its_cell():
    captured = Thing()

    def look():
        return names_of(captured)["captured"]

    assert look()[7] == 1


def test_variables_of_other_threads_are_found():
    ready, done = threading.Event(), threading.Event()

    def hold(inner):
        ready.set()
        done.wait()
        return inner

    probe = Thing()
    thread = threading.Thread(target=hold, args=(probe,), name="holder")
    thread.start()
    ready.wait()
    try:
        assert names_of(probe)["inner"][0] == thread.ident
    finally:
        done.set()
        thread.join()


def test_a_running_generator_s_variable_is_found():
    def generate():
        inside = Thing()
        yield names_of(inside)

    assert "inside" in next(generate())


def test_looking_adds_no_holder():
    def run():
        probe = Thing()
        before = sys.getrefcount(probe)
        _core.variables([probe])
        return sys.getrefcount(probe) - before

    assert run() == 0


def test_looking_makes_no_object_that_stays():
    probe = Thing()

    def growth(rounds):
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(rounds):
            _core.variables([probe])
        gc.collect()
        return len(gc.get_objects()) - before

    growth(1)
    assert growth(100) == growth(1)
