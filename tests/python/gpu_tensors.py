"""Variables on a GPU, for the tests in gpu/."""

from fake_gpu import MIB


def variables(count, mib=16, first=0.0):
    """Variables on the GPU, each full of its own number."""
    import numpy as np
    import tensorflow as tf

    size = mib * MIB // 4
    return [tf.Variable(np.full(size, first + i, np.float32)) for i in range(count)]


def hold(variables, first=0.0):
    return all((v.numpy() == first + i).all() for i, v in enumerate(variables))


def row(trim, name="TensorFlow GPU_0_bfc"):
    return next(pool for pool in trim.pools if pool.pool == name)
