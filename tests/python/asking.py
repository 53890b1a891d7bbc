"""Asking a process as the command line does: one question, one connection."""

import json
import os
import socket
from dataclasses import dataclass

from keraser import _core

PROTOCOL = _core.protocol()
FRAMES, VERBS, OUTCOMES = (PROTOCOL[name] for name in ("frames", "verbs", "outcomes"))
PATIENCE = 60_000  # ms
ALL, FORCE = 1, 2


@dataclass
class Answer:
    outcome: str
    reason: str
    text: str
    data: dict


@dataclass
class Row:
    id: int
    weights: int
    optimizer: int
    metrics: int
    running: int
    name: str
    kind: str


@dataclass
class Process:
    rss: int
    peak: int
    pool: int
    gpu: int
    gpu_total: int
    gpus: int
    models: int
    age: int
    threads: int
    note: str


def ask(path, verb, model="", flags=0, held="HOLLOW"):
    number = VERBS[verb] if isinstance(verb, str) else verb
    values = (number, flags, PROTOCOL["held"][held])
    with connect(path) as asking:
        _core.send(asking.fileno(), FRAMES["QUESTION"], 0, values, model.encode())
        kind, _, values, text, file = _core.receive(asking.fileno(), PATIENCE)
        assert kind == FRAMES["ANSWER"]
        outcome, text_bytes, json_bytes = values
        said = os.pread(file, text_bytes + json_bytes + 1, 0)
        os.close(file)
        assert len(said) == text_bytes + json_bytes
        assert _core.receive(asking.fileno(), PATIENCE) is None
    names = {number: name for name, number in OUTCOMES.items()}
    data = json.loads(said[text_bytes:])
    return Answer(names[outcome], text.decode(), said[:text_bytes].decode(), data)


def glance(path):
    """The models' rows by name, and the process."""
    rows = {}
    values = (VERBS["TOP"], 0, 0)
    with connect(path) as asking:
        _core.send(asking.fileno(), FRAMES["QUESTION"], 0, values)
        while True:
            kind, _, values, text, _ = _core.receive(asking.fileno(), PATIENCE)
            if kind == FRAMES["PROCESS"]:
                return rows, Process(*values, text.decode())
            assert kind == FRAMES["MODEL"]
            name, type_name = text.decode().split("\0")
            rows[name] = Row(*values, name, type_name)


def connect(path):
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asking.connect(str(path))
    return asking
