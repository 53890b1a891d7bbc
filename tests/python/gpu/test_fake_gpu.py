"""The ground that the other tests here stand on: TensorFlow at work on the driver of
tests/fake_cuda."""

import gc

from fake_gpu import MIB, driver, on_gpu


@on_gpu()
def test_tensorflow_finds_a_gpu_and_keras_builds_a_model_there():
    import keras
    import numpy as np
    import tensorflow as tf

    assert len(tf.config.list_physical_devices("GPU")) == 1
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(1024)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    kernel = model.layers[0].kernel.value
    assert kernel.device.endswith("GPU:0")
    value = np.arange(64 * 1024, dtype=np.float32).reshape(64, 1024)
    model.layers[0].set_weights([value, np.ones(1024, np.float32)])
    assert (kernel.numpy() == value).all()
    info = tf.config.experimental.get_memory_info("GPU:0")
    assert info["current"] >= 3 * value.nbytes
    assert driver().allocated >= info["current"]
    assert driver().calls("cuMemcpyHtoDAsync_v2") > 0

    variables = [tf.Variable(np.ones(MIB, np.float32)) for _ in range(8)]
    del variables
    gc.collect()
    freed = tf.config.experimental.get_memory_info("GPU:0")["current"]
    assert freed == info["current"]
