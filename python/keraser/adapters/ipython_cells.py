"""The cells of a notebook as `keraser.widget` follows them, in IPython's kernel."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any

from keraser.adapters.ipython import shell
from keraser.adapters.ipython_shell import cell_number


class Cells:
    """Begins and ends of cells. Holds neither the shell nor anything in it."""

    def __init__(self, ip: Any) -> None:
        self._ip = weakref.ref(ip)
        self._registered: dict[str, Callable[[Any], None]] = {}
        self.cell = _cell_of(ip)

    def start(self, before: Callable[[], None], after: Callable[[int], None]) -> None:
        """Calls `before` when a cell begins, `after` with its number when it ends."""
        ip = self._ip()
        if ip is None:
            return
        self._registered = {
            "pre_run_cell": lambda _: before(),
            "post_run_cell": lambda result: after(
                getattr(result, "execution_count", None) or 0
            ),
        }
        for event, function in self._registered.items():
            ip.events.register(event, function)

    def stop(self) -> None:
        ip = self._ip()
        for event, function in self._registered.items():
            with contextlib.suppress(ValueError):  # somebody else has taken it away
                if ip is not None:
                    ip.events.unregister(event, function)
        self._registered = {}

    def number(self) -> int:
        """Of the cell that is running, or has run last."""
        ip = self._ip()
        return 0 if ip is None else cell_number(ip)

    def on_main(self, call: Callable[[], None]) -> None:
        """Calls it on the kernel's main thread, between cells. JupyterLab sends what a
        button says to a subshell, whose thread runs beside the cell."""
        ip = self._ip()
        loop = getattr(getattr(ip, "kernel", None), "io_loop", None)
        if not self.is_elsewhere() or loop is None:
            call()
        else:
            loop.add_callback(call)

    def is_elsewhere(self) -> bool:
        """Whether this is not the thread on which cells run."""
        return threading.current_thread() is not threading.main_thread()


def cells() -> Cells | None:
    """Those of this process, None where it is no kernel of a notebook."""
    ip = shell()
    return Cells(ip) if getattr(ip, "kernel", None) is not None else None


def _cell_of(ip: Any) -> str:
    """What the front end calls the running cell, "" where it does not say."""
    with contextlib.suppress(AttributeError, TypeError):
        return str(ip.get_parent()["metadata"].get("cellId") or "")
    return ""
