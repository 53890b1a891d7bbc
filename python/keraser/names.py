"""Retention paths in words: from the steps of a path to what a user would say.

A path is what `_core.ask` gives: a root and steps of text, so that naming reads no
object and adds no holder. Words go from hop to hop, `results[0] → History.model`; what
stands before the first arrow, the *place*, is where a user would lay hands on.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ARROW = " → "

#: A key longer than this is cut.
KEY_LENGTH = 60

#: Of a path with more hops than this the middle is left out.
HOP_LIMIT = 5

#: What holds a thing that nothing alive leads to.
GARBAGE = "garbage that was not collected yet"

_ITEMS = ("key", "key_text", "index")
#: IPython's names for what cells came to: `_`, `__`, `___`, `_12`.
_RESULT = re.compile(r"_+|_\d+")
_ERRORS = ("last_exc", "last_value", "last_traceback", "last_type")


class Step(NamedTuple):
    """An object on a path, and how it refers to the next one.

    Attributes:
        id: its id(); the object itself where a path was asked for with objects.
        type: the name of its type, with the module.
        label: what it is called beside that (a function's name, a frame's line).
        how: the kind of reference, as `_core.edge` says it.
        name: the key, index, attribute or variable of the reference.
    """

    id: Any
    type: str
    label: str | None
    how: str
    name: str | int | None

    @property
    def short(self) -> str:
        """The type without its module."""
        return self.type.rpartition(".")[2]


@dataclass(frozen=True)
class Landmark:
    """An object that users know by a name of its own: `Out`, a registry.

    Attributes:
        name: what its items are called by: `Out` makes `Out[12]`.
        kind: the kind of place that it makes, see `Place`.
        fix: what to type to let go of an item, `{key}` standing for its key.
        spaced: the key follows as a word, `figure 1`, and not as `figure[1]`.
    """

    name: str
    kind: str
    fix: str = ""
    spaced: bool = False


@dataclass
class Vocabulary:
    """What this process calls things, beside Python's own words.

    Attributes:
        landmarks: objects with a name of their own, by id().
        hops: what a hop from an object of a type is called, whatever its attribute.
        ends: of these types, those behind which there is nothing left to say.
        attributes: what an attribute of a type is called, and how its owner lets go of
            what it refers to, by (type, attribute).
    """

    landmarks: dict[int, Landmark] = field(default_factory=dict)
    hops: dict[str, str] = field(default_factory=dict)
    ends: frozenset[str] = frozenset()
    attributes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def __or__(self, other: Vocabulary) -> Vocabulary:
        return Vocabulary(
            self.landmarks | other.landmarks,
            self.hops | other.hops,
            self.ends | other.ends,
            self.attributes | other.attributes,
        )


@dataclass
class Place:
    """Where a path begins, in words and as an expression to type.

    Attributes:
        kind: "variable" of the user's modules, "module" of others, "local" of a running
            function, "notebook", "error", "thread", "c", or that of a landmark.
        text: in words.
        code: a Python expression for it, "" where there is none.
        function: of a local, the function that runs.
        steps: how many steps of the path it covers.
        fix: what a landmark says about letting go.
        container: type of the last container whose item it is, "" where there is none.
    """

    kind: str
    text: str
    code: str = ""
    function: str = ""
    steps: int = 0
    fix: str = ""
    container: str = ""


@dataclass
class Name:
    """A path in words.

    Attributes:
        place: where it begins.
        hops: what follows, an arrow before each.
        via: kinds of hops on the way: "closure", "error", "generator", "cache", ...
        let_go: the call by which the last object lets go, "" where none is known.
    """

    place: Place
    hops: list[str]
    via: list[str]
    let_go: str = ""

    @property
    def text(self) -> str:
        hops = self.hops
        if self.place.kind == "registry":  # what lies between is the framework's own
            hops = hops[-1:]
        if len(hops) > HOP_LIMIT:
            hops = [*hops[:2], "…", *hops[-2:]]
        return ARROW.join([self.place.text, *hops])


def name_path(path: tuple, vocabulary: Vocabulary | None = None) -> Name:
    """One path of `_core.ask`, in words."""
    vocabulary = vocabulary or Vocabulary()
    root, raw = path
    steps = [Step(*step) for step in raw]
    place, at = _start(root, steps, vocabulary.landmarks)
    place.steps = at = _items(place, steps, at)
    hops: list[str] = []
    via: list[str] = []
    while at < len(steps):
        kind, text, end = _known_hop(steps, at, vocabulary) or _hop(steps, at)
        if text not in hops[-1:]:
            hops.append(text)
            via.append(kind)
        at = len(steps) if steps[at].type in vocabulary.ends else end
    if place.kind == "error" and via[:1] == ["error"]:
        place.text = "last error" + hops.pop(0).partition("error")[2]
    last = (steps[-1].type, str(steps[-1].name)) if steps else ("", "")
    return Name(place, hops, via, vocabulary.attributes.get(last, ("", ""))[1])


# ---- where a path begins ----------------------------------------------------------


def _start(
    root: tuple, steps: list[Step], landmarks: dict[int, Landmark]
) -> tuple[Place, int]:
    """The place, and the first step that it does not cover."""
    for at in range(len(steps) - 1, -1, -1):
        landmark = landmarks.get(_id(steps[at]))
        if landmark is not None:
            return _landmark_place(landmark, steps[at]), at + 1
    kind = root[0]
    if kind == "module":
        return _module_place(root[1], steps)
    if kind == "frame":
        return _frame_place(*root[1:]), 0
    if kind == "thread":
        return _thread_place(root[1], root[2], steps)
    return Place("c", c_code(root[1])), 0


def _landmark_place(landmark: Landmark, step: Step) -> Place:
    key = _key(step)
    if step.name is None:
        return Place(landmark.kind, landmark.name, landmark.name)
    if step.how not in _ITEMS:
        text = f"{landmark.name}.{step.name}"
    elif landmark.spaced:
        text = f"{landmark.name} {key}"
    else:
        text = f"{landmark.name}[{key}]"
    return Place(landmark.kind, text, text, fix=landmark.fix.replace("{key}", key))


def _id(step: Step) -> int:
    return step.id if type(step.id) is int else id(step.id)


def _module_place(module: str, steps: list[Step]) -> tuple[Place, int]:
    name = steps[0].name if steps and steps[0].how == "key" else None
    if not isinstance(name, str):
        return Place("module", module), 0
    if module == "__main__" and _RESULT.fullmatch(name):
        return Place("notebook", f"notebook result {name}", name), 1
    if module == "__main__":
        return Place("variable", f'variable "{name}"', name), 1
    if module == "sys" and name in _ERRORS:
        return Place("error", "last error", f"sys.{name}"), 1
    code = f"{module}.{name}"
    return Place("variable" if is_users(module) else "module", code, code), 1


def is_users(module: str) -> bool:
    """Whether a module is the user's own and not an installed library."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if module == "__main__" or file is None:
        return module == "__main__"
    return not is_library(file)


