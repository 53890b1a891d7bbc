"""census(), and what a model keeps, on every model of real_models.py: as it was
compiled, and after a step of training."""

import pytest

pytest.register_assert_rewrite("truth")
import truth  # noqa: E402
from real_models import MODELS  # noqa: E402


@pytest.fixture(scope="module")
def orphans_before():
    return truth.orphans()


@pytest.fixture(scope="module", params=(False, True), ids=("compiled", "trained"))
def train(request):
    return request.param


@pytest.fixture(scope="module", params=MODELS)
def facts(request, train, orphans_before):  # noqa: ARG001
    """After the orphans of others have been counted."""
    return truth.examine(MODELS[request.param], train)


class TestEveryModel(truth.Truths):
    pass
