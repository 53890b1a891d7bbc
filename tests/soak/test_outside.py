"""The outside reader against processes that do not stand still: no target is harmed, no
reading hangs, and each either names the model or says in a line why it did not.

KERASER_OUTSIDE_PYTHONS names further Pythons to read, separated by colons: those with
Keras train it, too. 500 readings each; versions that are absent are skipped by name.
Prints figures.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

TARGET = Path(__file__).with_name("outside_target.py")
KERASER = Path(sys.executable).with_name("keraser")
READINGS = {"allocate": 190, "fork": 70, "stop": 60, "end": 140, "train": 40}
LIMIT = 60  # seconds; a reading that takes longer hangs
ABSENT, REFUSED = 66, 69
ENDED = ("ended", "no process")


def find_pythons():
    """One Python for each version, those that are named before what pyenv has."""
    named = os.environ.get("KERASER_OUTSIDE_PYTHONS", "").split(":")
    found = {}
    for version in ("3.10", "3.11", "3.12", "3.13"):
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        paths = [p for p in named if p and says_version(p, version)]
        paths += [sys.executable] if here == version else []
        pyenv = Path.home() / ".pyenv" / "versions"
        paths += [str(p / "bin" / "python3") for p in pyenv.glob(f"{version}.*")]
        found[version] = paths[0] if paths else None
    return found


def says_version(python, version):
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return answer.stdout.strip() == version


PYTHONS = find_pythons()


RUNNING = []  # for those that a failed test leaves


class Target:
    def __init__(self, python, mode, *more):
        self.process = subprocess.Popen(
            [python, str(TARGET), mode, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        RUNNING.append(self.process)
        assert self.process.stdout.readline() == "ready\n"

    def end(self):
        """Lets it end, and returns what it says it came to."""
        said, _ = self.process.communicate("\n", timeout=15 * LIMIT)
        assert self.process.returncode == 0, (self.process.returncode, said)
        return said.strip()


class Readings:
    """What came of each reading of one Python."""

    def __init__(self):
        self.seconds = []
        self.whole = self.torn = self.missed = self.refused = 0

    def read(self, target, may_end=False):
        begin = time.monotonic()
        done = subprocess.run(
            [KERASER, "why", str(target.process.pid), "--json"],
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.seconds.append(time.monotonic() - begin)
        if done.returncode in (ABSENT, REFUSED) and may_end:
            assert any(word in done.stderr for word in ENDED), done.stderr
            self.refused += 1
            return
        assert done.returncode == 0, (done.returncode, done.stderr)
        told = json.loads(done.stdout)
        self.whole += told["torn"] == 0
        self.torn += told["torn"] > 0
        names = [model["name"] for model in told["models"]]
        paths = [one["path"] for m in told["models"] for one in m["holders"]]
        right = names == ["kept"] and paths and all(paths)
        # What is not whole has to say so, and is rare.
        assert right or may_end or told["torn"], done.stdout
        self.missed += not right and not may_end

    def figures(self):
        taken = sorted(self.seconds)
        return (
            f"{len(taken)} readings, {self.whole} whole, {self.torn} torn in places "
            f"({self.missed} without the model), {self.refused} refused as ended; "
            f"seconds: median {statistics.median(taken):.3f}, "
            f"95 % {taken[len(taken) * 95 // 100]:.3f}, most {taken[-1]:.3f}"
        )


def read_while_it_works(python, mode, count):
    readings = Readings()
    target = Target(python, mode)
    for _ in range(count):
        readings.read(target)
    assert target.end() == "well"
    return readings


def read_while_it_is_stopped(python, count):
    """Stopped and woken at random, so that some readings see it change state."""
    readings = Readings()
    target = Target(python, "allocate")
    for _ in range(count):
        os.kill(target.process.pid, signal.SIGSTOP)
        if random.random() < 0.5:
            os.kill(target.process.pid, signal.SIGCONT)
        readings.read(target)
        os.kill(target.process.pid, signal.SIGCONT)
    assert target.end() == "well"
    return readings


def read_while_it_ends(python, count):
    readings = Readings()
    for _ in range(count):
        target = Target(python, "end")
        time.sleep(random.random() * 0.35)
        readings.read(target, may_end=True)
        assert target.end() == "well"
    return readings


def read_while_it_trains(python, count):
    """The weights are those of as many steps that nobody looked at."""
    readings = Readings()
    target = Target(python, "train")
    for _ in range(count):
        readings.read(target)
    steps, digest = target.end().split()
    alone = Target(python, "train", steps)
    assert alone.end().split() == [steps, digest]
    return readings


def has_keras(python):
    code = "import importlib.util as u; print(u.find_spec('keras') is not None)"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return answer.stdout.strip() == "True"


@pytest.fixture(autouse=True)
def nobody_is_left():
    yield
    while RUNNING:
        process = RUNNING.pop()
        process.kill()
        process.communicate()


@pytest.mark.parametrize("mode", READINGS)
@pytest.mark.parametrize("version", PYTHONS)
def test_nobody_is_harmed_and_nothing_hangs(version, mode, capsys):
    python = PYTHONS[version]
    if python is None:
        pytest.skip(f"no CPython {version} on this machine")
    if mode == "train" and not has_keras(python):
        pytest.skip(f"no Keras for CPython {version}: KERASER_OUTSIDE_PYTHONS")
    count = READINGS[mode]
    if mode == "end":
        readings = read_while_it_ends(python, count)
    elif mode == "stop":
        readings = read_while_it_is_stopped(python, count)
    elif mode == "train":
        readings = read_while_it_trains(python, count)
    else:
        readings = read_while_it_works(python, mode, count)
    assert len(readings.seconds) == count
    assert readings.missed * 20 <= count
    with capsys.disabled():
        print(f"\nCPython {version} {mode}: {readings.figures()}")
