"""cut(): drops what keeps a thing alive, where that is safe, and says what it left.

Safe is what a user could have typed: a name or an item that refers to the thing itself,
what a notebook or the interpreter remembers, the traceback of a stored error. Whatever
would stop working without the thing, a function that closes over it, a generator, an
object's attribute, is left and named.
"""

from __future__ import annotations

import gc
import traceback
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from types import FrameType, TracebackType
from typing import Any

from keraser.adapters.base import find_adapter, find_shell, find_vocabulary
from keraser.holders import Subject, fix_of
from keraser.names import Name, Step, name_path

#: A path may hide another to the same place: so often is looked again.
ROUNDS = 8

_MAPPINGS = (dict, OrderedDict, defaultdict)
_RUNNING = "it is a variable of a running function"
_REASONS = {
    "closure": "the function would break without it",
    "default": "the function would break without it",
    "method": "the method is bound to it",
    "generator": "closing a generator runs its code",
    "cache": "clearing the cache drops what others stored there too",
    "frame": "it is a variable of a frame that may run again",
}


@dataclass(frozen=True, repr=False)
class Cut:
    """What was cut, or would be. Plain data.

    Attributes:
        thing: what was to be let go.
        done: what was dropped, as lines of code; with `dry_run`, what would be.
        left: (path, why it was left, what to type) of each that still holds it.
        dry_run: nothing was changed.
    """

    thing: str
    done: tuple[str, ...]
    left: tuple[tuple[str, str, str], ...]
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists and text, fit for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        verb = "would drop" if self.dry_run else "dropped"
        lines = [f"{self.thing}: {verb} {len(self.done)}, left {len(self.left)}"]
        lines += [f"  {verb}  {line}" for line in self.done]
        for path, reason, fix in self.left:
            lines.append(f"  left     {path}: {reason}; {fix}")
        return "\n".join(lines)


@dataclass
class _Action:
    line: str
    run: Callable[[], object]


def cut(
    box: list[Any],
    thing: str,
    dry_run: bool,
    spare: Callable[[tuple], bool] = lambda _: False,
) -> Cut:
    """Cuts what holds the object in `box`, but for the paths to `spare`.

    See `Holders.cut`. What then is garbage is collected.
    """
    done: dict[str, None] = {}
    actions, left = _look(box, spare)
    for _ in range(ROUNDS if not dry_run else 0):
        if not actions:
            break
        for action in actions:
            action.run()
            done[action.line] = None
        del actions, action  # they hold what they let go of
        gc.collect()
        actions, left = _look(box, spare)
    if dry_run:
        done = dict.fromkeys(action.line for action in actions)
    else:  # something puts it back as often as it is dropped
        left += tuple((a.line, "it came back", a.line) for a in actions)
    return Cut(thing, tuple(done), left, dry_run)


def _look(
    box: list[Any], spare: Callable[[tuple], bool]
) -> tuple[list[_Action], tuple[tuple[str, str, str], ...]]:
    """What can be dropped, and what must be left."""
    subject = Subject(box)
    answer = subject.ask(objects=True)
    vocabulary = find_vocabulary()
    actions: dict[str, _Action] = {}
    left: dict[str, tuple[str, str, str]] = {}
    for target, (paths, _, _) in zip(subject.targets, answer["held"], strict=True):
        for path in paths:
            if spare(_without_objects(path)):
                continue
            name = name_path(path, vocabulary)
            action = _action(path, name, target)
            if isinstance(action, _Action):
                actions.setdefault(action.line, action)
            else:
                left.setdefault(name.place.text, (name.text, action, fix_of(name)))
    del answer
    subject.drop()
    return list(actions.values()), tuple(left.values())


def _without_objects(path: tuple) -> tuple:
    return path[0], [(id(step[0]), *step[1:]) for step in path[1]]


def _action(path: tuple, name: Name, target: Any) -> _Action | str:
    """How to cut one path, or why not."""
    steps = [Step(*step) for step in path[1]]
    place = name.place
    if place.kind in ("notebook", "error"):
        return _forget_shown(place, steps, target)
    if place.kind == "registry":
        return _Action("keraser.clear()", _clear_session)
    if "error" in name.via:
        return _forget_traceback(steps, name)
    if name.hops:
        return _let_go_of_attribute(steps, name)
    if place.kind == "local" and not steps:
        return _RUNNING
    if place.kind in ("variable", "local") and steps:
        return _drop_item(steps[-1], name, target)
    if place.kind == "module":
        return "it belongs to a library"
    return _reason(name)


def _reason(name: Name) -> str:
    if name.place.kind == "figure":
        return "only its owner knows whether the figure may be closed"
    for kind in name.via:
        if kind in _REASONS:
            return _REASONS[kind]
    return "only its owner knows whether it can do without"


def _forget_shown(place: Any, steps: list[Step], target: Any) -> _Action:
    shell = find_shell()
    if place.kind == "error":
        return _Action("sys.last_exc = None", shell.forget_error)
    shown = steps[place.steps].id if place.steps < len(steps) else target
    names = ", ".join(shell.places_of(shown)) or place.text
    return _Action(f"del {names}", partial(shell.forget, shown))


def _clear_session() -> None:
    from keraser.clearing import clear

    clear()


def _forget_traceback(steps: list[Step], name: Name) -> _Action | str:
    for step in steps:
        if isinstance(step.id, BaseException) and step.name == "__traceback__":
            line = f"{name.place.text} without its traceback"
            return _Action(line, partial(setattr, step.id, "__traceback__", None))
        if isinstance(step.id, TracebackType):
            line = f"variables in {name.place.text}"
            return _Action(line, partial(traceback.clear_frames, step.id))
        if isinstance(step.id, FrameType):
            break
    return _REASONS["frame"]


def _let_go_of_attribute(steps: list[Step], name: Name) -> _Action | str:
    adapter, step = find_adapter(), steps[-1]
    if adapter is not None and step.how == "attribute" and name.via[-1] == "attribute":
        let_go = adapter.attribute_cut(step.id, step.name)
        if let_go is not None:
            return _Action(fix_of(name) if name.let_go else name.text, let_go)
    return _reason(name)


def _drop_item(step: Step, name: Name, target: Any) -> _Action | str:
    """`del models[2]`: of a variable the module's dict is the container."""
    container = step.id
    if type(container) in _MAPPINGS:
        return _Action(fix_of(name), lambda: _drop_values(container, target))
    if type(container) in (list, deque):
        return _Action(fix_of(name), lambda: _drop_indexes(container, target))
    if type(container) is set:
        return _Action(fix_of(name), lambda: container.discard(target))
    if type(container) is tuple:
        return "a tuple cannot let go of an item"
    return "its container is not a plain list, dict or set"


def _drop_values(mapping: Any, target: Any) -> None:
    for key in [key for key, value in list(mapping.items()) if value is target]:
        mapping.pop(key, None)


def _drop_indexes(sequence: Any, target: Any) -> None:
    for index in reversed(range(len(sequence))):
        if index < len(sequence) and sequence[index] is target:
            del sequence[index]
