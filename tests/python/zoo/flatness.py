"""Measures what each trial of a recipe leaves behind. Run in a process of its own:

    python tests/python/zoo/flatness.py fit_loop --arm article --trials 30

prints a line a recipe; `--serve` answers requests of a test instead (see Process).

After each trial, and a full collection, five figures are read. Four are exact: objects
that the collector tracks, FuncGraphs and resource handles among them (each handle keeps
a variable's memory), functions of TensorFlow's eager context. TensorFlow runs without
oneDNN here: its operations then allocate every tensor by malloc instead of from
TensorFlow's CPU pool, so that the C heap in use counts all of it. Resident memory is
not read: it moves by hundreds of KiB with where free blocks lie.
"""

import argparse
import array
import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from itertools import combinations

from catalogue import RECIPES

FIGURES = ("objects", "graphs", "handles", "functions", "heap")
WARM_UP = 2
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def theil_sen(values):
    """The median of the slopes between all pairs: one odd trial does not move it."""
    pairs = combinations(enumerate(values), 2)
    return statistics.median((b - a) / (j - i) for (i, a), (j, b) in pairs)


# ---- in the process that is measured -----------------------------------------------


def take_figures():
    """The figures now, in the order of FIGURES; heap in bytes."""
    import tensorflow as tf
    from keraser import _core
    from tensorflow.python.eager import context
    from tensorflow.python.framework.func_graph import FuncGraph
    from tensorflow.python.framework.ops import EagerTensor

    gc.collect()
    things = gc.get_objects()
    types = Counter(map(type, things))
    graphs = sum(count for kind, count in types.items() if FuncGraph in kind.__mro__)
    tensors = [thing for thing in things if type(thing) is EagerTensor]
    handles = sum(tensor.dtype == tf.resource for tensor in tensors)
    functions = len(context.context().list_function_names())
    return len(things), graphs, handles, functions, _core.heap()["in_use"]


def article(model_box):
    """What articles and threads advise: `del model`, and these two."""
    import keras

    model_box.clear()
    keras.backend.clear_session()
    gc.collect()


def clear(model_box):
    """keraser.clear(), of the model if the recipe gives one."""
    import keraser

    model = model_box.pop()
    return keraser.clear(model)


def plain(model_box):
    """`del model`, and the collection that take_figures does."""
    model_box.clear()


def in_scope(recipe, state, trial):
    """Within keraser.scope(); what later trials use as well is kept. All receipts as
    one: the last, with what the others say of others' holds."""
    import dataclasses

    import keraser

    with keraser.scope() as scope:
        recipe(state, trial)
        scope.keep(state)
    *models, rest = scope.receipts
    for one in models:
        rest = dataclasses.replace(
            rest,
            cleared=rest.cleared and one.cleared,
            kept=rest.kept + one.kept,
            shells=rest.shells + one.shells,
            limits=rest.limits + one.limits,
        )
    return rest


#: Those with guard in their names have called keraser.guard() once, at the start.
ARMS = {
    "nothing": plain,
    "article": article,
    "clear": clear,
    "guard": plain,
    "guard+article": article,
    "guard+clear": clear,
    "scope": in_scope,
}


def run_trial(recipe, arm, state, trial):
    """One trial; the receipt if the arm gives one."""
    if arm == "scope":
        return in_scope(recipe, state, trial)
    model_box = [recipe(state, trial)]
    return ARMS[arm](model_box)


def measure(name, arm, trials, full_size=False):
    """Slopes a trial by figure, and what the last receipt says."""
    import keraser
    import recipes

    recipe = getattr(recipes, name)
    samples = [array.array("q") for _ in FIGURES]
    with tempfile.TemporaryDirectory() as folder:
        state = {"folder": folder, "full_size": full_size}
        receipts = []
        for trial in range(WARM_UP + trials):
            receipts[:] = [run_trial(recipe, arm, state, trial)]
            if trial >= WARM_UP:
                for sample, figure in zip(samples, take_figures(), strict=True):
                    sample.append(figure)
        receipt = receipts[0]
        state.clear()
    keraser.clear()  # the next recipe of this process starts from here
    slopes = map(theil_sen, samples)
    return {
        **dict(zip(FIGURES, slopes, strict=True)),
        "receipt": receipt and receipt.to_dict(),
    }


def prepare(arm, freeze):
    """Imports, and the caches that fill once in a process; guards in arm `guard`.

    Frozen, what was imported is left out of collections and counts, which then take
    microseconds instead of 0.3 s a trial.
    """
    os.environ.update(ENVIRONMENT)
    import keraser
    from recipes import fit_loop

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # retracing is the point
    if arm.startswith("guard"):
        keraser.guard()
    for trial in range(2):
        keraser.clear(fit_loop({}, trial))
        take_figures()
    if freeze:
        gc.freeze()


def serve(arm):
    """Answers each line, a request in JSON, by a line."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            answer = measure(**{"arm": arm} | json.loads(line))
        except Exception:  # whatever it is, the test shows it
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


# ---- in the test's process ----------------------------------------------------------


class Process:
    """A process that measures recipes, one after another; under `arm`, or others that
    are guarded as that is."""

    def __init__(self, arm, *options):
        command = [sys.executable, __file__, "--serve", "--arm", arm, *options]
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ENVIRONMENT,
            text=True,
        )

    def measure(self, name, trials, full_size=False, **arm):
        """What `measure` returns in that process, `arm=` another one than its own.

        Raises:
            RuntimeError: the recipe failed there, or the process died of it.
        """
        request = {"name": name, "trials": trials, "full_size": full_size, **arm}
        try:
            print(json.dumps(request), file=self._child.stdin, flush=True)
        except BrokenPipeError:
            raise RuntimeError("the process died of an earlier recipe") from None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} ended the process: {self._child.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{name} failed:\n{answer['error']}")
        return answer

    def stop(self):
        self._child.communicate()


HEAD = f"{'recipe':24} {'arm':14}" + "".join(f"{name:>10}" for name in FIGURES) + " KiB"


def as_row(name, arm, figures):
    """The figures a trial as a line of the table under HEAD."""
    counts = "".join(f"{figures[figure]:10.1f}" for figure in FIGURES[:-1])
    return f"{name:24} {arm:14}{counts}{figures['heap'] / 1024:10.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", choices=[*RECIPES, []], default=[])
    parser.add_argument("--arm", choices=ARMS, default="clear")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    prepare(options.arm, options.freeze)
    if options.serve:
        return serve(options.arm)
    print(HEAD)
    for name in options.recipes or RECIPES:
        figures = measure(name, options.arm, options.trials, options.full_size)
        print(as_row(name, options.arm, figures), flush=True)
        for kept in (figures["receipt"] or {}).get("kept", ()):
            print(f"    kept: {kept['what']}, held by {kept['holders'] or 'nobody'}")


if __name__ == "__main__":
    main()
