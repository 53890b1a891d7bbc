"""Keras' process-wide state: what clear() resets, and the settings it leaves alone.

`keras.backend.clear_session()` throws the whole state away, the user's settings with
it: dtype policy, seed, logging, traceback filtering, distribution, open scopes. keraser
never calls it; it resets only what grows with models.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from keraser import _core
from keraser.receipt import Reset

_AUTOMATIC_NAME = re.compile(r"(.+?)(?:_(\d+))?")

#: What users set, as Keras calls it in its state.
SETTINGS = (
    "dtype_policy",
    "global_random_seed",
    "global_seed_generator",
    "interactive_logging",
    "traceback_filtering",
    "distribution",
    "flash_attention",
    "nnx_enabled",
    "custom_objects_scope_dict",
    "name_scope_stack",
)


def settings() -> dict[str, str]:
    """The user's settings as text, to be compared before and after."""
    import keras

    state = _state()
    found: dict[str, str] = {
        "floatx": keras.config.floatx(),
        "epsilon": str(keras.config.epsilon()),
        "image_data_format": keras.config.image_data_format(),
    }
    for name in SETTINGS:
        value = state.get(name)
        if value is not None:
            found[name] = _as_text(value)
    return found


def _state() -> dict[str, Any]:
    from keras.src.backend.common import global_state

    return vars(global_state.GLOBAL_STATE_TRACKER)


def _as_text(value: Any) -> str:
    if isinstance(value, (str, int, float, bool, list, dict)):
        return str(value)
    name = getattr(value, "name", None)
    return f"{type(value).__name__} {name or hex(id(value))}"


def name_counters() -> dict[str, int]:
    """How many automatic names of each kind have been given on this thread."""
    return dict(_state().get("object_name_uids") or {})


def reset_names(given: dict[str, int]) -> list[Reset]:
    """Automatic names start again at `dense`, `dense_1`, ..., after those in use and
    those that `given` counts."""
    from keras.src.backend.common.stateless_scope import in_stateless_scope

    state, resets = _state(), []
    counters = state.get("object_name_uids")
    if counters:
        in_use = _names_in_use()
        for name, count in given.items():
            in_use[name] = max(in_use[name], count)
        freed = sum(max(counters[name] - in_use[name], 0) for name in counters)
        counters.clear()
        counters.update(in_use)
        if freed:
            note = "may be given again; those of living layers may not"
            resets.append(Reset("automatic names", freed, note))
    if not in_stateless_scope() and state.get("uninitialized_variables"):
        count = len(state.pop("uninitialized_variables"))
        resets.append(
            Reset("uninitialised variables", count, "of a failed build, let go")
        )
    return resets


def _names_in_use() -> Counter[str]:
    """How many names of each kind are taken: living layers must stay unique beside
    layers that are made later, in models that use both."""
    from keras import Operation

    in_use: Counter[str] = Counter()
    for operation in _core.instances((Operation,)):
        match = _AUTOMATIC_NAME.fullmatch(str(vars(operation).get("name")))
        if match:
            kind, index = match.groups()
            in_use[kind] = max(in_use[kind], int(index or 0) + 1)
    return in_use
