"""keraser.gpu.reset_runtime(): nothing is left of TensorFlow's GPU memory, and the next
model is built as if nothing had been; while anything lives nothing is changed."""

import gc
import json
import pickle
import re
import threading
import warnings

import pytest
from fake_gpu import MIB, driver, on_gpu
from gpu_tensors import hold, variables

GROUP = {"KERASER_TESTS": "reset"}  # processes that no other tests share
usual = on_gpu(**GROUP)


def in_use():
    return driver().allocated + driver().created + driver().pooled


def build(value):
    """A model with an optimizer, one of its kernels full of `value`."""
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((256,)), keras.layers.Dense(1024)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([np.full_like(kernel, value), bias])
    return model


def rounds(count=3, trim=True):
    """Builds, computes and clears, with a reset after each; what each has left."""
    import keraser
    import tensorflow as tf

    left, resets = [], []
    for turn in range(count):
        model = build(float(turn))
        tensors = variables(4, mib=4, first=float(turn))
        twice = tf.function(lambda value: value * 2.0)
        with tf.device("/CPU:0"):
            assert float(twice(tf.constant(turn + 1.0))) == 2.0 * (turn + 1)
        assert (model.layers[0].kernel.numpy() == turn).all()
        assert hold(tensors, first=float(turn))
        taken = in_use()
        assert taken >= 19 * MIB
        keraser.clear(model, trim=trim)
        del model, tensors, twice
        taken = in_use()
        resets.append(keraser.gpu.reset_runtime())
        left.append(in_use())
        (gpu,) = resets[-1].gpus
        assert (gpu.used.before, gpu.used.after) == (taken, left[-1])
        assert resets[-1].freed == taken - left[-1]
        assert resets[-1].left == left[-1]
    return left, resets


def refusal(kind, call=None):
    """What is said, after nothing was changed."""
    import keraser
    from tensorflow.python.eager import context

    before, handle = in_use(), context.context()._context_handle
    with pytest.raises(kind) as raised:
        (call or keraser.gpu.reset_runtime)()
    assert context.context()._context_handle is handle
    assert handle is not None
    assert in_use() == before > 0
    assert "nothing was changed" in str(raised.value)
    return raised.value


# ---- nothing is left -------------------------------------------------------------


@usual
def test_in_the_default_mode_nothing_is_left_three_times_with_a_model_in_between():
    left, resets = rounds()
    assert left == [0, 0, 0]
    assert all(reset.freed > 6000 * MIB for reset in resets)
    assert len({reset.threads.after for reset in resets}) == 1


@on_gpu(TF_FORCE_GPU_ALLOW_GROWTH="true", **GROUP)
def test_with_memory_growth_nothing_is_left():
    assert rounds()[0] == [0, 0, 0]


@on_gpu(TF_GPU_ALLOCATOR="cuda_malloc_async", **GROUP)
def test_of_cudas_own_pool_nothing_is_left():
    assert rounds()[0] == [0, 0, 0]


@on_gpu(KERASER_GPU="arm", **GROUP)
def test_of_armed_pools_nothing_is_left():
    import keras  # noqa: F401  (arms)
    from keraser import _core

    assert _core.gpu_armed()
    assert rounds(trim=False)[0] == [0, 0, 0]
    assert driver().mapped == 0


@on_gpu(KERASER_GPU="arm", **GROUP)
def test_of_armed_pools_that_were_trimmed_before_a_granule_between_pieces_may_stay():
    import keras  # noqa: F401  (arms)

    left, resets = rounds(6)
    assert max(left) <= 8 * MIB
    assert left[3:] == left[:3]
    for size, reset in zip(left, resets, strict=True):
        assert f"left in pools  {size // MIB}.0 MiB" in repr(reset)


