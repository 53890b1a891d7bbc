"""Hollowing for long: 50 rounds under fire, ten models of 400 MB and their slots."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_process

ZOO = Path(__file__).parents[1] / "python" / "zoo"


def run(script, *options):
    command = [sys.executable, ZOO / script, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_fifty_rounds_under_four_threads_that_predict_and_one_that_trains():
    done = run("hollow_under_fire.py", "--rounds", "50")

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50 rounds, 0 wrong, 0 bytes left" in done.stdout


def test_ten_models_of_400_mb_leave_the_process_as_after_the_first():
    done = run("resident.py")

    rounds = json.loads(done.stdout.splitlines()[-1])
    for one in rounds:
        assert one["owned"] >= 1_200_000_000
        assert one["freed"] == one["owned"]
        assert one["full"] - one["empty"] >= 0.95 * one["owned"]
    empty = [one["empty"] for one in rounds]
    print(f"RSS {rounds[0]['full']} -> {empty}, last/first {empty[-1] / empty[0]:.3f}")
    assert len(empty) == 10
    assert empty[-1] <= 1.05 * empty[0]
