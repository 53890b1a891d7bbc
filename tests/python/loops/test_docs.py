"""The examples of docs/pitfalls.md run, and what they assert holds."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "pitfalls.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    """(line in the page, code) of each example; the first is what the others need."""
    page = PAGE.read_text()
    return [
        (page.count("\n", 0, match.start(1)) + 1, match[1])
        for match in BLOCK.finditer(page)
    ]


def test_there_are_examples():
    assert len(blocks()) > 8


def test_every_example_runs():
    """In one process, each in names of its own."""
    (_, setup), *examples = blocks()
    program = "\n".join(
        f"names = {{'__name__': '__main__'}}\n"
        f"exec({setup!r}, names)\n"
        f"code = compile({chr(10) * (line - 1) + code!r}, {str(PAGE)!r}, 'exec')\n"
        f"exec(code, names)\n"
        f"names.clear()\n"
        f"import keraser; keraser.clear()\n"
        for line, code in examples
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
