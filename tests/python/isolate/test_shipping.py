"""Objects of Keras and TensorFlow in another process: what comes back is trained on as
if it had never left."""

import gc
import pickle
import random

import keras
import keraser
import numpy as np
import parkable
import pytest
import tensorflow as tf
import weighted_layers
from keraser import _core
from keraser.payload import pack, unpack
from peer import Peer

layers = keras.layers
ONES = np.ones((2, 3), np.float32)


def there_and_back(thing):
    return unpack(pack(thing))


@pytest.fixture(scope="module")
def peer():
    with Peer() as started:
        yield started


def state(model):
    """All that training changes, and what it is called."""
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer else ())]
    return [
        (v.path, v.name, str(v.dtype), v.trainable, np.asarray(v.value).tobytes())
        for v in variables
    ]


def look(model):
    return [
        (part.name, type(part), part.trainable, part.built, part.dtype_policy.name)
        for part in model._flatten_layers()
    ]


def values(variables):
    return [variable.numpy().tobytes() for variable in variables]


def train_on(model, x, y):
    keras.utils.set_random_seed(5)
    return parkable.fit(model, x, y), state(model)


kept = []


def train(name):
    """Keeps the model, and hands it out."""
    model, x, y = parkable.MODELS[name]()
    parkable.fit(model, x, y)
    kept[:] = [model, x, y]
    return model, x, y, state(model)


def train_the_kept_one_on():
    return train_on(*kept)


@pytest.mark.parametrize("name", ["dense", "mixed_float16", "two_ends"])
def test_a_model_trained_there_goes_on_here_bit_for_bit(name, peer):
    model, x, y, before = peer.call(train, name)
    assert state(model) == before
    assert train_on(model, x, y) == peer.call(train_the_kept_one_on)


@pytest.mark.parametrize("name", ["bidirectional", "recurrent", "bfloat16", "nested"])
def test_each_kind_of_model_comes_back_equal(name):
    model, x, y = parkable.MODELS[name]()
    parkable.fit(model, x, y)
    model.layers[-1].trainable = False
    back = there_and_back(model)
    assert state(back) == state(model)
    assert look(back) == look(model)
    assert np.array_equal(back(x), model(x))


def test_metrics_of_a_model_begin_anew():
    """Keras does not set them back before the first epoch, as they are new then."""
    model, x, y = parkable.MODELS["dense"]()
    parkable.fit(model, x, y)
    assert any(np.any(v.numpy()) for v in model.metrics_variables)
    [mine] = model._compile_metrics._user_metrics
    [back] = there_and_back(model)._compile_metrics._user_metrics
    assert back.get_config() == mine.get_config()
    assert not any(np.any(variable.numpy()) for variable in back.variables)


def double(x):
    return x * 2


