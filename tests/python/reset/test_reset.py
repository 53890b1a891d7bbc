"""reset(): what a fresh build draws, bit for bit, in the model that is there."""

import random

import keras
import keraser
import numpy as np
import parkable
import pytest
import real_models
import tensorflow as tf
from every_optimizer import EVERY_OPTIMIZER, SPECIAL
from fresh_builds import BUILDS, sequential
from keraser.adapters.keras_tf import batches, redrawing
from small_models import growth
from trained_again import check_optimizer

layers = keras.layers
SEED = 20


def weights(model):
    return [variable.numpy().tobytes() for variable in model.variables]


def fresh(build, seed=SEED):
    keras.utils.set_random_seed(seed)
    return build()


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_a_seed_gives_what_a_fresh_build_gets(build):
    expected = weights(fresh(build))
    model = fresh(build, SEED + 1)
    objects = [id(variable) for variable in model.variables]
    assert weights(model) != expected
    report = keraser.reset(model, SEED)
    assert weights(model) == expected
    assert [id(variable) for variable in model.variables] == objects
    assert report.bytes == sum(map(len, expected))
    keraser.reset(model, SEED + 2)
    assert weights(model) != expected


@pytest.mark.parametrize("name", ["dense", "attention", "mixed_float16", "jitted"])
def test_training_after_it_is_training_after_a_fresh_build(name):
    build = parkable.MODELS[name]
    keras.utils.set_random_seed(SEED)
    expected, x, y = build()
    history = list(parkable.fit(expected, x, y).values())
    model, *_ = build()
    parkable.fit(model, x, y)
    model.predict(x, verbose=0)
    seen = parkable.traces(model)
    report = keraser.reset(model, SEED)
    assert "as new" in report.optimizer
    assert list(parkable.fit(model, x, y).values()) == history
    contents = [
        [content for *_, content in parkable.values(m)] for m in (model, expected)
    ]
    assert contents[0] == contents[1]
    model.predict(x, verbose=0)
    assert parkable.traces(model) == seen


