"""Thousands of calls, valid and invalid, leave not a byte and not a block behind."""

import os
import subprocess
import sys
from pathlib import Path

import calls
import pytest

HERE = Path(__file__).parent

# Free blocks that malloc puts aside for the next request count as in use otherwise.
EXACT = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"


@pytest.fixture(scope="module")
def growth():
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", HERE / "repeat.py"],
        env=os.environ | {"GLIBC_TUNABLES": EXACT},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    rows = map(str.split, done.stdout.splitlines())
    return {name: tuple(map(int, figures)) for name, *figures in rows}


@pytest.mark.own_process
@pytest.mark.parametrize("call", [*calls.every_call(), calls.refused])
def test_a_call_made_thousands_of_times_leaves_nothing(growth, call):
    in_use, blocks, objects, references = growth[call.__name__]
    assert in_use <= 0, "bytes that malloc has handed out"
    assert blocks <= 0, "blocks of the interpreter"
    assert objects <= 0, "objects that the collector tracks"
    assert references <= 0, "references to classes"
