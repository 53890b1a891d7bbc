"""Snapshots and resets: every architecture with every optimizer, bit for bit."""

import gc

import keras
import keraser
import parkable
import pytest
import real_models
from every_optimizer import EVERY_OPTIMIZER, small
from trained_again import built, check_again, check_everywhere, check_optimizer

optimizers = keras.optimizers

#: Those that people use, and the one that scales losses.
USUAL = ["adam", "sgd", "rmsprop", "adamw", "lion", "loss_scale"]

KINDS = [name for name in parkable.MODELS if name != "mixed_float16"]
REAL = ["lstm", "conv1d", "shared_layer", "subclassed", "preprocessing", "mobilenet"]


def makers():
    yield from ((name, parkable.MODELS[name]) for name in KINDS)
    yield from ((name, real_models.MODELS[name]) for name in REAL)


@pytest.mark.parametrize("optimizer", USUAL)
@pytest.mark.parametrize("make", [pytest.param(m, id=name) for name, m in makers()])
def test_training_again_is_the_same(make, optimizer):
    def compiled():
        model, x, y = make()
        loss = model.loss if isinstance(model.loss, (str, list)) else "mse"
        model.compile(EVERY_OPTIMIZER[optimizer](), loss, jit_compile=False)
        return model, x, y

    check_again(*built(compiled), "live")


@pytest.mark.parametrize("make", EVERY_OPTIMIZER.values(), ids=EVERY_OPTIMIZER)
def test_every_optimizer(make):
    check_everywhere(*built(lambda: small(make())))
    check_optimizer(make)


def test_every_optimizer_of_keras_is_among_them():
    public = {
        name.lower()
        for name, thing in vars(optimizers).items()
        if isinstance(thing, type) and issubclass(thing, optimizers.Optimizer)
    }
    ours = {type(make()).__name__.lower() for make in EVERY_OPTIMIZER.values()}
    assert public - {"optimizer"} <= ours


def test_a_hundred_resets_and_restores_of_a_jitted_model_trace_nothing():
    model, x, y = parkable.MODELS["jitted"]()
    parkable.fit(model, x, y)
    model.predict(x, verbose=0)
    snap, seen = keraser.snapshot(model), parkable.traces(model)
    for trial in keraser.restarts(model, 100):
        model.fit(x, y, verbose=0)
        if trial.number % 2:
            snap.restore()
            model.predict(x, verbose=0)
    assert parkable.traces(model) == seen


def test_a_hundred_times_leaves_nothing_and_traces_nothing():
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    model.predict(x, verbose=0)
    seen = parkable.traces(model)
    for _ in keraser.restarts(model, 60):
        pass  # until the tables that live on have found their size
    gc.collect()
    before = len(gc.get_objects())
    for _ in keraser.restarts(model, 100):
        pass
    gc.collect()
    assert len(gc.get_objects()) - before <= 0
    parkable.fit(model, x, y)
    assert parkable.traces(model) == seen
