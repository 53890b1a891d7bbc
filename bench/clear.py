"""What keraser.clear(model) costs, beside the usual way to drop a model.

    ./dev bench clear        or        python bench/clear.py [--rounds 7] [--json]

Both ways run in one process, in turn (usual, keraser, usual, ...), each on a model of
its own that was made just before.

In the time: for the usual way `del model; keras.backend.clear_session(); gc.collect()`,
for keraser the whole call, with its measuring and its receipt. Not in the time: making
and fitting the model; and a keraser.clear() and gc.collect() after every measurement,
which take away what the usual way leaks, so that no round pays for an earlier one. In a
real sweep nobody takes it away, and the usual way gets slower with every trial.

No collection runs before the time starts: both ways find the garbage of building and
fitting, as they would in a loop. The first round of each process is left out.

Times are medians; the ratio is that of the medians, its range that of the ratios of the
single rounds. Every row group is a process of its own, with TensorFlow's default
settings on the CPU.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata

WIDTH = 32  # units of each layer
HEAP_SIZES = (0, 1_000_000, 5_000_000)
DEPTHS = (2, 8, 32)
STAGES = ("compiled", "fitted", "predicted")


# ---- in the process of a row group --------------------------------------------------


def build(depth, stage):
    """A model of `depth` dense layers that has come as far as `stage`."""
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((WIDTH,))])
    for _ in range(depth - 1):
        model.add(keras.layers.Dense(WIDTH, activation="relu"))
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    x = np.ones((64, WIDTH), np.float32)
    if stage == "fitted":
        model.fit(x, x[:, :1], verbose=0)
    elif stage == "predicted":
        model.predict(x, verbose=0)
    return model


def drop_usual(depth, stage):
    import keras

    model = build(depth, stage)
    began = time.perf_counter()
    del model
    keras.backend.clear_session()
    gc.collect()
    return time.perf_counter() - began, None


def drop_keraser(depth, stage):
    import keraser

    model = build(depth, stage)
    began = time.perf_counter()
    receipt = keraser.clear(model)
    seconds = time.perf_counter() - began
    if not receipt.cleared or receipt.kept:
        raise SystemExit(f"the model was not cleared:\n{receipt!r}")
    return seconds, receipt.objects.before


def measure(depth, stage, rounds):
    """One row: times of both ways in seconds, round by round."""
    import keraser

    usual, ours, owned = [], [], 0
    for _ in range(rounds + 1):
        for times, drop in ((usual, drop_usual), (ours, drop_keraser)):
            seconds, objects = drop(depth, stage)
            times.append(seconds)
            owned = objects or owned
            keraser.clear()
            gc.collect()
    return {
        "layers": depth,
        "stage": stage,
        "objects": owned,
        "heap_objects": len(gc.get_objects()),
        "usual": usual[1:],
        "keraser": ours[1:],
    }


def stage_rows(rounds):
    return [measure(2, stage, rounds) for stage in STAGES]


def depth_rows(rounds):
    return [measure(depth, "fitted", rounds) for depth in DEPTHS]


def heap_rows(rounds, extra):
    kept = live_objects(extra)
    row = measure(2, "fitted", rounds)
    return [row | {"extra": extra, "kept": len(kept)}]


class Node:
    def __init__(self, left, right):
        self.left, self.right = left, right


def live_objects(count):
    """At least `count` live objects that the collector tracks: lists, tuples, dicts and
    instances that refer to each other, a few bytes each."""
    gc.disable()  # the collector would look at them again and again while they grow
    kept, last = [], []
    for _ in range(count // 4):
        items = [last]
        pair = (items, last)
        names = {"items": items, "pair": pair}
        last = Node(names, pair)
        kept.append(last)
    gc.enable()
    return kept


# ---- in the parent ------------------------------------------------------------------


def groups(rounds):
    """(title, what tells its rows apart, calls): each call is one process."""
    return (
        (
            "small model (2 layers) in a TensorFlow heap",
            "stage",
            [("stage_rows", rounds)],
        ),
        (
            "cost against the heap: extra live objects, small fitted model",
            "extra",
            [("heap_rows", rounds, extra) for extra in HEAP_SIZES],
        ),
        (
            "cost against the model: layers of a fitted model",
            "layers",
            [("depth_rows", rounds)],
        ),
    )


def in_own_process(call):
    """Rows of one call, made in a process of its own."""
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, __file__, "--call", json.dumps(call)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        if done.returncode:
            errors.seek(0)
            sys.stderr.writelines(errors.readlines()[-25:])
            raise SystemExit(f"{call[0]} failed: exit status {done.returncode}")
    return [summary(row) for row in json.loads(done.stdout.splitlines()[-1])]


def summary(row):
    ratios = [u / k for u, k in zip(row["usual"], row["keraser"], strict=True)]
    usual, ours = statistics.median(row["usual"]), statistics.median(row["keraser"])
    return row | {
        "usual_median": usual,
        "keraser_median": ours,
        "ratio": usual / ours,
        "ratio_range": [min(ratios), max(ratios)],
    }


COLUMNS = "{:>12}  {:>13}  {:>15}  {:>10}  {:>11}  {:>7}  {}"


def show_heading(title, key):
    print(f"\n{title}")
    print(
        COLUMNS.format(
            key,
            "objects owned",
            "objects in heap",
            "usual, ms",
            "keraser, ms",
            "ratio",
            "range of ratios",
        ),
        flush=True,
    )


def show_row(row, key):
    low, high = row["ratio_range"]
    print(
        COLUMNS.format(
            shown(row[key]),
            shown(row["objects"]),
            shown(row["heap_objects"]),
            f"{row['usual_median'] * 1e3:,.1f}",
            f"{row['keraser_median'] * 1e3:,.1f}",
            f"{row['ratio']:.1f}x",
            f"{low:.1f}x to {high:.1f}x",
        ),
        flush=True,
    )


def shown(value):
    return value if isinstance(value, str) else f"{value:,}"


def main():
    parser = argparse.ArgumentParser(description="What keraser.clear(model) costs.")
    parser.add_argument("--rounds", type=int, default=7, help="rounds a row (7)")
    parser.add_argument("--json", action="store_true", help="times in seconds as JSON")
    parser.add_argument("--call", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        name, *arguments = options.call
        print(json.dumps(globals()[name](*arguments)))
        return
    results = run(options.rounds, quiet=options.json)
    if options.json:
        print(json.dumps(results, indent=1))


def run(rounds, quiet):
    """Runs every row group; rows by group, as shown."""
    results = {}
    if not quiet:
        print(versions())
        print(
            f"usual: del model; clear_session(); gc.collect(). {rounds} rounds a row."
        )
    for title, key, calls in groups(rounds):
        results[key] = []
        if not quiet:
            show_heading(title, key)
        for call in calls:
            rows = in_own_process(call)
            results[key] += rows
            for row in rows if not quiet else ():
                show_row(row, key)
    return results


def versions():
    names = ("keraser", "tensorflow", "keras")
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()}, {packages}, {os.cpu_count()} CPUs"


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
