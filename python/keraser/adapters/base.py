"""What keraser asks of a framework, and which adapter answers for a process."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, Protocol

from keraser import _core
from keraser.errors import UnsupportedError
from keraser.names import Name, Vocabulary
from keraser.receipt import Reset

#: What bytes and objects are told apart by. The order is that of the groups given to
#: the walk: an object belongs to the first kind that leads to it.
KINDS = ("weights", "optimizer", "metrics", "objects", "functions")


#: What a fork server imports unless told otherwise.
PRELOAD = ("tensorflow", "keras")


@dataclass
class Plan:
    """What clearing one model would touch. Holds the objects; `drop()` lets go.

    Attributes:
        name: the model's name.
        kind: its class, as a user would write it.
        seeds: objects that will be let go: the model, what registers it.
        groups: starting points of each of `KINDS`, in that order.
        parts: what must die with the model: variables, layers, optimizer.
        part_names: how a receipt calls each part.
        part_kinds: the kind each part belongs to.
        part_bytes: bytes of native memory behind each part, 0 where it has none.
        shells: of a held model, what stays as an empty shell.
        symbols: symbolic tensors by which others hold layers that become shells.
        emptied: of a held model, resource handles whose memory goes all the same.
        extra: the adapter's own notes, given back to it in `sever`.
    """

    name: str
    kind: str
    seeds: list[Any] = field(default_factory=list)
    groups: list[list[Any]] = field(default_factory=lambda: [[] for _ in KINDS])
    parts: list[Any] = field(default_factory=list)
    part_names: list[str] = field(default_factory=list)
    part_kinds: list[str] = field(default_factory=list)
    part_bytes: list[int] = field(default_factory=list)
    shells: list[Any] = field(default_factory=list)
    symbols: list[Any] = field(default_factory=list)
    emptied: list[Any] = field(default_factory=list)
    extra: Any = None

    def add_part(self, part: Any, name: str, kind: str, size: int = 0) -> None:
        """Adds a part once."""
        self.parts.append(part)
        self.part_names.append(name)
        self.part_kinds.append(kind)
        self.part_bytes.append(size)
        if kind in KINDS:
            self.groups[KINDS.index(kind)].append(part)

    def containers(self) -> list[Any]:
        """The containers of this plan, whose references hold nothing."""
        extra = [] if self.extra is None else self.extra.containers()
        return [self.parts, self.shells, self.symbols, self.emptied, *extra]

    def drop(self) -> None:
        """Lets go of every object."""
        self.seeds.clear()
        self.parts.clear()
        self.shells.clear()
        self.symbols.clear()
        self.emptied.clear()
        for group in self.groups:
            group.clear()
        self.extra = None


@dataclass(frozen=True)
class Value:
    """A value in native memory: `size` bytes behind `handle`. Of some, a later use
    would go unnoticed if they were emptied."""

    name: str
    kind: str
    handle: Any
    size: int
    can_be_empty: bool


@dataclass
class Belongings:
    """What parking one model would touch. Holds the objects.

    Attributes:
        values: each value once.
        parts: the model, then the objects by which a user could ask for a value.
        part_names: how an error calls each part.
        inner: id() of the parts whose class may have a layout of its own.
        kept: (what, who uses it, bytes) of what is shared with something else.
        shared: those objects.
        strange: names of the values that cannot be kept elsewhere.
        parent: what has the model itself as a layer, "" if nothing has.
    """

    values: list[Value] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    part_names: list[str] = field(default_factory=list)
    inner: set[int] = field(default_factory=set)
    kept: list[tuple[str, str, int]] = field(default_factory=list)
    shared: list[Any] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    parent: str = ""
    known: set[int] = field(default_factory=set)

    def add_part(self, part: Any, name: str, inner: bool = False) -> None:
        """Adds a part once."""
        if id(part) not in self.known:
            self.known.add(id(part))
            self.parts.append(part)
            self.part_names.append(name)
            if inner:
                self.inner.add(id(part))

    def knows(self, part: Any) -> bool:
        return id(part) in self.known


class State(NamedTuple):
    """One value that training changes. (There are many; a dataclass takes five times
    as long to make.)

    Attributes:
        path: what it is called; replicas after the first have a number behind.
        kind: "weights", "optimizer" or "metrics".
        variable: what a user knows.
        handle: what the value hangs on.
    """

    path: str
    kind: str
    variable: Any
    handle: Any


@dataclass
class Redrawn:
    """What was drawn anew.

    Attributes:
        layers: their names, in the order in which the model was built.
        bytes: of their new values.
        left: what was left alone, and why.
        shared: layers that something else has as well, and what that is.
        optimizer: what became of it, "" without one.
    """

    layers: list[str] = field(default_factory=list)
    bytes: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    shared: list[tuple[str, str]] = field(default_factory=list)
    optimizer: str = ""


@dataclass(frozen=True)
class Counts:
    """How many of each the model owns, or how many are left."""

    objects: int = 0
    graphs: int = 0
    handles: int = 0
    functions: int = 0


class Witness(weakref.ref):
    """A weak reference of our own. `weakref.ref` hands out the one that an object has
    already, which may be among what is to die, and our having it would keep it."""


#: Functions that refuse for a while, and what each calls first.
Barred = list[tuple[Witness, Callable[[], NoReturn]]]


class Adapter(Protocol):
    """A framework, seen from keraser. Every method may import it; none is called
    before the framework is loaded by the user."""

    def is_model(self, value: Any) -> bool: ...
    def running(self, rows: list[tuple]) -> str | None: ...
    def plan(self, box: list[Any]) -> Plan: ...
    def plan_session(self) -> Plan: ...
    def needed(self, plan: Plan, owned: Any) -> list[str]: ...
    def take_back(self, plan: Plan, names: list[str]) -> None: ...
    def add_python_functions(self, plan: Plan) -> None: ...
    def living_functions(self) -> list[str]: ...
    def add_cached_traces(self, plan: Plan, box: list[Any]) -> None: ...
    def models(self) -> list[Any]: ...
    def sizes(self, model: Any) -> dict[str, int]: ...
    def inner_layers(self, models: list[Any]) -> set[int]: ...
    def find_sharing(self, box: list[Any], owned: Any) -> Any: ...
    def add_shells(self, plan: Plan, box: list[Any], sharing: Any) -> set[int]: ...
    def symbolic_tensors(self, plan: Plan, staying: set[int]) -> list[Any]: ...
    def with_inner(self, layer: Any) -> set[int]: ...
    def protected(self, plan: Plan, staying: set[int], sharing: Any) -> set[int]: ...
    def can_be_shell(self, part: Any) -> bool: ...
    def is_empty(self, handle: Any) -> bool: ...
    def name_of(self, part: Any) -> str: ...
    def empty(self, plan: Plan, message: Callable[[str], str]) -> None: ...
    def add_states(self, plan: Plan, owned: Any) -> None: ...
    def add_orphans(self, plan: Plan, owned: Any) -> None: ...
    def witnesses(self, owned: Any) -> dict[str, list[Any]]: ...
    def staying(self, plan: Plan, owned: Any) -> list[Any]: ...
    def sever(self, plan: Plan, owned: Any, box: list[Any] | None) -> list[Any]: ...
    def flush_caches(self) -> list[Any]: ...
    def drop_executables(self, limits: list[str]) -> list[Any]: ...
    def name_counters(self) -> dict[str, int]: ...
    def reset_session(self, names: dict[str, int]) -> list[Any]: ...
    def settings(self) -> dict[str, str]: ...
    def runtime_functions(self) -> int: ...
    def pool_in_use(self) -> int | None: ...
    def limits(self, plan: Plan) -> list[str]: ...
    def way_out(self, name: Name, steps: list[Any]) -> str | None: ...
    def vocabulary(self) -> Vocabulary: ...
    def attribute_cut(self, holder: Any, name: Any) -> Callable[[], Any] | None: ...
    def is_whole(self, model: Any) -> bool: ...
    def tensors(self) -> Any: ...
    def add_native(self, natives: list[Any], sizes: list[int]) -> None: ...
    def kept_tensors(self, owned: Any) -> list[tuple[int, int]]: ...
    def count_graphs(self, owned: Any) -> int: ...
    def count_graphs_of(self, handles: set[int]) -> int: ...
    def name_handles(self) -> dict[int, str]: ...
    def findings(self) -> list[tuple[str, bool, str]]: ...
    def belongings(self, box: list[Any], owned: Any) -> Belongings: ...
    def read_value(self, handle: Any) -> Any: ...
    def write_value(self, handle: Any, array: Any) -> None: ...
    def empty_value(self, handle: Any) -> None: ...
    def bar_functions(
        self, handles: list[Any], refuse: Callable[[str], NoReturn]
    ) -> Barred: ...
    def admit_functions(self, barred: Barred) -> None: ...
    def is_ready(self, model: Any) -> bool: ...
    def states(self, model: Any, kinds: tuple[str, ...], only: Any) -> list[State]: ...
    def optimizer_is_built(self, model: Any) -> bool: ...
    def as_new(self, model: Any, handles: list[Any]) -> list[tuple[Any, Any]]: ...
    def second_model(self, model: Any, seed: int) -> Any: ...
    def redraw(self, model: Any, seed: int, only: Any, frozen: bool) -> Redrawn: ...
    def read_all(self, handles: list[Any]) -> list[Any]: ...
    def assign_all(self, handles: list[Any], tensors: list[Any]) -> None: ...
    def shares_buffers(self, handle: Any) -> bool: ...
    def copies(self, tensors: list[Any]) -> list[Any]: ...
    def looks(self, tensors: list[Any]) -> list[tuple[tuple[int, ...], str]]: ...
    def views(self, tensors: Any) -> list[Any]: ...
    def to_host(self, tensors: list[Any]) -> list[Any]: ...
    def from_host(self, arrays: list[Any], handles: list[Any]) -> list[Any]: ...
    def pitfall_hop(self, thing: Any) -> str: ...
    def retraced(self) -> list[tuple[Any, int, str]]: ...
    def open_tapes(self) -> list[Any]: ...
    def training_traces(self, models: list[Any]) -> list[tuple[str, int]]: ...
    def is_tracing(self) -> bool: ...
    def gauges(self) -> dict[str, int]: ...
    def is_out_of_memory(self, error: BaseException) -> bool: ...
    def is_model_type(self, kind: type) -> bool: ...
    def has_memory(self, value: Any) -> bool: ...
    def watch_births(self, watcher: Callable[[Any], None]) -> Callable[[], None]: ...
    def is_part(self) -> bool: ...
    def watch_values(self, watcher: Callable[[Any], None]) -> Callable[[], None]: ...
    def value_types(self) -> tuple[type, ...]: ...
    def value_name(self, value: Any) -> str: ...
    def stop_publishing(self) -> Callable[[], None]: ...
    def guard_on(self) -> None: ...
    def guard_off(self) -> None: ...
    def guard_is_on(self) -> bool: ...
    def guard_let_go(self) -> int: ...


def find_adapter() -> Adapter | None:
    """The adapter of the Keras that this process has imported, None without Keras.

    Raises:
        UnsupportedError: Keras runs on a backend that keraser cannot clear yet.
    """
    learn_arrays()
    if "keras" not in sys.modules:
        if "tf_keras" in sys.modules:
            raise UnsupportedError(
                "this process uses tf_keras (Keras 2), which keraser cannot clear yet; "
                "use keras 3, or `del model; tf_keras.backend.clear_session()`"
            )
        return None
    backend = sys.modules["keras"].config.backend()
    if backend != "tensorflow":
        raise UnsupportedError(
            f"Keras runs on {backend} in this process; keraser clears models of the "
            "TensorFlow backend. Set KERAS_BACKEND=tensorflow before importing keras, "
            "or use `del model; gc.collect()`"
            + (" and `jax.clear_caches()`" if backend == "jax" else "")
        )
    from keraser.adapters.keras_tf import KerasTensorFlow

    return KerasTensorFlow()


def fork_hazard() -> str | None:
    """Why this process must not be forked for trials, as far as a framework knows."""
    if "tensorflow" not in sys.modules:
        return None
    from keraser.adapters.keras_tf.forking import find_hazard

    return find_hazard()


def gpu_hazard(several: bool) -> str | None:
    """Why this process' pools of GPU memory must not be armed; None where they may."""
    if "tensorflow" not in sys.modules:
        return "TensorFlow is not imported yet; import it, or Keras, first"
    from keraser.adapters.keras_tf.arming import find_hazard

    return find_hazard(several)


