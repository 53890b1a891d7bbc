"""reset(): fresh weights in place, as a fresh build would draw them."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass
from typing import Any

from keraser.clearing import caller, lock, now
from keraser.receipt import block, format_bytes, html_block
from keraser.usable import check_model, refuse_while_running

#: What numpy.random.seed takes.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, repr=False)
class ResetReport:
    """What `keraser.reset` did. Plain data: it refers to no model.

    Attributes:
        model: name of the model.
        kind: its class.
        where: file and line of the call.
        when: local date and time.
        seed: what the weights were drawn from; given to `reset` again, or to
            `keras.utils.set_random_seed` before a build, it gives the same ones.
        layers: names of the layers that got fresh weights.
        bytes: size of these.
        left: what was left alone, and why.
        shared: layers that something else has as well, which has fresh weights in them
            now, too; and what that is.
        optimizer: what became of it, "" without one.
        seconds: how long the call took.
    """

    model: str
    kind: str
    where: str
    when: str
    seed: int
    layers: tuple[str, ...]
    bytes: int
    left: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]
    optimizer: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, text and numbers, fit for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        return block(self._headline(), self._rows())

    def _repr_html_(self) -> str:
        return html_block(self._headline(), self._rows())

    def _headline(self) -> str:
        size, took = format_bytes(self.bytes), f"{self.seconds * 1e3:.1f} ms"
        return f"{self.kind} {self.model!r} reset: {size} drawn anew in {took}"

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("seed", str(self.seed)),
            ("layers", ", ".join(self.layers)),
            ("optimizer", self.optimizer or "none"),
            *(("left", f"{what} {why}") for what, why in self.left),
            *(("shared", f"{what} is in {user}, too") for what, user in self.shared),
            ("called at", f"{self.where}, {self.when}"),
        ]


def reset(
    model: Any, seed: int | None = None, *, only: Any = None, frozen: bool = False
) -> ResetReport:
    """Gives a model fresh random weights, in place, from its layers' own initializers.

    Nothing is rebuilt or traced again. The optimizer and metrics start anew as well,
    but for the learning rate, which stays: nobody knows what it was at first. States
    of recurrent layers become zero.

    The same seed gives the same weights, equal bit for bit to those of a fresh build
    after `keras.utils.set_random_seed(seed)`: Keras draws the seeds of initializers in
    the order in which layers are made and built. That order is told from the model, and
    right for layers that are made in the order in which they are called. Where code
    makes them in another one, a seed gives the same weights each time, but not always
    those of its build: `Dropout(0.1)(Dense(8)(x))` makes the outer layer first. So it
    is where several layers have one initializer, and it cannot be promised at all for
    one that draws from TensorFlow's own generator. Your own random states (random,
    NumPy, TensorFlow, Keras) are afterwards as before; no other thread should draw from
    them meanwhile.

    Args:
        model: a built Keras model on the TensorFlow backend; no step may be running.
        seed: 0 to 2**32 - 1. None: one from the system's entropy; the report has it.
        only: a layer, a pattern for names of layers or paths of variables (`"head*"`),
            a function that is given each layer and says whether, or a list of these.
            The rest keeps its weights; optimizer and metrics start anew as a whole.
        frozen: whether layers with `trainable=False` get fresh weights, too.

    Layers that have adapted to data (Normalization, StringLookup, TextVectorization)
    keep that, and are named in the report.

    Raises:
        TypeError: not a Keras model; a seed or an `only` of another kind.
        ValueError: a seed out of range; a model that is not built; an `only` that
            names nothing.
        KeraserError: there is nothing to redraw.
        StillHeldError: a method of the model is running.
        UnsupportedError: another backend; a layer or an optimizer that cannot be made
            a second time from its configuration, named here.
        ClearedModelError, ParkedModelError: it has no values now.
        Whichever it is, the model is as it was.

    Example:
        >>> keraser.reset(model, seed=1)                          # doctest: +SKIP
        >>> model.fit(x, y)                                       # doctest: +SKIP
    """
    started, where = time.perf_counter(), caller()
    seed = draw_seed() if seed is None else check_seed(seed)
    with lock:
        adapter = check_model(model, "reset()")
        refuse_while_running(adapter, [model], "reset")
        if not adapter.is_ready(model):
            raise ValueError(
                f"model {model.name!r} has no weights yet: it will draw them when it "
                "is built"
            )
        done = adapter.redraw(model, seed, only, frozen)
        return ResetReport(
            model=model.name,
            kind=type(model).__name__,
            where=where,
            when=now(),
            seed=seed,
            layers=tuple(done.layers),
            bytes=done.bytes,
            left=tuple(done.left),
            shared=tuple(done.shared),
            optimizer=done.optimizer,
            seconds=time.perf_counter() - started,
        )


def draw_seed() -> int:
    """From the system's entropy: nobody's random state changes."""
    return random.SystemRandom().randrange(LARGEST_SEED + 1)


def check_seed(seed: Any) -> int:
    """A seed that every generator takes.

    Raises:
        TypeError: no integer. ValueError: out of range.
    """
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"seed must be an int, not {type(seed).__name__}")
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed must be from 0 to {LARGEST_SEED}, not {seed}")
    return seed
