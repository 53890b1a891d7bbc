"""keraser: clear Keras models from a running process, and prove it.

    receipt = keraser.clear(model)   # this model and all it owns
    receipt = keraser.clear()        # whatever dead models left behind
    keraser.park(model)              # its memory, until keraser.unpark(model)
    before = keraser.snapshot(model) # before.restore() goes back there, in place
    keraser.reset(model, seed=1)     # fresh weights in place, nothing traced again
    holders = keraser.why(model)     # who keeps it alive, named; holders.cut() lets go
    census = keraser.census()        # every living model, and what is left of dead ones
    keraser.top()                    # the biggest owners of the process
    with keraser.scope(): ...        # what is built inside is cleared at its end
    for trial in keraser.trials(values): ...   # a loop that stays flat, and says so
    with keraser.TrialExecutor() as executor: ...   # each call in a clean process
    keraser.trim()                   # free memory of native pools goes to the system
    keraser.gpu.map()                # GPU memory, chunk by chunk, to the byte
    keraser.guard()                  # from now on TensorFlow's registry leaks nothing
    keraser.widget()                 # in a notebook: all this live, with buttons
    %load_ext keraser                # in IPython: %models, %why, %clear, %%trial, ...
    keraser.doctor()                 # what works here and what does not, and why

Importing keraser imports neither TensorFlow nor Keras, and next to nothing else: each
name is loaded on first use (bench/import.py).
"""

from __future__ import annotations

import importlib
import os

from keraser import _core, listening
from keraser.errors import (
    ClearedModelError,
    GrowthError,
    GrowthWarning,
    KeraserError,
    MemoryLimitExceeded,
    ParkedModelError,
    StillHeldError,
    TimeLimitExceeded,
    TrialCrashed,
    TrialError,
    UnsupportedError,
)

TYPE_CHECKING = False  # as type checkers know it; importing typing costs 2 ms
if TYPE_CHECKING:
    from keraser import gpu
    from keraser.changes import ChangedValue, SnapshotDiff
    from keraser.clearing import clear
    from keraser.cutting import Cut
    from keraser.diagnosis import Diagnosis, Finding, doctor
    from keraser.difference import CensusDiff
    from keraser.executor import TrialExecutor
    from keraser.figures import ExecutorStats, Figures
    from keraser.growth import Figure, GrowthReport, Outcome
    from keraser.guarding import Guard, guard
    from keraser.holders import Holder, Holders, why
    from keraser.husk import ClearedModel
    from keraser.inventory import Census, ModelRow, OrphanRow, census
    from keraser.isolating import isolated
    from keraser.memory_widget import MemoryWidget, widget
    from keraser.owners import Owner, Top, top
    from keraser.parked import ParkedModel
    from keraser.parking import park, unpark
    from keraser.pickling import PayloadTooLarge
    from keraser.pitfalls import Pitfall
    from keraser.rebuilding import rebuild
    from keraser.receipt import Change, Kept, Parked, Receipt, Reset
    from keraser.resetting import ResetReport, reset
    from keraser.restarting import Restart, restarts
    from keraser.scoping import Scope, scope
    from keraser.snapshots import Snapshot, snapshot
    from keraser.trialing import Trial, Trials, trials
    from keraser.trimming import GpuChange, PoolTrim, Trim, trim

#: Public name -> module that has it.
_HOMES = {
    "Census": "inventory",
    "CensusDiff": "difference",
    "ModelRow": "inventory",
    "OrphanRow": "inventory",
    "census": "inventory",
    "clear": "clearing",
    "Cut": "cutting",
    "Holder": "holders",
    "Holders": "holders",
    "why": "holders",
    "Owner": "owners",
    "Top": "owners",
    "top": "owners",
    "ExecutorStats": "figures",
    "Figure": "growth",
    "Figures": "figures",
    "TrialExecutor": "executor",
    "GrowthReport": "growth",
    "Outcome": "growth",
    "isolated": "isolating",
    "MemoryWidget": "memory_widget",
    "widget": "memory_widget",
    "guard": "guarding",
    "Guard": "guarding",
    "doctor": "diagnosis",
    "Diagnosis": "diagnosis",
    "Pitfall": "pitfalls",
    "Finding": "diagnosis",
    "ClearedModel": "husk",
    "ParkedModel": "parked",
    "park": "parking",
    "unpark": "parking",
    "PayloadTooLarge": "pickling",
    "Change": "receipt",
    "Kept": "receipt",
    "Parked": "receipt",
    "Receipt": "receipt",
    "Reset": "receipt",
    "rebuild": "rebuilding",
    "Scope": "scoping",
    "scope": "scoping",
    "reset": "resetting",
    "ResetReport": "resetting",
    "Restart": "restarting",
    "restarts": "restarting",
    "ChangedValue": "changes",
    "SnapshotDiff": "changes",
    "Snapshot": "snapshots",
    "snapshot": "snapshots",
    "Trial": "trialing",
    "Trials": "trialing",
    "trials": "trialing",
    "PoolTrim": "trimming",
    "GpuChange": "trimming",
    "Trim": "trimming",
    "trim": "trimming",
}

_core.set_own_path(os.path.dirname(__file__) + os.sep)

__version__ = _core.version
__all__ = [
    "Census",
    "CensusDiff",
    "Change",
    "ChangedValue",
    "ClearedModel",
    "ClearedModelError",
    "Cut",
    "Diagnosis",
    "ExecutorStats",
    "Figure",
    "Figures",
    "Finding",
    "GpuChange",
    "GrowthError",
    "GrowthReport",
    "GrowthWarning",
    "Guard",
    "Holder",
    "Holders",
    "Kept",
    "KeraserError",
    "MemoryLimitExceeded",
    "MemoryWidget",
    "ModelRow",
    "OrphanRow",
    "Outcome",
    "Owner",
    "Parked",
    "ParkedModel",
    "ParkedModelError",
    "PayloadTooLarge",
    "Pitfall",
    "PoolTrim",
    "Receipt",
    "Reset",
    "ResetReport",
    "Restart",
    "Scope",
    "Snapshot",
    "SnapshotDiff",
    "StillHeldError",
    "TimeLimitExceeded",
    "Top",
    "Trial",
    "TrialCrashed",
    "TrialError",
    "TrialExecutor",
    "Trials",
    "Trim",
    "UnsupportedError",
    "census",
    "clear",
    "doctor",
    "gpu",
    "guard",
    "isolated",
    "park",
    "rebuild",
    "reset",
    "restarts",
    "scope",
    "snapshot",
    "top",
    "trials",
    "trim",
    "unpark",
    "why",
    "widget",
]


def load_ipython_extension(ip: object) -> None:
    """Called by `%load_ext keraser`: see docs/notebooks.md."""
    from keraser import magics

    magics.load(ip)


def unload_ipython_extension(ip: object) -> None:
    """Called by `%unload_ext keraser`: magics are what they were before."""
    from keraser import magics

    magics.unload(ip)


def __getattr__(name: str) -> object:
    if name == "gpu":
        return importlib.import_module("keraser.gpu")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'keraser' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"keraser.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _arm() -> None:
    """What KERASER_GPU=arm asks for; where that is refused, a warning says why."""
    from keraser.gpu import arm_or_warn

    arm_or_warn()


listening.begin()

if os.environ.get("KERASER_GPU") == "arm":
    from keraser.adapters.on_import import when_imported

    when_imported(_arm)
