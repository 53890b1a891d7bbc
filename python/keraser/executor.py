"""TrialExecutor: each call in a process that has imported all and run nothing."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Literal

from keraser import pickling
from keraser.adapters import base
from keraser.dispatching import GRACE, Dispatcher, Limits, Settings
from keraser.figures import ExecutorStats
from keraser.sizes import read_seconds, read_size
from keraser.trial_item import TrialFuture


class TrialExecutor(Executor):
    """Runs calls in forks of a warm server, each in a clean process of its own.

    The server has imported `preload` and run no operation; a fork of it takes
    milliseconds where a new process takes seconds, and whatever a call leaves behind,
    memory or state, goes with its process. Functions, arguments and results travel by
    cloudpickle: lambdas, closures and what a notebook defines included; arrays arrive
    without a copy. A call finds the working folder, import path, arguments and
    environment that the submitter had; what libraries read from the environment as
    they are imported is as it was when the executor was made. Neither random numbers
    nor anything else but imports is inherited: seed what has to be the same.

        with keraser.TrialExecutor(memory="4GiB", timeout=600) as executor:
            futures = [executor.submit(train, units) for units in (64, 128, 256)]
            best = max(future.result() for future in futures)

    Args:
        workers: how many calls may run at a time. TensorFlow uses all cores in each.
        memory: what a call may have of its own, "4GiB" or bytes: what it makes or
            changes, not what it shares with the server. Kept by the kernel where this
            process may make groups of cgroup v2, processes that the call starts
            included; else watched from outside, which sees the call's own process and
            not the cache of files. The result may be as large.
        timeout: seconds that a call may take.
        cpu_time: seconds of processor time that a call may take, on all cores together.
        gpu_memory: what a call may have of GPU memory; needs an NVIDIA driver.
        preload: modules that the server imports, TensorFlow and Keras by default. To
            import one must run no operation and ask for no device.
        per_trial: False lets a worker take one call after another, without the
            guarantee of a clean process, until it has more than `recycle_above`.
        recycle_above: own memory above which such a worker is replaced.
        spares: workers forked ahead, so that nobody waits for a fork; as many as
            `workers` by default.
        output: "forward" prints what calls print, in order, where this process prints;
            "keep" keeps the last lines for errors only.
        progress: a line with trials per second and memory, where rich is installed and
            somebody looks.

    `submit()` returns a `concurrent.futures.Future` with `.figures` and `.stop()`. What
    is submitted is pickled when a worker is free for it, so a loop over many calls does
    not copy its data many times ahead.

    A call that fails raises its own exception in `result()`, with the text of its
    traceback as the cause. Otherwise a `keraser.TrialError`: `MemoryLimitExceeded`,
    `TimeLimitExceeded` or `TrialCrashed`, with `.figures` and the last lines that it
    printed in `.output`.

    Raises:
        TypeError, ValueError: an argument that makes no sense; nothing was started.
        UnsupportedError: cloudpickle is not installed.
    """

    def __init__(
        self,
        workers: int = 1,
        *,
        memory: int | str | None = None,
        timeout: float | None = None,
        cpu_time: float | None = None,
        gpu_memory: int | str | None = None,
        preload: Sequence[str] = base.PRELOAD,
        per_trial: bool = True,
        recycle_above: int | str | None = None,
        spares: int | None = None,
        output: Literal["forward", "keep"] = "forward",
        progress: bool = False,
    ) -> None:
        if recycle_above is not None and per_trial:
            raise ValueError(
                "recycle_above= is for workers that are used again: add per_trial=False"
            )
        if output not in ("forward", "keep"):
            raise ValueError(f"output={output!r}: 'forward' or 'keep'")
        workers = _read_count(workers, "workers", 1, 64)
        self._limits = replace(
            read_limits(memory, timeout, cpu_time, gpu_memory),
            reuse=not per_trial,
            recycle=read_size(recycle_above, "recycle_above"),
        )
        settings = Settings(
            preload=read_modules(preload),
            workers=workers,
            spares=_read_count(workers if spares is None else spares, "spares", 0, 64),
            forward=output == "forward",
            progress=progress,
        )
        pickling.prepare()
        self._dispatcher = Dispatcher(settings)
        # One that is forgotten ends when its trials are done.
        weakref.finalize(self, self._dispatcher.shutdown, False, False, None)

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> TrialFuture:
        """Runs `fn(*args, **kwargs)` in a process of its own.

        Raises:
            RuntimeError: after `shutdown()`, or in a fork of the process that made it.
            TypeError: `fn` cannot be called.
        """
        if not callable(fn):
            raise TypeError(f"submit() takes a function, not {type(fn).__name__}")
        return self._dispatcher.submit(
            {"function": fn, "args": args, "kwargs": kwargs}, self._limits
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more calls, and ends the server when those it has are done.

        Args:
            wait: returns only then.
            cancel_futures: those that have not begun are cancelled.
        """
        self._dispatcher.shutdown(wait, cancel_futures, None)

    def stats(self, timeout: float = 10.0) -> ExecutorStats:
        """What it has done and is doing: trials per second, memory of each worker,
        peak. Without the workers, if the server still imports after `timeout` s."""
        return self._dispatcher.stats(timeout)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Waits for what was submitted. Left by Ctrl-C or by exit(), it stops that."""
        hurried = kind is not None and not issubclass(kind, Exception)
        self._dispatcher.shutdown(True, hurried, GRACE if hurried else None)


def _read_count(value: Any, what: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} takes a number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{what}={value}: from {least} to {most}")
    return value


def read_limits(
    memory: int | str | None,
    timeout: float | None,
    cpu_time: float | None,
    gpu_memory: int | str | None,
) -> Limits:
    """As users write them.

    Raises:
        TypeError, ValueError: one makes no sense.
    """
    return Limits(
        memory=read_size(memory, "memory"),
        wall=read_seconds(timeout, "timeout"),
        cpu=read_seconds(cpu_time, "cpu_time"),
        gpu=read_size(gpu_memory, "gpu_memory"),
    )


def read_modules(preload: Sequence[str]) -> tuple[str, ...]:
    if isinstance(preload, str) or not all(isinstance(name, str) for name in preload):
        raise TypeError("preload takes names of modules, as ('numpy', 'my_data')")
    return tuple(preload)