def tensor_names() -> dict[int, str]:
    """Names of the tensors that Python has, by the address of their memory."""
    if "tensorflow" not in sys.modules:
        return {}
    from keraser.adapters.keras_tf.placing import tensor_names

    return tensor_names()


class Runtime(Protocol):
    """What a framework's devices hang on, and everything that lives on them."""

    def why_unknown(self) -> str | None:
        """Why it cannot be ended in this process at all, in words."""

    def why_not_now(self) -> str | None:
        """What goes on in it, in words, or how it is used, that does not allow it."""

    def is_up(self) -> bool: ...
    def flush(self) -> list[Reset]: ...
    def living(self, renewable: bool = False) -> Any:
        """Tensors, functions and what else would die with it, what the reset renews
        only if asked for: `kinds`, `things`, `bytes`, and `drop()`."""

    def end(self) -> list[Reset] | str:
        """Ends it, and says what was renewed; or changes nothing and says why."""

    def settings(self) -> dict[str, str]: ...


def find_runtime() -> Runtime | None:
    """TensorFlow's, None where this process has not imported it."""
    if "tensorflow" not in sys.modules:
        return None
    from keraser.adapters.keras_tf.runtime import Runtime

    return Runtime()


class Shipper(Protocol):
    """How one payload takes a framework's objects along."""

    def takes(self, thing: Any) -> bool: ...
    def reduce(self, thing: Any) -> Any: ...
    def is_out_of_order(self) -> bool: ...


