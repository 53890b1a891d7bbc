"""A program without TensorFlow whose objects are held in every way there is; classes
are called like those of Keras. Any Python from 3.10 on runs it, without keraser.

python holders_target.py prints "ready", and a line for each line it is given: a sum
over its models, so that a change in them would be seen.
"""

import collections
import functools
import sys
import threading
import weakref


class Layer:
    __module__ = "keras.src.layers.layer"
    __qualname__ = "Layer"


class Variable:
    __module__ = "keras.src.backend.common.variables"
    __qualname__ = "Variable"

    def __init__(self, shape, dtype="float32"):
        self._shape = shape
        self._dtype = dtype


class BaseOptimizer:
    __module__ = "keras.src.optimizers.base_optimizer"
    __qualname__ = "BaseOptimizer"


class Model(Layer):
    __module__ = "keras.src.models.model"
    __qualname__ = "Model"

    def __init__(self, name):
        self.name = name
        self._layers = []


class Net(Model):
    """A user's own class."""


class Slotted:
    __slots__ = ("kept", "other")

    def __init__(self, kept):
        self.kept = kept


class Holder:
    def __init__(self, model):
        self.model = model

    def method(self):
        return self.model


def closure_over(m):
    def inner():
        return m

    return inner


def defaults(model=Model("in_default"), *, key=Model("in_keyword_default")):  # noqa: B008
    return model, key


def generate(model):
    yield 1
    yield model


@functools.lru_cache(maxsize=4)
def bounded(key):
    assert key
    return Model("in_bounded_cache")


@functools.lru_cache(maxsize=None)  # noqa: UP033
def unbounded(key):
    assert key
    return Model("in_cache")


def fail():
    lost = Model("in_traceback")
    raise ValueError(lost.name)


plain = Model("plain")
models = [None, None, Model("in_list")]
table = {"a": {"best": (1, Model("in_dict"))}, "ö": Model("in_umlaut")}
by_number = {
    -3: Model("by_negative"),
    2**40: Model("by_large"),
    (1, "x"): Model("by_tuple"),
}
members = {Model("in_set")}
queue = collections.deque([0] * 70 + [Model("in_deque")])
ordered = collections.OrderedDict(a=Model("in_ordered"))
missing = collections.defaultdict(list, a=Model("in_defaultdict"))
holder = Holder(Net("in_attribute"))
slotted = Slotted(Model("in_slot"))
captured = closure_over(Model("in_closure"))
bound = Holder(Model("in_method")).method
waiting = generate(Model("in_generator"))
next(waiting)
bounded("k")
unbounded(3)
partial = functools.partial(print, Model("in_partial"))
weak_target = Model("weakly_and_by_list")
weak_keeper = [weak_target]
weak = weakref.ref(weak_target)
del weak_target
materialized = Holder(Model("in_dict_of_instance"))
vars(materialized)["extra"] = 1
try:
    fail()
except ValueError as error:
    caught = error

whole = Model("whole")
part = Model("part")
part._layers.append(Layer())
part._layers[0].kernel = Variable((3, 4))
part._layers[0].bias = Variable((4,), "float64")
whole._layers.append(part)
whole.optimizer = BaseOptimizer()
whole.optimizer._variables = [Variable((3, 4)), Variable((), "int64")]
whole.optimizer._trainable = [part._layers[0].kernel]
del part


def train(inside):
    started.set()
    stop.wait()
    return inside


started, stop = threading.Event(), threading.Event()
worker = threading.Thread(
    target=lambda: train(Model("in_thread")), name="w-1", daemon=True
)
worker.start()
started.wait()


def checksum():
    return sum(map(ord, plain.name)) + len(table) + sum(len(x.name) for x in models[2:])


def main(local):
    print("ready", flush=True)
    for _ in sys.stdin:
        print(checksum(), flush=True)
    return local


main(Model("in_local"))
