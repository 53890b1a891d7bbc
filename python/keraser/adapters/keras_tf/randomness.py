"""Keras' sources of random numbers, set for a while and put back."""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Iterator

#: What Keras keeps of random numbers and of automatic names, by thread.
_KEPT = ("global_random_seed", "global_seed_generator", "object_name_uids")


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """As after `keras.utils.set_random_seed(seed)`, but for TensorFlow's own generator:
    to set that one again would change what it draws next."""
    import numpy
    from keras.src.backend.common import global_state

    kept = {name: copy.copy(global_state.get_global_attribute(name)) for name in _KEPT}
    python, numpys = random.getstate(), numpy.random.get_state()
    try:
        random.seed(seed)
        numpy.random.seed(seed)
        global_state.set_global_attribute("global_random_seed", seed)
        global_state.set_global_attribute("global_seed_generator", None)
        with _tensorflows_aside():
            yield
    finally:
        random.setstate(python)
        numpy.random.set_state(numpys)
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)


@contextlib.contextmanager
def _tensorflows_aside() -> Iterator[None]:
    """What draws from TensorFlow's own generator meanwhile takes nothing from the
    user's sequence. It gets a seed that nobody has: kernels are kept by seed, each with
    its place in the sequence, and one of the user's would be at another place then."""
    from tensorflow.python.eager import context

    eager = context.context()
    if eager._seed is None:
        yield
        return
    kept = eager._seed, eager._rng
    eager._seed, eager._rng = random.SystemRandom().getrandbits(31), random.Random()
    try:
        yield
    finally:
        eager._seed, eager._rng = kept