@on_gpu(FAKE_CUDA_DEVICES="2", CUDA_VISIBLE_DEVICES="0,1", **GROUP)
def test_all_gpus_are_reset():
    import keraser
    import tensorflow as tf

    with tf.device("/GPU:1"):
        tensors = variables(1, first=1.0)
    assert hold(tensors, first=1.0)
    del tensors
    reset = keraser.gpu.reset_runtime()
    assert [gpu.device for gpu in reset.gpus] == [0, 1]
    assert all(gpu.used.freed > 6000 * MIB for gpu in reset.gpus)
    assert in_use() == reset.left == 0
    with tf.device("/GPU:1"):
        assert hold(variables(1, first=2.0), first=2.0)


@usual
def test_the_receipt_says_what_was_done_and_a_second_call_does_nothing():
    import keraser

    tensors = variables(1)
    del tensors
    reset = keraser.gpu.reset_runtime()
    told = json.loads(json.dumps(reset.to_dict()))
    assert told["left"] == 0
    assert told["freed"] == reset.freed > 6000 * MIB
    assert told["gpus"][0]["used"]["after"] == 0
    assert "TensorFlow's eager context" in [renewed.what for renewed in reset.renewed]
    assert "left in pools  0 B" in repr(reset)
    assert "left in pools" in reset._repr_html_()
    again = keraser.gpu.reset_runtime()
    assert (again.freed, again.left, again.renewed) == (0, 0, ())


# ---- refusals ----------------------------------------------------------------------


@usual
def test_one_living_variable_is_named_and_nothing_is_changed():
    import keraser

    survivor = variables(1, mib=1, first=7.0)[0]
    error = refusal(keraser.StillHeldError)
    assert "1 variable\n" in str(error)
    (holder,) = error.holders
    assert "local 'survivor' (test_reset_runtime.py" in holder
    assert holder.endswith(" → ResourceVariable._handle: 1 variable, 1.0 MiB")
    assert "fix: del survivor in test_one" in str(error)
    assert hold([survivor], first=7.0)
    del survivor
    assert keraser.gpu.reset_runtime().left == in_use() == 0


@usual
def test_all_that_would_die_with_the_runtime_is_found():
    import keraser
    import tensorflow as tf

    tensors = variables(1)
    with tf.device("/CPU:0"):
        constant = tf.constant([1.0, 2.0])
    said = str(refusal(keraser.StillHeldError))
    assert ": 1 variable, 1 tensor\n" in said
    assert re.search(
        r"local 'constant' \(\S+\): 1 tensor, 8 B; fix: del constant", said
    )
    assert re.search(r"local 'tensors' .*\[0\].*: 1 variable, 16.0 MiB; fix", said)
    del constant, tensors
    function = tf.function(lambda: 1.0)
    function()
    assert "local 'function'" in str(refusal(keraser.StillHeldError))
    assert ": 1 function, 1 graph of a function\n" in str(
        refusal(keraser.StillHeldError)
    )
    del function
    dataset = tf.data.Dataset.range(3)
    assert "local 'dataset'" in str(refusal(keraser.StillHeldError))
    del dataset
    session = tf.compat.v1.Session(graph=tf.Graph())
    assert re.search(
        r"local 'session' \(\S+\): 1 session;", str(refusal(keraser.StillHeldError))
    )
    session.close()
    del session
    with tf.device("/CPU:0"):
        assert "1 open tf.device()" in str(refusal(keraser.StillHeldError))
    graph = tf.function(lambda: 1.0).get_concrete_function().graph
    assert "1 graph of a function" in str(refusal(keraser.StillHeldError))
    del graph
    assert keraser.gpu.reset_runtime().left == 0


@usual
def test_a_model_that_lives_is_named_and_works_on():
    import keraser

    model = build(3.0)
    error = refusal(keraser.StillHeldError)
    assert "local 'model' " in error.holders[0]
    assert (model.layers[0].kernel.numpy() == 3.0).all()
    keraser.clear(model)
    assert keraser.gpu.reset_runtime().left == 0


@usual
def test_what_no_list_shows_is_known_by_its_references(monkeypatch):
    import keras
    import keraser
    from keras.src.random.seed_generator import global_seed_generator
    from keraser.adapters.keras_tf import runtime

    keras.random.normal((2,))
    state = global_seed_generator().state
    hidden = variables(1, mib=1, first=7.0)
    monkeypatch.setattr(runtime.Runtime, "living", lambda *_, **__: runtime.Living())
    assert "in all 2" in str(refusal(keraser.UnsupportedError))
    assert global_seed_generator().state is state
    assert hold(hidden, first=7.0)


