"""Every model of python/parkable.py, to host memory and to both formats of a file."""

import parkable
import pytest


@pytest.mark.parametrize("suffix", ["host", "npz", "safetensors"])
@pytest.mark.parametrize("name", parkable.MODELS)
def test_training_goes_on_as_if_nothing_had_been(name, suffix, tmp_path):
    to = None if suffix == "host" else tmp_path / f"values.{suffix}"
    for _ in range(3):
        parkable.check_round_trip(parkable.MODELS[name], to)
        if to is not None:
            to.unlink()
