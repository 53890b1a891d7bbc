"""The recipes: small, ordinary ways in which a process that uses Keras grows.

Every public function is a recipe: one trial, `recipe(state, trial)`. It returns the
model that it made, or None when its model lives on in `state`, or is out of reach, or
there is none. Its docstring names who holds what it leaves behind:

    gradient registry   an entry for each custom gradient traced in a graph, for ever;
                        Keras' optimizers trace two in each fit. Holds the graph, that
                        its captures, and those the weights and the optimizer's slots
    kernel cache        35 KiB of C heap for each new variable; clear_session empties it
    default graph       every Python function ever wrapped; clear_session empties it
    scalar cache        0.6 KiB for each distinct Python number in an eager operation
    tf.function         a living one keeps each of its traces

and gives the C heap that one trial leaves after `del model`, `clear_session()` and
`gc.collect()`: measured on TF 2.21 and Keras 3.15, CPU, no oneDNN, by
tests/soak/test_zoo.py, which prints it. What shall hold of each stands in catalogue.py.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers


# ---- models and data, small so that the graphs and not the numbers weigh ----------

FAT = (256, 512, 512)  # with 256 inputs 460,545 parameters, 1.76 MiB
ROWS = 64


def _mlp(widths=(16, 32), inputs=16):
    dense = [layers.Dense(width, activation="relu") for width in widths]
    return keras.Sequential([keras.Input((inputs,)), *dense, layers.Dense(1)])


def _regression(inputs=16):
    numbers = np.random.default_rng(0)
    return (
        numbers.random((ROWS, inputs), np.float32),
        numbers.random((ROWS, 1), np.float32),
    )


def _trained(model, inputs=16, optimizer="adam", **compiled):
    model.compile(optimizer, "mse", **compiled)
    x, y = _regression(inputs)
    model.fit(x, y, epochs=1, batch_size=32, verbose=0)
    return model


def _lasting(state, name, make):
    """What outlives the trials of a recipe."""
    if name not in state:
        state[name] = make()
    return state[name]


# ---- a loop that builds, trains and drops ------------------------------------------


def fit_loop(_state, _trial):
    """The sweep that everybody writes. Gradient registry: 3723 KiB."""
    return _trained(_mlp())


def fit_fat(_state, _trial):
    """The same with 1.76 MiB of weights. Gradient registry: 10182 KiB."""
    return _trained(_mlp(FAT, 256), 256)


def fit_thin(_state, _trial):
    """fit_fat's depth without its weights: 4746 KiB, so the rest of fit_fat's is its
    weights and both of Adam's slots."""
    return _trained(_mlp((16, 16, 16)))


def fit_sgd(_state, _trial):
    """SGD has no slots and fewer inner functions. Gradient registry: 496 KiB."""
    return _trained(_mlp(), optimizer="sgd")


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(32, "relu")
        self.head = layers.Dense(1)

    def call(self, x):
        return self.head(self.hidden(x))


def fit_subclass(_state, _trial):
    """A subclassed model. Gradient registry: 2649 KiB."""
    return _trained(Net())


def fit_class_of_its_own(_state, _trial):
    """The class is made in the trial, as in a notebook cell that runs again. Gradient
    registry; and a class is a cycle of its own: 2651 KiB."""

    class Fresh(Net):
        pass

    return _trained(Fresh())


def fit_train_step(_state, _trial):
    """A train_step of the user's own. Gradient registry: 2478 KiB."""

    class Careful(Net):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(
                zip(gradients, self.trainable_variables, strict=True)
            )
            return {"loss": loss}

    return _trained(Careful())


def fit_eval_predict(_state, _trial):
    """fit with validation, then evaluate and predict: three functions of the trainer.
    Gradient registry: 4262 KiB."""
    model = _mlp()
    model.compile("adam", "mse", metrics=["mae"])
    x, y = _regression()
    model.fit(x, y, validation_split=0.25, epochs=1, verbose=0)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    return model


def fit_xla(_state, _trial):
    """jit_compile=True. Gradient registry: 10619 KiB, of which 6975 KiB are XLA's
    executables, which TensorFlow cannot give back: the clear's figure is theirs."""
    return _trained(_mlp(), jit_compile=True)


