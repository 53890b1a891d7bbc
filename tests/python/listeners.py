"""The built command line and processes that listen, in a folder of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

KERASER = str(Path(sys.executable).parent / "keraser")
REPOSITORY = Path(__file__).parents[2]
FAKE = REPOSITORY / "tests/c/fake_listener.c"


def build_fake(folder):
    """Compiles fake_listener: it needs nothing but the core's wire/."""
    program = folder / "fake_listener"
    command = [os.environ.get("CC", "cc"), "-std=gnu11", "-O1", "-o", program]
    command += ["-I", REPOSITORY / "include", "-I", REPOSITORY / "src", FAKE]
    command += sorted((REPOSITORY / "src/wire").glob("*.c"))
    subprocess.run(command, check=True)
    return program


class House:
    """Where this test's processes listen. Others of this user may listen elsewhere: top
    is told of which processes, so that no key is ever pressed on one that is not ours.
    """

    def __init__(self, folder, fake):
        self.folder, self.fake, self.processes = folder, fake, []
        folder.mkdir(mode=0o700)
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder),
            "TERM": "xterm-256color",
        }

    @property
    def sockets(self):
        place = self.folder / "keraser"
        return sorted(place.iterdir()) if place.exists() else []

    def start(self, behaviour="models", number=0):
        process = subprocess.Popen(
            [self.fake, behaviour, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
        )
        self.processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def top(self, *options):
        return self.call("top", *self.pids, *options)

    def call(self, *arguments, **options):
        return subprocess.run(
            [KERASER, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            **options,
        )

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
