"""2,000 calls of the command line against four processes that train: none of them dies,
each call has a right answer in time, and what is learnt is what an undisturbed run of
the same length learns, to the bit."""

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CALLS = int(os.environ.get("KERASER_SOAK_CALLS", "2000"))
PROCESSES = 4
PROGRAM = Path(sys.executable).parent / "keraser"
TRAINING = Path(__file__).parent / "outside_in_training.py"

#: Verb and words behind the process id, as often as listed.
CALLED = [
    ("top",), ("top",), ("why", "trained"), ("why", "spare0"), ("why",),
    ("clear", "spare1"), ("clear", "spare2"), ("trim",), ("doctor",),
]  # fmt: skip

#: A spare model may be gone, or cleared already; or be in the making.
ABSENT, REFUSED = 66, 69


class Training:
    """One process; of `epochs` epochs, or until it is ended."""

    def __init__(self, seed, folder, epochs=0, **environment):
        self.seed, self.log = seed, folder / f"{seed}-{epochs}.log"
        words = [str(TRAINING), str(seed), str(epochs), str(self.log)]
        environment |= {"XDG_RUNTIME_DIR": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.pid = self.process.pid

    def begun(self):
        return self.process.stdout.readline().startswith("training")

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(600) == 0
        self.process.stdout.close()
        return self.log.read_text().splitlines()


def call(verb, pid, *words):
    """Exit status, what was printed, seconds."""
    began = time.monotonic()
    command = [PROGRAM, verb, str(pid), *words, "--json"]
    if verb != "top":  # four callers and four trainings may be more than a machine has
        command += ["--wait", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, time.monotonic() - began


def check(verb, words, status, told, pid):
    known = (0, ABSENT, REFUSED) if words else (0,)
    assert status in known, (verb, words, status, told)
    if status == 0:
        data = json.loads(told)
        assert data["schema_version"] == 1
        assert str(pid) in told


def call_all(training):
    """A fourth of the calls: seconds by verb, and how many models were cleared."""
    draw = random.Random(training.seed)
    found = {verb: [] for verb, *_ in CALLED} | {"cleared": 0}
    for _ in range(CALLS // PROCESSES):
        verb, *words = draw.choice(CALLED)
        status, told, seconds = call(verb, training.pid, *words)
        assert training.process.poll() is None
        check(verb, tuple(words), status, told, training.pid)
        found[verb].append(seconds)
        found["cleared"] += verb == "clear" and status == 0
    return found


@pytest.mark.own_process
def test_calls_disturb_no_training(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    trainings = [Training(seed, tmp_path) for seed in range(PROCESSES)]
    for training in trainings:
        assert training.begun()
    with ThreadPoolExecutor(PROCESSES) as pool:
        called = list(pool.map(call_all, trainings))
    cleared = sum(one.pop("cleared") for one in called)
    disturbed = [training.end() for training in trainings]
    assert os.listdir(tmp_path / "keraser") == []
    assert cleared > CALLS / 20
    alone = [
        Training(seed, tmp_path, len(lines), KERASER_LISTEN="off")
        for seed, lines in enumerate(disturbed)
    ]
    for training, lines in zip(alone, disturbed, strict=True):
        assert training.begun()
        assert training.end() == lines
        assert len(lines) > CALLS / 100
    print(f"\n{CALLS} calls, {cleared} models cleared; epochs", *map(len, disturbed))
    for verb in called[0]:
        seconds = sorted(second for one in called for second in one[verb])
        middle, last = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
        print(f"{verb}: {len(seconds)} calls, median {middle:.3f} s, 99 % {last:.3f} s")
