"""The guard: registry entries that live as long as the graph that needs them.

TensorFlow looks an entry up when it differentiates the operation that names it. That
operation stands in the graph that was being traced at registration, and can be reached
from the graphs around it. So the strong reference goes there: to that graph and to each
that encloses it. The registry keeps a weak one. Graph and entry refer to each other, a
cycle, which the collector frees when the graph is gone.
"""

from __future__ import annotations

import weakref
from typing import Any

from keraser.adapters.keras_tf import caches, publishing
from keraser.adapters.keras_tf.registry import (
    PREFIX,
    enclosing_graphs,
    graph_of_function,
)
from keraser.errors import UnsupportedError

#: Attribute of a FuncGraph that holds its entries.
OWNER_ATTRIBUTE = "_keraser_gradients"


class _Entry(dict):
    """A registry entry that can be referred to weakly."""

    __slots__ = ("__weakref__",)


class GuardedRegistry(dict):
    """The dict of a TensorFlow registry, weak for custom gradients traced in graphs.

    Such an entry appears in lookups as long as it lives. All else is as in a dict.
    """

    def __init__(self, plain: dict[str, Any]) -> None:
        super().__init__()
        self._weak: weakref.WeakValueDictionary[str, _Entry] = (
            weakref.WeakValueDictionary()
        )
        self._guarded = 0  # entries ever held weakly
        self.publish_again = publishing.stop()
        for name, entry in plain.items():
            self._adopt(name, entry)
        self._alive = len(self._weak)  # when a gradient was last registered

    @property
    def let_go(self) -> int:
        """How many entries were held weakly and are gone."""
        return self._guarded - len(self._weak)

    def _adopt(self, name: str, entry: dict[str, Any]) -> None:
        """An entry made earlier belongs to the graph its closure leads to."""
        graph = None
        if name.startswith(PREFIX):
            graph = graph_of_function(entry.get("type"))
        self._store(name, entry, enclosing_graphs(graph))

    def _store(self, name: str, entry: dict[str, Any], owners: list[Any]) -> None:
        if not owners:
            super().__setitem__(name, entry)
            return
        weak = _Entry(entry)
        for graph in owners:
            kept = getattr(graph, OWNER_ATTRIBUTE, None)
            if kept is None:
                setattr(graph, OWNER_ATTRIBUTE, [weak])
            else:
                kept.append(weak)
        self._weak[name] = weak
        self._guarded += 1

    def _flush_after_deaths(self) -> None:
        """Models died since the last registration: their kernels are still cached, some
        35 KiB a variable. Not done where an entry dies, since that is in a collection,
        which may be inside TensorFlow."""
        if len(self._weak) < self._alive:
            caches.flush()

    def __setitem__(self, name: str, entry: dict[str, Any]) -> None:
        from tensorflow.python.framework import ops

        if not name.startswith(PREFIX):
            super().__setitem__(name, entry)
            return
        self._flush_after_deaths()
        self._store(name, entry, enclosing_graphs(ops.get_default_graph()))
        self._alive = len(self._weak)

    def __getitem__(self, name: str) -> dict[str, Any]:
        entry = self._weak.get(name)
        return super().__getitem__(name) if entry is None else entry

    def __contains__(self, name: object) -> bool:
        return name in self._weak or super().__contains__(name)

    def __delitem__(self, name: str) -> None:
        if self._weak.pop(name, None) is None:
            super().__delitem__(name)

    def __iter__(self):
        yield from super().keys()
        yield from list(self._weak)

    def __len__(self) -> int:
        return super().__len__() + len(self._weak)

    def keys(self):
        return list(self)

    def values(self):
        return [entry for _, entry in self.items()]

    def items(self):
        return [*super().items(), *self._weak.items()]

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default

    def pop(self, name, *default):
        weak = self._weak.pop(name, None)
        return super().pop(name, *default) if weak is None else weak

    def is_weak(self, name: str) -> bool:
        """Whether the entry of that name is held by its graph only."""
        return name in self._weak

    def plain(self) -> dict[str, Any]:
        """An ordinary dict of all that is alive."""
        return {name: dict(entry) for name, entry in self.items()}


def is_on() -> bool:
    return isinstance(_registry()._registry, GuardedRegistry)


def let_go() -> int:
    """How many entries the guard has let go since it was turned on; 0 while off."""
    registry = _registry()._registry
    return registry.let_go if isinstance(registry, GuardedRegistry) else 0


def turn_on() -> None:
    """Replaces the registry's dict; does nothing when that has been done.

    Raises:
        UnsupportedError: the registry of this TensorFlow is not as known.
    """
    registry = _registry()
    if is_on():
        return
    if type(getattr(registry, "_registry", None)) is not dict:
        raise UnsupportedError(
            "TensorFlow's gradient registry is not the dict it was in 2.15 to 2.21; "
            "guard() changes nothing, use keraser.clear(model) after each model"
        )
    registry._registry = GuardedRegistry(registry._registry)


def turn_off() -> None:
    """Puts an ordinary dict back, with every entry that is alive."""
    registry = _registry()
    if is_on():
        guarded, registry._registry = registry._registry, registry._registry.plain()
        guarded.publish_again()


def _registry() -> Any:
    from tensorflow.python.framework import ops

    return ops.gradient_registry
