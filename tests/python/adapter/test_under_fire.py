"""Walks of the heap while other threads change it as fast as they can."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("under_fire.py")


@pytest.mark.own_process
def test_walks_among_busy_threads_neither_crash_nor_err():
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", SCRIPT, "200"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    rounds = json.loads(done.stdout)
    assert len(rounds) == 8
    assert all(rounds.values()), "a thread never came to its turn"
