"""Censuses among threads that train, and in a heap of millions of objects."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_process

HERE = Path(__file__).parent
GIGABYTE = 1 << 30


def run(script, *arguments):
    """What the script prints on its last line."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", HERE / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-8000:]
    return json.loads(done.stdout.splitlines()[-1])


WAYS = [
    pytest.param(("why", "types", "owners", "top"), id="ask"),
    pytest.param(("census",), id="census"),
]


@pytest.mark.parametrize("ways", WAYS)
def test_200_censuses_among_threads_that_train_are_right_and_do_not_crash(ways, capfd):
    figures = run("census_safety.py", "200", *ways)

    with capfd.disabled():
        print(f"\n{figures}")
    assert figures.pop("censuses") == 200
    del figures["refused"]  # while another thread's collection was under way
    assert all(figures.values()), figures  # each thread got somewhere


def test_a_census_of_6_million_objects_takes_no_more_than_a_gigabyte(capfd):
    figures = run("big_heap.py", "6000000")

    with capfd.disabled():
        print(f"\n{figures}")
    assert figures["objects"] >= 6_000_000
    for census, grown in figures["grown"].items():
        assert grown < GIGABYTE, census
