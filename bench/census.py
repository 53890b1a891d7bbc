"""What reading the heap costs: beside guppy3, objgraph and gc.collect().

    ./dev bench census       or        python bench/census.py [--rounds 7] [--json]

Each group is one process with TensorFlow and trained models; all ways run in it in turn
(guppy3, ours, objgraph, ...), round by round, the first round left out. Times are
medians of the CPU time of the calling thread, so that what else the machine does counts
little; all of these ways run in one thread, and on an idle machine that is the time on
the clock. Only where a child reads (fork) is the clock meant. Before each runs a
collection that is not in the time: guppy3 leaves sets of all objects behind. A ratio is
that of the medians, its range that of the ratios of the single rounds.

    reading    one lean reading, `_core.ask`: nodes, references, what nobody explains
    guppy3     `guppy.hpy().heap()`; `+ table`: the same printed, which counts by type
    objgraph   `find_backref_chain(model, is_proper_module)`, which finds one path; the
               model is in a variable of a module, or `shelf.trials[0]["model"]`

Objects are counted in two ways. Nodes: what the lean graph has, that is all objects but
str, int, float, bytes, bool and None. All: these too; the reading looks at each
reference to one to leave it out, and guppy3 counts them.

Memory is that of a reading in a forked child: the peak of its resident set over what it
had before (VmHWM, reset by /proc/self/clear_refs, after malloc_trim, so that no free
memory is used unseen).

What bounds the speed: about half is waiting for memory, the other half instructions (4
references an object, a call for each). The last group shows it: the same code takes
half as long for an object of a heap that fits into the caches. Where this was measured
no counters of the processor could be read; by samples of its time, a quarter of one
reading goes into following the collector's list of objects, two fifths into asking each
object what it refers to, a tenth into leaving out plain values, a quarter into looking
addresses up. Fetching further ahead, what objects hold as well, larger and smaller
batches, the list from both its ends at once: none of these made it faster.
"""

import argparse
import ctypes
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

WIDTH = 16  # units of each layer
ALL_TYPES = 100_000

#: What a node costs once modules are imported; run alone, to have the heap small.
HEAP_CODE = """
import sys, time
for module in sys.argv[2:]:
    __import__(module)
from keraser import _core
seconds = []
for _ in range(10 * int(sys.argv[1])):
    began = time.thread_time()
    nodes = _core.ask([], [], None, [], [])["graph"][0]
    seconds.append(time.thread_time() - began)
print(nodes, min(seconds) / nodes * 1e9)
"""
HEAPS = ("", "asyncio", "numpy", "scipy.stats", "tensorflow")


class Shelf:
    """Where the models are: nothing here names one but its lists."""

    def __init__(self):
        self.trials = []


shelf = Shelf()
named = None


# ---- in the process of a group ------------------------------------------------------


def train():
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(WIDTH, "relu")])
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    x = np.ones((32, 8), np.float32)
    model.fit(x, x[:, :1], verbose=0)
    return model


def ask(targets=(), **question):
    from keraser import _core

    return _core.ask([], list(targets), None, [], [], **question)


def thread_seconds(call):
    began = time.thread_time()
    call()
    return time.thread_time() - began


def clock_seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def pause_of(call):
    return call().pause


def ways():
    """(name, clock, call): what is measured in each round."""
    import guppy
    import keraser

    thread = thread_seconds
    return [
        ("gc.collect()", thread, gc.collect),
        ("guppy3", thread, lambda: guppy.hpy().heap()),
        ("guppy3 + table", thread, lambda: str(guppy.hpy().heap())),
        ("reading", thread, ask),
        ("reading + paths", thread, lambda: ask([shelf.trials[0]["model"]])),
        ("reading + types", thread, lambda: ask(types=ALL_TYPES)),
        ("reading + owners", thread, lambda: ask(top=10)),
        ("reading all", thread, lambda: ask(lean=False)),
        ("keraser.top()", thread, keraser.top),
        ("keraser.census()", thread, keraser.census),
        ("census(fork=True)", clock_seconds, lambda: keraser.census(fork=True)),
        ("  its pause", pause_of, lambda: keraser.census(fork=True)),
        ("why, on a shelf", thread, lambda: keraser.why(shelf.trials[0]["model"])),
        ("objgraph, on a shelf", thread, lambda: chain_to(shelf.trials[0]["model"])),
        ("why, in a variable", thread, in_variable(lambda: keraser.why(named))),
        ("objgraph, in a variable", thread, in_variable(lambda: chain_to(named))),
    ]


def chain_to(model):
    import objgraph

    chain = objgraph.find_backref_chain(model, objgraph.is_proper_module)
    if not objgraph.is_proper_module(chain[0]):
        raise SystemExit("objgraph found no module")


def in_variable(call):
    """The same with the model in a variable of the module instead of on the shelf."""

    def moved():
        global named
        named = shelf.trials[0].pop("model")
        try:
            call()
        finally:
            shelf.trials[0]["model"], named = named, None

    return moved


def models_group(count, rounds):
    """Seconds of every way, round by round, in a process with `count` models."""
    for _ in range(count):
        shelf.trials.append({"model": train()})
    gc.collect()
    seconds = {}
    memory = memory_rows()
    for number in range(rounds + 1):
        for name, clock, call in ways():
            gc.collect()
            taken = clock(call)
            if number:
                seconds.setdefault(name, []).append(taken)
    return {
        "models": count,
        "tracked": len(gc.get_objects()),
        "nodes": ask()["graph"][0],
        "references": ask()["graph"][1],
        "all": ask(lean=False)["graph"][0],
        "seconds": seconds,
        "memory": memory,
    }


