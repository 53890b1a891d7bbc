"""Variables that a strategy mirrors have a value on each device."""

import os
import subprocess
import sys

import pytest


@pytest.mark.own_process
def test_every_replica_comes_back():
    script = os.path.join(os.path.dirname(__file__), "mirrored.py")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "as it was\n"
