"""Where a trial comes from: what its process takes over before it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any


def _adopt(
    folder: str, path: list[str], arguments: list[str], environment: dict[str, str]
) -> None:
    os.chdir(folder)
    sys.path[:] = path
    sys.argv[:] = arguments
    for gone in os.environ.keys() - environment.keys():
        del os.environ[gone]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


class Place:
    """Working folder, import path, arguments and environment as they are now. To
    unpickle one is to go there, and a pickle is read in order: what stands behind it in
    the same pickle is found as it would be here."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Any, ...]]:
        folder = os.getcwd()
        path = [entry or folder for entry in sys.path]
        return _adopt, (folder, path, list(sys.argv), dict(os.environ))
