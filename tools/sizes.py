"""File and function sizes against the budget; prints the medians beside it.

A file has at most 800 lines, a function at most 80. A table that cannot be split
is excused by a comment inside the function: `#lizard forgives: why`.
"""

import statistics
import sys
from pathlib import Path

import lizard

ROOMS = ["include", "src", "cli", "python", "tests", "tools", "bench", "examples"]
FILE_MAX, FUNCTION_MAX = 800, 80


def main(root):
    paths = [
        path
        for room in ROOMS
        for path in sorted((root / room).rglob("*"))
        if path.suffix in {".c", ".h", ".py", ".sh"}
    ]
    lines = {path: len(path.read_text().splitlines()) for path in paths}
    functions = [
        (function.length, path, function)
        for path in paths
        if path.suffix != ".sh"
        for function in lizard.analyze_file(str(path)).function_list
    ]
    over = [
        f"{path.relative_to(root)}: {count} lines, at most {FILE_MAX}"
        for path, count in lines.items()
        if count > FILE_MAX
    ] + [
        f"{path.relative_to(root)}:{function.start_line}: {function.name} has "
        f"{length} lines, at most {FUNCTION_MAX}"
        for length, path, function in functions
        if length > FUNCTION_MAX
    ]
    print(*over, sep="\n", end="\n" if over else "")
    lengths = sorted(length for length, _, _ in functions)
    print(
        f"sizes: {len(lines)} files, median {statistics.median(lines.values()):.0f} "
        f"(aim 200); {len(lengths)} functions, median "
        f"{statistics.median(lengths):.0f} (aim 15), "
        f"p90 {lengths[len(lengths) * 9 // 10]} (aim 40)"
    )
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))
