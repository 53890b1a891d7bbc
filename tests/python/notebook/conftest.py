import pytest
from kernel import Kernel
from zoo.notebook import SETUP

#: The zoo's models, wide enough for the resident set to show; and what is alive.
MORE = """
def net():
    wide = [keras.layers.Dense(1024) for _ in range(2)]
    model = keras.Sequential([keras.Input((8,)), *wide, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    refs.append(weakref.ref(model))
    return model
def handles():
    from keraser.readings import read_gauges
    gc.collect()
    return read_gauges()["handles"]
def alive():
    heap = keraser.census().heap
    return handles(), sum(heap[name] for name in ("models", "orphans", "tensors"))
"""


@pytest.fixture(scope="session")
def kernel():
    """One for all: to import TensorFlow takes longer than any test."""
    kernel = Kernel()
    started = kernel.run(f"{SETUP}{MORE}\n%load_ext keraser\n%models --no-hints")
    assert not started.error, started.error
    kernel.run("net().fit(X, Y, verbose=0);\n%clear --all")  # caches fill
    kernel.empty = kernel.value("alive()")
    yield kernel
    kernel.stop()
