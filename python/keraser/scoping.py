"""scope(): what is built inside a block is cleared at its end."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from keraser import _core
from keraser.adapters.base import Adapter, Witness, find_adapter
from keraser.clearing import caller
from keraser.errors import KeraserError
from keraser.receipt import Receipt
from keraser.sweeping import Sweep

T = TypeVar("T")

_HOW_TO_KEEP = "keep it: `scope.keep(it)` in the block"


class Scope:
    """A block whose builds are cleared at its end. See `scope`.

    Attributes:
        receipts: after the end, one `Receipt` a model, then one of all the rest.
    """

    def __init__(self, all_threads: bool = False, trim: bool = True) -> None:
        self._all_threads = all_threads
        self._trim = trim
        self._models: list[Witness] = []
        self._values: list[Witness] = []
        self._kept: list[Witness] = []
        self._stop: list[Callable[[], None]] = []
        self._state = "new"
        self.receipts: tuple[Receipt, ...] = ()

    def keep(self, value: T) -> T:
        """Leaves `value` alone at the end: a model, dataset or function, or those in a
        list, tuple, set or dict, at any depth. Returns it.

        Layers, variables, optimizers, arrays and numbers need no keeping: those to
        which something refers by themselves stay. A History keeps its numbers.

        Raises:
            KeraserError: the scope has ended.
        """
        if self._state == "ended":
            raise KeraserError(
                "this scope has ended: what it built is cleared; keep a value inside "
                "the block"
            )
        self._keep(value, set())
        return value

    def _keep(self, value: Any, seen: set[int]) -> None:
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, Mapping):
            value = [*value.keys(), *value.values()]
        if isinstance(value, (list, tuple, set, frozenset)):
            for inner in list(value):
                self._keep(inner, seen)
        elif type(value).__weakrefoffset__:
            self._kept.append(Witness(value))

    # ---- begin and end ----------------------------------------------------------

    def __enter__(self) -> Scope:
        if self._state != "new":
            raise KeraserError(
                "a scope serves one block; write `with keraser.scope()` once for each"
            )
        self._state = "open"
        self._thread = threading.get_ident()
        adapter = find_adapter()
        self._names = adapter.name_counters() if adapter else {}
        self._saw_import = adapter is None
        if adapter:
            self._stop = [
                adapter.watch_births(functools.partial(self._note, self._models)),
                adapter.watch_values(functools.partial(self._note, self._values)),
                adapter.stop_publishing(),
            ]
        return self

    def _note(self, where: list[Witness], born: Any) -> None:
        if self._all_threads or threading.get_ident() == self._thread:
            where.append(Witness(born))

    @property
    def __exit__(self) -> Callable[..., None]:
        """A function of Python's own, not a method: calling one makes the interpreter
        write down the stack of the function around the block, with what it returns."""

        def leave(_kind: Any, error: BaseException | None, _trace: Any) -> None:
            if error is None:
                self._keep(_core.stack(1), set())
            self.end(quiet=error is not None)

        return leave

    def end(
        self,
        quiet: bool = False,
        where: str | None = None,
        how_to_keep: str = _HOW_TO_KEEP,
    ) -> None:
        """Clears what was built; for a block without `with`. A second call does
        nothing. `quiet`: who holds what stays is not looked for. `where`: what receipts
        call the place, the caller's file and line if None. `how_to_keep`: what shells
        advise."""
        if self._state != "open":
            return
        self._state = "ended"
        for stop in self._stop:
            stop()
        adapter = find_adapter()
        if adapter is None:
            return
        if self._saw_import:
            self._all_are_new(adapter)
        kept = {id(value) for value in (w() for w in self._kept) if value is not None}
        sweep = Sweep(adapter, where or caller(), how_to_keep)
        try:
            sweep.clear_models([w for w in self._models if id(w()) not in kept])
            values = [w for w in self._values if id(w()) not in kept]
            sweep.clear_rest(values, self._names, not quiet, self._trim)
        finally:
            self.receipts = tuple(sweep.receipts)
            self._models.clear()
            self._values.clear()
            self._kept.clear()

    def abandon(self) -> None:
        """Ends without clearing anything."""
        if self._state == "open":
            self._state = "ended"
            for stop in self._stop:
                stop()
            self._models.clear()
            self._values.clear()
            self._kept.clear()

    def _all_are_new(self, adapter: Adapter) -> None:
        """Keras was imported inside the block: so was everything built with it."""
        self._models += map(Witness, adapter.models())
        self._values += map(Witness, _core.instances(adapter.value_types()))

    # ---- as a decorator -----------------------------------------------------------

    def __call__(self, function: Callable[..., T]) -> Callable[..., T]:
        """Each call of `function` in a scope of its own; what it returns is kept."""
        if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(
            function
        ):
            raise TypeError(
                f"{function.__name__} runs in pieces, between which others build too; "
                "write `with keraser.scope():` inside it"
            )

        @functools.wraps(function)
        def scoped(*args: Any, **kwargs: Any) -> T:
            with Scope(self._all_threads, self._trim) as inner:
                return inner.keep(function(*args, **kwargs))

        return scoped

    def __repr__(self) -> str:
        if self._state != "ended":
            return f"<keraser scope, {self._state}, {len(self._models)} models so far>"
        return "\n".join(map(repr, self.receipts)) or "<keraser scope, ended: no Keras>"


def scope(*, all_threads: bool = False, trim: bool = True) -> Scope:
    """A block whose builds are cleared at its end.

    Cleared are the models that were made inside, whoever holds them, as by
    `clear(model)`; datasets, their iterators and functions (tf.function) that are bound
    to names of running functions only, or to nothing; and what those left behind that
    died inside. Names that were bound to them are bound to shells, whose use raises
    `ClearedModelError`. Datasets and functions that something else holds stay and are
    named in the receipt. Automatic names go on where they were before.

    Not cleared is what was there before, what `scope.keep(value)` was given, and what
    the block hands out: a model, or a list, tuple or dict of such, in a `return` inside
    the block (from Python 3.11 on) or from a function that this decorates.

    Blocks can be nested; what an inner one keeps, the outer one clears. After an
    exception everything is cleared that was not kept, whatever the traceback holds.

    Args:
        all_threads: also what other threads build meanwhile; else they are left alone.
        trim: give free memory of the native pools back to the system afterwards.

    Raises:
        UnsupportedError: another backend.

    Example:
        >>> with keraser.scope() as scope:          # doctest: +SKIP
        ...     best = scope.keep(build())
        ...     other = build()
    """
    return Scope(all_threads, trim)
