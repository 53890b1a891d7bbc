"""pack and unpack: everything comes back, without a copy where it is big; nothing that
a header may say crashes who reads it."""

import dataclasses
import enum
import fcntl
import functools
import gc
import importlib.util
import inspect
import linecache
import os
import pickle
import random
import subprocess
import sys
import threading
import types

import keraser
import ml_dtypes
import numpy as np
import pytest
from keraser import payload, pickling
from keraser.payload import pack, unpack
from peer import Peer

MIB = 1 << 20


def there_and_back(thing):
    return unpack(pack(thing))


def descriptors():
    return set(os.listdir("/proc/self/fd"))


def mappings():
    with open("/proc/self/maps") as maps:
        return sum("/memfd:keraser" in line for line in maps)


@pytest.fixture(scope="module")
def peer():
    with Peer() as started:
        yield started


ARRAYS = {
    "floats": np.arange(100_000.0),
    "small": np.arange(3),
    "Fortran order": np.asfortranarray(np.arange(90_000).reshape(300, 300)),
    "strided": np.arange(300_000)[::3],
    "no dimension": np.array(3.5),
    "empty": np.zeros((0, 3), "f4"),
    "objects": np.array([{}, "a", None], object),
    "records": np.ones(50_000, [("a", "i4"), ("b", "f8", (2,))]),
    "text": np.array(["ab", "c"] * 50_000),
    "times": np.arange(100_000).astype("M8[s]"),
    "bfloat16": np.arange(90_000).reshape(300, 300).astype(ml_dtypes.bfloat16),
    "bfloat16, Fortran": np.asfortranarray(np.ones((300, 301), ml_dtypes.bfloat16)),
    "float8": np.ones(100_000, ml_dtypes.float8_e5m2),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_bit_for_bit(name):
    array = ARRAYS[name]
    back = there_and_back({"a": [array]})["a"][0]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.flags.f_contiguous == array.copy("K").flags.f_contiguous
    if array.dtype == object:
        assert back.tolist() == array.tolist()
    else:
        assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("name", ["floats", "Fortran order", "times", "bfloat16"])
def test_big_arrays_stay_out_of_the_stream(name):
    pickled = pickling.dump(ARRAYS[name])
    assert len(pickled.buffers) == 1
    assert pickled.size < 1000


def test_a_read_only_array_stays_so():
    array = np.arange(100_000)
    array.flags.writeable = False
    assert not there_and_back(array).flags.writeable


@dataclasses.dataclass
class Point:
    x: int
    tags: set


class Mode(enum.Enum):
    FAST = 1


def test_plain_things_come_back():
    things = [
        None,
        (1, 2.5, 3j, "é", b"x" * MIB, bytearray(b"y" * MIB), "z" * MIB),
        {"a": {1, 2}, (1, 2): frozenset("ab"), "deep": [[[[[]]]]]},
        Point(3, {"t"}),
        Mode.FAST,
        types.SimpleNamespace(a=1),
        range(7),
    ]
    assert there_and_back(things) == things


def test_generators_go_on_where_they_were():
    generator = np.random.default_rng(3)
    generator.random(5)
    back = there_and_back(generator)
    assert back.random(5).tolist() == generator.random(5).tolist()


def test_frames_of_pandas_come_back():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(50_000), "b": ["x"] * 50_000})
    assert there_and_back(frame).equals(frame)


def test_what_is_twice_in_it_is_one_thing_after():
    array, shared = np.arange(100_000), []
    back = there_and_back([array, array, shared, shared])
    assert back[0] is back[1]
    assert back[2] is back[3]


def test_big_arrays_lie_in_one_mapping_that_goes_with_the_last():
    gc.collect()
    before, opened = mappings(), descriptors()
    first, second = there_and_back([np.ones(MIB), np.zeros(MIB)])
    assert mappings() == before + 1
    assert descriptors() == opened
    view = first[5:6]
    del first
    assert second.sum() == 0
    del second
    assert mappings() == before + 1
    assert view[0] == 1
    del view
    assert mappings() == before


def test_small_arrays_keep_no_mapping():
    before = mappings()
    small = there_and_back([np.ones(100), np.ones(MIB)])[0]
    assert mappings() == before
    small[0] = 3
    assert small.sum() == 102


def test_nobody_sees_what_another_reader_writes():
    descriptor = pack(np.arange(MIB))
    again = os.dup(descriptor)
    first, second = unpack(descriptor), unpack(again)
    first[:] = 0
    assert second[-1] == MIB - 1


def test_the_memfd_cannot_be_changed():
    descriptor = pack([1])
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    for size in (1, MIB):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    assert unpack(descriptor) == [1]


@pytest.mark.parametrize("thing", [np.ones(MIB), b"x" * 8 * MIB, list(range(MIB))])
def test_what_is_too_large_is_refused_before_anything_is_written(thing, monkeypatch):
    monkeypatch.setattr(os, "memfd_create", None)
    with pytest.raises(payload.PayloadTooLarge, match="may be sent") as caught:
        pack(thing, limit=MIB)
    assert caught.value.limit == MIB < caught.value.size
    same = pickle.loads(pickle.dumps(caught.value))
    assert (same.size, str(same)) == (caught.value.size, str(caught.value))


