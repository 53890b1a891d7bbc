"""keraser: clear Keras models from a running process, and prove it.

    receipt = keraser.clear(model)   # this model and all it owns
    receipt = keraser.clear()        # whatever dead models left behind
    keraser.guard()                  # from now on TensorFlow's registry leaks nothing
    keraser.doctor()                 # what works here and what does not, and why

Importing keraser imports neither TensorFlow nor Keras, and next to nothing else: each
name is loaded on first use (bench/import.py).
"""

from __future__ import annotations

import importlib
import os

from keraser import _core
from keraser.errors import (
    ClearedModelError,
    KeraserError,
    StillHeldError,
    UnsupportedError,
)

TYPE_CHECKING = False  # as type checkers know it; importing typing costs 2 ms
if TYPE_CHECKING:
    from keraser.clearing import clear
    from keraser.diagnosis import Diagnosis, Finding, doctor
    from keraser.guarding import Guard, guard
    from keraser.husk import ClearedModel
    from keraser.receipt import Change, Kept, Receipt, Reset

#: Public name -> module that has it.
_HOMES = {
    "clear": "clearing",
    "guard": "guarding",
    "Guard": "guarding",
    "doctor": "diagnosis",
    "Diagnosis": "diagnosis",
    "Finding": "diagnosis",
    "ClearedModel": "husk",
    "Change": "receipt",
    "Kept": "receipt",
    "Receipt": "receipt",
    "Reset": "receipt",
}

_core.set_own_path(os.path.dirname(__file__) + os.sep)

__version__ = _core.version
__all__ = [
    "Change",
    "ClearedModel",
    "ClearedModelError",
    "Diagnosis",
    "Finding",
    "Guard",
    "Kept",
    "KeraserError",
    "Receipt",
    "Reset",
    "StillHeldError",
    "UnsupportedError",
    "clear",
    "doctor",
    "guard",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'keraser' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"keraser.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
