"""The trials of an executor: which wait, which run where, and what became of each.

Runs in the threads of those who submit and in those of the links. A lock guards the
tables; nobody holds it while something is pickled, sent or called back.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections import deque
from dataclasses import dataclass
from typing import Any

from keraser import payload, remote_errors
from keraser.errors import (
    MemoryLimitExceeded,
    TrialCrashed,
    TrialError,
    UnsupportedError,
)
from keraser.figures import ExecutorStats, Figures, WorkerRow
from keraser.link import Link
from keraser.place import Place
from keraser.progress_bar import ProgressBar
from keraser.receipt import format_bytes
from keraser.server_process import Origin
from keraser.trial_errors import error_of_end
from keraser.trial_item import Job, TrialFuture, TrialItem

#: How long trials that are stopped by Ctrl-C have to end, in seconds.
GRACE = 2.0

#: Seconds between two lines of progress.
_PROGRESS = 0.5


@dataclass(frozen=True)
class Limits:
    """What a trial may take, in bytes and ns, 0 for no limit; and whether its process
    may have run another before it, and may run another after it."""

    memory: int = 0
    wall: int = 0
    cpu: int = 0
    gpu: int = 0
    reuse: bool = False
    recycle: int = 0

    def submit_values(self) -> tuple[int, ...]:
        return (
            self.memory,
            self.wall,
            self.cpu,
            self.gpu,
            int(self.reuse),
            self.recycle,
        )


@dataclass(frozen=True)
class Settings:
    """How the trials of a dispatcher run.

    Attributes:
        linger: seconds without a trial after which the server ends; the next trial
            starts another. 0: it stays.
    """

    preload: tuple[str, ...]
    workers: int = 1
    spares: int = 1
    forward: bool = True
    progress: bool = False
    linger: float = 0.0


class Dispatcher:
    """What is behind a `TrialExecutor`, and outlives it until its trials are done."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._pending: deque[TrialItem] = deque()
        self._running: set[TrialItem] = set()
        self._link: Link | None = None
        self._links: list[Link] = []
        self._closed = False
        self._pid = os.getpid()
        self._origin = Origin.here(settings.preload)
        self._numbers = 0
        self._began = time.monotonic()
        self._first: float | None = None
        self._last = time.monotonic()
        self._done = self._failed = self._peak = self._servers = 0
        self._bar = ProgressBar(settings.progress, None)
        self._drawn = 0.0
        with self._lock:
            self._start_link()

    # ---- for the executor

    def submit(self, job: Job, limits: Limits) -> TrialFuture:
        if os.getpid() != self._pid:
            raise RuntimeError(
                "this executor belongs to the process that made it, and this is a fork "
                "of that one; make another keraser.TrialExecutor here"
            )
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor has been shut down; make another one")
            self._numbers += 1
            several = self.settings.workers > 1
            values = limits.submit_values()
            item = TrialItem(self._numbers, job, values, several, self.settings.forward)
            item.future._stop = lambda grace: self._stop(item, grace)
            self._pending.append(item)
        self._pump()
        return item.future

    def shutdown(self, wait: bool, cancel_futures: bool, grace: float | None) -> None:
        """`grace`, unless None, stops what is running as well."""
        if os.getpid() != self._pid:
            return  # a fork has neither the threads nor the server
        with self._lock:
            self._closed = True
            dropped = list(self._pending) if cancel_futures else []
            if cancel_futures:
                self._pending.clear()
            running = list(self._running) if grace is not None else []
            links = list(self._links)
        for item in dropped:
            item.future.cancel()
            item.future.set_running_or_notify_cancel()
        for item in running:
            self._stop(item, grace or 0.0)
        own = any(link.is_this_thread() for link in links)
        if wait and not own:
            with self._lock:
                self._changed.wait_for(lambda: not self._pending and not self._running)
            for link in links:
                link.close()
        self._close_if_done()

    def stats(self, timeout: float) -> ExecutorStats:
        link = self._link
        answer = link.ask(timeout) if link is not None else None
        return self._stats(link, answer)

    # ---- starting trials

    def _start_link(self) -> None:
        self._link = Link(self, self._origin, self.settings.spares)
        self._links.append(self._link)
        self._servers += 1

    def _next(self) -> tuple[Link | Exception, TrialItem] | None:
        """Takes the next trial that may start now, and its server or why there is
        none."""
        with self._lock:
            while self._pending and len(self._running) < self.settings.workers:
                item = self._pending.popleft()
                if not item.begin():
                    continue
                self._first = self._first or time.monotonic()
                self._running.add(item)
                if self._link is None:
                    try:
                        self._start_link()
                    except Exception as error:
                        return error, item
                item.link = self._link
                return item.link, item  # type: ignore[return-value]
            return None

    def _pump(self) -> None:
        while (found := self._next()) is not None:
            link, item = found
            if isinstance(link, Exception):
                self._finish(item, None, error=link)
                continue
            try:
                descriptor = payload.pack({"place": Place(), **item.job}, called="")
            except BaseException as error:
                self._finish(item, None, error=error)
                continue
            try:
                link.submit(item, descriptor)
            except OSError:
                self._again(link, item)
            finally:
                os.close(descriptor)

    def _again(self, link: Link, item: TrialItem) -> None:
        """Another server is to take it; this one no longer does."""
        with self._lock:
            self._running.discard(item)
            self._pending.appendleft(item)
            if self._link is link:
                self._link = None

    def _stop(self, item: TrialItem, grace: float) -> None:
        item.stopped = True
        if item.link is not None:
            item.link.stop(item.number, grace)

    # ---- what the links tell

    def trial_output(self, item: TrialItem, stream: int, text: bytes) -> None:
        item.take_output(stream, text)

    def trial_done(
        self, item: TrialItem, figures: Figures, failed: bool, answer: int
    ) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            if failed:
                raised = remote_errors.unpack_error(answer)
                error = self._own_error(item, figures, raised)
            else:
                value = payload.unpack(answer)
        except BaseException as problem:
            error = problem
        self._finish(item, figures, value=value, error=error)
        self._go_on()

    def _own_error(
        self, item: TrialItem, figures: Figures, error: BaseException
    ) -> BaseException:
        """What the trial raised, as whoever waits for the result may see it."""
        if isinstance(error, payload.PayloadTooLarge):
            return MemoryLimitExceeded(
                f"{item.name} returned {format_bytes(error.size)}, and may have "
                f"{format_bytes(error.limit)} (memory=)",
                which="result",
                figures=figures,
                output=item.tail,
            )
        if item.stopped and isinstance(error, KeyboardInterrupt):
            wrapped = TrialError(
                f"{item.name} was stopped", figures=figures, output=item.tail
            )
        elif not isinstance(error, Exception):
            said = f"{type(error).__name__}({', '.join(map(repr, error.args))})"
            wrapped = TrialError(
                f"{item.name} raised {said}", figures=figures, output=item.tail
            )
        else:
            return error
        wrapped.__cause__ = error
        return wrapped

    def trial_ended(
        self, item: TrialItem, figures: Figures, cause: str, status: int, limit: int
    ) -> None:
        error = error_of_end(item.name, figures, cause, status, limit, item.tail)
        self._finish(item, figures, error=error)
        self._go_on()

    def trial_refused(self, link: Link, item: TrialItem, reason: str, why: str) -> None:
        if why == "SPENT":
            with self._lock:
                news = self._link is link
            self._again(link, item)
            if news:
                warnings.warn(
                    f"{reason}, so it forks no more; another fork server takes its "
                    "place",
                    RuntimeWarning,
                    stacklevel=2,
                )
        elif why == "BROKEN":
            self._finish(item, None, error=UnsupportedError(reason))
        else:
            self._finish(item, None, error=TrialError(reason))
        self._go_on()

    def link_lost(self, link: Link, items: list[TrialItem], why: str) -> None:
        with self._lock:
            if self._link is link:
                self._link = None
            self._links.remove(link)
            # One that has never answered would end the next time, too.
            hopeless = []
            if not link.answered:
                hopeless = [item for item in self._pending if item.begin()]
                self._pending.clear()
        for item in [*items, *hopeless]:
            error = TrialCrashed(
                f"the fork server of {item.name} is gone: {why}",
                output=item.tail,
            )
            self._finish(item, None, error=error)
        self._go_on()

    def link_idle(self, link: Link) -> None:
        if self._bar.watched and time.monotonic() - self._drawn > _PROGRESS:
            self._drawn = time.monotonic()
            link.request()
        if not threading.main_thread().is_alive():
            # The program ends when its trials are done, unless it ends by Ctrl-C.
            why = getattr(sys, "last_type", None)
            hurried = why is not None and issubclass(why, KeyboardInterrupt)
            if not self._closed:
                self.shutdown(False, hurried, GRACE if hurried else None)
        self._close_if_unused(link)
        self._close_if_done()

    def _close_if_unused(self, link: Link) -> None:
        """One that another has taken the place of, or that lingered long enough."""
        linger = self.settings.linger
        with self._lock:
            if linger and time.monotonic() - self._last > linger and not self._running:
                self._link = None
            unused = link is not self._link and not link.busy
        if unused:
            link.close_soon()

    def link_told(self, link: Link) -> None:
        if self._bar.watched and link is self._link:
            self._bar.tell(self._stats(link, link.latest).line())

    # ---- ending trials

    def _go_on(self) -> None:
        """Starts what may start since a trial has ended, or ends the servers."""
        self._pump()
        self._close_if_done()

    def _finish(
        self,
        item: TrialItem,
        figures: Figures | None,
        *,
        value: Any = None,
        error: BaseException | None = None,
    ) -> None:
        item.end_output()
        item.job = {}
        item.future.figures = figures
        with self._lock:
            self._running.discard(item)
            self._last = time.monotonic()
            self._done += 1
            self._failed += error is not None
            self._peak = max(self._peak, figures.peak if figures else 0)
            self._changed.notify_all()
        if error is not None:
            item.future.set_exception(error)
        else:
            item.future.set_result(value)
        item.future._stop = None
        if self._bar.watched:
            self._bar.advance(self._stats(self._link, None).line())

    def _close_if_done(self) -> None:
        with self._lock:
            done = self._closed and not self._pending and not self._running
            links = list(self._links) if done else []
        for link in links:
            link.close_soon()
        if done:
            self._bar.stop()

    def _stats(
        self,
        link: Link | None,
        answer: tuple[list[WorkerRow], tuple[int, ...]] | None,
    ) -> ExecutorStats:
        rows, counts = answer or ([], (0, 0, 0, 0, 0))
        forks, fork_time, _, memory, _ = counts
        now = time.monotonic()
        with self._lock:
            span = now - self._first if self._first else 0.0
            return ExecutorStats(
                done=self._done,
                failed=self._failed,
                waiting=len(self._pending),
                seconds=now - self._began,
                trials_per_second=self._done / span if span else 0.0,
                peak=max([self._peak, *(row.figures.peak for row in rows)]),
                servers=self._servers,
                server_pid=link.server.pid if link is not None else 0,
                server_memory=memory,
                forks=forks,
                fork_ms=fork_time / forks / 1e6 if forks else 0.0,
                memory_limited_by=link.memory_limited_by if link is not None else "",
                workers=tuple(rows),
            )
