"""Calls back when Keras has been imported, however and whenever a program does it."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

_NAME = "keras"


def when_imported(callback: Callable[[], None]) -> None:
    """Calls `callback` as soon as Keras is imported to its end: now, if it is."""
    if _NAME in sys.modules:
        callback()
    else:
        sys.meta_path.insert(0, _Finder(callback))


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the others find it, and goes as soon as they have."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> Any:
        if name != _NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            sys.meta_path.insert(0, self)  # not installed; it may be later
        else:
            spec.loader = _Loader(spec.loader, self._callback)
        return spec


class _Loader(importlib.abc.Loader):
    """The module's own loader, with a call behind it. Anything else that is asked of
    it, its files and resources, the own one answers."""

    def __init__(self, loader: Any, callback: Callable[[], None]) -> None:
        self._loader = loader
        self._callback = callback

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._callback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