def test_the_limit_is_that_of_all_of_it():
    descriptor = pack(np.ones(MIB))
    size = os.fstat(descriptor).st_size
    os.close(descriptor)
    os.close(pack(np.ones(MIB), limit=size))
    with pytest.raises(payload.PayloadTooLarge):
        pack(np.ones(MIB), limit=size - 1)


def test_a_failed_pack_leaves_no_descriptor(monkeypatch):
    def fail(*_):
        raise OSError("no space")

    before = descriptors()
    with pytest.raises(pickle.PicklingError):
        pack(threading.Lock())
    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(OSError, match="no space"):
        pack([1])
    assert descriptors() == before


class Holder:
    def __init__(self, **parts):
        self.__dict__.update(parts)


class Slotted:
    __slots__ = ("lock",)


def make_unpicklable():
    lock = threading.Lock()
    slotted = Slotted()
    slotted.lock = lock

    def function(x=lock):
        return lock, x

    return {
        "result": lock,
        "result[2]": [1, 2, lock],
        "result['callback'].lock": {"callback": Holder(a=1, lock=lock)},
        "result[0][1].inner['x']": ([1, Holder(inner={"x": lock})],),
        "result.lock": slotted,
        "result's variable 'lock'": function,
        "result.args[0]": functools.partial(print, lock),
        "result.__self__.lock": types.MethodType(len, Holder(lock=lock)),
    }


@pytest.mark.parametrize("path", make_unpicklable())
def test_an_error_names_the_part_that_does_not_pickle(path):
    thing = make_unpicklable()[path]
    with pytest.raises(pickle.PicklingError) as caught:
        pack(thing)
    assert str(caught.value) == f"{path}: cannot pickle '_thread.lock' object"


def test_the_thing_can_be_called_something_else():
    with pytest.raises(pickle.PicklingError, match=r"^args\[0\]: cannot pickle"):
        pack({"args": (threading.Lock(),)}, called="")


def sealed(content, seals=payload.SEALS):
    descriptor = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def content_of(thing):
    descriptor = pack(thing)
    try:
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)


def a_file(tmp_path):
    (tmp_path / "file").write_bytes(content_of([1]))
    return os.open(tmp_path / "file", os.O_RDWR)


def a_pipe(_):
    reader, writer = os.pipe()
    os.close(writer)
    return reader


NO_PAYLOADS = {
    "a file": (a_file, "no memfd|not sealed"),
    "a pipe": (a_pipe, "no memfd"),
    "closed": (lambda _: 987, "no memfd"),
    "not sealed": (lambda _: sealed(content_of([1]), 0), "not sealed"),
    "may shrink": (
        lambda _: sealed(content_of([1]), fcntl.F_SEAL_WRITE),
        "not sealed",
    ),
    "may change": (
        lambda _: sealed(content_of([1]), fcntl.F_SEAL_SHRINK),
        "not sealed",
    ),
    "nothing": (lambda _: sealed(b""), "fewer than a header"),
    "something else": (lambda _: sealed(b"x" * 1000), "does not begin as one"),
    "too short": (lambda _: sealed(content_of([1])[:-1]), "bytes and says"),
    "too long": (lambda _: sealed(content_of([1]) + b"x"), "bytes and says"),
    "no pickle": (
        lambda _: sealed(content_of("x" * 99).replace(b"x" * 99, b"\xff" * 99)),
        "cannot be unpickled",
    ),
}


@pytest.mark.parametrize("name", NO_PAYLOADS)
def test_what_is_no_payload_is_refused_and_closed(name, tmp_path):
    make, text = NO_PAYLOADS[name]
    before = descriptors()
    descriptor = make(tmp_path)
    with pytest.raises(keraser.KeraserError, match=text):
        unpack(descriptor)
    assert descriptors() == before


def forge(version=1, count=2, size=None, pickled=None, table=None):
    """A payload of two arrays with another header."""
    content = content_of([np.ones(20_000), np.zeros(20_000)])
    magic, *old = payload.HEADER.unpack_from(content)
    entries = list(payload.ENTRY.iter_unpack(content[payload.HEADER.size :][: 2 * 16]))
    head = payload.HEADER.pack(
        magic, version, count, size or old[2], old[3] if pickled is None else pickled
    )
    for entry, new in zip(entries, table or entries, strict=True):
        head += payload.ENTRY.pack(*(b if n is None else n for n, b in zip(new, entry)))  # noqa: B905
    return sealed(head + content[len(head) :])


