"""1,000 trials of real Keras fits among trials that fail in every way: each is reported
rightly, the others finish, and nothing is left in this process or beside it."""

import gc
import os
import random
import signal
import sys
import threading
import time

import keraser
import numpy as np
import pytest

TRIALS = int(os.environ.get("KERASER_SOAK_TRIALS", "1000"))
MIB = 1 << 20


def fit(n):
    import keras

    layers = [keras.layers.Dense(8 + n % 16, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((16,)), *layers])
    model.compile("adam", "mse")
    x, y = np.ones((64, 16), np.float32), np.full((64, 1), 9, np.float32)
    losses = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    return n, losses[1] < losses[0]


def raise_error(n):
    raise LookupError(n)


def leave(n):
    os._exit(n % 200 + 1)


def crash(n):
    print("about to crash", n)
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def be_killed(_):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def hog(_):
    blocks = []
    while True:
        blocks.append(b"x" * MIB)


def spin(_):
    while True:
        pass


def flood(n):
    line = "0123456789abcde\n" * 64
    for _ in range(5_000):
        sys.stdout.write(line)
    return n


def huge(n):
    return np.full(40 * MIB, n, np.uint64)  # 320 MiB


def too_huge(_):
    return np.zeros(300 * MIB, np.uint64)  # 2.3 GiB of pages that nobody touched


def unpicklable(_):
    return threading.Lock()


def leave_children(n):
    for command in ("sleep 600 &", "setsid sleep 600 >/dev/null 2>&1 &"):
        os.system(command)
    return n


def check(kind, n, future):
    error = future.exception()
    if kind is fit:
        assert future.result() == (n, True)
    elif kind is raise_error:
        assert isinstance(error, LookupError)
        assert error.args == (n,)
    elif kind is leave:
        assert isinstance(error, keraser.TrialCrashed)
        assert error.exitcode == n % 200 + 1
    elif kind in (crash, be_killed):
        assert isinstance(error, keraser.TrialCrashed)
        number = signal.SIGSEGV if kind is crash else signal.SIGKILL
        assert error.signal is number
        assert (f"about to crash {n}" in error.output) == (kind is crash)
    elif kind is hog:
        assert isinstance(error, keraser.MemoryLimitExceeded)
        assert error.which == "memory"
        assert error.figures.peak < 1.1 * 1024 * MIB
    elif kind is spin:
        assert isinstance(error, keraser.TimeLimitExceeded)
    elif kind is huge:
        assert future.result()[[0, -1]].tolist() == [n, n]
    elif kind is too_huge:
        assert isinstance(error, keraser.MemoryLimitExceeded)
        assert error.which == "result"
    elif kind is unpicklable:
        assert "lock" in str(error)
    else:
        assert future.result() == n


FAULTS = (
    raise_error,
    leave,
    crash,
    be_killed,
    hog,
    spin,
    flood,
    huge,
    too_huge,
    unpicklable,
    leave_children,
)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def counts():
    gc.collect()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "shared": len(os.listdir("/dev/shm")),
    }


class Sink:
    """Takes what trials print."""

    def __init__(self):
        self.characters = 0

    def write(self, text):
        self.characters += len(text)

    def flush(self):
        pass


@pytest.mark.parametrize("seed", [1])
def test_a_thousand_trials_with_faults(seed, monkeypatch):
    rng = random.Random(seed)
    kinds = [fit if rng.random() < 0.5 else rng.choice(FAULTS) for _ in range(TRIALS)]
    sink = Sink()
    monkeypatch.setattr(sys, "stdout", sink)
    resident = []
    with (
        keraser.TrialExecutor(workers=2, memory="1GiB", timeout=300) as executor,
        keraser.TrialExecutor(timeout=1.0) as short,
    ):
        fit_first = executor.submit(fit, 0), short.submit(len, "")
        assert all(future.exception() is None for future in fit_first)
        servers = [one.stats().server_pid for one in (executor, short)]
        before = None
        for begin in range(0, TRIALS, 50):
            batch = list(enumerate(kinds))[begin : begin + 50]
            futures = [
                (kind, n, (short if kind is spin else executor).submit(kind, n))
                for n, kind in batch
            ]
            for kind, n, future in futures:
                check(kind, n, future)
            del futures, future
            resident.append(keraser._core.process()["rss"])
            before = before or counts()
        time.sleep(2)
        after = counts()
        stats = executor.stats()
        left = [children(pid) for pid in servers]
    monkeypatch.undo()
    print(f"\nresident: {[round(rss / MIB, 1) for rss in resident]} MiB")
    print(f"{sink.characters / MIB:.0f} MiB of output; {stats}")
    assert stats.servers == 1
    assert stats.done >= TRIALS - kinds.count(spin)
    assert after == before
    # Of the second half: the first results fill what Python and malloc keep.
    assert resident[-1] - resident[len(resident) // 2] < 2 * MIB
    # The spares are there, and nobody else; the servers are gone as they are closed.
    assert [len(pids) for pids in left] == [2, 1]
    assert not any(os.path.exists(f"/proc/{pid}") for pid in servers)
    assert sink.characters == kinds.count(flood) * 5_000 * 1024 + sum(
        len(f"about to crash {n}\n") for n, kind in enumerate(kinds) if kind is crash
    )