def is_library(file: str) -> bool:
    """Whether a file is of Python itself or of an installed package."""
    folders = (os.path.dirname(os.__file__), os.path.dirname(__file__))
    packages = ("/site-packages/", "/dist-packages/")
    return file.startswith((*folders, "<frozen")) or any(p in file for p in packages)


def _frame_place(
    thread: int, _depth: int, file: str, function: str, line: int, name: str, *_: Any
) -> Place:
    where = f"{file.rsplit('/', 1)[-1]}:{line}"
    within = "" if thread == threading.get_ident() else f" {thread_name(thread)}"
    text = f"frame {function}(){within}, local {name!r} ({where})"
    return Place("local", text, name, function)


def _thread_place(ident: int, what: str, steps: list[Step]) -> tuple[Place, int]:
    """A threading.local keeps one dict of attributes for each thread."""
    thread = thread_name(ident)
    for at, step in enumerate(steps[:-1]):
        if "localdummy" in step.type:
            text = f"{what} {steps[at + 1].name!r} of {thread}"
            return Place("thread", text), at + 2
    return Place("thread", f"{what} of {thread}"), 0


def thread_name(ident: int) -> str:
    """`thread "w-1"`, or its number where threading does not know it."""
    for thread in threading.enumerate():
        if thread.ident == ident:
            return f'thread "{thread.name}"'
    return f"thread {ident}"


def c_code(references: int, libraries: list[str] | None = None) -> str:
    """References that no Python object explains."""
    if references >= 1 << 32:  # an immortal object, whose count says nothing
        return "held by C code"
    count = "1 reference" if references == 1 else f"{references} references"
    names = ", ".join(f"library {name}" for name in libraries or ())
    return f"held by C code: {count}" + (f", {names}" if names else "")


def _items(place: Place, steps: list[Step], at: int) -> int:
    """Adds items of plain containers to the place: `models[2]`, `best['a'][1]`."""
    if place.kind in ("registry", "c"):
        return at
    while at < len(steps) and _is_item(steps[at]):
        item = f"[{_key(steps[at])}]"
        place.text += item
        if place.code:
            place.code += item
        place.container = steps[at].type
        at += 1
    if at < len(steps) and steps[at].how == "member" and place.code:
        place.text += ", a member"
        place.container = steps[at].type
        at += 1
    return at


def _is_item(step: Step) -> bool:
    return step.how in _ITEMS and "." not in step.type.replace("collections.", "")


