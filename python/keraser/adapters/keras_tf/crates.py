"""A layer or model as plain data, and made again from it, in another process too.

Configuration, arguments of compile(), shapes, flags, and the values of its variables
and of its optimizers' as arrays, which share the tensors' memory until they are sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from keraser.adapters.keras_tf import batches
from keraser.adapters.keras_tf.customs import customs_of, is_of_keras
from keraser.adapters.keras_tf.model import attribute, handles_of
from keraser.adapters.keras_tf.randomness import seeded
from keraser.adapters.keras_tf.remaking import Recipe, optimizer_recipe, recipe
from keraser.adapters.keras_tf.second_model import given_to_compile
from keraser.adapters.keras_tf.states import remembered
from keraser.adapters.keras_tf.twins import Built, build_as, how_built
from keraser.errors import UnsupportedError


@dataclass
class Values:
    """Of variables in their order.

    Attributes:
        arrays: one for each.
        names: name and path of each.
        trainable: of each.
    """

    arrays: list[Any]
    names: list[tuple[str, str]]
    trainable: list[bool]


@dataclass
class Training:
    """An optimizer.

    Attributes:
        recipe: how it is made, None if something else makes it.
        trained: which of the model's variables it trains, None if it is not built.
        values: its own.
    """

    recipe: Recipe | None
    trained: list[int] | None
    values: Values


@dataclass
class Compiled:
    """What compile() was given.

    Attributes:
        arguments: but for the optimizer; None: `config` is for compile_from_config().
        config: of a class with a compile() of its own.
        customs: what Keras has to know by name meanwhile.
        optimizers: by the attribute of the model.
        history: of the last fit.
    """

    arguments: dict[str, Any] | None
    config: Any = None
    customs: dict[str, Any] = field(default_factory=dict)
    optimizers: dict[str, Training] = field(default_factory=dict)
    history: Any = None


@dataclass
class Marks:
    """What a layer is beside its configuration."""

    name: str
    policy: str
    trainable: bool
    built: bool
    shapes: Any
    learnt: Any
    compiled: Compiled | None


@dataclass
class Crate:
    """All of a layer or model."""

    title: str
    recipe: Recipe
    settings: dict[str, Any]
    built: Built | None
    marks: list[Marks]
    values: Values


def fill(layer: Any) -> Crate:
    """Raises UnsupportedError, and whatever the code of its classes raises."""
    variables = _variables(layer)
    places = {id(variable): i for i, variable in enumerate(variables)}
    return Crate(
        title_of(layer),
        recipe(layer),
        _settings_of(layer),
        how_built(layer) if layer.built else None,
        [_marks_of(part, places) for part in layer._flatten_layers()],
        read(variables),
    )


def title_of(layer: Any) -> str:
    from keras import Model

    what = "model" if isinstance(layer, Model) else "layer"
    return f"{what} {layer.name!r} ({type(layer).__name__})"


def _variables(layer: Any) -> list[Any]:
    found = {id(variable): variable for variable in layer.variables}
    for part in layer._flatten_layers():
        found.update((id(state), state) for state in remembered(part))
    return list(found.values())


def read(variables: list[Any]) -> Values:
    """Views of the values, without a copy where they are in host memory."""
    handles = []
    for variable in variables:
        found = handles_of(variable)
        if len(found) != 1:
            raise UnsupportedError(
                f"variable {variable.path!r} has {len(found)} values: it is not "
                "initialized, or of a distribution strategy"
            )
        handles += found
    return Values(
        [batches.view(tensor) for tensor in batches.read_all(handles)],
        [(variable.name, variable.path) for variable in variables],
        [bool(variable.trainable) for variable in variables],
    )


def write(variables: list[Any], values: Values) -> None:
    """Copies of the values into variables, which get names and flags as well."""
    import numpy

    if len(variables) != len(values.arrays):
        raise UnsupportedError(
            f"it has {len(variables)} variables, and had {len(values.arrays)}"
        )
    handles = []
    for variable, array in zip(variables, values.arrays, strict=True):
        handle = handles_of(variable)[0]
        kind = handle._handle_data.shape_and_type[0].dtype
        looks = batches.type_name(kind), tuple(variable.shape)
        if looks != (array.dtype.name, array.shape):
            raise UnsupportedError(
                f"variable {variable.path!r} is {looks[0]} {looks[1]}, and was "
                f"{array.dtype.name} {array.shape}"
            )
        handles.append(handle)
    arrays = [numpy.ascontiguousarray(array) for array in values.arrays]
    shaped = [a.reshape(o.shape) for a, o in zip(arrays, values.arrays, strict=True)]
    batches.assign_all(handles, batches.from_host(shaped, handles))
    for variable, names, trainable in zip(
        variables, values.names, values.trainable, strict=True
    ):
        variable._name, variable._path = names
        if variable.trainable != trainable:
            variable.trainable = trainable


def _settings() -> dict[str, Any]:
    from keras import config

    return {
        "dtype_policy": config.dtype_policy(),
        "floatx": config.floatx(),
        "image_data_format": config.image_data_format(),
    }


def _settings_of(layer: Any) -> dict[str, Any]:
    """Those of the process, which may have had another policy when a model was made."""
    from keras import Model

    own = {"dtype_policy": layer.dtype_policy} if isinstance(layer, Model) else {}
    return {**_settings(), **own}


@contextlib.contextmanager
def _set(settings: dict[str, Any]) -> Iterator[None]:
    """The other process' settings for a while: what has no configuration is made by
    them."""
    from keras import config

    before = _settings()
    try:
        for name, value in settings.items():
            getattr(config, f"set_{name}")(value)
        yield
    finally:
        for name, value in before.items():
            getattr(config, f"set_{name}")(value)


def _marks_of(layer: Any, places: dict[int, int]) -> Marks:
    from keras import Model

    model = isinstance(layer, Model)
    return Marks(
        layer.name,
        layer.dtype_policy.name,
        bool(layer._trainable),
        bool(layer.built),
        attribute(layer, "_build_shapes_dict"),
        _learnt(layer),
        _compiled(layer, places) if model and layer.compiled else None,
    )


def _learnt(layer: Any) -> Any:
    """What neither variables nor the configuration have: a vocabulary, and what a class
    of the user's writes by itself."""
    if hasattr(layer, "input_vocabulary") and hasattr(layer, "set_vocabulary"):
        if layer.input_vocabulary is not None or not layer.get_vocabulary(False):
            return None
        weights = getattr(layer, "idf_weights_const", None)
        return layer.get_vocabulary(), None if weights is None else weights.numpy()
    if _writes_itself(layer):
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        return store
    return None