def make_own():
    """A class, a loss and a layer of one's own, none of them registered."""

    class Scale(layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def build(self, shape):
            self.weight = self.add_weight(shape=(shape[-1],), initializer="ones")

        def call(self, x):
            return x * self.weight * self.factor

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.Sequential([layers.Dense(4, activation=double)])
            self.scale = Scale(3)
            self.last = layers.Dense(2, activation=lambda x: x + 1)

        def call(self, x):
            return self.last(self.scale(self.inner(x)))

    def loss(y, p):
        return keras.ops.mean((y - p) ** 2)

    return Scale, Net, loss


def train_own(own):
    _, net, loss = own
    model = net()
    model.compile("rmsprop", loss, metrics=["mae"])
    model.fit(ONES, np.ones((2, 2)), verbose=0)
    return model, state(model), look(model), np.asarray(model(ONES))


def test_classes_of_ones_own_come_back_as_they_went(peer):
    layers.Dense(1)  # here they would be called otherwise
    own = make_own()
    model, before, looks, outputs = peer.call(train_own, own)
    assert type(model) is own[1]
    assert type(model.scale) is own[0]
    assert model.scale.factor == 3
    assert model.loss is not None
    assert model.built
    assert look(model) == looks
    assert state(model) == before
    assert np.array_equal(model(ONES), outputs)
    model.fit(ONES, np.ones((2, 2)), verbose=0)


def make_functional():
    """Everything in it is of one's own, and in the configuration by its name."""

    class Start(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return keras.ops.ones(shape, dtype)

    class Rate(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return keras.ops.cast(step, "float32") * 0 + 0.5

        def get_config(self):
            return {}

    class Loss(keras.losses.Loss):
        def call(self, y, p):
            return keras.ops.mean((y - p) ** 2)

    class Square(keras.metrics.MeanSquaredError):
        pass

    def activation(x):
        return x + 1

    scale, *_ = make_own()
    start = keras.Input((3,))
    dense = layers.Dense(3, activation, kernel_initializer=Start())
    inner = keras.Sequential([scale(3), layers.TimeDistributed(dense)])
    outputs = inner(layers.Reshape((1, 3))(start))
    model = keras.Model(start, layers.Flatten()(outputs))
    model.compile(keras.optimizers.SGD(Rate()), Loss(), metrics=[Square()])
    model.fit(ONES, ONES, verbose=0)
    square = Square()
    square.update_state([[1.0]], [[4.0]])
    return model, [Start(), Rate(), Loss()], square, state(model), look(model)


def test_classes_in_a_configuration_are_found_though_nobody_registered_them(peer):
    model, parts, square, before, looks = peer.call(make_functional)
    assert state(model) == before
    assert [seen[::2] for seen in look(model)] == [seen[::2] for seen in looks]
    assert type(model.loss) is type(parts[2])
    assert type(model.layers[2].layers[1].layer.kernel_initializer) is type(parts[0])
    assert type(model.optimizer._learning_rate) is type(parts[1])
    assert float(square.result()) == 9
    model.fit(ONES, ONES, verbose=0)
    assert type(model._compile_metrics.metrics[0]) is type(square)


def test_a_model_goes_there_as_well(peer):
    model, x, _ = parkable.MODELS["dense"]()
    assert np.array_equal(
        peer.call(lambda m, x: m.predict(x, verbose=0), model, x),
        model.predict(x, verbose=0),
    )


@pytest.mark.parametrize("name", weighted_layers.CASES)
def test_each_layer_comes_back_equal(name):
    model, _ = weighted_layers.make_model(weighted_layers.CASES[name], name)
    layer = model.layers[-1]
    back = there_and_back(layer)
    assert type(back) is type(layer)
    assert state(back) == state(layer) != []
    assert look(back) == look(layer)


def test_what_a_layer_learnt_by_adapt_comes_back():
    words = layers.TextVectorization(output_mode="tf_idf")
    words.adapt(["a b b", "c a d"])
    lookup = layers.StringLookup()
    lookup.adapt(["a", "b\nc"])
    scale = layers.Normalization()
    scale.adapt(np.random.default_rng(0).random((50, 3)))
    bins = layers.Discretization(num_bins=4)
    bins.adapt(np.random.default_rng(0).random((50, 1)))
    for layer, given in [
        (words, ["a b z"]),
        (lookup, tf.constant(["b\nc", "z"])),
        (scale, ONES),
        (bins, np.random.default_rng(1).random((20, 1))),
    ]:
        assert np.array_equal(there_and_back(layer)(given), layer(given))


def test_lambdas_adapters_and_what_was_never_built_come_back():
    given = np.ones((1, 3), np.float32)
    model = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2)])
    assert np.array_equal(there_and_back(model)(given), [[2, 2, 2]])
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign(np.ones((2, 3)))
    assert np.array_equal(there_and_back(model)(given), model(given))
    model = there_and_back(keras.Sequential([layers.Dense(8), layers.Dense(4)]))
    assert not model.built
    assert len(model.layers) == 2


def test_what_belongs_together_stays_together_in_any_order():
    model, *_ = parkable.MODELS["dense"]()
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        things = [model.layers[0], model.optimizer, model]
        back = there_and_back([things[i] for i in order])
        layer, optimizer, whole = (back[order.index(i)] for i in range(3))
        assert whole.layers[0] is layer
        assert whole.optimizer is optimizer
    encoder = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    start = keras.Input((3,))
    whole = keras.Model(start, decoder(encoder(start)))
    first, second, both = there_and_back((encoder, decoder, whole))
    assert both.layers[1] is first
    assert both.layers[2] is second
    assert np.array_equal(both(ONES), whole(ONES))


def test_an_optimizer_of_what_was_frozen_since_comes_back():
    model, x, y = parkable.MODELS["dense"]()
    parkable.fit(model, x, y)
    model.layers[0].trainable = False
    assert state(there_and_back(model)) == state(model)


def test_an_optimizer_goes_with_copies_of_its_variables():
    model, x, y = parkable.MODELS["dense"]()
    parkable.fit(model, x, y)
    back = there_and_back(model.optimizer)
    assert values(back.variables) == values(model.optimizer.variables)
    trained = back._trainable_variables
    assert values(trained) == values(model.trainable_variables)
    back.apply([keras.ops.ones(v.shape) for v in trained])


def test_a_history_goes_without_its_model_unless_that_goes_too():
    model, x, y = parkable.MODELS["dense"]()
    history = model.fit(x, y, epochs=3, verbose=0)
    back = there_and_back(history)
    assert (back.history, back.epoch) == (history.history, [0, 1, 2])
    assert back.params == history.params
    assert back.model is None
    model, back = there_and_back((model, history))
    assert model.history is back
    assert back.model is model


def test_callbacks_go_without_their_model():
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=3)
    model, x, y = parkable.MODELS["dense"]()
    model.fit(x, y, verbose=0, callbacks=[stop])
    back = there_and_back(stop)
    assert (back.patience, back.model, back.best) == (3, None, stop.best)
    assert stop.model is model


PARTS = {
    "loss": keras.losses.Huber(2.0),
    "initializer": keras.initializers.GlorotUniform(3),
    "regularizer": keras.regularizers.L2(0.1),
    "constraint": keras.constraints.MaxNorm(2),
    "schedule": keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9),
    "policy": keras.dtype_policies.DTypePolicy("mixed_bfloat16"),
    "optimizer": keras.optimizers.Adam(0.5),
    "scheduled": keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)),
    "metric": keras.metrics.AUC(num_thresholds=20),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_come_back_by_themselves(name):
    back = there_and_back(PARTS[name])
    assert type(back) is type(PARTS[name])
    assert back.get_config() == PARTS[name].get_config()


