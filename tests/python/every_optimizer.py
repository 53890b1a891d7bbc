"""Every optimizer of Keras, in each of its manners, and a model to train with it."""

import keras
import parkable

layers, optimizers = keras.layers, keras.optimizers

EVERY_OPTIMIZER = {
    "sgd": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01, centered=True, momentum=0.5),
    "adam": lambda: optimizers.Adam(amsgrad=True),
    "adamw": lambda: optimizers.AdamW(weight_decay=0.1),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adamax": optimizers.Adamax,
    "adafactor": optimizers.Adafactor,
    "nadam": optimizers.Nadam,
    "ftrl": optimizers.Ftrl,
    "lion": optimizers.Lion,
    "lamb": optimizers.Lamb,
    "muon": optimizers.Muon,
    "ema": lambda: optimizers.Adam(use_ema=True, ema_overwrite_frequency=3),
    "accumulating": lambda: optimizers.Adam(gradient_accumulation_steps=2),
    "schedule_free": optimizers.ScheduleFreeAdamW,
    "multi": lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.Adam(), {".*bias": optimizers.SGD(0.1)})
    ),
    "schedule": lambda: optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 9)),
    "loss_scale": lambda: optimizers.LossScaleOptimizer(
        optimizers.Adam(), initial_scale=64.0, dynamic_growth_steps=2
    ),
}


#: Those whose slots start or go in another way than those of Adam.
SPECIAL = ["sgd", "schedule_free", "multi", "ema", "loss_scale"]


def small(optimizer):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(2)])
    model.compile(optimizer, "mse")
    return model, parkable.floats(8), parkable.floats(2)
