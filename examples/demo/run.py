"""The demo: one sweep, three ways to drop a model, side by side.

    ./dev demo [--trials 12] [--units 512] [--out build/demo] [--json] [--docs]

Each arm runs in a process of its own (arm.py) and is measured in the same way
(memory.py). Exit status 0: the usual advice grows, keraser is flat and names what held
the memory. 1: something else was seen, and it is said. 130: interrupted.
"""

import argparse
import json
import shutil
import sys
from contextlib import closing
from pathlib import Path

import growth
import launch
import picture
import report
import ways
from progress import Progress
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]


def main():
    options = parse()
    console = Console(stderr=options.json)
    console.print(
        f"{options.trials} trials of a model with {options.units} units a layer, in "
        "three processes, one after the other.\n"
    )
    try:
        arms, evidence = run_arms(console, options)
    except launch.ArmError as failure:
        console.print(f"\nAn arm failed. {failure}", markup=False, highlight=False)
        return 1
    results = {way: growth.growth(reports) for way, reports in arms.items()}
    holds, sentences = report.verdict(results, evidence)

    console.print()
    report.show_table(console, results, options.trials)
    console.print()
    report.show_curve(console, arms)
    report.show_holder(console, evidence, options.trials)
    paths = write(options, arms, results, evidence, holds)
    console.print("\nSeen", style="bold")
    console.print("\n".join(f"- {sentence}" for sentence in sentences), highlight=False)
    console.print(f"\n{', '.join(map(str, paths))}", highlight=False, soft_wrap=True)
    return 0 if holds else 1


def run_arms(console, options):
    """Runs the arms one after the other. Returns the reports by way, and the evidence
    that the clear_session() arm gives at its end."""
    evidence = None
    with Progress(console, ways.WAYS, options.trials) as progress:
        for way in ways.WAYS:
            with closing(launch.messages(way, options)) as messages:
                for message in messages:
                    if "receipt" in message:
                        evidence = message
                    else:
                        progress.add(way, message)
    return progress.arms, evidence


def write(options, arms, results, evidence, holds):
    """Writes the picture and the figures; returns the paths for the reader."""
    paths = picture.draw(arms, report.title(results), options.out)
    if options.docs:
        for path in paths:
            shutil.copy(path, ROOT / "docs/images")
    figures = {
        "holds": holds,
        "trials": options.trials,
        "units": options.units,
        "warm_up": growth.WARM_UP,
        "arms": {
            way.key: {"growth": results[way].to_dict(), "trials": arms[way]}
            for way in arms
        },
        "holder": evidence,
    }
    text = json.dumps(figures, indent=1)
    paths.append(options.out / "figures.json")
    paths[-1].write_text(text + "\n")
    if options.json:
        print(text)
    return [shorten(path) for path in paths]


def shorten(path):
    path = path.resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def parse():
    parser = argparse.ArgumentParser(
        prog="./dev demo", description="One sweep, three ways to drop a model."
    )
    add = parser.add_argument
    add("--trials", type=trial_count, default=12, help="trials an arm (12)")
    add("--units", type=int, default=512, help="units a layer (512: 1.9 M parameters)")
    add("--out", type=Path, default=ROOT / "build/demo", help="folder (build/demo)")
    add("--json", action="store_true", help="figures as JSON on standard output")
    add("--docs", action="store_true", help="copy the picture to docs/images as well")
    options = parser.parse_args()
    options.name_holder_of = ways.ADVICE
    return options


def trial_count(text):
    trials = int(text)
    if trials < growth.WARM_UP + 3:
        raise argparse.ArgumentTypeError(
            f"at least {growth.WARM_UP + 3}: a slope needs 3"
        )
    return trials


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
