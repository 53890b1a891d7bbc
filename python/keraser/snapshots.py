"""snapshot(): what training changes, taken and given back in place.

Plan, check, then do: what is to be given back is compared with the model as a whole
before the first value changes, and whatever fails on the way is taken back.
"""

from __future__ import annotations

import os
from typing import Any

from keraser import snapshot_file, storage
from keraser.adapters.base import Adapter, State, Witness, find_adapter
from keraser.changes import SnapshotDiff, compare
from keraser.clearing import caller, lock, now
from keraser.errors import KeraserError
from keraser.held_values import HOLDS, HeldValues, hold_values
from keraser.matching import Row, Structure, match_rows
from keraser.receipt import format_bytes
from keraser.usable import check_model

#: What each scope has of a model.
SCOPES = {
    "weights": ("weights",),
    "optimizer": ("optimizer",),
    "all": ("weights", "optimizer", "metrics"),
}


def snapshot(
    model: Any, *, scope: str = "all", only: Any = None, hold: str = "live"
) -> Snapshot:
    """Takes what training changes in a model; `.restore()` gives it back in place.

    Nothing is rebuilt or traced again: variables, functions and the optimizer stay the
    same objects, so training from a restored model goes on as it did from here, bit for
    bit (given the same data in the same order).

    Args:
        model: a built Keras model on the TensorFlow backend.
        scope: "weights": all variables of layers, batch statistics, seed generators
            and states of recurrent layers among them. "optimizer": slots, iterations,
            learning rate, loss scale. "all": both, and metrics.
        only: a layer, a pattern for names of layers or paths of variables (`"head*"`),
            a function that is given each layer and says whether, or a list of these.
        hold: "live": refers to the values themselves, in time that depends on how many
            there are and not on their size; the first training step afterwards copies
            what it changes, so the memory doubles then. "host": copies in host memory,
            at the speed of memory; for models on a GPU. Where TensorFlow turns out not
            to copy on write, "live" makes copies at once, and `.hold` says "copy".

    Returns:
        A `Snapshot`. It holds the values and not the model.

    Raises:
        TypeError: not a Keras model. ValueError: unknown `scope` or `hold`, a model
            that is not built, an `only` that names nothing.
        ClearedModelError, ParkedModelError: it has no values now.
        UnsupportedError: another backend.

    Example:
        >>> before = keraser.snapshot(model)                      # doctest: +SKIP
        >>> model.fit(x, y)                                       # doctest: +SKIP
        >>> before.restore()                                      # doctest: +SKIP
    """
    where = caller()
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {', '.join(SCOPES)}, not {scope!r}")
    if hold not in HOLDS:
        raise ValueError(f"hold must be one of {', '.join(HOLDS)}, not {hold!r}")
    with lock:
        adapter = check_model(model, "snapshot()")
        if not adapter.is_ready(model):
            raise ValueError(
                f"model {model.name!r} has no weights yet: call it, or model.build(), "
                "then take the snapshot"
            )
        states = adapter.states(model, SCOPES[scope], only)
        if not states and only is not None:
            raise ValueError(f"only={only!r} names nothing of model {model.name!r}")
        values = hold_values(adapter, [state.handle for state in states], hold)
        taken = Structure(
            model=model.name,
            scope=scope,
            partial=only is not None,
            rows=_rows(states, values.looks(adapter)),
            optimizer_was_built=adapter.optimizer_is_built(model),
        )
        return Snapshot(model, taken, values, where)


def _rows(states: list[State], looks: list[tuple[tuple[int, ...], str]]) -> list[Row]:
    return [
        Row(state.path, state.kind, *look)
        for state, look in zip(states, looks, strict=True)
    ]


#: Values of a model as they are now.
_Values = list[tuple[State, Any]]


