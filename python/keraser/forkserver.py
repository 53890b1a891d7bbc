"""The fork server's process: imports what it is told to, then serves.

Started by `server_process.py` with `COMMAND`. It runs no operation and asks for no
device: after the first operation a child's first tf.function hangs.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from typing import Any, NoReturn

#: For `python -c`, so that the modules of the user's program need not be importable
#: before sys.path is theirs, and that `__main__` is nobody's.
COMMAND = (
    "import json, sys\n"
    "settings = json.loads(sys.argv.pop())\n"
    "sys.path[:] = settings['path']\n"
    "from keraser import forkserver\n"
    "forkserver.serve(settings)\n"
)


def _say(error: BaseException) -> str:
    traceback.print_exc()
    return f"{type(error).__name__}: {error}" if str(error) else repr(error)


def _preload(names: list[str]) -> str | None:
    """Imports modules; why not, if one fails."""
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:
            return f"the fork server could not import {name!r}: {_say(error)}"
    return None


def _warm_up() -> str | None:
    """Imports what every worker needs beside, which would do so each time; why not, if
    that fails."""
    from keraser import payload
    from keraser.adapters import base

    try:
        payload.unpack(payload.pack({"function": len, "args": ([],), "kwargs": {}}))
        base.fork_hazard()
    except BaseException as error:
        return f"keraser does not work in the fork server: {_say(error)}"
    return None


def serve(settings: dict[str, Any]) -> NoReturn:
    """Becomes the server. Ends with it, or as one of its workers."""
    from keraser import _core, listening, worker
    from keraser.adapters import base

    listening.refuse()  # a server that is forked has one thread
    broken = _preload(settings["preload"]) or _warm_up()
    # Objects that no collection visits are not copied by one either: a worker shares
    # their pages with the server for as long as it does not change them.
    gc.collect()
    gc.freeze()
    _core.collapse()
    channel = _core.serve(
        settings["listener"],
        settings["lease"],
        settings["parent"],
        broken[:1000] if broken else None,
        base.fork_hazard,
    )
    if channel is not None:
        worker.work(channel)
    sys.stdout.flush()
    os._exit(0)  # nothing was run that would have to be wound up
