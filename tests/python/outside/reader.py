"""Programs to be read from outside, and what `keraser why` says of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

KERASER = Path(sys.executable).with_name("keraser")
HOLDERS = Path(__file__).with_name("holders_target.py")
LIMIT = 60  # seconds: a reading that takes longer hangs
REFUSED, ABSENT, DENIED = 69, 66, 77


class Program:
    """A Python that says "ready", and then answers each line with one."""

    def __init__(self, *arguments, **options):
        self.process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "KERASER_LISTEN": "off"},  # so that it is not asked
            **options,
        )
        assert self.process.stdout.readline() == "ready\n"

    @property
    def pid(self):
        return self.process.pid

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def why(pid, *arguments, **options):
    return subprocess.run(
        [options.pop("keraser", KERASER), "why", str(pid), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        **options,
    )


def read(pid, *arguments):
    """The report as data; models by name."""
    done = why(pid, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    told["by_name"] = {model["name"]: model for model in told["models"]}
    return told