FORGED = {
    "version": ({"version": 2}, "of version 2"),
    "count": ({"count": 2**32 - 1}, "do not fit"),
    "pickle": ({"pickled": 2**64 - 1}, "do not fit"),
    "size": ({"size": 2**63}, "bytes and says"),
    "odd place": ({"table": [(1600, 1), (None, 4097)]}, "cannot be at|unpickled"),
    "misaligned": ({"table": [(None, None), (200_001, 8)]}, "cannot be at 200001"),
    "beyond the end": ({"table": [(None, None), (2**40, 8)]}, "cannot be at"),
    "too long": ({"table": [(None, None), (None, 2**63)]}, "cannot be at"),
    "wrapping": ({"table": [(None, None), (2**64 - 64, 128)]}, "cannot be at"),
    "overlapping": ({"table": [(None, 161_000), (None, None)]}, "cannot be at"),
    "in the pickle": ({"table": [(0, 8), (None, None)]}, "cannot be at 0"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_header_is_refused(name):
    changes, text = FORGED[name]
    with pytest.raises(keraser.KeraserError, match=text):
        unpack(forge(**changes))


def test_the_forger_forges_nothing_else():
    assert [array.sum() for array in unpack(forge())] == [20_000, 0]


def test_no_header_crashes_who_reads_it():
    """Bytes of header and table changed at random, now and then all of them."""
    numbers = random.Random(8)
    content = content_of([np.ones(10_000), np.zeros(10_000)])
    length = payload.HEADER.size + 2 * payload.ENTRY.size
    before, refused = descriptors(), 0
    for _ in range(3000):
        forged = bytearray(content)
        for _ in range(numbers.choice([1, 1, 2, 8, 200])):
            at = numbers.randrange(8 if numbers.random() < 0.9 else 0, length)
            forged[at] = numbers.choice([0, 1, 64, 127, 128, 255])
        try:
            arrays = unpack(sealed(forged))
        except keraser.KeraserError:
            refused += 1
        else:
            assert [array.nbytes for array in arrays] == [80_000, 80_000]
    assert refused > 1000
    assert descriptors() == before


def test_functions_go_with_what_they_refer_to(peer):
    offset = 3

    def add(x):
        return x + offset

    assert peer.call(lambda f, x: f(x), add, 4) == 7
    assert peer.call(add, 5) == 8


def test_the_source_of_a_notebook_goes_with_its_functions(peer):
    """There is no file: IPython puts the lines into linecache."""
    lines = ["def cell(x):\n", "    return x + 1\n"]
    name = "/tmp/ipykernel_0/123.py"
    linecache.cache[name] = (30, None, lines, name)
    space = {"__name__": "__main__"}
    exec(compile("".join(lines), name, "exec"), space)

    def look(function):
        return inspect.getsource(function), inspect.getsourcefile(function)

    assert peer.call(look, space["cell"]) == ("".join(lines), name)
    assert peer.call(look, look)[0] == inspect.getsource(look)


def test_a_class_comes_back_as_itself_and_as_it_was(peer):
    """cloudpickle alone would give it methods whose globals are copies."""

    class Local:
        shared = (1, 2)

        def method(self):
            return self.shared

    method, shared = Local.method, Local.shared
    back = peer.call(lambda: Local())
    assert type(back) is Local
    assert Local.method is method
    assert back.method() is shared


def test_a_class_that_changed_here_is_changed_there_as_well(peer):
    class Local:
        rate = 1

    assert peer.call(lambda: Local().rate) == 1
    assert peer.call(lambda: Local).rate == 1
    Local.rate = 2
    assert peer.call(lambda: Local().rate) == 2
    assert Local.rate == 2


def test_a_class_made_there_can_be_used_here(peer):
    def make():
        class Made:
            def answer(self):
                return 42

        return Made()

    first, second = peer.call(make), peer.call(make)
    assert first.answer() == second.answer() == 42


def test_a_module_that_only_this_process_has_goes_by_value(peer, tmp_path):
    """As pytest loads test files, by their path."""
    file = tmp_path / "only_here.py"
    file.write_text("BASE = 3\nclass Kept: pass\ndef add(x): return BASE + x, Kept()\n")
    spec = importlib.util.spec_from_file_location("only_here", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["only_here"] = module
    try:
        spec.loader.exec_module(module)
        number, kept = peer.call(module.add, 4)
    finally:
        del sys.modules["only_here"]
    assert number == 7
    assert type(kept) is module.Kept


def test_nothing_heavy_is_imported_for_plain_things(peer):
    def loaded(_):
        return [name for name in ("keras", "tensorflow") if name in sys.modules]

    assert peer.call(loaded, np.ones(MIB)) == []
    code = "import keraser, sys; print(*sys.modules)"
    run = [sys.executable, "-c", code]
    names = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert not {"cloudpickle", "pickle", "numpy"} & set(names.split())


def test_without_cloudpickle_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    pickling._pickler.cache_clear()
    with pytest.raises(keraser.UnsupportedError, match=r"'keraser\[isolated\]'"):
        pack([1])
    monkeypatch.undo()
    assert there_and_back([1]) == [1]


def test_what_cannot_be_unpickled_here_says_why():
    module = types.ModuleType("gone")
    exec("class Thing: pass", module.__dict__)
    module.Thing.__module__ = "gone"
    sys.modules["gone"] = module
    descriptor = pack(module.Thing())
    del sys.modules["gone"]
    with pytest.raises(keraser.KeraserError, match="this process: ModuleNotFoundError"):
        unpack(descriptor)