class Snapshot:
    """Values of a model at a moment. Made by `keraser.snapshot`.

    Attributes:
        name: the model's name.
        scope: "weights", "optimizer" or "all".
        hold: where the values are: "live", "copy", "host" or "file".
        where, when: file and line of the call, local date and time.
    """

    def __init__(
        self, model: Any, taken: Structure, values: HeldValues, where: str
    ) -> None:
        self._model = Witness(model)
        self._taken = taken
        self._values = values
        self.name = taken.model
        self.scope = taken.scope
        self.where = where
        self.when = now()

    @property
    def hold(self) -> str:
        return self._values.hold

    @property
    def bytes(self) -> int:
        """Size of the values, of all together."""
        return sum(row.bytes for row in self._taken.rows)

    def __len__(self) -> int:
        return len(self._taken.rows)

    def __repr__(self) -> str:
        return (
            f"Snapshot of model {self.name!r}, {self.scope}: {len(self)} values, "
            f"{format_bytes(self.bytes)}, {self.hold}, taken at {self.where} "
            f"({self.when})"
        )

    def restore(self) -> None:
        """Gives the model the values back, in place: nothing is traced again.

        What the model got since (slots of an optimizer that had made none yet, metrics)
        is made as new. A thread that predicts meanwhile sees old values or new ones,
        of some variables the ones and of others the others.

        Raises:
            KeraserError: the model is gone; it has other values than it had, named
                here. ClearedModelError, ParkedModelError: it has none now. Nothing
                was changed.
        """
        with lock:
            model = self._find_model()
            adapter = check_model(model, "restore()")
            found, new = self._match(adapter, model)
            handles = [state.handle for state, _ in found]
            values = self._values.tensors(adapter, handles)
            since = [state.handle for state, _ in new]
            before = [value for _, value in (*found, *new)]
            try:
                adapter.assign_all(handles, values)
                # Slots may start from the weights, which are back by now.
                for handle, value in adapter.as_new(model, since) if since else ():
                    adapter.assign_all([handle], [value])
            except BaseException:
                adapter.assign_all([*handles, *since], before)
                raise

    def diff(self) -> SnapshotDiff:
        """What differs between the snapshot and the model now.

        Raises:
            KeraserError, ClearedModelError, ParkedModelError: as `restore`.
        """
        with lock:
            model = self._find_model()
            adapter = check_model(model, "diff()")
            found, _ = self._match(adapter, model)
            states, now = zip(*found, strict=True)
            return compare(
                repr(self), states, self._values.views(adapter), adapter.views(now)
            )

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the values to a file, which other programs can read.

        Args:
            path: `.safetensors` (`pip install "keraser[safetensors]"`) or `.npz`. In it
                values are called by the paths of their variables; `.npz` has bfloat16
                as its bits, uint16, and says so in `__dtypes__`.
            overwrite: whether the file may exist; it is replaced when the new one is
                whole.

        Raises:
            ValueError: `path` has another suffix. OSError: the file exists or cannot
                be written. UnsupportedError: safetensors is not installed; a value is
                text.
        """
        with lock:
            target = storage.check_target(path, overwrite)
            adapter = find_adapter()
            assert target is not None
            assert adapter is not None
            arrays = self._values.arrays(adapter)
            snapshot_file.save(target, self._taken, arrays, overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: Any) -> Snapshot:
        """A snapshot of `model` with the values that `save` wrote, in this process or
        another. The file is read as a whole and compared with the model; the model gets
        the values by `.restore()`.

        Raises:
            TypeError, ValueError, ClearedModelError, ParkedModelError: as `snapshot`.
            KeraserError: the file is damaged or none that `save` wrote, or has values
                that do not fit the model, named here.
            OSError: it cannot be read.
        """
        where = caller()
        with lock:
            adapter = check_model(model, "Snapshot.load()")
            taken, arrays = snapshot_file.load(os.fspath(path))
            loaded = cls(model, taken, HeldValues("file", arrays), where)
            loaded._match(adapter, model)
            return loaded

    def _find_model(self) -> Any:
        model = self._model()
        if model is None:
            raise KeraserError(
                f"model {self.name!r}, of which this snapshot was taken at "
                f"{self.where}, is gone; save the snapshot, build the model again, and "
                "use keraser.Snapshot.load(path, model)"
            )
        return model

    def _match(self, adapter: Adapter, model: Any) -> tuple[_Values, _Values]:
        """The model's values that stand for those of the snapshot, in its order; and
        those that were made since.

        Raises:
            KeraserError: it has others.
        """
        states = adapter.states(model, SCOPES[self.scope], None)
        values = adapter.read_all([state.handle for state in states])
        rows = _rows(states, adapter.looks(values))
        found, new = match_rows(self._taken, rows, model.name)
        return (
            [(states[i], values[i]) for i in found],
            [(states[i], values[i]) for i in new],
        )