def test_values_of_variables_and_metrics_come_back():
    variable = keras.Variable(
        np.arange(90_000.0), name="v", trainable=False, dtype="bfloat16"
    )
    back = there_and_back(variable)
    assert (back.name, back.dtype, back.trainable) == ("v", "bfloat16", False)
    assert values([back]) == values([variable])
    back.assign_add(back)
    mean = keras.metrics.Mean()
    mean.update_state([1, 2, 6])
    assert float(there_and_back(mean).result()) == 3
    seeds = keras.random.SeedGenerator(3)
    seeds.next()
    assert np.array_equal(there_and_back(seeds).next(), seeds.next())
    plain = there_and_back(tf.Variable([1.0, 2.0], trainable=False))
    assert (plain.numpy().tolist(), plain.trainable) == ([1, 2], False)


def test_tensors_come_back_bit_for_bit():
    numbers = tf.random.normal((300, 300))
    for tensor in [
        numbers,
        tf.cast(numbers, tf.bfloat16),
        tf.constant([1, 2], tf.int64),
        tf.constant(3.0),
        tf.zeros((0, 3)),
    ]:
        back = there_and_back(tensor)
        assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
        assert back.numpy().tobytes() == tensor.numpy().tobytes()
    text = there_and_back(tf.constant([["é", b"\xff"]]))
    assert text.numpy().tolist() == [["é".encode(), b"\xff"]]
    ragged = there_and_back(tf.ragged.constant([[1], [2, 3]]))
    assert ragged.to_list() == [[1], [2, 3]]


def test_a_dataset_is_refused_by_name():
    with pytest.raises(pickle.PicklingError) as caught:
        pack({"data": tf.data.Dataset.range(3)})
    assert str(caught.value).startswith("result['data']: a _RangeDataset of tf.data")
    assert "a function that builds it" in str(caught.value)


class Closed(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.inner = layers.Dense(units)

    def call(self, x):
        return self.inner(x)


class Twofold(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(3)

    def compile(self, first, second):
        super().compile()
        self.first, self.second = first, second

    def call(self, x):
        return self.inner(x)


def test_what_cannot_be_made_again_is_refused_with_a_way_out():
    with pytest.raises(pickle.PicklingError) as caught:
        pack([Closed(3)])
    text = str(caught.value)
    assert text.startswith("result[0]: model 'closed' (Closed) cannot be made again")
    assert "Return model.get_weights() in its place" in text
    model = Twofold()
    model.compile(keras.optimizers.Adam(), keras.optimizers.SGD())
    with pytest.raises(pickle.PicklingError, match=r"needs a get_compile_config\(\)"):
        pack(model)


def test_a_compile_of_ones_own_with_its_configuration_comes_back():
    class Whole(Twofold):
        def get_compile_config(self):
            both = {"first": self.first, "second": self.second}
            return keras.saving.serialize_keras_object(both)

        def compile_from_config(self, config):
            self.compile(**keras.saving.deserialize_keras_object(config))

    model = Whole()
    model(ONES)
    model.compile(keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.2))
    for optimizer in (model.first, model.second):
        optimizer.apply(
            [keras.ops.ones(v.shape) for v in model.variables],
            model.trainable_variables,
        )
    back = there_and_back(model)
    assert values(back.first.variables) == values(model.first.variables)
    assert values(back.second.variables) == values(model.second.variables)


class Fickle(layers.Layer):
    """From its configuration it is another one."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.weight = self.add_weight(shape=(units,))

    def get_config(self):
        return {"name": self.name, "units": 4}


def test_what_comes_out_different_is_refused():
    descriptor = pack(Fickle())
    with pytest.raises(keraser.UnsupportedError, match=r"\(Fickle\) cannot be made"):
        unpack(descriptor)


def test_settings_and_random_states_here_are_as_they_were(peer):
    def other_settings():
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            return train_own(make_own())[0]
        finally:
            keras.config.set_dtype_policy("float32")

    descriptor = pack(parkable.MODELS["dense"]()[0])
    again = []
    for action in (lambda: None, lambda: unpack(descriptor)):
        keras.utils.set_random_seed(3)
        action()
        again.append(
            (random.random(), np.random.rand(), layers.Dense(3)(ONES).numpy().tolist())
        )
    assert again[0] == again[1]
    assert peer.call(other_settings).last.compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_nothing_is_left_of_what_was_sent():
    model, x, y = parkable.MODELS["dense"]()
    parkable.fit(model, x, y)

    def living():
        gc.collect()
        return len(_core.instances((keras.Variable,)))

    there_and_back(model)
    before = living()
    for _ in range(3):
        there_and_back(model)
        with open("/proc/self/maps") as maps:
            assert "/memfd:keraser" not in maps.read()
    assert living() == before
