"""200 models come and go among three that live on; see bystanders.py."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_process

BYSTANDERS = Path(__file__).parents[1] / "python" / "zoo" / "bystanders.py"


@pytest.mark.parametrize("options", ["--seed 1", "--seed 2", "--seed 3 --guard"])
def test_live_models_do_not_notice_200_others_coming_and_going(options):
    command = [sys.executable, BYSTANDERS, "--rounds", "200", *options.split()]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "200 rounds, 3 models untouched" in done.stdout