@usual
def test_what_runs_in_tensorflow_is_named():
    import keraser
    import tensorflow as tf

    tensors = variables(1, mib=1)
    del tensors
    began, over = threading.Event(), threading.Event()

    def wait(_):
        began.set()
        over.wait()

    thread = threading.Thread(target=lambda: tf.nest.map_structure(wait, [1]))
    thread.start()
    began.wait()
    try:
        error = refusal(keraser.UnsupportedError)
    finally:
        over.set()
        thread.join()
    assert f"map_structure() runs in thread '{thread.name}'" in str(error)

    def inside():
        tf.nest.map_structure(lambda _: keraser.gpu.reset_runtime(), [1])

    assert "map_structure() runs in this thread" in str(
        refusal(keraser.UnsupportedError, inside)
    )
    assert keraser.gpu.reset_runtime().left == 0


@usual
def test_a_thread_that_enters_tensorflow_at_the_last_moment_is_seen(monkeypatch):
    import keraser
    from keraser.adapters.keras_tf import runtime

    tensors = variables(1, mib=1)
    del tensors
    answers = iter([None, "zeros() runs in thread 'Thread-7'"])
    monkeypatch.setattr(runtime, "_running", lambda: next(answers))
    assert "zeros() runs" in str(refusal(keraser.UnsupportedError))


@usual
def test_a_tensorflow_that_is_not_known_is_refused_by_name(monkeypatch):
    import keraser
    import tensorflow as tf
    from tensorflow.python import pywrap_tfe

    tensors = variables(1, mib=1)
    del tensors
    with monkeypatch.context() as patch:
        patch.setattr(tf, "__version__", "2.99.0")
        assert "TensorFlow 2.99.0" in str(refusal(keraser.UnsupportedError))
        (finding,) = reset_findings()
        assert not finding.works
        assert "2.99.0" in finding.note
    with monkeypatch.context() as patch:
        patch.delattr(pywrap_tfe, "TFE_DeleteContext")
        assert "TFE_DeleteContext" in str(refusal(keraser.UnsupportedError))
    (finding,) = reset_findings()
    assert finding.works
    assert "nothing is in its way" in finding.note
    tensor = tf.constant(1.0)
    assert reset_findings()[0].note.startswith("1 tensors")
    del tensor
    assert keraser.gpu.reset_runtime().left == 0


def reset_findings():
    import keraser

    return [
        f for f in keraser.doctor().findings if f.what == "GPU T2: reset of the runtime"
    ]


@usual
def test_a_gpu_that_cannot_be_waited_for_keeps_its_pool_and_says_so():
    import keraser

    tensors = variables(1, mib=1)
    del tensors
    before = in_use()
    driver().fail("cuCtxSynchronize", 1, 719, times=1)
    reset = keraser.gpu.reset_runtime()
    assert reset.left == in_use() == before
    assert "answered with an error" in repr(reset)
    assert keraser.gpu.reset_runtime().left == in_use() == 0


@on_gpu(CUDA_VISIBLE_DEVICES="-1", FAKE_CUDA_DEVICES="0", **GROUP)
def test_without_a_gpu_there_is_nothing_to_reset():
    import keraser

    with pytest.raises(keraser.UnsupportedError, match="TensorFlow is not imported"):
        keraser.gpu.reset_runtime()
    import tensorflow as tf

    constant = tf.constant([1.0])
    with pytest.raises(keraser.UnsupportedError, match="no GPU is in use"):
        keraser.gpu.reset_runtime()
    assert float(constant[0]) == 1.0
    assert reset_findings() == []


# ---- what stays ----------------------------------------------------------------------


