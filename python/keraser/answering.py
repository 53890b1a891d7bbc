"""What a command line asks this process, and what it is told.

All of it runs on the listener's thread (`listening.py`), beside whatever the program is
doing. What only reads has the heap read in a forked child, so that the program stands
still for some milliseconds.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keraser import _core
from keraser.adapters.base import Adapter, find_adapter
from keraser.errors import KeraserError
from keraser.glance import Glance, Glancer, ModelGlance

#: Of what `--json` prints.
SCHEMA_VERSION = 1

#: What a receipt says of where a model was cleared.
WHERE = "a terminal (keraser clear)"

#: As long as the texts of their frames may be (wire/protocol.h).
REASON_BYTES, NAME_BYTES = 1024, 4096

_PROTOCOL = _core.protocol()
_FRAMES, _OUTCOMES = _PROTOCOL["frames"], _PROTOCOL["outcomes"]
_VERB_NAMES = {number: name for name, number in _PROTOCOL["verbs"].items()}
_HELD = {number: name.lower() for name, number in _PROTOCOL["held"].items()}
_ALL, _FORCE = 1, 2  # KRS_FLAG_*
_UNKNOWN = (1 << 64) - 1

_glancer = Glancer()


class AbsentError(KeraserError):
    """No model, or more than one, is called so."""


@dataclass(frozen=True)
class Question:
    """What was asked.

    Attributes:
        model: which one: its name, its id, or a variable of `__main__`; "" for none.
        held: as `keraser.clear` has it.
        all: every model.
        force: also one of which a method is running.
    """

    model: str
    held: str
    all: bool
    force: bool


@dataclass(frozen=True)
class Answer:
    """What to say: to people, and as JSON."""

    text: str
    data: dict[str, Any] = field(default_factory=dict)


def answer(socket: int, verb: int, flags: int, held: int, model: bytes) -> None:
    """Answers one question on `socket`. Whatever goes wrong is an answer, too; only a
    client that does not read is an OSError."""
    if verb == _PROTOCOL["verbs"]["TOP"]:
        _send_glance(socket, _glancer.look())
        return
    outcome, reason, said = "OK", "", Answer("")
    try:
        question = Question(
            model.decode(errors="replace"),
            _HELD.get(held, "hollow"),
            bool(flags & _ALL),
            bool(flags & _FORCE),
        )
        said = _verb(verb)(question)
    except AbsentError as error:
        outcome, reason = "ABSENT", str(error)
    except KeraserError as error:
        outcome, reason = "REFUSED", str(error)
    except Exception as error:  # whatever it is, the program goes on
        outcome, reason = "FAILED", f"{type(error).__name__}: {error}"
    _send_answer(socket, verb, _OUTCOMES[outcome], reason, said)


def _verb(number: int) -> Callable[[Question], Answer]:
    verb = _VERBS.get(_VERB_NAMES.get(number, ""))
    if verb is None:
        raise KeraserError(
            f"this keraser ({_core.version}) does not know what was asked; use the "
            "command line that is installed with it"
        )
    return verb


# ---- the verbs ----------------------------------------------------------------------


def _census(_: Question) -> Answer:
    from keraser.inventory import census

    found = census(fork=True)
    return Answer(repr(found), found.to_dict())


def _why(question: Question) -> Answer:
    from keraser.holders import explain

    found = explain(_find(question.model), fork=True)
    return Answer(repr(found), found.to_dict())


def _clear(question: Question) -> Answer:
    adapter = _adapter()
    models = adapter.models() if question.all else _find(question.model)
    receipts, left = [], []
    while models:
        box = [models.pop()]
        if not adapter.is_model(box[0]) or not adapter.is_whole(box[0]):
            continue  # gone with another, or not made yet
        name = box[0].name
        try:
            receipts.append(_clear_one(adapter, box, question))
        except KeraserError as error:
            if not question.all:
                raise
            left.append({"model": name, "reason": str(error)})
    if question.all:
        receipts.append(_clear_rest(adapter))
    _glancer.forget()
    blocks = [repr(receipt) for receipt in receipts]
    blocks += [f"model {one['model']!r} was left: {one['reason']}" for one in left]
    data = {"receipts": [receipt.to_dict() for receipt in receipts], "left": left}
    return Answer("\n\n".join(blocks), data)


def _clear_one(adapter: Adapter, box: list[Any], question: Question) -> Any:
    from keraser.clearing import called_from, clear, lock

    with lock, called_from(WHERE):
        running = adapter.running(_core.variables(box))
        if running and not question.force:
            raise KeraserError(
                f"model {box[0].name!r} is running {running}; wait until that has "
                "returned, or use --force: its thread then gets a ClearedModelError"
            )
        return clear(box.pop(), held=question.held)


def _clear_rest(adapter: Adapter) -> Any:
    """What dead models left behind. Names go on from where they are: other models of
    the program are given theirs meanwhile."""
    from keraser.husk import Facts
    from keraser.sweeping import Sweep

    sweep = Sweep(adapter, WHERE, Facts.cleared_else)
    sweep.clear_rest([], adapter.name_counters(), say=False, trim=True)
    return sweep.receipts[-1]


def _trim(_: Question) -> Answer:
    from keraser.trimming import trim

    found = trim()
    return Answer(repr(found), found.to_dict())


def _doctor(_: Question) -> Answer:
    from keraser.diagnosis import doctor

    found = doctor()
    return Answer(repr(found), found.to_dict())


_VERBS: dict[str, Callable[[Question], Answer]] = {
    "CENSUS": _census,
    "WHY": _why,
    "CLEAR": _clear,
    "TRIM": _trim,
    "DOCTOR": _doctor,
}


# ---- which model --------------------------------------------------------------------


def _adapter() -> Adapter:
    adapter = find_adapter()
    if adapter is None:
        raise AbsentError("Keras is not imported in that process: it has no models")
    return adapter


def _find(word: str) -> list[Any]:
    """The one model that `word` stands for, in a list that is the caller's."""
    adapter = _adapter()
    models = [model for model in adapter.models() if adapter.is_whole(model)]
    for matches in (_has_id, _has_name, _has_variable):
        found = [model for model in models if matches(model, word)]
        if len(found) == 1:
            models.clear()
            return found
        if found:
            ids = ", ".join(hex(id(model)) for model in found)
            raise AbsentError(
                f"{len(found)} models are called {word!r}; say which by id: {ids}"
            )
    names = ", ".join(sorted(model.name for model in models)) or "none at all"
    raise AbsentError(f"no model is called {word!r}; there are: {names}")


