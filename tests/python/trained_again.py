"""Training twice from one snapshot."""

import keras
import keraser
import parkable
from every_optimizer import small

SEED = 20


def built(make):
    model, x, y = make()
    model.predict(x, verbose=0)
    return model, x, y


def by_path(model):
    return {path: content for path, _, _, content in parkable.values(model)}


def check_again(model, x, y, hold):
    """Training twice from one place gives one result, with nothing traced again."""
    snap, before = keraser.snapshot(model, hold=hold), by_path(model)
    history, after = parkable.fit(model, x, y), by_path(model)
    assert after != before
    seen = parkable.traces(model)
    snap.restore()
    assert before.items() <= by_path(model).items()
    assert not snap.diff()
    assert parkable.fit(model, x, y) == history
    assert by_path(model) == after
    snap.restore()
    assert before.items() <= by_path(model).items()
    assert parkable.traces(model) == seen


def check_everywhere(model, x, y):
    """From before the first step, when the optimizer has no slots and metrics have no
    variables; from a trained model; from host memory."""
    check_again(model, x, y, "live")
    parkable.fit(model, x, y)
    check_again(model, x, y, "live")
    check_again(model, x, y, "host")


def check_optimizer(make):
    """After a reset, training goes as after a fresh build."""
    keras.utils.set_random_seed(SEED)
    expected, x, y = small(make())
    history = parkable.fit(expected, x, y)
    model, *_ = small(make())
    parkable.fit(model, x, y)
    keraser.reset(model, SEED)
    assert parkable.fit(model, x, y) == history
    assert [v.numpy().tobytes() for v in model.optimizer.variables] == [
        v.numpy().tobytes() for v in expected.optimizer.variables
    ]