@on_gpu(FAKE_CUDA_DEVICES="2", CUDA_VISIBLE_DEVICES="0,1", KERASER_TESTS="settings")
def test_settings_are_the_same_before_and_after():
    import keras
    import keraser
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    tf.config.set_visible_devices(gpus[0], "GPU")
    halves = [tf.config.LogicalDeviceConfiguration(memory_limit=m) for m in (512, 256)]
    tf.config.set_logical_device_configuration(gpus[0], halves)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.set_soft_device_placement(False)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(7)
    with tf.device("/GPU:1"):
        tensors = variables(1, mib=1, first=1.0)
    del tensors
    assert driver().allocated == 256 * MIB
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reset = keraser.gpu.reset_runtime()
    assert in_use() == 0
    assert 'visible_device_list: "0"' in reset.settings["ConfigProto"]
    assert "512" in reset.settings["ConfigProto"]
    assert reset.settings["random seed"] == "7"
    assert len(tf.config.list_logical_devices("GPU")) == 2
    assert driver().allocated == 0
    with tf.device("/GPU:1"):
        tensors = variables(1, mib=1, first=2.0)
    assert tensors[0].device.endswith("GPU:1")
    assert driver().allocated == 256 * MIB
    assert not tf.config.get_soft_device_placement()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


@usual
def test_sequences_of_random_numbers_go_on_where_they_were():
    import keras
    import keraser
    import tensorflow as tf
    from keras.src.random.seed_generator import global_seed_generator

    def draw(with_reset):
        keras.utils.set_random_seed(7)
        drawn = []
        for _ in range(3):
            with tf.device("/CPU:0"):  # the fake GPU computes nothing
                drawn.append(float(keras.random.uniform(())))
            generator = global_seed_generator()
            if with_reset:
                assert keraser.gpu.reset_runtime().renewed[-2].count == 1
                assert "state" not in vars(generator)
            with tf.device("/CPU:0"):
                drawn.append(float(tf.random.uniform(())))
                drawn.append(float(keras.random.uniform(())))
                drawn.append(generator.state.numpy().tolist())
            assert global_seed_generator() is generator
            assert type(generator) is keras.random.SeedGenerator
        return drawn

    drawn = draw(with_reset=False)
    assert len({str(one) for one in drawn}) == len(drawn)
    assert draw(with_reset=True) == drawn


@usual
def test_a_seed_generator_that_waits_is_pickled_like_another():
    import keras
    import keraser
    from keras.src.random.seed_generator import global_seed_generator

    keras.utils.set_random_seed(7)
    keras.random.normal((2,))
    place = global_seed_generator().state.numpy().tolist()
    keraser.gpu.reset_runtime()
    keraser.gpu.reset_runtime()
    generator = global_seed_generator()
    assert in_use() == 0
    with pytest.raises(AttributeError, match="'SeedGenerator' object has no attribute"):
        generator.nothing  # noqa: B018
    assert in_use() == 0
    generator.__reduce_ex__(4)
    assert generator.state.numpy().tolist() == place
    assert pickle.dumps(type(generator))


@usual
def test_a_setting_that_changes_all_the_same_is_warned_of(monkeypatch):
    import keraser
    from keraser.adapters.keras_tf import runtime

    answers = iter([{"policy": "a", "seed": "1"}, {"policy": "b", "seed": "1"}])
    monkeypatch.setattr(runtime.Runtime, "settings", lambda _: next(answers))
    variables(1, mib=1)
    with pytest.warns(RuntimeWarning, match="changed settings .*: policy"):
        keraser.gpu.reset_runtime()


@usual
def test_threads_that_used_the_old_runtime_use_the_next():
    import queue

    import keraser

    jobs, done = queue.Queue(), queue.Queue()

    def work():
        while (first := jobs.get(timeout=120)) is not None:
            tensors = variables(2, mib=1, first=first)
            good = hold(tensors, first=first)
            del tensors
            done.put(good)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    good = []
    for turn in range(4):
        for worker in range(3):
            jobs.put(10.0 * turn + worker)
        good += [done.get(timeout=60) for _ in range(3)]
        gc.collect()
        assert keraser.gpu.reset_runtime().left == in_use() == 0
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()
    assert good == [True] * 12
