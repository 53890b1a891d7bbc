"""One arm of the demo, in a process of its own: the sweep with one way to drop a model.

Writes one JSON line per trial to its standard output, which run.py reads; whatever else
would print there goes to standard error.
"""

import argparse
import gc
import json
import os
import sys
import time

import ways


def main():
    options = parse()
    report = claim_stdout()

    import memory
    import sweep

    x, y = sweep.data()
    for trial in range(1, options.trials + 1):
        began = time.perf_counter()
        seconds = run_trial(sweep, trial, options, x, y)
        taken = {"clear": seconds, "seconds": time.perf_counter() - began}
        send(report, {"trial": trial, **taken, **memory.measure()})
    if options.name_holder:
        send(report, name_holder(memory))


def run_trial(sweep, trial, options, x, y):
    """One trial. Returns the seconds that dropping its model took."""
    import keras

    model = sweep.build(trial, options.units)
    sweep.fit(model, x, y)
    began = time.perf_counter()
    if options.way == ways.ADVICE.key:
        del model
        keras.backend.clear_session()
        gc.collect()
    elif options.way == ways.KERASER.key:
        import keraser

        keraser.clear(model)
    return time.perf_counter() - began


def name_holder(memory):
    """Clears what all trials left behind; the receipt says what had held it."""
    import keraser  # here at last: the trials of this arm ran without it

    before = memory.measure()
    receipt = keraser.clear()
    return {
        "receipt": receipt.to_dict(),
        "lines": repr(receipt).splitlines(),
        "before": before,
        "after": memory.measure(),
    }


def claim_stdout():
    """Keeps standard output for the report alone, and returns it."""
    report = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return report


def send(report, message):
    report.write(json.dumps(message) + "\n")
    report.flush()


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=[way.key for way in ways.WAYS])
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--units", type=int, required=True)
    parser.add_argument("--name-holder", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