def memory_rows():
    model = [shelf.trials[0]["model"]]
    questions = {
        "reading": ([], {}),
        "reading + paths": (model, {}),
        "reading + types": ([], {"types": ALL_TYPES}),
        "reading + owners": ([], {"top": 10}),
        "reading all": ([], {"lean": False}),
        "census": (model, {"types": ALL_TYPES, "lean": False}),
    }
    return {name: peak_in_child(*question) for name, question in questions.items()}


def peak_in_child(targets, question):
    """Bytes by which a reading makes a process grow at its peak."""
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = resident("VmRSS")
        ask(targets, **question)
        os.write(ends[1], str(resident("VmHWM") - before).encode())
        os._exit(0)
    os.waitpid(child, 0)
    grown = int(os.read(ends[0], 64))
    for end in ends:
        os.close(end)
    return grown


def resident(name):
    with open("/proc/self/status") as file:
        return next(
            int(line.split()[1]) << 10 for line in file if line[: len(name)] == name
        )


# ---- in the parent ------------------------------------------------------------------


def in_own_process(*arguments):
    """The last line that a Python with these arguments prints."""
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        if done.returncode:
            errors.seek(0)
            sys.stderr.writelines(errors.readlines()[-25:])
            raise SystemExit(f"{arguments[-1]} failed: exit status {done.returncode}")
    return done.stdout.splitlines()[-1]


def measure_models(count, rounds):
    call = json.dumps(["models_group", count, rounds])
    return json.loads(in_own_process(__file__, "--call", call))


def measure_heap(module, rounds):
    modules = [module] if module else []
    nodes, each = in_own_process("-c", HEAP_CODE, str(rounds), *modules).split()
    return {"heap": module or "nothing", "nodes": int(nodes), "ns": float(each)}


#: (ours, theirs, aim): how many times faster ours is to be, 0 where nobody says.
PAIRS = (
    ("reading", "guppy3", 6),
    ("reading + paths", "guppy3", 6),
    ("reading + types", "guppy3 + table", 6),
    ("reading all", "guppy3", 0),
    ("why, on a shelf", "objgraph, on a shelf", 5),
    ("why, in a variable", "objgraph, in a variable", 5),
    ("reading", "gc.collect()", 0),
    ("keraser.top()", "gc.collect()", 0),
    ("keraser.census()", "gc.collect()", 0),
    ("census(fork=True)", "gc.collect()", 0),
    ("  its pause", "gc.collect()", 0),
)


def ratio(seconds, ours, theirs):
    """How many times as long theirs takes: of the medians, the least, the most."""
    single = [t / o for t, o in zip(seconds[theirs], seconds[ours], strict=True)]
    medians = [statistics.median(seconds[name]) for name in (theirs, ours)]
    return medians[0] / medians[1], min(single), max(single)


def show_models(group):
    seconds = group["seconds"]
    print(
        f"\n{group['models']} trained models: {group['tracked']:,} tracked objects; "
        f"lean graph of {group['nodes']:,} nodes, {group['references']:,} references; "
        f"{group['all']:,} objects in all"
    )
    for name, times in seconds.items():
        print(
            f"  {name:<24} {statistics.median(times) * 1e3:9.1f} ms"
            f"   {min(times) * 1e3:9.1f} to {max(times) * 1e3:.1f}"
        )
    print("  times as long as ours takes")
    for ours, theirs, aim in PAIRS:
        middle, low, high = ratio(seconds, ours, theirs)
        told = f"   aim {aim}x" if aim else ""
        print(
            f"    {theirs.strip():>24} / {ours.strip():<20} {middle:6.2f}x"
            f"   {low:.2f}x to {high:.2f}x{told}"
        )
    show_rates(group)
    print(flush=True)


def show_rates(group):
    nodes, everything = group["nodes"], group["all"]
    lean = statistics.median(group["seconds"]["reading"]) * 1e6
    whole = statistics.median(group["seconds"]["reading all"]) * 1e6
    print("  objects in a second (aim 8 M), millions")
    print(f"    reading: {nodes / lean:.2f} nodes, {everything / lean:.2f} of all")
    print(f"    reading all: {everything / whole:.2f}")
    print("  peak memory over what the process had (aim 60 bytes an object)")
    for name, grown in group["memory"].items():
        print(
            f"    {name:<20} {grown / 1e6:7.1f} MB   {grown / nodes:6.1f} bytes a node"
            f"   {grown / everything:6.1f} an object of all"
        )


def show_heap(row):
    each = f"{row['ns']:.0f} ns a node"
    print(f"  import {row['heap']:<12} {row['nodes']:>10,} nodes   {each}", flush=True)


def run(rounds, quiet):
    results = {"models": [], "heaps": []}
    if not quiet:
        names = ("keraser", "tensorflow", "keras", "guppy3", "objgraph")
        packages = ", ".join(f"{name} {metadata.version(name)}" for name in names)
        print(f"Python {platform.python_version()}, {packages}; {rounds} rounds")
    for count in (1, 3):
        results["models"].append(measure_models(count, rounds))
        if not quiet:
            show_models(results["models"][-1])
    if not quiet:
        print("what bounds it: the fastest reading, by the size of the heap")
    for module in HEAPS:
        results["heaps"].append(measure_heap(module, rounds))
        if not quiet:
            show_heap(results["heaps"][-1])
    return results


def main():
    parser = argparse.ArgumentParser(description="What reading the heap costs.")
    parser.add_argument("--rounds", type=int, default=7, help="rounds a group (7)")
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


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
