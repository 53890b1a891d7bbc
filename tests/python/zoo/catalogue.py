"""What shall hold of each recipe, readable without importing TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What is known of a recipe.

    Attributes:
        leaks: it grows when models are dropped by the usual advice.
        guarded: guard() and a plain del are enough to stop the growth.
        heap_kib: what a trial may leave on the C heap after keraser.clear().
        objects: what a trial adds whatever one does, under the usual advice too.
        users_own: what of each trial the user's own code keeps usable, so that clear()
            names it instead of freeing it, as a regular expression for the receipt.
    """

    leaks: bool = False
    guarded: bool = False
    heap_kib: float = 16.0
    objects: float = 0.0
    users_own: str = ""


RECIPES = {
    "fit_loop": Facts(leaks=True, guarded=True),
    "fit_fat": Facts(leaks=True, guarded=True),
    "fit_thin": Facts(leaks=True, guarded=True),
    "fit_sgd": Facts(leaks=True, guarded=True),
    "fit_subclass": Facts(leaks=True, guarded=True),
    "fit_class_of_its_own": Facts(leaks=True, guarded=True),
    "fit_train_step": Facts(leaks=True, guarded=True),
    "fit_eval_predict": Facts(leaks=True, guarded=True),
    "fit_xla": Facts(leaks=True, guarded=True, heap_kib=8192.0),
    "objective_loop": Facts(leaks=True, guarded=True),
    "demo_model": Facts(leaks=True, guarded=True),
    "custom_gradient_layer": Facts(leaks=True, guarded=True),
    "custom_loop": Facts(leaks=True, guarded=True),
    "predict_silu": Facts(leaks=True, guarded=True),
    "fit_lstm": Facts(leaks=True, guarded=True),
    "fit_embedding": Facts(guarded=True),
    "fit_nested": Facts(leaks=True, guarded=True),
    "load_and_train": Facts(leaks=True, guarded=True),
    "recompile": Facts(leaks=True, guarded=True),
    "head_on_shared_base": Facts(leaks=True),
    "head_after_shared_base": Facts(leaks=True),
    "step_takes_model": Facts(leaks=True),
    "concrete_kept": Facts(leaks=True, heap_kib=4096.0, users_own="routes"),
    "retrace_scalar": Facts(leaks=True, heap_kib=512.0, users_own="tf.function"),
    "retrace_shape": Facts(leaks=True, heap_kib=512.0, users_own="tf.function"),
    "scalar_cache": Facts(leaks=True),
    "build_loop": Facts(),
    "build_functional": Facts(),
    "fit_eager": Facts(),
    "clone_loop": Facts(),
    "load_model_loop": Facts(),
    "train_on_batch": Facts(),
    "new_tf_function": Facts(),
    "cycle": Facts(),
    "from_generator": Facts(),
    "py_function_eager": Facts(),
    "map_closes_model": Facts(objects=2.0),
    "fit_pipeline": Facts(leaks=True, guarded=True),
    "fit_py_dataset": Facts(leaks=True),
    "fit_generator": Facts(leaks=True),
    "fit_tensorboard": Facts(leaks=True, guarded=True),
    "fit_checkpoints": Facts(leaks=True, guarded=True),
    "fit_mixed_precision": Facts(leaks=True, guarded=True),
    "fit_mirrored": Facts(leaks=True, guarded=True),
}
