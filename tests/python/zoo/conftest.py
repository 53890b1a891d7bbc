"""Processes that measure recipes, started when first asked for: one that is guarded
and one that is not, since a start costs as much as four measurements."""

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
        guarded = arm.startswith("guard")
        if guarded not in processes:
            processes[guarded] = Process(arm, "--freeze")
        try:
            measured[name, arm] = processes[guarded].measure(name, TRIALS, arm=arm)
        except RuntimeError:
            processes.pop(guarded).stop()  # the next recipe gets a fresh one
            raise
        return measured[name, arm]

    yield measure
    for process in processes.values():
        process.stop()
