"""500 trials of a real sweep: what can be counted is flat, and so is the process."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "sweep.py"


def test_500_trials_are_flat(tmp_path):
    command = [sys.executable, BENCH, "--trials", "500", "--save", tmp_path / "sweep"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / "sweep.json").read_text())
    figures = {figure["name"]: figure for figure in report["figures"]}
    for name in ("objects", "graphs", "handles", "functions", "threads"):
        after = figures[name]["values"][25:]
        assert max(after) - min(after) <= 2, name
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ratio"] <= 1.03
