"""keraser: clear Keras models from a running process, and prove it.

    receipt = keraser.clear(model)   # this model and all it owns
    receipt = keraser.clear()        # whatever dead models left behind
    keraser.guard()                  # from now on TensorFlow's registry leaks nothing
    keraser.doctor()                 # what works here and what does not, and why

Importing keraser imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

import os as _os

from keraser import _core
from keraser.clear import clear
from keraser.doctor import Diagnosis, doctor
from keraser.errors import (
    ClearedModelError,
    KeraserError,
    StillHeldError,
    UnsupportedError,
)
from keraser.guard import Guard, guard
from keraser.husk import ClearedModel
from keraser.receipt import Change, Kept, Receipt, Reset

_core.set_own_path(_os.path.dirname(__file__) + _os.sep)

__version__ = _core.version
__all__ = [
    "Change",
    "ClearedModel",
    "ClearedModelError",
    "Diagnosis",
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
