"""isolated(): one function, each call of it in a clean process."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, overload

from keraser import pickling
from keraser.adapters import base
from keraser.dispatching import Dispatcher, Limits, Settings
from keraser.executor import read_limits, read_modules
from keraser.trial_item import Job, TrialFuture

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

#: Seconds without a call after which the server gives its memory back.
_LINGER = 300.0
#: Calls at a time: as many threads as call.
_WORKERS = 64

_lock = threading.Lock()
#: One server for all functions with the same preload, in the process that made it.
_dispatchers: dict[tuple[int, tuple[str, ...]], Dispatcher] = {}


def _dispatcher_of(preload: tuple[str, ...]) -> Dispatcher:
    with _lock:
        key = (os.getpid(), preload)
        if key not in _dispatchers:
            _dispatchers[key] = Dispatcher(
                Settings(preload, workers=_WORKERS, linger=_LINGER)
            )
        return _dispatchers[key]


class IsolatedFunction(Generic[Parameters, Result]):
    """A function whose calls run in processes of their own; the function itself is
    `__wrapped__`."""

    def __init__(
        self,
        function: Callable[Parameters, Result],
        limits: Limits,
        preload: tuple[str, ...],
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._limits = limits
        self._preload = preload

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        future = self.submit(*args, **kwargs)
        try:
            result: Result = future.result()
        except KeyboardInterrupt:
            future.stop()  # Ctrl-C is for the call, which is elsewhere
            raise
        return result

    def submit(
        self, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> TrialFuture:
        """The same without waiting: a future with `.figures` and `.stop()`."""
        job: Job = {"function": self._function, "args": args, "kwargs": dict(kwargs)}
        return _dispatcher_of(self._preload).submit(job, self._limits)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method it gets its instance, which then travels with each call."""
        return self if instance is None else functools.partial(self, instance)


@overload
def isolated(
    function: Callable[Parameters, Result], /
) -> IsolatedFunction[Parameters, Result]: ...
@overload
def isolated(
    *,
    memory: int | str | None = None,
    timeout: float | None = None,
    cpu_time: float | None = None,
    gpu_memory: int | str | None = None,
    preload: Sequence[str] = base.PRELOAD,
) -> Callable[[Callable[Parameters, Result]], IsolatedFunction[Parameters, Result]]: ...
def isolated(
    function: Callable[..., Any] | None = None,
    /,
    *,
    memory: int | str | None = None,
    timeout: float | None = None,
    cpu_time: float | None = None,
    gpu_memory: int | str | None = None,
    preload: Sequence[str] = base.PRELOAD,
) -> Any:
    """Makes a function run in a clean process at each call, and return its result here.

        @keraser.isolated(memory="4GiB", timeout=600)
        def train(units): ...

        loss = train(64)                # nothing of it stays in this process
        future = train.submit(128)      # the same without waiting

    What a call may do, and what it raises, is as with `keraser.TrialExecutor`. All such
    functions of a process share a fork server, which starts with the first call and
    ends when five minutes went by without one.

    Args:
        memory, timeout, cpu_time, gpu_memory, preload: as of `TrialExecutor`.

    Raises:
        TypeError, ValueError: an argument that makes no sense.
        UnsupportedError: cloudpickle is not installed.
    """
    if function is not None and not callable(function):
        raise TypeError(
            "isolated() takes limits by name, as @keraser.isolated(memory='4GiB')"
        )
    limits = read_limits(memory, timeout, cpu_time, gpu_memory)
    modules = read_modules(preload)
    pickling.prepare()
    if function is not None:
        return IsolatedFunction(function, limits, modules)
    return lambda wrapped: IsolatedFunction(wrapped, limits, modules)
