"""Tests on the driver of tests/fake_cuda: a GPU for TensorFlow where there is none.

A test that is decorated with `on_gpu` runs in another process, under pytest again:
TensorFlow looks for GPUs once. Those that want the same environment share one, in the
order of collection. There `driver` reads and sets the driver.
"""

import ctypes
import fcntl
import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fake_cuda"
CHILD = "FAKE_CUDA_TEST"  # set in the process that the test runs in
MIB = 1 << 20


class Driver:
    """What fake_cuda.h has for tests. Figures are attributes, in bytes."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        self._library.fake_cuda_figure.restype = ctypes.c_uint64
        self._library.fake_cuda_calls.restype = ctypes.c_uint64
        self._library.fake_cuda_fail.argtypes = (
            *(ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64),
            ctypes.c_int,
        )

    def __getattr__(self, name: str) -> int:
        value = self._library.fake_cuda_figure(name.encode())
        if value == (1 << 64) - 1:
            raise AttributeError(name)
        return value

    def calls(self, function: str) -> int:
        return self._library.fake_cuda_calls(function.encode())

    def fail(self, function: str, nth: int, result: int, times: int = 1) -> None:
        self._library.fake_cuda_fail(function.encode(), nth, times, result)


def driver() -> Driver:
    return Driver()


@functools.cache
def build() -> Path:
    """The folder with the libraries, made where something has changed."""
    tensorflow = importlib.util.find_spec("tensorflow").submodule_search_locations[0]
    here = Path(sys.executable).parent
    path = {"PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    BUILD.mkdir(parents=True, exist_ok=True)
    settings = (
        f"-DFAKE_CUDA_TENSORFLOW={tensorflow}",
        f"-DPYTHON={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Debug",
    )
    steps = (
        (
            "cmake",
            "-S",
            ROOT / "tests/fake_cuda",
            "-B",
            BUILD,
            "-G",
            "Ninja",
            *settings,
        ),
        ("cmake", "--build", BUILD),
    )
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for step in steps:
            done = subprocess.run(
                step, env=os.environ | path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
    return BUILD / "lib"


#: Tests, as pytest calls them, by their environment.
_GROUPS: dict[frozenset[tuple[str, str]], list[str]] = {}


def on_gpu(**environment: str):
    """Runs the test in a process with a GPU, and these environment variables."""

    def decorate(test):
        if CHILD in os.environ:
            chosen = json.loads(os.environ[CHILD]) == environment
            return test if chosen else None
        group, path = frozenset(environment.items()), test.__code__.co_filename
        _GROUPS.setdefault(group, []).append(f"{path}::{test.__name__}")

        @pytest.mark.own_process
        def outside() -> None:
            results = _run(group)
            name = f"{Path(path).stem}.{test.__name__}"
            failure = results.get(name, f"it did not run:\n{results['']}")
            assert failure is None, failure

        outside.__name__, outside.__doc__ = test.__name__, test.__doc__
        return outside

    return decorate


@functools.cache
def _run(environment: frozenset[tuple[str, str]]) -> dict[str, str | None]:
    """By file and name of a test why it failed, None if it passed; by "" the output."""
    gpu = {
        CHILD: json.dumps(dict(environment)),
        "CUDA_VISIBLE_DEVICES": "0",
        "LD_LIBRARY_PATH": str(build()),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ("-q", "-p", "no:cacheprovider", f"--junit-xml={report}")
        done = subprocess.run(
            (sys.executable, "-m", "pytest", *options, *_GROUPS[environment]),
            env=os.environ | gpu | dict(environment),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        output = (done.stdout + done.stderr)[-6000:]
        found = {"": output}
        if report.exists():
            found |= {
                f"{case.get('classname').split('.')[-1]}.{case.get('name')}": (
                    "\n".join(bad.text or "" for bad in case) or None
                )
                for case in ElementTree.parse(report).iter("testcase")
            }
    return found


if __name__ == "__main__":
    print(build())