def test_an_optimizer_and_a_schedule_that_are_not_registered_start_anew():
    class Slow(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first / (1.0 + keras.ops.cast(step, "float32"))

        def get_config(self):
            return {"first": self.first}

    class Own(keras.optimizers.SGD):
        pass

    check_optimizer(lambda: Own(Slow(0.1), momentum=0.9))


@pytest.mark.parametrize("name", SPECIAL)
def test_optimizers_start_anew(name):
    """All of them: tests/soak/test_reset.py."""
    check_optimizer(EVERY_OPTIMIZER[name])


def test_the_learning_rate_stays():
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    model.optimizer.learning_rate = 0.125
    keraser.reset(model)
    assert float(model.optimizer.learning_rate.value) == 0.125
    assert int(model.optimizer.iterations.value) == 0


def test_metrics_start_anew():
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    counts = [v for v in model.metrics_variables if v.numpy().any()]
    assert counts
    keraser.reset(model)
    assert not any(variable.numpy().any() for variable in counts)


def test_an_optimizer_without_slots_gets_none():
    model, *_ = parkable.dense()
    report = keraser.reset(model)
    assert not model.optimizer.built
    assert report.optimizer.endswith("is new")


def test_recurrent_layers_forget():
    rnn = layers.GRU(3, stateful=True)
    model = keras.Sequential([keras.Input((5, 2), batch_size=4), rnn])
    model.predict(parkable.floats(5, 2), verbose=0)
    assert rnn.states[0].numpy().any()
    keraser.reset(model)
    assert not rnn.states[0].numpy().any()


def draws():
    """What each generator would give next, from states that are put back."""
    names = keras.src.backend.common.global_state.get_global_attribute
    return (
        random.getstate(),
        [str(part) for part in np.random.get_state()],
        dict(names("object_name_uids")),
        names("global_random_seed"),
        names("global_seed_generator").state.numpy().tolist(),
    )


@pytest.mark.parametrize("seed", [None, SEED])
def test_nobodys_random_states_change(seed):
    keras.utils.set_random_seed(3)
    bad = stubborn()
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    keras.random.normal((1,))  # which makes the global generator
    tf.random.set_seed(5)
    tensorflows = [tf.random.uniform((2,)).numpy().tolist() for _ in range(3)]
    tf.random.set_seed(5)
    assert tf.random.uniform((2,)).numpy().tolist() == tensorflows[0]
    before = draws()
    keraser.reset(model, seed)
    assert draws() == before
    assert tf.random.uniform((2,)).numpy().tolist() == tensorflows[1]
    with pytest.raises(keraser.UnsupportedError):
        keraser.reset(bad)
    assert draws() == before


def test_who_draws_from_tensorflow_takes_nothing_from_its_sequence():
    model = sequential(
        layers.Dense(3, kernel_initializer=lambda *a, **_: tf.random.normal(a[0]))
    )

    def draw():
        drawn = [tf.random.normal((6, 3)), tf.random.normal((6, 3), seed=2)]
        return [tensor.numpy().tolist() for tensor in drawn]

    tf.random.set_seed(5)
    expected = [draw() for _ in range(2)]
    tf.random.set_seed(5)
    assert draw() == expected[0]
    before = weights(model)
    keraser.reset(model, SEED)
    assert draw() == expected[1]
    assert weights(model) != before


def test_without_a_seed_it_differs_and_says_how_to_repeat_it():
    model, *_ = parkable.dense()
    report = keraser.reset(model)
    drawn = weights(model)
    other = keraser.reset(model)
    assert other.seed != report.seed
    assert weights(model) != drawn
    keraser.reset(model, report.seed)
    assert weights(model) == drawn
    assert f"seed       {report.seed}" in repr(report)
    assert report.to_dict()["seed"] == report.seed


def test_frozen_layers_keep_their_weights():
    model, *_ = parkable.nested()
    middle = model.layers[2]
    middle.trainable = False
    kept = weights(middle)
    report = keraser.reset(model, SEED)
    assert weights(middle) == kept
    assert any("frozen" in why for _, why in report.left)
    keraser.reset(model, SEED, frozen=True)
    assert weights(middle) != kept
    model.trainable = False
    with pytest.raises(keraser.KeraserError, match="is frozen"):
        keraser.reset(model)


def test_only_some_layers_and_with_the_same_draws():
    model, *_ = parkable.dense()
    keraser.reset(model, SEED)
    whole = weights(model)
    keraser.reset(model, SEED + 1)
    other = weights(model)
    report = keraser.reset(model, SEED, only=model.layers[0])
    assert weights(model) == whole[:2] + other[2:]
    assert report.layers == (model.layers[0].name,)
    keraser.reset(model, SEED, only="*/bias")
    assert weights(model) == whole[:2] + other[2:]
    keraser.reset(model, SEED, only=lambda layer: isinstance(layer, layers.Dropout))
    assert [a == b for a, b in zip(weights(model), whole, strict=True)].count(False) < 4


def test_what_another_model_has_as_well_is_named():
    encoder = layers.Dense(3, name="reset_encoder")
    one, two = sequential(encoder, layers.Dense(1)), sequential(encoder)
    expected = (("layer 'reset_encoder'", f"model {two.name!r}"),)
    report = keraser.reset(one)
    assert report.shared == expected
    assert f"'reset_encoder' is in model {two.name!r}, too" in repr(report)
    assert keraser.reset(one, only=one.layers[1]).shared == ()
    del two
    assert keraser.reset(one).shared == ()


def test_what_was_adapted_stays():
    model, *_ = real_models.preprocessing()
    norm = next(la for la in model._flatten_layers() if "normalization" in la.name)
    kept = weights(norm)
    report = keraser.reset(model)
    assert weights(norm) == kept
    assert (f"layer {norm.name!r}", "keeps what it adapted to") in report.left
    with pytest.raises(keraser.KeraserError, match="adapted"):
        keraser.reset(model, only=norm)


def test_many_times_leave_nothing_and_trace_nothing():
    """A hundred of them: the soak."""
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    model.predict(x, verbose=0)
    seen = parkable.traces(model)
    assert growth(lambda: [None for _ in keraser.restarts(model, 3)]) <= 0
    parkable.fit(model, x, y)
    assert parkable.traces(model) == seen


def test_the_step_after_it_copies_nothing():
    """Values of the twins are ours alone; in-place updates stay in place."""
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    keraser.reset(model)
    slot = next(v for v in model.optimizer.variables if "momentum" in v.path)
    for variable in (model.layers[0].kernel, slot):
        assert len(variable.shape) == 2
        [tensor] = batches.read_all([variable._value.handle])
        place = batches.address(tensor)
        del tensor
        variable._value.assign_add(tf.ones(variable.shape))
        [tensor] = batches.read_all([variable._value.handle])
        assert batches.address(tensor) == place


# ---- refusals ----------------------------------------------------------------------


class Stubborn(layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def build(self, shape):
        self.weight = self.add_weight(shape=shape[-1:])

    def call(self, x):
        return self.function(x) * self.weight


def stubborn():
    return sequential(layers.Dense(4), Stubborn(lambda x: x), layers.Dense(2))


class Changing(layers.Dense):
    made = 0

    def __init__(self, units, **arguments):
        Changing.made += 1
        super().__init__(units + Changing.made, **arguments)


def changing():
    return sequential(Changing(2), layers.Dense(2))


def quantized():
    model = sequential(layers.Dense(4), layers.Dense(2))
    model.layers[0].quantize("int8")
    return model


class Added(keras.Model):
    """Not to be made again, with a weight beside its layers."""

    def __init__(self, part):
        super().__init__()
        self.part = part
        self.extra = self.add_weight(shape=(2,), initializer="ones")

    def call(self, x):
        return self.part(x) * self.extra


def test_a_weight_that_nobody_would_draw_is_named():
    model = Added(layers.Dense(2))
    model(np.ones((1, 3), np.float32))
    before = weights(model)
    with pytest.raises(keraser.UnsupportedError, match="belongs to no layer"):
        keraser.reset(model)
    assert weights(model) == before
    keraser.reset(model, only=model.part)
    assert [a == b for a, b in zip(weights(model), before, strict=True)] == [
        True,  # the weight
        False,
        True,  # a bias is zero again
    ]


@pytest.mark.parametrize(
    ("build", "name"),
    [(stubborn, "stubborn"), (changing, "changing"), (quantized, "dense")],
)
def test_what_cannot_be_made_again_is_named_and_nothing_changed(build, name):
    model = build()
    before = parkable.values(model)
    with pytest.raises(keraser.UnsupportedError, match=f"layer '{name}.*only="):
        keraser.reset(model)
    assert parkable.values(model) == before
    keraser.reset(model, only=model.layers[-1])
    now = parkable.values(model)
    assert [a == b for a, b in zip(now, before, strict=True)].count(False) == 1


def test_an_optimizer_that_cannot_be_made_again_changes_nothing(monkeypatch):
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    before = parkable.values(model)

    def refuse(_):
        raise TypeError("no config")

    monkeypatch.setattr(keras.optimizers.Adam, "from_config", refuse)
    with pytest.raises(keraser.UnsupportedError, match=r"optimizer 'adam.*no config"):
        keraser.reset(model)
    assert parkable.values(model) == before


@pytest.mark.parametrize("at", [1, 4])
def test_what_fails_midway_is_taken_back(at, monkeypatch):
    model, x, y = parkable.dense()
    parkable.fit(model, x, y)
    before, count, assign = parkable.values(model), [0], batches.assign_all

    def failing(handles, tensors):
        count[0] += 1
        if count[0] == at:
            raise KeyboardInterrupt
        assign(handles, tensors)

    monkeypatch.setattr(redrawing, "assign_all", failing)
    with pytest.raises(KeyboardInterrupt):
        keraser.reset(model)
    assert parkable.values(model) == before


class ResetWithin(keras.callbacks.Callback):
    def on_epoch_end(self, *_):
        keraser.reset(self.model)


def test_what_is_asked_wrongly_is_refused():
    model, x, y = parkable.dense()
    for seed, error in [(-1, ValueError), (2**32, ValueError), (1.5, TypeError)]:
        with pytest.raises(error, match="seed must be"):
            keraser.reset(model, seed)
    with pytest.raises(ValueError, match="names nothing"):
        keraser.reset(model, only="nothing*")
    with pytest.raises(ValueError, match="no weights yet"):
        keraser.reset(keras.Sequential([layers.Dense(1)]))
    with pytest.raises(TypeError, match=r"takes a keras\.Model"):
        keraser.reset(model.layers[0])
    with pytest.raises(keraser.StillHeldError, match=r"is running fit\(\)"):
        model.fit(x, y, verbose=0, callbacks=[ResetWithin()])
    for n, seeds, error in [
        (-1, None, ValueError),
        (1.0, None, ValueError),
        (2, [1], ValueError),
        (1, ["a"], TypeError),
    ]:
        with pytest.raises(error):
            keraser.restarts(model, n, seeds=seeds)
    keraser.clear(model)
    with pytest.raises(keraser.ClearedModelError):
        keraser.reset(model)


def test_restarts_are_resets():
    model, x, y = parkable.dense()
    losses = {
        trial.seed: model.fit(x, y, verbose=0, shuffle=False).history["loss"]
        for trial in keraser.restarts(model, 4, seeds=[1, 2, 1, 2])
        if trial.number > 1
    }
    for trial in keraser.restarts(model, 2, seeds=[1, 2]):
        assert (
            model.fit(x, y, verbose=0, shuffle=False).history["loss"]
            == (losses[trial.seed])
        )
    assert losses[1] != losses[2]


class Around(layers.Layer):
    """Its configuration is not one: it returns the layer that it was given."""

    def __init__(self, inner, **arguments):
        super().__init__(**arguments)
        self.inner = inner

    def get_config(self):
        return {**super().get_config(), "inner": self.inner}

    def build(self, shape):
        if not self.inner.built:
            self.inner.build(shape)

    def call(self, x):
        return self.inner(x)


@pytest.mark.parametrize("verb", [keraser.reset, keraser.rebuild])
def test_a_config_that_returns_living_layers_is_refused(verb):
    """What is in it would be taken for freshly drawn."""

    class Net(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def get_config(self):
            return {"inner": self.inner}

        def call(self, x):
            return self.inner(x)

    other = layers.Dense(3)
    model = Net(Around(other))
    model(np.ones((1, 4), np.float32))
    before, objects = weights(model), [id(variable) for variable in model.variables]
    with pytest.raises(
        keraser.UnsupportedError, match=r"net.*kernel' in it, which was"
    ):
        verb(model)
    assert weights(model) == before
    assert [id(variable) for variable in model.variables] == objects


class Ahead(keras.optimizers.SGD):
    """Has another optimizer, which is a living one in its configuration."""

    def __init__(self, inner_optimizer, **_arguments):
        super().__init__(0.1)
        self.inner_optimizer = inner_optimizer

    def get_config(self):
        return {"inner_optimizer": self.inner_optimizer}

    @property
    def variables(self):
        return [*super().variables, *self.inner_optimizer.variables]

    def build(self, variables):
        super().build(variables)
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)


def test_an_optimizer_whose_config_returns_a_living_one_is_refused():
    model = sequential(layers.Dense(3))
    model.compile(Ahead(keras.optimizers.Adam()), "mse")
    model.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)
    inner, before = model.optimizer.inner_optimizer, parkable.values(model)
    with pytest.raises(keraser.UnsupportedError, match=r"ahead.*which was there"):
        keraser.reset(model)
    assert parkable.values(model) == before
    assert "assign" not in vars(inner)


def test_what_stands_beside_a_living_config_can_be_reset():
    model = sequential(Around(layers.Dense(3)), layers.Dense(2))
    before = weights(model)
    with pytest.raises(keraser.UnsupportedError, match="layer 'around"):
        keraser.reset(model)
    assert weights(model) == before
    keraser.reset(model, only=model.layers[1])
    now = weights(model)
    assert now[:2] == before[:2]
    assert now[2] != before[2]


def test_a_model_without_weights_says_so():
    with pytest.raises(keraser.KeraserError, match="it has no weights"):
        keraser.reset(sequential(layers.Flatten()))
