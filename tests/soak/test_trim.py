"""1,000 trims among threads that compute, and what is resident at the end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_process

SCRIPT = Path(__file__).parent / "trim_safety.py"
TRIMS, MIB = 1000, 256


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-8000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_1000_trims_spoil_no_tensor_and_leave_the_process_like_a_fresh_one(capfd):
    figures, fresh = run(TRIMS, MIB), run(0, MIB)

    with capfd.disabled():
        print(f"\n{figures}, a fresh process: {fresh}")
    assert figures["spoiled"] == 0
    assert figures["checked"] >= 3 * (TRIMS - 1)
    assert figures["grown"] == figures["grew"] == 0
    assert figures["returned"] > TRIMS << 20
    assert figures["rss"] < 1.05 * fresh["rss"]
