import listeners
import pytest


@pytest.fixture(scope="session")
def fake(tmp_path_factory):
    return listeners.build_fake(tmp_path_factory.mktemp("fake"))


@pytest.fixture
def house(fake, tmp_path):
    made = listeners.House(tmp_path / "run", fake)
    yield made
    made.close()