def find_shipper() -> Shipper | None:
    """For one payload; None in a process that has not loaded TensorFlow, and where
    Keras runs on something else, whose objects are left to pickle."""
    if "tensorflow" not in sys.modules:
        return None
    keras = sys.modules.get("keras")
    if keras is not None and keras.config.backend() != "tensorflow":
        return None
    from keraser.adapters.keras_tf.shipping import Shipper

    return Shipper()


def find_shell() -> Any:
    """What IPython remembers, and how it forgets: `keraser.adapters.ipython`."""
    from keraser.adapters import ipython

    return ipython


def shell_of(ip: Any) -> Any:
    """An IPython shell as the magics use it: `keraser.adapters.ipython_shell.Shell`."""
    from keraser.adapters.ipython_shell import Shell

    return Shell(ip)


def find_cells() -> Any:
    """Begins and ends of a notebook's cells: `keraser.adapters.ipython_cells.Cells`;
    None in a process that is no kernel of a notebook."""
    if "IPython" not in sys.modules:
        return None
    from keraser.adapters import ipython_cells

    return ipython_cells.cells()


def find_front_end() -> Any:
    """The class of the widget in the notebook: `keraser.adapters.any_widget.FrontEnd`.

    Raises:
        UnsupportedError: anywidget is not installed.
    """
    try:
        from keraser.adapters.any_widget import FrontEnd
    except ImportError as error:
        raise UnsupportedError(
            f"keraser.widget() needs anywidget ({error}): pip install "
            "'keraser[widget]', for the kernel and for JupyterLab where that runs from "
            "another environment; then restart the kernel and reload the page"
        ) from None
    return FrontEnd


def find_hooks(keeps: Callable[[Any], bool]) -> list[tuple[str, Callable[[], None]]]:
    """What was connected to pyplot's open figures and keeps something, in words, and
    how it is let go."""
    if "matplotlib._pylab_helpers" not in sys.modules:
        return []
    from keraser.adapters import pyplot

    return pyplot.hooks(keeps)


def learn_arrays() -> None:
    """Lets the core see through numpy's arrays, which say nothing of their base."""
    if "numpy" in sys.modules and not _core.seams()["arrays"]:
        base = sys.modules["numpy"].zeros(2)
        _core.learn_arrays(base[:1], base)


def find_vocabulary() -> Vocabulary:
    """What the frameworks and shells of this process call things."""
    found = Vocabulary()
    if "IPython" in sys.modules:
        from keraser.adapters import ipython

        found |= ipython.vocabulary()
    if "matplotlib._pylab_helpers" in sys.modules:
        from keraser.adapters import pyplot

        found |= pyplot.vocabulary()
    try:
        adapter = find_adapter()
    except UnsupportedError:
        return found
    return found if adapter is None else found | adapter.vocabulary()
