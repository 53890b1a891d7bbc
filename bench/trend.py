"""How often a verdict on growth is wrong: rates on made-up series of known truth.

    ./dev bench trend        or        python bench/trend.py [--runs 1000]

The series are those of tests/python/growth: noise with an sd of 1 MB, alone, with a
sawtooth, a step, growth that settles, and a leak of 0.2 MB a trial. Per cent of runs.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "python"))

from growth import series
from keraser.trend import judge

KINDS = ("flat", "sawtooth", "step", "settling", "leak", "leak_and_step")
VERDICTS = ("flat", "saturating", "leaking", "cannot tell")
LENGTHS = (10, 20, 40, 80)
TOLERANCE = 0.0625  # MB per trial


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(f"{'series':14}{'trials':>8}" + "".join(f"{v:>13}" for v in VERDICTS))
    for kind in KINDS:
        for trials in LENGTHS:
            random = Random(trials)
            counts = Counter(
                judge(getattr(series, kind)(random, trials), TOLERANCE).verdict
                for _ in range(runs)
            )
            rates = "".join(f"{100 * counts[v] / runs:13.1f}" for v in VERDICTS)
            print(f"{kind:14}{trials:8}{rates}")


if __name__ == "__main__":
    main()