def _key(step: Step) -> str:
    text = str(step.name) if step.how == "key_text" else repr(step.name)
    return text if len(text) <= KEY_LENGTH else text[: KEY_LENGTH - 3] + "..."


# ---- the hops ---------------------------------------------------------------------


def _known_hop(
    steps: list[Step], at: int, vocabulary: Vocabulary
) -> tuple[str, str, int] | None:
    step = steps[at]
    known = vocabulary.attributes.get((step.type, str(step.name)))
    if known is not None:
        return _with_items("attribute", known[0], steps, at)
    text = vocabulary.hops.get(step.type)
    return None if text is None else ("known", text, at + 1)


def _hop(steps: list[Step], at: int) -> tuple[str, str, int]:
    """One hop: its kind, its words, and the next step."""
    step = steps[at]
    if step.how == "captured":
        return _with_items(
            "closure", f"closure {step.name!r} of {_called(step)}", steps, at
        )
    if step.how == "default":
        text = f"default argument {step.name!r} of {_called(step)}"
        return _with_items("default", text, steps, at)
    if step.how in ("local", "stack"):
        return _suspended(steps, at)
    if step.name in ("__traceback__", "__context__", "__cause__"):
        return _error(steps, at)
    if step.type == "traceback":
        return _traceback(steps, at, "traceback")
    if "lru_cache_wrapper" in step.type:
        return _cache(steps, at)
    if step.type == "_thread._local":
        return _thread_local(steps, at)
    if step.how == "attribute" and step.type == "method":
        return _with_items("method", f"method {step.label}", steps, at)
    if step.how == "attribute":
        name = "" if step.name is None else f".{step.name}"
        return _with_items("attribute", f"{step.short}{name}", steps, at)
    if step.how in _ITEMS:
        return _with_items("item", f"{step.short}[{_key(step)}]", steps, at)
    if step.how == "member":
        return _with_items("member", f"member of a {step.short}", steps, at)
    if step.how == "callback":
        return _with_items("callback", "callback of a weak reference", steps, at)
    return _with_items("reference", step.label or step.short, steps, at)


def _with_items(
    kind: str, text: str, steps: list[Step], at: int
) -> tuple[str, str, int]:
    """The hop from steps[at], and the items of plain containers behind it."""
    at += 1
    while at < len(steps) and _is_item(steps[at]):
        text += f"[{_key(steps[at])}]"
        at += 1
    return kind, text, at


def _called(step: Step) -> str:
    """A function by its own name, not by where it was defined."""
    return (step.label or step.short).rpartition("<locals>.")[2]


def _suspended(steps: list[Step], at: int) -> tuple[str, str, int]:
    step = steps[at]
    if step.type == "frame":
        return _with_items(
            "frame", f"frame of {step.label}, local {step.name!r}", steps, at
        )
    what = f"{step.short} {_called(step)}"
    if step.name is not None:
        what += f", local {step.name!r}"
    return _with_items("generator", what, steps, at)


def _error(steps: list[Step], at: int) -> tuple[str, str, int]:
    """An exception, through those it came from, to the variable that holds on."""
    error = f"error {steps[at].short}"
    while at < len(steps) and steps[at].name in ("__context__", "__cause__"):
        at += 1
        if at < len(steps):
            error = f"error {steps[at].short}"
    if at < len(steps) and steps[at].name == "__traceback__":
        return _traceback(steps, at + 1, error)
    return _with_items("error", error, steps, at)


def _traceback(steps: list[Step], at: int, error: str) -> tuple[str, str, int]:
    while at < len(steps) and steps[at].type == "traceback":
        at += 1
    while at < len(steps) and steps[at].name == "f_back":
        at += 1
    if at == len(steps) or steps[at].type != "frame":
        return "error", error, at
    frame = steps[at]
    return _with_items(
        "error", f"{error}, local {frame.name!r} in {frame.label}", steps, at
    )


def _cache(steps: list[Step], at: int) -> tuple[str, str, int]:
    """functools' cache: wrapper, dict, and for a bounded one a link of its list."""
    at += 1
    text = "lru_cache"
    if at < len(steps) and steps[at].how in _ITEMS:
        text += f" result for {_key(steps[at])}"
        at += 1
    while at < len(steps) and "lru_list_elem" in steps[at].type:
        at += 1
    return "cache", text, at


def _thread_local(steps: list[Step], at: int) -> tuple[str, str, int]:
    """A dict of attributes for each thread, in a dict by weak reference."""
    while at < len(steps) and steps[at].how != "key":
        at += 1
    if at == len(steps):
        return "thread", "thread-local", at
    return _with_items("thread", f"thread-local {steps[at].name!r}", steps, at)
