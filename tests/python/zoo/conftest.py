"""Processes that measure recipes, started when first asked for, one an arm."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for flatness

from flatness import Process  # noqa: E402

#: As few as show a leak that grows with every trial.
TRIALS = 3


@pytest.fixture(scope="package")
def zoo():
    """zoo(recipe, arm) is what flatness.measure gives, measured once, or once more."""
    processes, measured = {}, {}

    def measure(name, arm, again=False):
        if (name, arm) in measured and not again:
            return measured[name, arm]
        if arm not in processes:
            processes[arm] = Process(arm, "--freeze")
        try:
            measured[name, arm] = processes[arm].measure(name, TRIALS)
        except RuntimeError:
            processes.pop(arm).stop()  # the next recipe gets a fresh one
            raise
        return measured[name, arm]

    yield measure
    for process in processes.values():
        process.stop()
