"""A script of its own: each recipe lets something of a user keep a model alive.

    python holding.py RECIPE [RECIPE ...]

prints one line of JSON a recipe: what `keraser.why` says first, its fix, how many
holders there are, and whether asking left anything behind. Names of this module are
what a user's script would have.
"""

import functools
import gc
import json
import queue
import sys
import threading
import weakref

import keras
import keraser
import numpy as np
import tensorflow as tf

layers = keras.layers
X, Y = np.ones((32, 8), "f4"), np.ones((32, 1), "f4")

models, results, callbacks, hooks, functions, outs, kept_layers = ([] for _ in range(7))
generators, failed, tapes, optimizers, routes, tenants = [], [], [], [], {}, {}
registry = {"a": {"best": [None, None]}}
local = threading.local()
jobs = queue.Queue()


def net():
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(4, "relu"), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def fit(model, **arguments):
    return model.fit(X, Y, verbose=0, **arguments)


def in_a_list():
    models.extend([None, None, net()])
    return models[2]


def nested():
    registry["a"]["best"][1] = net()
    return registry["a"]["best"][1]


def in_a_variable():
    global model_7
    model_7 = net()
    return model_7


def history_kept():
    model = net()
    results.append(fit(model))
    return model


def callbacks_kept():
    model = net()
    callback = keras.callbacks.EarlyStopping("loss", restore_best_weights=True)
    callbacks.append(callback)
    fit(model, callbacks=[callback])
    return model


def optimizer_kept():
    model = net()
    fit(model)
    optimizers.append(model.optimizer)
    return model.optimizer


def closure_kept():
    model = net()
    hooks.append(lambda: model.count_params())
    return model


def callback_variable():
    global cb
    m = net()

    def cb():
        return m.count_params()

    return m


def default_arg():
    def score(x, net=net()):  # noqa: B008
        return net(x)

    functions.append(score)
    return score.__defaults__[0]


def kerastensor_kept():
    model = net()
    outs.append(model.outputs[0])
    return model.outputs[0]


def layer_kept():
    model = net()
    kept_layers.append(model.layers[1])
    return model.layers[1]


def weight_of_a_kept_layer():
    model = net()
    kept_layers.append(model.layers[1])
    return model.layers[1].kernel


def lru_cache():
    global get

    @functools.cache
    def get(tenant):  # noqa: ARG001
        return net()

    return get(("tenant", 3))


def bounded_lru_cache():
    global get

    @functools.lru_cache(maxsize=8)
    def get(tenant):  # noqa: ARG001
        return net()

    return get(5)


def generator_frame():
    def stream():
        inside = net()
        while True:
            yield inside

    generators.append(stream())
    return next(generators[-1])


def exception_kept():
    found = []

    def trial():
        model = net()
        found.append(weakref.ref(model))
        model(tf.ones((4, 7)))

    try:
        trial()
    except Exception as error:
        failed.append(error)
    return found[0]()


def register_serializable():
    model = net()

    @keras.saving.register_keras_serializable("exp3")
    def loss_fn(a, b, net=model):  # noqa: ARG001
        return a - b

    return model


def cycle():
    model = net()
    model.trainer = type("Trainer", (), {})()
    model.trainer.model = model
    gc.collect()
    gc.disable()
    return model


def garbage():
    class Trainer:
        pass

    trainer = Trainer()
    trainer.me, trainer.model = trainer, net()
    gc.collect()  # so old that only a full collection finds it
    gc.disable()
    return trainer.model


def step_takes_model():
    global step
    step = tf.function(lambda model, x: model(x))
    model = net()
    step(model, tf.ones((4, 8)))
    return model.layers[0].kernel.value.handle


def concrete_kept():
    model = net()
    routes["a"] = tf.function(model).get_concrete_function(tf.TensorSpec((None, 8)))
    return model.layers[0].kernel.value.handle


def gradient_registry():
    model = net()
    fit(model)
    return model.layers[0].kernel.value.handle


def in_an_attribute():
    class Tenant:
        pass

    tenants["acme"] = Tenant()
    tenants["acme"].model = net()
    return tenants["acme"].model


def in_a_slot():
    class Tenant:
        __slots__ = ("model",)

    tenants["acme"] = Tenant()
    tenants["acme"].model = net()
    return tenants["acme"].model


def bound_method():
    model = net()
    hooks.append(model.predict)
    return model


def partial():
    model = net()
    hooks.append(functools.partial(print, model))
    return model


def thread_local():
    local.model = net()
    return local.model


def waiting_thread():
    ready, found = threading.Event(), []

    def serve():
        best = net()
        found.append(weakref.ref(best))
        ready.set()
        jobs.get()

    threading.Thread(target=serve, name="w-1", daemon=True).start()
    ready.wait()
    return found[0]()


def figure():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    model = net()
    plt.figure().canvas.mpl_connect("button_press_event", lambda event: model(event))
    return model


def last_error():
    found = []

    def go():
        model = net()
        found.append(weakref.ref(model))
        1 / 0  # noqa: B018

    try:
        go()
    except ZeroDivisionError as error:
        sys.last_value = error
    return found[0]()


RECIPES = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == "__main__"
}


def report(name):
    found = RECIPES[name]()
    reference = weakref.ref(found)
    del found
    if gc.isenabled():
        gc.collect()
    before = sys.getrefcount(reference())
    holders = keraser.why(reference())
    after = sys.getrefcount(reference())
    first = holders[0] if holders else None
    line = {
        "recipe": name,
        "path": first and first.path,
        "also": first and first.also,
        "fix": first and first.fix,
        "holders": [str(holder) for holder in holders],
        "references": [before, after],
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or RECIPES:
        if name not in ("net", "fit", "report"):
            report(name)
