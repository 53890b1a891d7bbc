"""A second model from the configuration of a first, compiled like it."""

from __future__ import annotations

from typing import Any

from keraser.adapters.keras_tf.model import attribute
from keraser.adapters.keras_tf.randomness import seeded
from keraser.adapters.keras_tf.remaking import make, make_optimizer
from keraser.adapters.keras_tf.twins import Strangers, build
from keraser.errors import UnsupportedError


def second_model(model: Any, seed: int) -> Any:
    """The first one is left as it is.

    Raises:
        UnsupportedError: it cannot be made from its configuration, or not compiled in
            the same way.
    """
    _refuse_adapted(model)
    arguments = _compile_arguments(model)
    strangers = Strangers()
    try:
        with seeded(seed):
            new = make(model)
            strangers.refuse(new)
            if model.built and len(new.variables) < len(model.variables):
                build(new, model)
            if arguments is not None:
                new.compile(**arguments)
    except Exception as error:  # whatever its author's code raises
        raise UnsupportedError(
            f"model {model.name!r} ({type(model).__name__}) cannot be made again from "
            f"its get_config() (nothing was changed): {error}. Build it by your own "
            "code, or use keraser.reset(model), which needs less of it"
        ) from error
    looks = [[(tuple(v.shape), v.dtype) for v in m.variables] for m in (model, new)]
    if looks[0] != looks[1]:
        raise UnsupportedError(
            f"model {model.name!r} made again from its get_config() has other "
            "variables than it has (nothing was changed)"
        )
    return new


def _refuse_adapted(model: Any) -> None:
    """What a layer learnt by adapt() is not in its configuration."""
    for layer in model._flatten_layers():
        if not hasattr(layer, "adapt"):
            continue
        config = layer.get_config()
        if not any(config.get(key) is not None for key in ("vocabulary", "mean")):
            raise UnsupportedError(
                f"layer {layer.name!r} would lose what it adapted to (nothing was "
                "changed): use keraser.reset(model), which keeps it"
            )


def _compile_arguments(model: Any) -> dict[str, Any] | None:
    """Those that compile() was given: optimizer and metrics as new objects, losses and
    functions the same. None: it was not compiled."""
    from keras import Optimizer

    if not model.compiled:
        return None
    arguments = given_to_compile(model)
    if arguments is None:
        raise UnsupportedError(
            f"model {model.name!r} has a compile() of its own, whose arguments nobody "
            "kept (nothing was changed): use keraser.reset(model)"
        )
    for name in ("metrics", "weighted_metrics"):
        arguments[name] = _fresh_metrics(arguments.get(name))
    optimizer = arguments["optimizer"]
    if isinstance(optimizer, Optimizer):
        arguments["optimizer"] = make_optimizer(optimizer)
        arguments["auto_scale_loss"] = False  # it has been wrapped if it is to be
    return arguments


def given_to_compile(model: Any) -> dict[str, Any] | None:
    """The arguments as they were; None of a class with a compile() of its own."""
    from keras.src.trainers.trainer import Trainer

    stored = attribute(model, "_compile_config")
    if type(model).compile is not Trainer.compile or stored is None:
        return None
    return dict(stored.config)


def _fresh_metrics(metrics: Any) -> Any:
    from keras import Metric

    if isinstance(metrics, Metric):
        return type(metrics).from_config(metrics.get_config())
    if isinstance(metrics, dict):
        return {name: _fresh_metrics(metric) for name, metric in metrics.items()}
    if isinstance(metrics, (list, tuple)):
        return [_fresh_metrics(metric) for metric in metrics]
    return metrics
