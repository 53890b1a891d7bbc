"""What the environment that `keraser run` sets does to a loop that knows nothing of it.

    ./dev bench run         or        python bench/run.py [--rounds 3] [--only WORD]

Each row is a process: models of 24 MB with Adam (72 MB in all) are built, fitted and
dropped one after another, without a gc.collect(). Prints the median over the rounds of
resident memory, mean over the trials and at most, and after the last model was dropped
and garbage collected; and of the time of a trial. TensorFlow's own pool serves tensors
from 256 KiB on where oneDNN is on, its default on x86; without it malloc does.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = """
import gc, json, sys, time
import keras, numpy as np

def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) / 256

x, y = np.ones((256, 1024), "f4"), np.ones((256, 1), "f4")
times, readings = [], []
for trial in range(int(sys.argv[1])):
    began = time.perf_counter()
    dense = [keras.layers.Dense(width) for width in (2048, 1536, 512, 1)]
    model = keras.Sequential([keras.Input((1024,)), *dense])
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=64, epochs=2, verbose=0)
    times.append(time.perf_counter() - began)
    readings.append(rss())
del dense, model
gc.collect()
print(json.dumps([
    sum(readings) / len(readings), max(readings), rss(), sum(times) / len(times)
]))
"""

OFF = {"TF_ENABLE_ONEDNN_OPTS": "0"}
MAPPED = {"MALLOC_MMAP_THRESHOLD_": "1048576"}

#: Name -> options of keraser run (None: plain python), and environment.
ROWS = {
    "python": (None, {}),
    "no setting": ([], {}),
    "mmap threshold 1 MiB": ([], MAPPED),
    "mmap threshold 1 MiB, trim": (["--trim"], MAPPED),
    "trim threshold 1 MiB": ([], {"MALLOC_TRIM_THRESHOLD_": "1048576"}),
    "2 arenas": ([], {"MALLOC_ARENA_MAX": "2"}),
    "python, no oneDNN": (None, OFF),
    "no setting, no oneDNN": ([], OFF),
    "mmap threshold 1 MiB, no oneDNN": ([], OFF | MAPPED),
    "mmap threshold 1 MiB, trim, no oneDNN": (["--trim"], OFF | MAPPED),
    "trim threshold 1 MiB, no oneDNN": (
        [],
        OFF | {"MALLOC_TRIM_THRESHOLD_": "1048576"},
    ),
    "2 arenas, no oneDNN": ([], OFF | {"MALLOC_ARENA_MAX": "2"}),
}


def prepared(options):
    """The environment of `keraser run` without its settings, to try others."""
    startup = Path(sys.executable).parent.parent / "share/keraser/startup"
    return {
        "PYTHONPATH": str(startup),
        "KERASER_RUN_GUARD": "1",
        "KERASER_RUN_TRIM": "1" if "--trim" in options else "0",
    }


def measure(options, environment, trials, script):
    ours = {} if options is None else prepared(options)
    done = subprocess.run(
        [sys.executable, script, str(trials)],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment | ours,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows that have this in their name")
    options = parser.parse_args()
    rows = {name: row for name, row in ROWS.items() if options.only in name}
    found = {name: [] for name in rows}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "loop.py"
        script.write_text(SCRIPT)
        for _ in range(options.rounds):
            for name, (arguments, environment) in rows.items():
                measured = measure(arguments, environment, options.trials, script)
                found[name].append(measured)
    print(f"{'RSS in MiB':36} {'mean':>7} {'most':>7} {'after':>7} {'s a trial':>10}")
    for name, measured in found.items():
        mean, most, after, seconds = map(statistics.median, zip(*measured, strict=True))
        print(f"{name:36} {mean:7.0f} {most:7.0f} {after:7.0f} {seconds:10.2f}")


if __name__ == "__main__":
    main()
