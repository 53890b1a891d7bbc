"""500 trials of a real sweep: what can be counted is flat, and so is the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "sweep.py"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The values of each figure, trial by trial."""
    tmp_path = tmp_path_factory.mktemp("sweep")
    command = [sys.executable, BENCH, "--trials", "500", "--save", tmp_path / "sweep"]
    # Nobody's `keraser top` finds it there: the first question loads what answers.
    alone = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=3600, env=alone
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / "sweep.json").read_text())
    return {figure["name"]: figure["values"] for figure in report["figures"]}


@pytest.mark.parametrize(
    "name", ["objects", "graphs", "handles", "functions", "threads"]
)
def test_what_can_be_counted_is_flat_over_500_trials(sweep, name):
    after = sweep[name][25:]
    assert max(after) - min(after) <= 2


def test_the_resident_set_is_within_3_per_cent_of_trial_20(sweep):
    """Measured: 1.021. What grows is told in docs/pitfalls.md, "The loop"."""
    assert sweep["RSS"][-1] <= 1.03 * sweep["RSS"][20]
