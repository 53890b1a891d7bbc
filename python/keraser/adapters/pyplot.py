"""Figures that matplotlib's pyplot keeps until they are closed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from keraser.names import Landmark, Vocabulary


def vocabulary() -> Vocabulary:
    """pyplot's table of figures."""
    figures = sys.modules["matplotlib._pylab_helpers"].Gcf.figs
    landmark = Landmark("pyplot figure", "figure", "plt.close({key})", spaced=True)
    return Vocabulary({id(figures): landmark})


def hooks(keeps: Callable[[Any], bool]) -> list[tuple[str, Callable[[], None]]]:
    """What was connected to open figures and keeps something: what it is, as text, and
    how it is disconnected. matplotlib's own is left alone."""
    found: list[tuple[str, Callable[[], None]]] = []
    for number, manager in list(
        sys.modules["matplotlib._pylab_helpers"].Gcf.figs.items()
    ):
        canvas = manager.canvas
        for signal, connected in list(canvas.callbacks.callbacks.items()):
            for key, reference in list(connected.items()):
                function = reference()
                if _is_users(function) and keeps(function):
                    name = getattr(function, "__qualname__", type(function).__name__)
                    text = f"{name} on {signal} of figure {number}"
                    found.append((text, partial(canvas.mpl_disconnect, key)))
    return found


def _is_users(function: Any) -> bool:
    module = str(getattr(function, "__module__", ""))
    return function is not None and module.partition(".")[0] != "matplotlib"