def objective_loop(_state, _trial):
    """A study's objective: it returns a number, its model is out of anybody's reach.
    Gradient registry: 2662 KiB."""

    def objective(width):
        x, y = _regression()
        model = _mlp((width,))
        model.compile("adam", "mse")
        return model.fit(x, y, epochs=1, verbose=0).history["loss"][-1]

    objective(16)


def demo_model(state, _trial):
    """Dense, BatchNormalization and Dropout under Adam, in the demo 1.9 M parameters.
    Gradient registry: 29034 KiB."""
    width = 1152 if state["full_size"] else 64
    blocks = []
    for _ in range(2):
        blocks += [
            layers.Dense(width, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
        ]
    model = keras.Sequential([keras.Input((448,)), *blocks, layers.Dense(1)])
    return _trained(model, 448)


def custom_gradient_layer(_state, _trial):
    """A gradient of the user's own that closes over its input, so that the entry holds
    the graph by more than its result. Gradient registry: 453 KiB."""

    @tf.custom_gradient
    def reverse(x):
        return x, lambda upstream: -upstream * tf.cast(x > 0, x.dtype)

    class Reverse(layers.Layer):
        def call(self, x):
            return reverse(x)

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential(
        [keras.Input((16,)), layers.Dense(32), Reverse(), layers.Dense(1)]
    )
    return _trained(model, optimizer="sgd")


def custom_loop(_state, _trial):
    """A training loop of the user's own. Gradient registry: 3373 KiB, since the
    optimizer's apply is traced as well."""
    model, optimizer = _mlp(), keras.optimizers.Adam()
    x, y = map(tf.constant, _regression())

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    for _ in range(3):
        step(x, y)
    return model


def predict_silu(_state, _trial):
    """Never trained: silu itself is a custom gradient, so a traced predict is enough.
    Gradient registry: 123 KiB."""
    dense = [layers.Dense(16, activation=name) for name in ("silu", "swish")]
    model = keras.Sequential([keras.Input((16,)), *dense])
    model.predict(_regression()[0], verbose=0)
    return model


def fit_lstm(_state, _trial):
    """An LSTM: loops and branches, a graph for each. Gradient registry: 8569 KiB."""
    model = keras.Sequential([keras.Input((6, 4)), layers.LSTM(4), layers.Dense(1)])
    model.compile("adam", "mse")
    steps = np.ones((16, 6, 4), "f4")
    model.fit(steps, np.ones((16, 1), "f4"), epochs=1, verbose=0)
    return model


def fit_embedding(_state, _trial):
    """The same behind an Embedding, whose sparse gradient TensorFlow reduces without a
    custom gradient, so that nothing is registered. Kernel cache."""
    model = keras.Sequential(
        [keras.Input((6,)), layers.Embedding(20, 4), layers.LSTM(4), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    tokens = np.random.default_rng(0).integers(0, 20, (16, 6))
    model.fit(tokens, np.ones((16, 1), "f4"), epochs=1, verbose=0)
    return model


def fit_nested(_state, _trial):
    """Models within a model: a Sequential in a functional one. Gradient registry:
    5981 KiB."""
    inputs = keras.Input((16,))
    inner = keras.Model(inputs, layers.Dense(8, "relu")(inputs))
    outer = keras.Input((16,))
    merged = layers.Concatenate()([inner(outer), _mlp()(outer), inner(outer)])
    return _trained(keras.Model(outer, layers.Dense(1)(merged)))


def load_and_train(state, _trial):
    """A compiled model out of a .keras file, trained on. Gradient registry:
    1133 KiB."""
    path = pathlib.Path(state["folder"]) / "trained.keras"
    if not path.exists():
        _trained(_mlp()).save(path)
    model = keras.saving.load_model(path)
    model.fit(*_regression(), epochs=1, verbose=0)
    return model


# ---- something that lives on -----------------------------------------------------


def recompile(state, _trial):
    """One model, compiled and trained again and again. Gradient registry: 3690 KiB."""
    _trained(_lasting(state, "model", _mlp))


def _base():
    """Names of its own, since clear_session() and clear() start `dense` anew."""
    inputs = keras.Input((16,), name="base_input")
    hidden = layers.Dense(32, "relu", name="base_hidden")(inputs)
    normal = layers.BatchNormalization(name="base_normal")(hidden)
    base = keras.Model(inputs, normal, name="base")
    base.trainable = False
    return base


def head_on_shared_base(state, _trial):
    """Transfer learning: one base, in each trial another head on its output. Gradient
    registry; and the base's last layer remembers the first of every head: 1899 KiB."""
    base = _lasting(state, "base", _base)
    return _trained(keras.Model(base.input, layers.Dense(1)(base.output)))


def head_after_shared_base(state, _trial):
    """The same with the base called as a layer, so that it remembers every call.
    Gradient registry, and the nodes of the base: 1900 KiB."""
    base = _lasting(state, "base", _base)
    inputs = keras.Input((16,))
    return _trained(keras.Model(inputs, layers.Dense(1)(base(inputs))))


def step_takes_model(state, _trial):
    """A tf.function that takes a model makes a trace for each, and the trace captures
    the weights. Living tf.function: 2052 KiB, the weights of a dead model."""
    step = _lasting(
        state, "step", lambda: tf.function(lambda m, x: m(x, training=True))
    )
    model = _mlp(FAT, 256)
    step(model, tf.ones((4, 256)))
    return model


def concrete_kept(state, trial):
    """A concrete function of each model, kept by the user to be called: it holds the
    weights, 2015 KiB, and clear() says so."""
    model = _mlp(FAT, 256)
    routes = _lasting(state, "routes", dict)
    signature = tf.TensorSpec((None, 256))
    routes[trial] = tf.function(model).get_concrete_function(signature)
    return model


def retrace_scalar(state, trial):
    """A tf.function given a new Python number each time. It lives and may be called
    with any of them, so its traces stay, 240 KiB, and clear() says so."""
    scale = _lasting(state, "scale", lambda: tf.function(lambda x, n: x * n))
    for k in range(5):
        scale(tf.ones(4), trial * 5 + k)


def retrace_shape(state, trial):
    """The same for a new shape each time: 230 KiB."""
    grow = _lasting(state, "grow", lambda: tf.function(lambda x: tf.nn.softmax(x + x)))
    for k in range(5):
        grow(tf.ones((2, 1 + trial * 5 + k)))


def scalar_cache(_state, trial):
    """5000 new numbers in eager operations. Scalar cache: 3167 KiB."""
    x = tf.zeros(())
    for k in range(5000):
        x = x + (trial * 5000.0 + k)


# ---- flat under the usual advice in this version, and to stay so with keraser ------


def build_loop(_state, _trial):
    """Built, never compiled. Kernel cache, which clear_session empties."""
    return _mlp(FAT, 256)


def build_functional(_state, _trial):
    """A functional model with BatchNormalization, never compiled. Kernel cache."""
    x = inputs = keras.Input((256,))
    for width in FAT:
        x = layers.BatchNormalization()(layers.Dense(width)(x))
    return keras.Model(inputs, layers.Dense(1)(x))


def fit_eager(_state, _trial):
    """run_eagerly=True makes no graph. Kernel cache."""
    return _trained(_mlp(), run_eagerly=True)


def clone_loop(state, _trial):
    """Clones of a living model. Kernel cache."""
    original = _lasting(state, "original", _mlp)
    return keras.models.clone_model(original)


def load_model_loop(state, _trial):
    """A server that swaps its model. Kernel cache."""
    path = pathlib.Path(state["folder"]) / "served.keras"
    if not path.exists():
        _mlp().save(path)
    model = keras.saving.load_model(path)
    model.predict(_regression()[0], verbose=0)
    return model


def train_on_batch(state, _trial):
    """One model trained by batches. Nothing."""
    model = _lasting(state, "model", lambda: _trained(_mlp()))
    for _ in range(10):
        model.train_on_batch(*_regression())


def new_tf_function(_state, _trial):
    """A tf.function made, traced and dropped. Nothing."""
    for _ in range(5):
        tf.function(lambda x: tf.reduce_sum(x) * 2.0)(tf.ones(4))


def cycle(_state, _trial):
    """A model in a cycle with an object of the user's own waits for the collector."""
    model = _mlp()
    model.owner = type("Owner", (), {})()
    model.owner.model = model
    return model


def from_generator(_state, _trial):
    """A generator data set and the 1 MiB its generator closes over. Default graph."""
    rows = np.ones((256, 1024), "f4")
    signature = tf.TensorSpec((1024,))
    for _ in tf.data.Dataset.from_generator(
        lambda: iter(rows[:1]), output_signature=signature
    ):
        pass


def py_function_eager(_state, _trial):
    """A py_function that closes over the model. Default graph: the whole model."""
    model = _mlp(FAT, 256)
    tf.py_function(lambda x: model(x), [tf.ones((4, 256))], tf.float32)
    return model


def map_closes_model(_state, _trial):
    """A data set whose map calls the model in a py_function. Default graph. And each
    call of a Python function on a thread of TensorFlow leaves an empty list that no
    Python object refers to, whatever one does."""
    model = _mlp(FAT, 256)

    def score(_):
        return tf.py_function(lambda: model(tf.ones((1, 256)))[0], [], tf.float32)

    for _ in tf.data.Dataset.range(2).map(score):
        pass
    return model


# ---- ways of feeding, watching and placing a model ---------------------------------


def fit_pipeline(_state, _trial):
    """Trained from a pipeline: shuffled, mapped, batched, cached, prefetched."""
    model = _mlp()
    model.compile("adam", "mse")
    data = tf.data.Dataset.from_tensor_slices(_regression()).shuffle(ROWS)
    data = data.map(lambda x, y: (x * 2.0, y)).cache().batch(16).prefetch(2)
    model.fit(data, verbose=0)
    return model


class Batches(keras.utils.PyDataset):
    """A PyDataset that refers to the model which it feeds."""

    def __init__(self, model):
        super().__init__(workers=2, use_multiprocessing=False)
        self.model = model

    def __len__(self):
        return 2

    def __getitem__(self, _index):
        return _regression()


def fit_py_dataset(_state, _trial):
    """Trained from a PyDataset with two threads."""
    model = _mlp()
    model.compile("adam", "mse")
    model.fit(Batches(model), verbose=0)
    return model


def fit_generator(_state, _trial):
    """Trained from a Python generator that closes over the model, and never ends."""
    model = _mlp()
    model.compile("adam", "mse")

    def batches():
        while model is not None:
            yield _regression()

    model.fit(batches(), steps_per_epoch=2, verbose=0)
    return model


def fit_tensorboard(state, trial):
    """With a TensorBoard callback that writes histograms and the graph."""
    model = _mlp()
    model.compile("adam", "mse")
    folder = pathlib.Path(state["folder"]) / f"board{trial}"
    board = keras.callbacks.TensorBoard(folder, histogram_freq=1, write_graph=True)
    model.fit(*_regression(), callbacks=[board], validation_split=0.5, verbose=0)
    return model


def fit_checkpoints(state, _trial):
    """With the callbacks of every tutorial: checkpoint, early stop, rate, CSV."""
    model = _mlp()
    model.compile("adam", "mse")
    folder = pathlib.Path(state["folder"])
    callbacks = [
        keras.callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True),
        keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(patience=1),
        keras.callbacks.BackupAndRestore(folder / "backup"),
        keras.callbacks.CSVLogger(folder / "log.csv"),
    ]
    x, y = _regression()
    model.fit(x, y, epochs=2, validation_split=0.5, callbacks=callbacks, verbose=0)
    return model


def fit_mixed_precision(_state, _trial):
    """In float16 with a loss scale."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return _trained(_mlp())
    finally:
        keras.config.set_dtype_policy(policy)


def fit_mirrored(_state, _trial):
    """Under a distribution strategy of its own."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = _mlp()
        model.compile("adam", "mse")
    model.fit(*_regression(), verbose=0)
    return model
