"""Starts a fork server and holds the lease on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from keraser import _core
from keraser.forkserver import COMMAND

#: Of what the server wrote, how much an error quotes.
_LAST_BYTES = 2000


@dataclass(frozen=True)
class Origin:
    """What a server starts from; so does the one that takes its place."""

    preload: tuple[str, ...]
    folder: str
    path: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]

    @classmethod
    def here(cls, preload: Sequence[str]) -> Origin:
        """As this process is now."""
        folder = os.getcwd()
        path = tuple(entry or folder for entry in sys.path)
        return cls(tuple(preload), folder, path, tuple(os.environ.items()))


class ServerProcess:
    """A fork server of this process. It serves from the moment it has imported what it
    is to preload; who connects earlier waits. It ends when the lease is closed, or when
    this process ends, however that happens."""

    def __init__(self, origin: Origin) -> None:
        listener, self._name = _core.listen()
        lease, self._lease = os.pipe()
        self._log = os.memfd_create("keraser-server-log", os.MFD_CLOEXEC)
        settings = {
            "listener": listener,
            "lease": lease,
            "parent": os.getpid(),
            "preload": list(origin.preload),
            "path": list(origin.path),
        }
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
                    "-c",
                    COMMAND,
                    json.dumps(settings),
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(listener, lease),
                cwd=origin.folder,
                env=dict(origin.environment),
                start_new_session=True,  # Ctrl-C in a terminal is the program's
            )
        except BaseException:
            os.close(self._lease)
            os.close(self._log)
            raise
        finally:
            os.close(listener)
            os.close(lease)
        self.pid = self._process.pid

    def connect(self) -> int:
        """A connection to it, as a descriptor of the caller's."""
        return _core.connect(self._name)

    def last_words(self) -> str:
        """The end of what it wrote, its own output and that of what it imported."""
        size = os.fstat(self._log).st_size
        tail = os.pread(self._log, _LAST_BYTES, max(0, size - _LAST_BYTES))
        return tail.decode(errors="replace").strip()

    def exit_status(self, timeout: float | None = None) -> int | None:
        """Its exit status as subprocess has it; None while it runs."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Lets it end with all its workers, and waits for that."""
        os.close(self._lease)
        if self.exit_status(10) is None:
            self._process.kill()
            self._process.wait()
        os.close(self._log)
