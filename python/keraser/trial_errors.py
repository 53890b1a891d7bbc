"""What the end of a trial's process is to whoever asked for the trial."""

from __future__ import annotations

import signal

from keraser.errors import (
    MemoryLimitExceeded,
    TimeLimitExceeded,
    TrialCrashed,
    TrialError,
)
from keraser.figures import Figures
from keraser.receipt import format_bytes


def _with_output(message: str, output: str) -> str:
    lines = output.rstrip().splitlines()[-20:]
    return "\n".join([f"{message}; its last lines were:", *lines]) if lines else message


def _signal_of(status: int) -> signal.Signals | None:
    try:
        return signal.Signals(status)
    except ValueError:
        return None


def error_of_end(
    trial: str, figures: Figures, cause: str, status: int, limit: int, output: str
) -> TrialError:
    """The error of a trial whose process ended for one of wire.CAUSES."""
    if cause == "MEMORY":
        return MemoryLimitExceeded(
            f"{trial} was ended: it had {format_bytes(figures.peak)} of its own, and "
            f"may have {format_bytes(limit)} (memory=)",
            figures=figures,
            output=output,
        )
    if cause == "GPU":
        return MemoryLimitExceeded(
            f"{trial} was ended: it had {format_bytes(figures.gpu)} of GPU memory, and "
            f"may have {format_bytes(limit)} (gpu_memory=)",
            which="gpu",
            figures=figures,
            output=output,
        )
    if cause in ("WALL", "CPU"):
        name = "timeout" if cause == "WALL" else "cpu_time"
        took = figures.wall if cause == "WALL" else figures.cpu
        return TimeLimitExceeded(
            f"{trial} was ended after {took:.1f} s"
            f"{' of CPU' if cause == 'CPU' else ''}: it may take {limit / 1e9:g} s "
            f"({name}=)",
            which=cause.lower(),
            figures=figures,
            output=output,
        )
    if cause == "STOPPED":
        return TrialError(f"{trial} was stopped", figures=figures, output=output)
    return _crash(trial, figures, cause, status, output)


def _crash(
    trial: str, figures: Figures, cause: str, status: int, output: str
) -> TrialCrashed:
    if cause == "EXITED":
        said = f"the process of {trial} exited with status {status} before it was done"
        return TrialCrashed(
            _with_output(said, output), exitcode=status, figures=figures, output=output
        )
    number = _signal_of(status)
    name = number.name if number else f"signal {status}"
    said = {
        "CLOSED": f"the process of {trial} closed the socket to its server",
        "FORMAT": f"the process of {trial} sent its server what is no answer",
    }.get(cause, f"the process of {trial} was ended by {name}")
    return TrialCrashed(
        _with_output(said, output), signal=number, figures=figures, output=output
    )
