"""What a clean process with TensorFlow and Keras imported costs, by several ways.

    ./dev bench isolate      or      python bench/isolate.py [--rounds 5] [--calls 20]

A call imports TensorFlow and Keras (nothing to do where a fork brings them) and notes
the time: its first line. Each way takes its turn in each round, so that what else the
machine does hits all alike. Printed are, in ms:

    first line   from submit to the first line, where calls come with a pause between
                 (median, 99th percentile), and one right after the other
    round trip   from submit to the result, ditto
    calls/s      one at a time without a pause, and with two workers
    fit          to build and fit a small model in such a process, imports not counted

keraser, no spare: a worker is forked only when it is asked for. keraser, reused:
workers are not clean (`per_trial=False`). forkserver: the standard library's, with the
same preload, one process a call. loky: an executor anew for each call; dirty: one that
stays.
Below that what a fork of such an image costs, and what lowers it.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

PRELOAD = ("tensorflow", "keras")
PAUSE = 0.1


def now():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def first_line():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    return now()


def fit():
    import keras
    import numpy as np

    began = now()
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((32,)), *layers])
    model.compile("adam", "mse")
    model.fit(np.ones((256, 32), "f4"), np.ones((256, 1), "f4"), epochs=2, verbose=0)
    return now() - began


class Keraser:
    def __init__(self, **settings):
        import keraser

        self.executor = keraser.TrialExecutor(output="keep", **settings)
        self.call(first_line)

    def call(self, function):
        return self.executor.submit(function).result()

    def many(self, function, count):
        for future in [self.executor.submit(function) for _ in range(count)]:
            future.result()

    def close(self):
        self.executor.shutdown()


def answer(function, pipe):
    pipe.send(function())


class Multiprocessing:
    """One process a call, as `multiprocessing.Process` makes them."""

    def __init__(self, method):
        self.context = multiprocessing.get_context(method)
        if method == "forkserver":
            self.context.set_forkserver_preload(list(PRELOAD))
            self.call(first_line)

    def start(self, function):
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=answer, args=(function, theirs))
        process.start()
        theirs.close()
        return process, ours

    @staticmethod
    def finish(process, pipe):
        result = pipe.recv()
        process.join()
        pipe.close()
        return result

    def call(self, function):
        return self.finish(*self.start(function))

    def many(self, function, count):
        """Two at a time."""
        running = []
        for _ in range(count):
            if len(running) == 2:
                self.finish(*running.pop(0))
            running.append(self.start(function))
        for one in running:
            self.finish(*one)

    def close(self):
        pass


class Loky:
    def __init__(self, fresh):
        import loky

        self.make = lambda: loky.ProcessPoolExecutor(max_workers=1)
        self.executor = None if fresh else self.make()
        if not fresh:
            self.call(first_line)

    def call(self, function):
        if self.executor is not None:
            return self.executor.submit(function).result()
        executor = self.make()
        result = executor.submit(function).result()
        executor.shutdown(wait=True)
        return result

    def close(self):
        if self.executor is not None:
            self.executor.shutdown()


#: Name -> maker, the share of calls that it makes, and whether two may run at a time.
WAYS = {
    "keraser": (lambda: Keraser(), 1, False),
    "keraser, 2 workers": (lambda: Keraser(workers=2), 1, True),
    "keraser, no spare": (lambda: Keraser(spares=0), 1, False),
    "keraser, reused": (lambda: Keraser(per_trial=False), 1, False),
    "forkserver": (lambda: Multiprocessing("forkserver"), 1, True),
    "loky, dirty": (lambda: Loky(fresh=False), 1, False),
    "loky": (lambda: Loky(fresh=True), 0.1, False),
    "spawn": (lambda: Multiprocessing("spawn"), 0.1, False),
}

#: In a process of its own: (fork, fork and end) in ms, before and after.
FORK = """
import gc, json, os, statistics, time
import keras
from keraser import _core

def once():
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(0)
    forked = time.perf_counter()
    os.waitpid(child, 0)
    return 1e3 * (forked - began), 1e3 * (time.perf_counter() - began)

def look():
    return [statistics.median(column) for column in zip(*(once() for _ in range(40)))]

once()
plain = look()
began = time.perf_counter()
joined = _core.collapse()
took = time.perf_counter() - began
rss = _core.process()["rss"]
print(json.dumps({"plain": plain, "huge": look(), "joined": joined, "took": took,
                  "rss": rss}))
"""


def measure(way, calls, pause, into):
    for _ in range(calls):
        time.sleep(pause)
        began = now()
        line = way.call(first_line)
        into["trip"].append(1e3 * (now() - began))
        into["line"].append(1e3 * (line - began))


def rate(way, calls, two):
    began = now()
    if two:
        way.many(first_line, calls)
    else:
        for _ in range(calls):
            way.call(first_line)
    return calls / (now() - began)


def one_round(ways, calls, found):
    for name, way in ways.items():
        share, two = WAYS[name][1:]
        count = max(1, int(calls * share))
        mine = found.setdefault(
            name, {"alone": {"line": [], "trip": []}, "row": {"line": [], "trip": []}}
        )
        measure(way, count, PAUSE, mine["alone"])
        measure(way, count, 0, mine["row"])
        mine.setdefault("rate", []).append(rate(way, 2 * count, two))
        mine.setdefault("fit", []).append(1e3 * way.call(fit))


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(found):
    head = ("", "first line", "99 %", "in a row", "round trip", "in a row", "calls/s")
    print(("{:20}" + "{:>11}" * 7).format(*head, "fit"))
    for name, mine in found.items():
        alone, row = mine["alone"], mine["row"]
        figures = (
            statistics.median(alone["line"]),
            percentile(alone["line"], 0.99),
            statistics.median(row["line"]),
            statistics.median(alone["trip"]),
            statistics.median(row["trip"]),
            statistics.median(mine["rate"]),
            statistics.median(mine["fit"]),
        )
        print(f"{name:20}" + "".join(f"{figure:11.2f}" for figure in figures))


def report_fork():
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    print(f"\na process of {told['rss'] / 2**20:.0f} MiB (ms):   fork   fork and end")
    print("  as it is                 {:8.2f}{:8.2f}".format(*told["plain"]))
    print(
        "  in huge pages            {:8.2f}{:8.2f}".format(*told["huge"])
        + f"   ({told['joined'] / 2**20:.0f} MiB, once {told['took']:.2f} s)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=list(WAYS), metavar="WAY")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    ways = {name: WAYS[name][0]() for name in options.only}
    found = {}
    for _ in range(options.rounds):
        one_round(ways, options.calls, found)
    report(found)
    keraser, peer = found.get("keraser"), found.get("forkserver")
    if keraser and peer:
        ratio = {
            "first_line": statistics.median(peer["alone"]["line"])
            / statistics.median(keraser["alone"]["line"]),
            "rate": statistics.median(keraser["rate"])
            / statistics.median(peer["rate"]),
        }
        print(json.dumps({key: round(value, 2) for key, value in ratio.items()}))
    for way in ways.values():
        way.close()
    report_fork()


if __name__ == "__main__":
    main()
