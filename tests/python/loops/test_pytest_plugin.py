"""The pytest plugin: growth fails a marked test, and names who holds what grew."""

import re
import subprocess
import sys

import pytest

LEAKING = """
import pytest

class Thing:
    def __init__(self):
        self.me = [self] * 2000

shelf_of_the_test = []

@pytest.mark.keraser_flat(rounds=8)
def test_leaks():
    shelf_of_the_test.extend(Thing() for _ in range(30))

@pytest.mark.keraser_flat(rounds=8)
def test_is_flat(tmp_path):
    Thing()
    assert tmp_path.exists()

runs = []

@pytest.mark.keraser_flat(rounds=5)
def test_runs_so_often():
    runs.append(1)

def test_has_run_so_often():
    assert len(runs) == 7
"""

LEAVING = """
left = []

def test_leaves():
    left.extend([[]] for _ in range(1000))

def test_leaves_nothing():
    [[[]] for _ in range(1000)]
"""


def run(folder, source, *options):
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *options, "test_it.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_growth_fails_with_the_holders_name(tmp_path):
    status, told = run(tmp_path, LEAKING)
    assert status == 1
    assert "1 failed, 3 passed" in told
    assert "240 more Thing, held by test_it.shelf_of_the_test[" in told


@pytest.mark.parametrize("rounds", ["2", "'many'", "None"])
def test_too_few_rounds_are_refused(tmp_path, rounds):
    source = LEAKING.replace("rounds=8", f"rounds={rounds}", 1)
    status, told = run(tmp_path, source, "-k", "test_leaks")
    assert status == 1
    assert "or more; fewer say nothing" in told


def test_what_each_test_left_is_reported(tmp_path):
    status, told = run(tmp_path, LEAVING, "--keraser")
    assert status == 0
    objects = re.search(r"test_it.py::test_leaves: ([\d,]+) objects", told)[1]
    assert 2000 <= int(objects.replace(",", "")) < 2100
    assert "test_leaves_nothing" not in told


def test_without_the_option_nothing_is_said(tmp_path):
    status, told = run(tmp_path, LEAVING)
    assert status == 0
    assert "left behind" not in told
