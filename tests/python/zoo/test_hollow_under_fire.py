"""A model is cleared under the threads that use it, and its memory goes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_process

ZOO = Path(__file__).parent


def run(script, *options):
    command = [sys.executable, ZOO / script, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_threads_that_use_a_model_end_with_a_clean_error_when_it_is_cleared():
    done = run("hollow_under_fire.py", "--rounds", "3")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rounds, 0 wrong, 0 bytes left" in done.stdout


def test_the_system_gets_back_what_held_models_had():
    done = run("resident.py", "--units", "3000", "--rounds", "3")

    rounds = json.loads(done.stdout.splitlines()[-1])
    for one in rounds:
        assert one["freed"] == one["owned"]
        assert one["full"] - one["empty"] >= 0.95 * one["owned"]
        for holder in ("SHELF", "OUT", "History.model", "closure 'model'"):
            assert any(holder in shell for shell in one["shells"]), one["shells"]
    assert rounds[-1]["empty"] <= 1.05 * rounds[0]["empty"]