def _writes_itself(layer: Any) -> bool:
    kinds = type(layer).__mro__
    return not is_of_keras(next(k for k in kinds if "save_own_variables" in vars(k)))


def _learn(layer: Any, learnt: Any) -> None:
    from keras.layers import Normalization

    if isinstance(learnt, tuple):
        vocabulary, weights = learnt
        layer.set_vocabulary(
            vocabulary, **({} if weights is None else {"idf_weights": weights})
        )
    elif learnt is not None:
        layer.load_own_variables(learnt)
    elif isinstance(layer, Normalization) and layer.built:
        layer.finalize_state()


def metric_recipe(metric: Any) -> Recipe:
    return Recipe(type(metric), metric.get_config(), None, customs_of([metric]))


def _map(metrics: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Those of a kind changed, in what compile() takes. They begin anew, as the losses'
    and those made from a name do: Keras does not reset one in the first epoch."""
    if isinstance(metrics, kind):
        return change(metrics)
    if isinstance(metrics, dict):
        return {name: _map(metric, kind, change) for name, metric in metrics.items()}
    if isinstance(metrics, (list, tuple)):
        return [_map(metric, kind, change) for metric in metrics]
    return metrics


def _compiled(model: Any, places: dict[int, int]) -> Compiled:
    from keras import Metric

    arguments = given_to_compile(model)
    if arguments is None:
        return _compiled_by_itself(model, places)
    arguments.pop("optimizer")
    for name in ("metrics", "weighted_metrics"):
        arguments[name] = _map(arguments.get(name), Metric, metric_recipe)
    optimizer = attribute(model, "optimizer")
    arguments["auto_scale_loss"] = False  # it has been wrapped if it is to be
    found = Compiled(arguments, history=attribute(model, "history"))
    if optimizer is not None:
        own = training_of(optimizer, places)
        found.optimizers["optimizer"] = own
    return found


def _compiled_by_itself(model: Any, places: dict[int, int]) -> Compiled:
    from keras import Optimizer
    from keras.src.trainers.trainer import Trainer

    for name in ("get_compile_config", "compile_from_config"):
        if getattr(type(model), name) is getattr(Trainer, name):
            raise UnsupportedError(
                "it has a compile() of its own, whose arguments nobody kept: "
                f"its class needs a {name}(), too"
            )
    own = {n: v for n, v in vars(model).items() if isinstance(v, Optimizer)}
    held = [*own.values(), *model._flatten_layers()]
    found = Compiled(None, model.get_compile_config(), customs_of(held))
    found.history = attribute(model, "history")
    for name, optimizer in own.items():
        found.optimizers[name] = training_of(optimizer, places)
        found.optimizers[name].recipe = None
    return found


def training_of(optimizer: Any, places: dict[int, int]) -> Training:
    """An optimizer of variables that have these places by id()."""
    trained = None
    if optimizer.built:
        trained = [places.get(id(v), -1) for v in optimizer._trainable_variables]
        if -1 in trained:
            raise UnsupportedError(
                f"optimizer {optimizer.name!r} trains variables that are not its own"
            )
    return Training(optimizer_recipe(optimizer), trained, read(optimizer.variables))


def build_optimizer(optimizer: Any, variables: list[Any], training: Training) -> None:
    """Its slots, as they were."""
    if training.trained is not None and not optimizer.built:
        optimizer.build([variables[place] for place in training.trained])
        optimizer.built = True
    write(optimizer.variables, training.values)


def make(crate: Crate) -> Any:
    """What was put into a crate. What this process draws next is as without it.

    Raises:
        UnsupportedError: it cannot be made again.
    """
    try:
        with seeded(0), _set(crate.settings):
            new = crate.recipe.make()
            if crate.built and len(new.variables) < crate.built.variables:
                build_as(new, crate.built)
            variables = _variables(new)
            parts = list(new._flatten_layers())
            for part, marks in zip(parts, crate.marks, strict=True):
                _mark(part, marks)
            write(variables, crate.values)
            for part, marks in zip(parts, crate.marks, strict=True):
                _learn(part, marks.learnt)
                if marks.compiled is not None:
                    _compile(part, variables, marks.compiled)
    except Exception as error:  # whatever its author's code raises
        raise UnsupportedError(advice(crate.title, error)) from error
    return new


def advice(title: str, error: Exception) -> str:
    """What to say of something that does not travel."""
    weights = title.split()[0] + ".get_weights()"
    why = str(error).split("Exception encountered:")[-1]  # Keras puts the config first
    why = " ".join(why.split())[:300] or type(error).__name__
    return (
        f"{title} cannot be made again from its get_config(): {why}. Return {weights} "
        "in its place, and build it by your own code"
    )


def _mark(layer: Any, marks: Marks) -> None:
    if layer.dtype_policy.name != marks.policy:
        raise UnsupportedError(
            f"layer {layer.name!r} computes by {layer.dtype_policy.name!r}, and did by "
            f"{marks.policy!r}"
        )
    if layer.name != marks.name:  # made without a name
        layer.name = marks.name
    layer._trainable = marks.trainable
    if marks.built and not layer.built:
        layer.built = True
        layer._build_shapes_dict = marks.shapes


def _compile(model: Any, variables: list[Any], compiled: Compiled) -> None:
    from keras.saving import custom_object_scope

    if compiled.arguments is None:
        with custom_object_scope(compiled.customs):
            model.compile_from_config(compiled.config)
    else:
        own = compiled.optimizers.get("optimizer")
        made = None if own is None or own.recipe is None else own.recipe.make()
        arguments = dict(compiled.arguments)
        for name in ("metrics", "weighted_metrics"):
            arguments[name] = _map(arguments[name], Recipe, Recipe.make)
        model.compile(optimizer=made, **arguments)
    for name, training in compiled.optimizers.items():
        build_optimizer(getattr(model, name), variables, training)
    if compiled.history is not None:
        model.history = compiled.history
        model.history.set_model(model)
