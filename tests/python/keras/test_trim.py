"""trim(): what is free goes back to the system, what lives stays as it is."""

import html
import json
import os
import subprocess
import sys
import threading

import keraser
import numpy as np
import pytest
import tensorflow as tf
from keraser import _core, trimming

MIB = 1 << 20
POOL = "TensorFlow CPU pool"


def row(trim, pool=POOL):
    return next(found for found in trim.pools if found.pool == pool)


def pool_size():
    return _core.trim()[0]["size"]


def filled(mib, value=1.0):
    return tf.fill((mib * MIB // 4,), value)


def run(code, **environment):
    """What a fresh process prints, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


# ---- what is given back -------------------------------------------------------------


def test_the_memory_of_dead_tensors_goes_back_to_the_system():
    tensor = filled(192)
    keraser.trim()
    before = _core.process()["rss"]
    del tensor
    trim = keraser.trim()
    fallen = before - _core.process()["rss"]

    assert 191 * MIB < row(trim).returned < 193 * MIB
    assert row(trim).before - row(trim).after == row(trim).returned
    assert 190 * MIB < fallen < 200 * MIB
    assert abs(trim.rss.freed - fallen) < MIB


def test_living_tensors_are_not_moved_and_not_changed():
    rng = np.random.default_rng(0)
    values = [rng.random(int(size)) for size in rng.integers(1 << 12, 1 << 20, 40)]
    tensors = [tf.constant(value) for value in values]
    del tensors[::2], values[::2]
    places = [tensor.numpy().ctypes.data for tensor in tensors]
    assert row(keraser.trim()).returned > 30 * MIB
    assert [tensor.numpy().ctypes.data for tensor in tensors] == places
    for tensor, value in zip(tensors, values, strict=True):
        assert tensor.numpy().tobytes() == value.tobytes()


def test_what_is_given_back_serves_again():
    for value in (1.0, 2.0, 3.0):
        tensor = filled(64, value)
        assert float(tf.reduce_max(tensor)) == float(tf.reduce_min(tensor)) == value
        del tensor
        assert row(keraser.trim()).returned > 63 * MIB


def test_with_nothing_to_give_nothing_is_returned_and_the_pool_stays():
    kept = filled(32)
    keraser.trim()
    size = pool_size()
    trim = keraser.trim()
    assert row(trim).refused is None
    assert row(trim).returned == 0
    assert row(trim).before == row(trim).after >= 32 * MIB
    assert pool_size() == size
    del kept


def test_a_models_memory_goes_back_after_clear():
    import keras

    def train():
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1 << 20)])
        model.compile("sgd", "mse")
        model.predict(np.ones((2, 8), np.float32), verbose=0)
        return model

    keraser.clear(train())
    keraser.trim()
    before = _core.process()["rss"]
    model = train()
    weights = sum(v.numpy().nbytes for v in model.variables)
    keraser.clear(model, trim=False)
    assert row(keraser.trim()).returned > weights
    assert _core.process()["rss"] - before < 8 * MIB


# ---- other threads ------------------------------------------------------------------


def check_patterns(seed, over, spoiled, rounds):
    """Makes tensors full of a number, keeps some for a while, and looks at each."""
    rng, live = np.random.default_rng(seed), []
    while not over.is_set():
        size, value = int(rng.integers(1 << 16, 1 << 20)), float(rng.integers(1, 1000))
        live.append((value, tf.fill((size,), value)))
        if len(live) > 4:
            value, tensor = live.pop(int(rng.integers(len(live))))
            spoiled += [value] * (not (tensor.numpy() == value).all())
            rounds[seed] += 1


def test_tensors_of_other_threads_are_not_spoiled_and_the_pool_does_not_grow():
    over, spoiled, rounds = threading.Event(), [], [0, 0, 0]
    filled(512)
    arguments = [(seed, over, spoiled, rounds) for seed in range(3)]
    threads = [threading.Thread(target=check_patterns, args=a) for a in arguments]
    size, trims = pool_size(), []
    for thread in threads:
        thread.start()
    while len(trims) < 60 or min(rounds) < 20:
        trims.append(row(keraser.trim()))
    over.set()
    for thread in threads:
        thread.join()
    assert spoiled == []
    assert not any(trim.refused or trim.grew for trim in trims)
    assert pool_size() == size
    assert sum(trim.returned for trim in trims) > 10 * MIB


def test_two_trims_at_once_take_turns(monkeypatch):
    inside, most, real = [], [], _core.trim

    def counted():
        inside.append(None)
        most.append(len(inside))
        try:
            return real()
        finally:
            inside.pop()

    monkeypatch.setattr(_core, "trim", counted)
    threads = [threading.Thread(target=keraser.trim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_child_forked_during_a_trim_can_trim():
    code = """
import os, signal, threading, keraser
from keraser import trimming

def fork():
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # where it would wait for ever
        os._exit(keraser.trim().pools[-1].refused is not None)
    print(os.waitpid(child, 0)[1])

with trimming._ONE.lock:
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
"""
    assert run(code) == ["0"]


# ---- refusals -----------------------------------------------------------------------

REFUSED = """
import json, os, keraser, tensorflow as tf
x = tf.ones((1 << 24,)); y = tf.ones((1 << 20,)); del x
before = y.numpy().tobytes()
trim = keraser.trim()
assert y.numpy().tobytes() == before
rows = [(f.works, f.note) for f in keraser.doctor().findings if "trim: " in f.what]
print(json.dumps([trim.to_dict()["pools"][0], rows[-1]]))
"""


@pytest.mark.parametrize(
    "setting",
    [{"TF_ENABLE_ONEDNN_OPTS": "0"}, {"TF_CPU_ALLOCATOR_USE_BFC": "1"}],
    ids=["oneDNN off", "another pool"],
)
def test_another_allocator_is_refused_by_name(setting):
    pool, (works, note) = json.loads(run(REFUSED, **setting)[-1])
    assert pool["refused"] == note
    assert "allocator in use is not the one" in note
    assert not works
    assert pool["returned"] == pool["before"] == pool["after"] == 0


def test_without_tensorflow_the_heap_alone_is_trimmed_and_says_so():
    code = """
import keraser, sys
trim = keraser.trim()
print([pool.refused for pool in trim.pools])
print({"tensorflow", "keras", "numpy"} & set(sys.modules))
print(keraser.doctor().healthy)
"""
    absent = "not loaded in this process"
    assert run(code) == [str([absent, absent, absent, None]), "set()", "True"]


def test_the_heap_of_glibc_gives_back_what_is_free():
    code = """
import ctypes, keraser
malloc = ctypes.CDLL(None).malloc
malloc.restype, free = ctypes.c_void_p, ctypes.CDLL(None).free
blocks = [malloc(65536) for _ in range(1000)]
for block in blocks: ctypes.memset(block, 1, 65536)
for block in blocks[:-1]: free(ctypes.c_void_p(block))
heap = keraser.trim().pools[-1]
print(heap.returned >> 20, (heap.before - heap.after) >> 20)
"""
    assert all(60 <= int(mib) <= 64 for mib in run(code)[0].split())


def test_an_error_is_a_refusal_to_other_verbs(monkeypatch):
    def fail():
        raise OSError(12, "no memory")

    monkeypatch.setattr(_core, "trim", fail)
    with pytest.raises(OSError, match="no memory"):
        keraser.trim()
    trim = trimming.trim_pools()
    assert trim.returned == 0
    assert "no memory" in trim.pools[0].refused
    assert "no memory" in repr(trim)


# ---- words --------------------------------------------------------------------------


def test_a_trim_is_data_and_a_readable_block():
    filled(16)
    trim = keraser.trim()
    data = json.loads(json.dumps(trim.to_dict()))
    assert data["returned"] == trim.returned == sum(p.returned for p in trim.pools)
    assert data["rss"]["after"] == trim.rss.after
    lines = repr(trim).splitlines()
    assert "MiB given back to the system in" in lines[0]
    assert [line.split("  ")[1] for line in lines[1:]] == [
        *(pool.pool for pool in trim.pools),
        "RSS",
    ]
    assert "MiB returned" in lines[1]
    assert "not loaded" in lines[2]
    for line in lines[1:]:
        assert html.escape(line.split("  ", 2)[2].strip()) in trim._repr_html_()


def test_doctor_says_which_symbols_were_found_and_what_was_verified():
    filled(4)
    size, rss = pool_size(), _core.process()["rss"]
    rows = [f for f in keraser.doctor().findings if f.what.startswith("trim: ")]
    assert [finding.note for finding in rows] == ["works"] * 15
    assert "TF_AllocateTensor" in rows[5].what
    assert rows[-1].what == "trim: test allocation"
    assert pool_size() == size
    assert _core.process()["rss"] - rss < MIB


def test_the_hash_of_a_type_is_the_one_that_tensorflow_was_built_with():
    name = "N10tensorflow14DeviceCompilerIN3xla15LocalExecutableENS1_11LocalClientEEE"
    assert _core.tensorflow_hash(name) != _core.tensorflow_hash(name[:-1])
    assert 0 < _core.tensorflow_hash(name) < 1 << 64
