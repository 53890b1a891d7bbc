"""Models that live on do not notice that others are cleared."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_process

BYSTANDERS = Path(__file__).with_name("bystanders.py")


def test_live_models_compute_train_and_differentiate_as_if_nothing_was_cleared():
    command = [sys.executable, BYSTANDERS, "--rounds", "5"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "5 rounds, 3 models untouched" in done.stdout


TWICE = """
import keras, keraser
base = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
keraser.clear()
keras.Sequential([keras.Input((4,)), base.layers[0], keras.layers.Dense(1)])
"""


def test_after_clear_a_new_layer_fits_beside_a_living_one():
    done = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
