"""The numbers of the fork server's protocol (src/wire/protocol.h), by name."""

from __future__ import annotations

from keraser import _core

_LISTS = _core.protocol()
_FRAMES = _LISTS["frames"]

HELLO = _FRAMES["HELLO"]
SUBMIT = _FRAMES["SUBMIT"]
STOP = _FRAMES["STOP"]
ASK = _FRAMES["ASK"]
WELCOME = _FRAMES["WELCOME"]
STARTED = _FRAMES["STARTED"]
ENDED = _FRAMES["ENDED"]
REFUSED = _FRAMES["REFUSED"]
WORKER = _FRAMES["WORKER"]
STATS = _FRAMES["STATS"]
OUTPUT = _FRAMES["OUTPUT"]
DONE = _FRAMES["DONE"]

#: Number -> name.
CAUSES = {number: name for name, number in _LISTS["causes"].items()}
REFUSALS = {number: name for name, number in _LISTS["refusals"].items()}
WORKER_STATES = {number: name.lower() for name, number in _LISTS["workers"].items()}

#: How many figures stand first in DONE and ENDED, and after three others in WORKER.
FIGURES = len(_LISTS["figures"])
