"""What optimizers and metrics are when nothing has been trained yet."""

from __future__ import annotations

from typing import Any

from keraser.adapters.keras_tf.batches import assign_all, read_all
from keraser.adapters.keras_tf.model import attribute, handles_of
from keraser.adapters.keras_tf.sharing import with_wrapped
from keraser.adapters.keras_tf.twins import Strangers, take
from keraser.errors import UnsupportedError


def as_new(model: Any, handles: list[Any]) -> list[tuple[Any, Any]]:
    """The values, as new, of those of these handles that are the optimizer's or a
    metric's; nothing is changed.

    Raises:
        UnsupportedError: the optimizer cannot be made a second time.
    """
    ids = {id(handle) for handle in handles}
    optimizer = attribute(model, "optimizer")
    pairs = _new_metrics(model)
    if optimizer is not None and any(
        id(handle) in ids for v in optimizer.variables for handle in handles_of(v)
    ):
        pairs += new_slots(optimizer, model.run_eagerly)
    return [(handle, value) for handle, value in pairs if id(handle) in ids]


def new_slots(optimizer: Any, eagerly: bool) -> list[tuple[Any, Any]]:
    """Handles of a built optimizer, each with the value of a new one: of a twin that is
    made from the same configuration for the same variables.

    Slots are made while the first training step is traced: what an optimizer assigns to
    them in its `build` is not done then, unless the model runs `eagerly`.

    Raises:
        UnsupportedError: there is no such twin.
    """
    strangers = Strangers()
    try:
        twin = type(optimizer).from_config(optimizer.get_config())
        strangers.refuse(twin)
        if not eagerly:
            for part in (*with_wrapped(twin), *getattr(twin, "optimizers", ())):
                object.__setattr__(part, "assign", lambda *_: None)
        twin.build(optimizer._trainable_variables)
        strangers.refuse(twin)
    except Exception as error:  # whatever its author's code raises
        raise UnsupportedError(
            f"optimizer {optimizer.name!r} cannot be made again from its get_config() "
            f"(nothing was changed): {error}"
        ) from error
    pairs = []
    for variable, new in zip(optimizer.variables, twin.variables, strict=True):
        if (variable.shape, variable.dtype) != (new.shape, new.dtype):
            raise UnsupportedError(
                f"optimizer {optimizer.name!r} made {variable.path!r} in another way "
                "than one from its get_config() does (nothing was changed)"
            )
        value = take(new)
        pairs += [(handle, value) for handle in handles_of(variable)]
    return pairs


def _new_metrics(model: Any) -> list[tuple[Any, Any]]:
    """Asked of the metrics themselves, which are put back at once."""
    handles = [h for v in model.metrics_variables for h in handles_of(v)]
    before = read_all(handles)
    try:
        model.reset_metrics()
        return list(zip(handles, read_all(handles), strict=True))
    finally:
        assign_all(handles, before)