def _has_id(model: Any, word: str) -> bool:
    try:
        return id(model) == int(word, 0)
    except ValueError:
        return False


def _has_name(model: Any, word: str) -> bool:
    return model.name == word


def _has_variable(model: Any, word: str) -> bool:
    """A variable of a script or notebook, which is what its user calls it."""
    return vars(sys.modules["__main__"]).get(word) is model


# ---- sending ------------------------------------------------------------------------


def _send_glance(socket: int, found: Glance) -> None:
    for model in found.models:
        _core.send(socket, _FRAMES["MODEL"], 0, _model_values(model), _name(model))
    values = (
        found.rss,
        found.peak,
        _UNKNOWN if found.pool is None else found.pool,
        sum(gpu.used for gpu in found.gpus),
        sum(gpu.total for gpu in found.gpus),
        len(found.gpus),
        len(found.models),
        int(found.age * 1e9),
        found.threads,
    )
    _core.send(socket, _FRAMES["PROCESS"], 0, values, _cut(found.note, REASON_BYTES))


def _model_values(model: ModelGlance) -> tuple[int, ...]:
    return (
        model.id,
        model.weights,
        model.optimizer,
        model.metrics,
        int(model.running),
    )


def _name(model: ModelGlance) -> bytes:
    name = _cut(model.name.replace("\0", " "), NAME_BYTES // 2)
    return name + b"\0" + _cut(model.kind, NAME_BYTES // 2 - 1)


def _cut(text: str, most: int) -> bytes:
    """As UTF-8 of at most so many bytes, with no half of a character at the end."""
    cut = text.encode(errors="replace")[:most]
    return cut.decode(errors="ignore").encode()


def _send_answer(
    socket: int, verb: int, outcome: int, reason: str, said: Answer
) -> None:
    text = said.text.encode(errors="replace")
    data = {
        "schema_version": SCHEMA_VERSION,
        "pid": os.getpid(),
        "verb": _VERB_NAMES.get(verb, str(verb)).lower(),
        "outcome": outcome,
        "reason": reason,
        **said.data,
    }
    code = json.dumps(data).encode()
    file = os.memfd_create("keraser-answer", os.MFD_CLOEXEC)
    try:
        with open(file, "wb", closefd=False) as out:
            out.write(text + code)
        values = (outcome, len(text), len(code))
        cut = _cut(reason, REASON_BYTES)
        _core.send(socket, _FRAMES["ANSWER"], 0, values, cut, file)
    finally:
        os.close(file)
