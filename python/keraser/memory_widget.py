"""widget(): the memory of a notebook's kernel, live, with buttons.

Everything it has and sends is numbers and text. It works when a cell ends, when the
notebook asks and when a button is pressed, on the kernel's main thread; while a cell
runs, another thread may ask, and gets figures of the process alone.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from keraser.adapters.base import find_cells, find_front_end
from keraser.errors import UnsupportedError
from keraser.glance import Glancer, ModelGlance
from keraser.memory_curve import Curve, Point, read_point
from keraser.widget_requests import VERBS, Parked, address_of, answer, plain

_open: weakref.WeakSet[MemoryWidget] = weakref.WeakSet()


def widget() -> MemoryWidget:
    """Shows the memory of this notebook's kernel, live: as the last line of a cell, or
    by `%memory`.

    A row for each living model, with bytes of weights, optimizer and metrics, and the
    buttons `why` (who holds it), `park` and back, and `clear`, which do what
    `keraser.why(model, fork=True)`, `keraser.park(model)`, `keraser.unpark(model)` and
    `keraser.clear(model)` do; below, resident set, TensorFlow's CPU pool and GPU memory
    over the cells. It holds no model. It ends by `close()`, when its cell runs again or
    its output is cleared, and with the kernel.

    Returns:
        A `MemoryWidget`, which displays itself.

    Raises:
        UnsupportedError: not in a notebook's kernel; anywidget is not installed
            (`pip install 'keraser[widget]'`).

    Example:
        >>> keraser.widget()                                      # doctest: +SKIP
    """
    cells = find_cells()
    if cells is None:
        raise UnsupportedError(
            "keraser.widget() needs the kernel of a notebook; elsewhere "
            "print(keraser.census()) says the same"
        )
    front_end = find_front_end()
    for other in list(_open):
        if cells.cell and other.cell == cells.cell:
            other.close()
    return MemoryWidget(cells, front_end)


class MemoryWidget:
    """What `keraser.widget` shows. Refers to no model, nor to the notebook.

    Attributes:
        cell: what the front end calls the cell that made it, "" if it does not say.
        closed: whether it has ended.
    """

    def __init__(self, cells: Any, front_end: Any) -> None:
        self.cell: str = cells.cell
        self.closed = False
        self._cells = cells
        self._lock = threading.RLock()
        self._glancer = Glancer()
        self._parked = Parked()
        self._rows: list[dict[str, Any]] = []
        self._curve = Curve()
        self._running = True  # the cell that makes it
        # ipywidgets keeps it alive. With a reference to it from here, a result that is
        # a MemoryWidget would lead through its comm to all variables.
        self._front = weakref.ref(front_end(self._hear))
        cells.start(self._cell_begins, self._cell_ends)
        _open.add(self)

    def close(self) -> None:
        """Ends it: nothing of it is left in the kernel, and the notebook shows it no
        more. A second time does nothing."""
        self.closed = True
        _open.discard(self)
        self._cells.stop()
        front = self._front()
        if front is not None:
            front.close()

    def __repr__(self) -> str:
        return f"<keraser widget, {'closed' if self.closed else 'open'}>"

    def _repr_mimebundle_(self, **_: Any) -> Any:
        front = self._front()
        if self.closed or front is None:
            return {"text/plain": repr(self)}
        return {**front.mimebundle(), "text/plain": repr(self)}

    # ---- when it works --------------------------------------------------------------

    def _cell_begins(self) -> None:
        self._running = True
        self._curve.add(read_point())

    def _cell_ends(self, number: int) -> None:
        self._running = False
        with self._lock:
            self._tell(self._look(number))

    def _hear(self, content: Any) -> None:
        """A message of the notebook, on whichever thread."""
        looks = content == {"do": "look"}
        if looks and self._running and self._cells.is_elsewhere():
            with self._lock:
                self._tell(self._state(read_point()))
        else:
            self._cells.on_main(lambda: self._do(content))

    def _do(self, content: Any) -> None:
        if self.closed:
            return
        verb = content.get("do") if isinstance(content, dict) else None
        if verb == "gone":
            self.close()
            return
        with self._lock:
            if isinstance(verb, str) and verb in VERBS:
                address = {k: str(content.get(k)) for k in ("id", "name", "class")}
                self._tell(answer(verb, address, f"the memory widget, {self._when()}"))
                self._glancer.forget()
                self._parked.forget()
            self._tell(self._look())

    def _when(self) -> str:
        return f"after In[{self._cells.number()}]"

    def _tell(self, message: dict[str, Any]) -> None:
        front = self._front()
        if front is not None:
            front.tell(message)

    # ---- what it says ---------------------------------------------------------------

    def _look(self, cell: int = 0) -> dict[str, Any]:
        """Looks at the models too."""
        try:
            glance = self._glancer.look()
            self._rows = [_row(model) for model in glance.models] + self._parked.look()
            note = glance.note
        except Exception as error:  # in an event it would be shown below every cell
            note = f"models cannot be read: {type(error).__name__}: {error}"
        return self._state(read_point(cell), note)

    def _state(self, point: Point, note: str = "") -> dict[str, Any]:
        self._curve.add(point)
        return {
            "kind": "state",
            "models": self._rows,
            "now": point.to_dict(),
            "curve": self._curve.to_list(),
            "running": self._running,
            "note": plain(note),
        }


def _row(model: ModelGlance) -> dict[str, Any]:
    return {
        **address_of(model.name, model.kind, model.id),
        "weights": model.weights,
        "optimizer": model.optimizer,
        "metrics": model.metrics,
        "parked": False,
        "running": model.running,
    }
