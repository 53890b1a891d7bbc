"""Processes that measure recipes, started when first asked for, one an arm."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for flatness

from flatness import Process  # noqa: E402


@pytest.fixture(scope="package")
def zoo():
    """zoo(recipe, arm, trials) measures a recipe; see flatness.measure."""
    processes = {}

    def measure(name, arm, trials):
        if arm not in processes:
            processes[arm] = Process(arm, "--freeze")
        try:
            return processes[arm].measure(name, trials)
        except RuntimeError:
            processes.pop(arm).stop()  # the next recipe gets a fresh one
            raise

    yield measure
    for process in processes.values():
        process.stop()
