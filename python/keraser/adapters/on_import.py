"""Calls back when Keras has been imported, however and whenever a program does it.

Imports nothing: `keraser run` loads it before the program begins, whose own modules may
be called like those of the standard library."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
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


def find_unseen() -> str:
    """A framework in this process that nobody was called back for, in words; or ""."""
    if "tf_keras" in sys.modules:
        return "the program uses tf_keras (Keras 2), which keraser cannot clear yet"
    if _NAME in sys.modules:
        return "Keras was imported by a way of its own; nothing was guarded"
    return ""


class _Finder:
    """Lets those behind it find it, among which may be another of these. Stays until it
    has been imported: libraries ask whether it is installed without importing it, and
    an import may fail and be tried again."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> Any:
        if name != _NAME:
            return None
        finders = list(sys.meta_path)
        behind = finders.index(self) + 1 if self in finders else 0
        for finder in finders[behind:]:
            look = getattr(finder, "find_spec", None)
            spec = look and look(name, path, target)
            if spec:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._imported)
                return spec
        return None

    def _imported(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            self._callback()


class _Loader:
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
