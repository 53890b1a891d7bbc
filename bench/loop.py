"""What a flat loop costs: time per trial, and memory, by the usual way and by keraser.

    ./dev bench loop        or        python bench/loop.py [--trials 30] [--rounds 3]

A trial builds a model, compiles and fits it. In the time: all of that, and what drops
the model: `del model; keras.backend.clear_session(); gc.collect()` by the usual way;
the end of the round, with its readings, by `keraser.trials` and by `keraser.scope`.

Each way runs in a process of its own, one after the other, `--rounds` times in turn.
Times are medians over the trials after the first five; the ratio is that of the medians
of one round to those of the usual way of the same round, given as its median and range.

`--step` measures the guard instead: train_on_batch with and without it, in blocks that
take turns in one process, on models made before and after it was switched on.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time

WARM_UP = 5
SIZES = {"small": (16, 32, 64), "wide": (256, 512, 256)}  # inputs, units, rows


# ---- in the process of a way ---------------------------------------------------------


def build_and_fit(size):
    import keras
    import numpy as np

    inputs, units, rows = SIZES[size]
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = np.ones((rows, inputs), np.float32)
    model.fit(x, x[:, :1], batch_size=32, verbose=0)
    return model


def usual(trials, size):
    import keras

    for _ in range(trials):
        started = time.perf_counter()
        model = build_and_fit(size)
        del model
        keras.backend.clear_session()
        gc.collect()
        yield time.perf_counter() - started


def by_trials(trials, size):
    import keraser

    started = time.perf_counter()
    for trial in keraser.trials(range(trials), progress=False):
        if trial.number:
            yield time.perf_counter() - started
            started = time.perf_counter()
        model = build_and_fit(size)  # noqa: F841 - as users have it
    yield time.perf_counter() - started


def by_scope(trials, size):
    import keraser

    for _ in range(trials):
        started = time.perf_counter()
        with keraser.scope():
            build_and_fit(size)
        yield time.perf_counter() - started


WAYS = {"usual": usual, "trials": by_trials, "scope": by_scope}


def measure(way, trials, size):
    from keraser import _core

    times = list(WAYS[way](trials, size))[WARM_UP:]
    rss = _core.process()["rss"]
    print(json.dumps({"ms": statistics.median(times) * 1e3, "rss": rss}))


def measure_step():
    """Blocks of steps with and without the guard, in turn, each on its own model."""
    import keras
    import keraser
    import numpy as np

    x = np.ones((32, 16), np.float32)
    plain = build_and_fit("small")
    guard = keraser.guard()
    guarded = build_and_fit("small")

    def block(model):
        started = time.perf_counter()
        for _ in range(200):
            model.train_on_batch(x, x[:, :1])
        return time.perf_counter() - started

    ratios = []
    for _ in range(30):
        guard.undo()
        without = block(plain)
        guard = keraser.guard()
        ratios.append(block(guarded) / without)
    quarters = statistics.quantiles(ratios, n=4)
    print(
        f"Keras {keras.__version__}: a step under guard takes {quarters[1]:.4f} times"
    )
    print(
        f"as long as without (middle half of 30: {quarters[0]:.4f}..{quarters[2]:.4f})"
    )


# ---- the table -----------------------------------------------------------------------


def run(way, options, size):
    command = [sys.executable, __file__, "--way", way, "--size", size]
    command += ["--trials", str(options.trials)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--size", choices=SIZES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return measure_step()
    if options.way:
        return measure(options.way, options.trials, options.size)
    print(f"{'model':8}{'way':10}{'ms a trial':>12}{'ratio':>8}{'range':>14}{'MiB':>8}")
    for size in SIZES:
        rounds = [
            {way: run(way, options, size) for way in WAYS}
            for _ in range(options.rounds)
        ]
        for way in WAYS:
            ms = statistics.median(one[way]["ms"] for one in rounds)
            ratios = sorted(one[way]["ms"] / one["usual"]["ms"] for one in rounds)
            middle, spread = (
                statistics.median(ratios),
                f"{ratios[0]:.2f}..{ratios[-1]:.2f}",
            )
            rss = statistics.median(one[way]["rss"] for one in rounds) / 2**20
            print(f"{size:8}{way:10}{ms:12.0f}{middle:8.2f}{spread:>14}{rss:8.0f}")


if __name__ == "__main__":
    main()
