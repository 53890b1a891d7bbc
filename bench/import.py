"""What `import keraser` costs: a fresh interpreter each time, medians in milliseconds.

The time is that of the import statement inside the new interpreter, whose own start is
not in it. `first use` is the first look-up of keraser.clear, which loads the rest.
"""

import argparse
import json
import statistics
import subprocess
import sys

CODE = """
import time
start = time.perf_counter()
import keraser
imported = time.perf_counter()
keraser.clear
used = time.perf_counter()
print(imported - start, used - imported)
"""


def measure(rounds: int) -> dict[str, float]:
    imported, used = [], []
    for _ in range(rounds):
        run = [sys.executable, "-c", CODE]
        done = subprocess.run(run, capture_output=True, check=True, text=True)
        first, second = done.stdout.split()
        imported.append(float(first) * 1e3)
        used.append(float(second) * 1e3)
    return {
        "import_ms": statistics.median(imported),
        "first_use_ms": statistics.median(used),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(figures))
    else:
        print(f"import keraser   {figures['import_ms']:6.1f} ms")
        print(f"first use        {figures['first_use_ms']:6.1f} ms")


if __name__ == "__main__":
    main()
