"""The outside reader on the real Keras: it says what keraser.why() says in the process
itself, and training comes to the same."""

import hashlib
import json

import numpy as np
import pytest
import reader

PROGRAM = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np
keras.utils.set_random_seed(3)
layers = [keras.layers.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(1)]
model = keras.Sequential(layers, name="seq")
del layers
model.compile("adam", "mse")
x = np.linspace(0, 1, 256).reshape(32, 8)
history = model.fit(x, x[:, :1], verbose=0, shuffle=False)
inputs = keras.Input((4,))
models = {"best": [keras.Model(inputs, keras.layers.Dense(2)(inputs), name="func")]}
del inputs
inside = None
if "why" in sys.argv:
    import keraser
    inside = {"seq": [h.path for h in keraser.why(model).holders]}
    inside["func"] = [h.path for h in keraser.why(models["best"][0]).holders]
    del keraser
print("ready", flush=True)
for _ in sys.stdin:
    if inside is None:
        model.fit(x, x[:, :1], verbose=0, shuffle=False)
        inside = [w.tolist() for w in model.get_weights()]
    print(json.dumps(inside), flush=True)
    inside = None
"""

pytestmark = pytest.mark.own_process


def test_holders_are_those_that_the_process_itself_names():
    with reader.Program("-c", PROGRAM, "why") as program:
        told = reader.read(program.pid)
        assert told["torn"] == 0  # it waits, so that all fields lead to what lives
        inside = json.loads(program.ask())
        assert set(told["by_name"]) == {"seq", "func"}
        for name, paths in inside.items():
            outside = [h["path"] for h in told["by_name"][name]["holders"]]
            assert sorted(outside) == sorted(paths)


def test_weights_and_slots_are_those_of_the_model():
    with reader.Program("-c", PROGRAM) as program:
        told = reader.read(program.pid)["by_name"]
        weights = [8 * 16, 16, 16, 1]
        seq, func = told["seq"], told["func"]
        assert seq["weights"] == 4
        assert seq["weight_bytes"] == 4 * sum(weights)
        # Two slots for each weight, the iterations and the learning rate.
        assert seq["optimizer_variables"] == 2 * 4 + 2
        assert seq["optimizer_bytes"] == 2 * 4 * sum(weights) + 8 + 4
        assert (func["weights"], func["weight_bytes"]) == (2, 4 * (4 * 2 + 2))
        assert func["optimizer_variables"] == 0
        assert seq["unsized"] == func["unsized"] == 0


def trained(read_meanwhile):
    with reader.Program("-c", PROGRAM) as program:
        if read_meanwhile:
            for _ in range(3):
                reader.read(program.pid)
        weights = json.loads(program.ask())
    return hashlib.sha256(b"".join(np.array(w).tobytes() for w in weights)).digest()


def test_training_comes_to_the_same_bits():
    assert trained(read_meanwhile=True) == trained(read_meanwhile=False)
