"""A model mirrored on two devices: snapshot, restore and reset. Prints "as it was"."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import keraser
import numpy as np
import tensorflow as tf

layers = keras.layers


def make_two_devices():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )


def build(seed):
    keras.utils.set_random_seed(seed)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = keras.Sequential(
            [keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()]
        )
        model.compile("adam", "mse")
    return model


def values(model):
    """Of each replica."""
    return [
        replica.numpy().tobytes()
        for variable in (*model.variables, *model.optimizer.variables)
        for replica in getattr(variable._value, "values", [variable._value])
    ]


def fit(model):
    x = np.linspace(0, 1, 32, dtype=np.float32).reshape(8, 4)
    return model.fit(x, x[:, :3], epochs=2, verbose=0, shuffle=False).history


def main():
    make_two_devices()
    model = build(3)
    first = fit(model)
    for hold in ("live", "host"):
        snap, before = keraser.snapshot(model, hold=hold), values(model)
        assert len(before) > len(model.variables) + len(model.optimizer.variables)
        again = fit(model)
        snap.restore()
        assert values(model) == before
        assert fit(model) == again
    keraser.reset(model, 3)
    assert fit(model) == first
    print("as it was")


if __name__ == "__main__":
    main()
