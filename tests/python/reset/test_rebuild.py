"""rebuild(): a new model like the old one, which is gone."""

import gc
import weakref

import keras
import keraser
import numpy as np
import parkable
import pytest
import real_models
import tensorflow as tf
from fresh_builds import not_registered, subclassed

layers = keras.layers


@pytest.mark.parametrize("name", ["dense", "nested", "mixed_float16", "two_ends"])
def test_the_new_one_is_trained_like_the_old_one(name):
    model, x, y = parkable.MODELS[name]()
    parkable.fit(model, x, y)
    structure, rate = model.get_config(), float(model.optimizer.learning_rate.value)
    ghosts = [weakref.ref(layer) for layer in model.layers]
    shapes = [variable.shape for variable in model.variables]
    wrapped = type(model.optimizer)
    model = keraser.rebuild(model, 3)
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None] * len(ghosts)
    assert model.get_config() == structure
    assert [variable.shape for variable in model.variables] == shapes
    assert type(model.optimizer) is wrapped
    assert float(model.optimizer.learning_rate.value) == rate
    first = [variable.numpy().tobytes() for variable in model.variables]
    keys = parkable.fit(model, x, y).keys()
    again = keraser.rebuild(model, 3)
    assert [variable.numpy().tobytes() for variable in again.variables] == first
    assert parkable.fit(again, x, y).keys() == keys


def test_a_subclass_without_a_config_and_without_compiling():
    model = subclassed()
    old = [variable.numpy().tobytes() for variable in model.variables]
    new = keraser.rebuild(model)
    assert isinstance(model, keraser.ClearedModel)
    assert type(new).__name__ == "Net"
    assert not new.compiled
    assert [variable.numpy().tobytes() for variable in new.variables] != old


def test_what_is_not_registered_is_found():
    model = not_registered()
    looks = [(v.shape, v.dtype) for v in model.variables]
    activations = [getattr(layer, "activation", None) for layer in model.layers]
    new = keraser.rebuild(model, 3)
    assert [(v.shape, v.dtype) for v in new.variables] == looks
    assert [getattr(layer, "activation", None) for layer in new.layers] == activations


def test_losses_and_functions_are_used_again_and_metrics_are_not():
    def loss(y, p):
        return tf.reduce_mean((y - p) ** 2)

    metric = keras.metrics.MeanAbsoluteError(name="mae")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), loss, metrics=[metric])
    x = np.ones((4, 3), np.float32)
    model.fit(x, x[:, :1], verbose=0)
    new = keraser.rebuild(model)
    assert new.loss is loss
    history = new.fit(x, x[:, :1], verbose=0).history
    assert set(history) == {"loss", "mae"}
    assert all(one is not metric for one in new.metrics)


def test_nobodys_random_states_change():
    import random

    model, *_ = parkable.dense()
    before = random.getstate(), np.random.get_state()[1].tobytes()
    keraser.rebuild(model)
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def compile(self, own, **arguments):
        super().compile(**arguments)
        self.own = own

    def call(self, x):
        return self.dense(x)


def own_compile():
    model = Own()
    model(np.ones((1, 2), np.float32))
    model.compile(3, optimizer="sgd", loss="mse")
    return model


class Given(keras.Model):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def call(self, x):
        return self.part(x)


def no_config():
    model = Given(layers.Dense(2))
    model(np.ones((1, 2), np.float32))
    return model


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (own_compile, "compile.. of its own"),
        (no_config, "cannot be made again from its get_config"),
        (lambda: real_models.preprocessing()[0], "lose what it adapted to"),
    ],
    ids=["own compile", "no config", "adapted"],
)
def test_what_cannot_be_made_again_is_left_as_it_is(build, text):
    model = build()
    before = [variable.numpy().tobytes() for variable in model.variables]
    with pytest.raises(keraser.UnsupportedError, match=text):
        keraser.rebuild(model)
    assert [variable.numpy().tobytes() for variable in model.variables] == before
    with pytest.raises(ValueError, match="seed must be"):
        keraser.rebuild(model, -1)
    with pytest.raises(TypeError, match=r"rebuild\(\) takes"):
        keraser.rebuild(3)
