"""census(), and what a model keeps, on real models; the others are in tests/soak."""

import pytest

pytest.register_assert_rewrite("truth")
import truth  # noqa: E402
from real_models import MODELS  # noqa: E402

#: Of each, whether a step of training costs little.
CHEAP = {
    "dense": True,
    "attention": True,
    "nested": True,
    "class_of_a_function": True,
    "preprocessing": True,
    "mixed_precision": True,
    "seeds": True,
    "mobilenet": False,
}


@pytest.fixture(scope="module")
def orphans_before():
    return truth.orphans()


@pytest.fixture(scope="module", params=CHEAP)
def facts(request, orphans_before):  # noqa: ARG001
    """After the orphans of others have been counted."""
    return truth.examine(MODELS[request.param], train=CHEAP[request.param])


class TestCheapModels(truth.Truths):
    pass
