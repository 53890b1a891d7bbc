"""why() without a framework: what C code holds, errors on the way, fork."""

import ctypes
import gc
import os
import shutil
import subprocess
import sys
import threading

import keraser
import pytest
from keraser import _core

SHELF = {}


class Thing:
    pass


@pytest.fixture(autouse=True)
def _empty_shelf():
    yield
    SHELF.clear()


@pytest.fixture
def keeper(tmp_path):
    """A library with two static variables that hold an object each."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc)")
    source = tmp_path / "keeper.c"
    source.write_text(
        "static void *kept[2];\nvoid keep(void *p) { kept[0] = kept[1] = p; }\n"
    )
    library = tmp_path / "libkeeper.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return ctypes.CDLL(str(library))


def test_references_of_c_code_are_counted_and_the_library_is_named(keeper):
    thing = Thing()
    for _ in range(2):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    keeper.keep(ctypes.c_void_p(id(thing)))
    try:
        holders = [str(holder) for holder in keraser.why(thing) if holder.kind == "c"]
    finally:
        keeper.keep(None)
        for _ in range(2):
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(thing))
    assert holders == ["held by C code: 2 references, library libkeeper.so"]


def test_an_object_that_nobody_holds_has_no_holder():
    found = keraser.why(Thing())
    assert len(found) == 0
    assert "nothing holds it" in repr(found)


def test_a_way_through_c_code_is_named_from_there():
    thing = Thing()
    shelf = [thing]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(shelf))
    kept, names = id(shelf), []
    del shelf
    try:
        names = [holder.path for holder in keraser.why(thing)]
    finally:
        shelf = ctypes.cast(kept, ctypes.py_object).value
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(shelf))
    assert "held by C code: 1 reference → list[0]" in names


def test_an_error_that_is_being_handled_is_named():
    thing = SHELF["thing"] = Thing()
    try:
        raise ValueError(thing)
    except ValueError:
        del thing
        paths = [holder.path for holder in keraser.why(SHELF["thing"])]
    assert any(path.startswith("error being handled") for path in paths), paths


def test_an_array_that_shows_the_memory_of_another_is_named():
    numpy = pytest.importorskip("numpy")
    SHELF["view"] = numpy.zeros(8)[2:]
    holders = keraser.why(SHELF["view"].base)
    assert any(
        holder.path.startswith(f"{__name__}.SHELF['view']") for holder in holders
    )


def test_what_is_asked_in_a_child_pauses_the_program_and_says_how_long():
    SHELF["thing"] = Thing()
    answer = _core.ask([], [SHELF["thing"]], None, [], [], fork=True)
    assert 0 < answer["pause"] < 60
    assert answer["held"][0][0]


def test_the_program_goes_on_while_a_child_reads():
    heap = [[] for _ in range(300_000)]
    over, counted = threading.Event(), []

    def count():
        n = 0
        while not over.is_set():
            n += 1
        counted.append(n)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        _core.ask([], [], None, [], [], types=5, fork=True)
    finally:
        over.set()
        thread.join()
    assert counted[0] > 1000
    assert len(heap) == 300_000


def test_children_are_waited_for():
    SHELF["thing"] = Thing()
    for _ in range(5):
        keraser.why(SHELF["thing"], fork=True)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_child_that_another_waits_for_first_still_answers():
    import signal

    def reap(*_):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    before = signal.signal(signal.SIGCHLD, reap)
    try:
        SHELF["thing"] = Thing()
        found = keraser.why(SHELF["thing"], fork=True)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert found[0].path == f"{__name__}.SHELF['thing']"


def test_no_file_is_left_open():
    def files():
        return len(os.listdir("/proc/self/fd"))

    SHELF["thing"] = Thing()
    keraser.why(SHELF["thing"], fork=True)
    before = files()
    for _ in range(5):
        keraser.why(SHELF["thing"], fork=True)
    assert files() == before


def test_without_a_process_to_fork_it_says_so():
    import resource

    if os.geteuid() == 0:
        pytest.skip("root may make as many processes as it likes")
    SHELF["thing"] = Thing()
    limits = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="fork"):
            keraser.why(SHELF["thing"], fork=True)
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, limits)


def test_top_and_census_work_without_a_framework():
    SHELF["big"] = bytearray(64 << 20)
    code = "import keraser; print(keraser.top(3)); print(keraser.census())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resident set" in done.stdout
    owner = keraser.top(1).owners[0]
    assert owner.path == f"{__name__}.SHELF"
    assert owner.bytes > 64 << 20
    gc.collect()
