import importlib.util
from pathlib import Path

import pytest


def _load():
    path = Path(__file__).with_name("listeners.py")
    spec = importlib.util.spec_from_file_location("listeners", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def listeners():
    return _load()


@pytest.fixture(scope="session")
def fake(listeners, tmp_path_factory):
    return listeners.build_fake(tmp_path_factory.mktemp("fake"))


@pytest.fixture
def house(listeners, fake, tmp_path):
    made = listeners.House(tmp_path / "run", fake)
    yield made
    made.close()
