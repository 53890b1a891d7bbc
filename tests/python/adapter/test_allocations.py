"""Every allocation of `_core` fails once: MemoryError, no harm done, nothing leaked."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import calls
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to build failing_malloc.c")
    library = tmp_path_factory.mktemp("preload") / "failing_malloc.so"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    source = HERE / "failing_malloc.c"
    subprocess.run([compiler, *flags, "-o", library, source], check=True)
    return library


def failures(preloaded, what):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", HERE / "fail_each.py", what],
        env=os.environ | {"LD_PRELOAD": str(preloaded), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return {
        name: int(count) for name, count in map(str.split, done.stdout.splitlines())
    }


def test_every_public_name_of_the_extension_is_called():
    from keraser import _core

    public = {name for name in dir(_core) if not name.startswith("_")} - {"version"}
    assert public == set(calls.CALLS)


@pytest.mark.own_process
def test_each_failing_malloc_of_the_extension_is_a_memory_error(preloaded):
    failed = failures(preloaded, "malloc")
    assert set(failed) == {call.__name__ for call in calls.every_call()}
    # These build a graph, and so many buffers grow on the way.
    assert failed["owned"] > 20
    assert failed["variables"] > 8
    assert failed["ask"] > 100


@pytest.mark.own_process
def test_each_failing_allocation_of_the_interpreter_is_a_memory_error(preloaded):
    if importlib.util.find_spec("_testcapi") is None:
        pytest.skip("this Python has no _testcapi")
    failed = failures(preloaded, "python")
    for name in ("owned", "variables", "instances", "ask"):
        assert failed[name] > 0, name
