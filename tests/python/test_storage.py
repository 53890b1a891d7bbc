"""Where parked values are kept: every type comes back bit for bit, and what was not
written or read right is told."""

import gc
import os
from pathlib import Path

import keraser
import ml_dtypes
import numpy as np
import pytest
from keraser import array_files, storage

#: Bits that arithmetic would change: of each sign, quiet and signalling NaN.
PATTERN = np.arange(256, dtype="u1").repeat(2)
TYPES = [
    np.dtype(name)
    for name in (
        *("float16", "float32", "float64", "bool", "uint32", "uint64", "uint8"),
        *("int8", "int16", "int32", "int64"),
        *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
    )
]


def arrays():
    found = []
    for dtype in TYPES:
        content = PATTERN % 2 if dtype.kind == "b" else PATTERN
        found.append(np.frombuffer(content.tobytes(), dtype).reshape(8, -1))
    return [*found, np.array(3.5, "f4"), np.zeros((0, 3), "f4"), np.ones(1, "u4")]


def names():
    return [f"model/layer_{i}/värde" for i in range(len(arrays()))]


def same(found):
    return [(a.dtype, a.shape, a.tobytes()) for a in found] == [
        (a.dtype, a.shape, a.tobytes()) for a in arrays()
    ]


@pytest.fixture(params=["npz", "safetensors"])
def path(request, tmp_path):
    return str(tmp_path / f"values.{request.param}")


def test_every_type_comes_back_from_a_file(path):
    store = storage.keep(names(), arrays(), path, False)
    assert same(store.load())
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    os.rename(path, path + ".moved")
    assert same(store.load(path + ".moved"))
    assert repr(path) in store.place


def test_every_type_comes_back_from_host_memory():
    assert same(storage.keep(names(), arrays(), None, False).load())


def test_names_are_unique_and_leave_the_writers_theirs(path):
    wanted = ["file", "a", "a", "__metadata__", "__dtypes__", "allow_pickle", "a#2"]
    assert len({*storage.unique(wanted), *array_files.RESERVED}) == 12
    store = storage.keep(wanted, [np.array(i) for i in range(7)], path, False)
    assert [int(a) for a in store.load()] == list(range(7))


def test_one_changed_bit_is_seen(path):
    """In the bytes of a value; npz has a sum of its own besides."""
    value = np.full(100, 7, "u1")
    store = storage.keep(["v"], [value], path, False)
    content = Path(path).read_bytes()
    at = content.index(value.tobytes()) + 50
    Path(path).write_bytes(content[:at] + b"\6" + content[at + 1 :])
    with pytest.raises(keraser.KeraserError, match="stays parked"):
        store.load()


@pytest.mark.parametrize(
    "other",
    [
        {"v": np.ones((2, 3), "i4")},
        {"v": np.ones((3, 2), "f4")},
        {"v": np.zeros((2, 3), "f4")},
        {"w": np.ones((2, 3), "f4")},
        {"v": np.ones((2, 3), "f4"), "w": np.ones(1, "f4")},
    ],
    ids=["type", "shape", "value", "name", "more"],
)
def test_another_file_is_told_from_ours(path, other):
    store = storage.keep(["v"], [np.ones((2, 3), "f4")], path, False)
    os.unlink(path)
    spare = os.path.join(os.path.dirname(path), "spare" + os.path.splitext(path)[1])
    storage.keep(list(other), list(other.values()), spare, False)
    os.rename(spare, path)
    with pytest.raises(keraser.KeraserError, match="cannot be taken"):
        store.load()


def test_a_store_that_is_gone_guards_its_file_no_longer(path):
    store = storage.keep(["v"], [np.ones(2)], path, False)
    with pytest.raises(keraser.KeraserError, match="another parked model"):
        storage.check_target(path, True)
    with pytest.raises(keraser.KeraserError, match="another parked model"):
        storage.check_target(os.path.join(os.path.dirname(path), ".", path), True)
    del store
    gc.collect()
    assert storage.check_target(path, True) == os.path.realpath(path)


def test_a_file_that_appears_meanwhile_is_not_overwritten(path, monkeypatch):
    sync = storage._sync

    def slow(name):
        sync(name)
        if not os.path.exists(path):
            Path(path).write_text("mine")

    monkeypatch.setattr(storage, "_sync", slow)
    with pytest.raises(FileExistsError):
        storage.keep(["v"], [np.ones(2)], path, False)
    assert Path(path).read_text() == "mine"
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
