"""One fork server, the connection to it, and the trials that are under way there."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Protocol

from keraser import _core, wire
from keraser.figures import Figures, WorkerRow
from keraser.server_process import Origin, ServerProcess

if TYPE_CHECKING:
    from keraser.trial_item import TrialItem

#: Workers, and the values of a STATS frame.
Answer = tuple[list[WorkerRow], tuple[int, ...]]

#: Kind, trial, values, text, descriptor.
Frame = tuple[int, int, tuple[int, ...], bytes, int]

#: How often a thread that waits for frames looks up, in ms.
_LOOK_UP = 200


class Listener(Protocol):
    """What a link tells of, from its own thread, with no lock held."""

    def trial_output(self, item: TrialItem, stream: int, text: bytes) -> None: ...
    def trial_done(
        self, item: TrialItem, figures: Figures, failed: bool, answer: int
    ) -> None: ...
    def trial_ended(
        self, item: TrialItem, figures: Figures, cause: str, status: int, limit: int
    ) -> None: ...
    def trial_refused(
        self, link: Link, item: TrialItem, reason: str, why: str
    ) -> None: ...
    def link_lost(self, link: Link, items: list[TrialItem], why: str) -> None: ...
    def link_idle(self, link: Link) -> None: ...
    def link_told(self, link: Link) -> None: ...


class Link:
    """Sends from any thread, receives on one of its own."""

    def __init__(self, listener: Listener, origin: Origin, spares: int) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._items: dict[int, TrialItem] = {}
        self._closing = False
        self._rows: list[WorkerRow] = []
        self.latest: Answer | None = None  # to ask() or request()
        self._answers = 0
        self._answered = threading.Condition(self._lock)
        self.answered = 0  # trials
        # A descriptor that has been closed may be somebody else's.
        self._sending = threading.Lock()
        self._open = True
        self.memory_limited_by = ""  # "" until the server has said
        self.server = ServerProcess(origin)
        try:
            self._socket = self.server.connect()
            _core.send(self._socket, wire.HELLO, 0, (spares,))
        except BaseException:
            self.server.end()
            raise
        self._thread = threading.Thread(
            target=self._receive, name="keraser-trials", daemon=False
        )
        self._thread.start()

    def submit(self, item: TrialItem, payload: int) -> None:
        """Sends a trial.

        Raises:
            OSError: the server has gone; the trial is not among its items then.
        """
        number, values = item.number, item.values
        with self._lock:
            self._items[number] = item
        try:
            self._send(wire.SUBMIT, number, values, payload)
        except BaseException:
            with self._lock:
                taken = self._items.pop(number, None)
            if taken is not None:  # else link_lost() has told of it already
                raise

    def stop(self, number: int, grace: float) -> None:
        """Ends a trial: SIGINT now, SIGKILL after `grace` seconds."""
        with contextlib.suppress(OSError):
            self._send(wire.STOP, number, (int(grace * 1e9),))

    def _send(
        self, kind: int, trial: int, values: tuple[int, ...], descriptor: int = -1
    ) -> None:
        with self._sending:
            if not self._open:
                raise BrokenPipeError("the fork server has gone")
            _core.send(self._socket, kind, trial, values, b"", descriptor)

    @property
    def busy(self) -> int:
        return len(self._items)

    def request(self) -> None:
        """Asks for the workers and the server's counts; `latest` will have them."""
        with contextlib.suppress(OSError):
            self._send(wire.ASK, 0, ())

    def ask(self, timeout: float) -> Answer | None:
        """The same, waiting for the answer; None where none comes in time, because the
        server is still importing. Not from the link's own thread."""
        with self._lock:
            seen = self._answers
            self.request()
            new = self._answered.wait_for(lambda: self._answers != seen, timeout)
            return self.latest if new else None

    def is_this_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Ends the server, with whatever runs there. Not from the link's own thread."""
        self.close_soon()
        self._thread.join()

    def close_soon(self) -> None:
        self._closing = True
        # Not under the lock of those who send: it is what ends a send that waits.
        with self._lock, contextlib.suppress(OSError):
            if self._open:
                _shut_down(self._socket)

    def _receive(self) -> None:
        why = ""
        while True:
            try:
                frame = _core.receive(self._socket, _LOOK_UP)
            except TimeoutError:
                self._listener.link_idle(self)
                continue
            except (OSError, ValueError) as error:
                why = str(error)
                break
            if frame is None:
                break
            self._take(frame)
        self._end(why)

    def _end(self, why: str) -> None:
        with self._lock:
            items = list(self._items.values())
            self._items.clear()
            self._answers += 1
            self.latest = None
            self._answered.notify_all()
        if not self._closing:
            status = self.server.exit_status(timeout=1)
            if status is not None:
                why = f"it ended with status {status}"
            words = self.server.last_words()
            why += f", after it wrote:\n{words}" if words else ""
        self.server.end()
        with self._lock, self._sending:
            self._open = False
            os.close(self._socket)
        self._listener.link_lost(self, items, why)

    def _take(self, frame: Frame) -> None:
        kind, trial, values, text, _ = frame
        if kind == wire.WELCOME:
            reason = text.decode(errors="replace")
            self.memory_limited_by = "cgroup" if values[1] else f"watching ({reason})"
        elif kind == wire.WORKER:
            self._rows.append(WorkerRow.of_frame(trial, values))
        elif kind == wire.STATS:
            with self._lock:
                self.latest = (self._rows, values)
                self._rows = []
                self._answers += 1
                self._answered.notify_all()
            self._listener.link_told(self)
        else:
            self._take_of_trial(frame)

    def _take_of_trial(self, frame: Frame) -> None:
        kind, trial, values, text, descriptor = frame
        with self._lock:
            if kind in (wire.DONE, wire.ENDED, wire.REFUSED):
                item = self._items.pop(trial, None)
            else:
                item = self._items.get(trial)
        if item is None:
            if descriptor >= 0:
                os.close(descriptor)
            return
        if kind == wire.STARTED:
            item.pid = values[0]
        elif kind == wire.OUTPUT:
            self._listener.trial_output(item, values[0], text)
        elif kind == wire.REFUSED:
            reason = text.decode(errors="replace")
            self._listener.trial_refused(self, item, reason, wire.REFUSALS[values[0]])
        else:
            self._take_end(kind, item, values, descriptor)

    def _take_end(
        self, kind: int, item: Any, values: tuple[int, ...], descriptor: int
    ) -> None:
        figures = Figures.of_frame(values[: wire.FIGURES])
        rest = values[wire.FIGURES :]
        self.answered += 1
        if kind == wire.DONE:
            self._listener.trial_done(item, figures, bool(rest[0]), descriptor)
        else:
            cause, status, limit = rest
            self._listener.trial_ended(item, figures, wire.CAUSES[cause], status, limit)


def _shut_down(descriptor: int) -> None:
    """Both sides see the end of the connection; the descriptor stays."""
    end = socket.socket(fileno=descriptor)
    try:
        end.shutdown(socket.SHUT_RDWR)
    finally:
        end.detach()
