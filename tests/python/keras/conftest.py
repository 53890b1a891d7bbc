"""Each test starts without the guard of the one before."""

import keraser
import pytest


@pytest.fixture(autouse=True)
def _no_guard():
    keraser.guard().undo()
