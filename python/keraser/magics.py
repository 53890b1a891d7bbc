"""The magics of `%load_ext keraser`: what each does with its line.

IPython itself is known to the adapter alone. Nothing here refers to a model after its
magic has returned.
"""

from __future__ import annotations

import dataclasses
import os
import weakref
from collections.abc import Callable
from typing import Any

from keraser.adapters.base import shell_of
from keraser.errors import KeraserError
from keraser.hinting import Hint
from keraser.magic_lines import LineError, model_names, not_a_model, split, value_of

_LOADED: weakref.WeakKeyDictionary[Any, Extension] = weakref.WeakKeyDictionary()

USAGE = {
    "models": "%models [--all] [--hints | --no-hints]",
    "why": "%why NAME",
    "clear": "%clear NAME... | --all [--out] [--errors] [-n]; alone: the screen",
    "trial": "%%trial [-k NAME]",
    "reset_weights": "%reset_weights NAME [SEED]",
    "trim": "%trim",
    "memory": "%memory",
}
_CLEAR = {
    "--all": "--all",
    "--out": "--out",
    "--errors": "--errors",
    "-n": "-n",
    "--dry-run": "-n",
}
_MODELS = {"--all": "--all", "--hints": "--hints", "--no-hints": "--no-hints"}
_OPTIONS = {"models": _MODELS, "clear": _CLEAR, "trial": {"-k": "-k"}}


def load(ip: Any) -> None:
    """Makes the magics, once a shell."""
    extension = _LOADED.get(ip)
    if extension is None:
        extension = _LOADED[ip] = Extension(ip)
    extension.start()


def unload(ip: Any) -> None:
    """Takes them back. That a hint was given is remembered."""
    extension = _LOADED.get(ip)
    if extension is not None:
        extension.stop()


def is_loaded() -> bool:
    """Whether some shell of this process has the magics."""
    return any(extension.started for extension in list(_LOADED.values()))


class Extension:
    """The magics in one shell."""

    def __init__(self, ip: Any) -> None:
        self.shell = shell_of(weakref.proxy(ip))
        self.hint = Hint(os.environ.get("KERASER_HINTS") != "0")
        self.started = False

    def start(self) -> None:
        if self.started:
            return
        self.started = True
        magics = {
            "models": self.models,
            "why": self.why,
            "clear": self.clear,
            "reset_weights": self.reset_weights,
            "trim": self.trim,
            "memory": self.memory,
        }
        self.shell.install(
            {name: self._refusing(magic) for name, magic in magics.items()},
            {"trial": self._refusing(self.trial)},
            self.complete,
            lambda value: self.hint.look(value, self.shell),
        )

    def stop(self) -> None:
        if self.started:
            self.started = False
            self.shell.uninstall()

    def _refusing(self, magic: Callable[..., None]) -> Callable[..., None]:
        """What it refuses is said in one line, without a traceback that would keep what
        the notebook's frames hold."""

        def run(line: str, *cell: str) -> None:
            refusal = ""
            try:
                magic(line, *cell)
            except KeraserError as error:
                if cell and not isinstance(error, LineError):
                    raise  # the cell's own
                refusal = str(error)
            if refusal:
                self.shell.refuse(refusal)

        run.__doc__ = magic.__doc__
        return run

    # ---- the magics: their docstrings are what `%why?` shows -------------------------

    def models(self, line: str) -> None:
        """%models [--all] [--hints | --no-hints]

        Every living model, what it owns and who holds it, and what is left of dead
        ones. --all: also what the process consists of, and types of objects.
        --no-hints: no hint any more, and --hints: again.
        """
        from keraser.inventory import census
        from keraser.telling import brief

        chosen, words = split(line, USAGE["models"], _MODELS)
        if words:
            raise LineError(f"%models takes no names; {USAGE['models']}")
        if chosen & {"--hints", "--no-hints"}:
            self.hint.on = "--hints" in chosen
            return
        found = census()
        self.shell.show(found if "--all" in chosen else brief(found))

    def why(self, line: str) -> None:
        """%why NAME

        Who keeps it alive, each with the line to type. NAME: a variable, or such as
        models[0] or model.layers[1].
        """
        from keraser.holders import is_plain, why

        _, words = split(line, USAGE["why"], {})
        if len(words) != 1:
            raise LineError(f"%why takes one name; {USAGE['why']}")
        box = [value_of(words[0], self.shell.variables())]
        if is_plain(box[0]):
            raise LineError(f"{words[0]!r} is a plain value, which nobody holds")
        self.shell.show(why(box.pop()))

    def clear(self, line: str) -> None:
        """%clear NAME... | --all [--out] [--errors] [-n]

        Without anything the screen, as without keraser. NAME: a variable that is a
        model or keeps some (a list, a History): these are cleared, as by
        keraser.clear(). --all: every living model, and what dead ones left behind.
        --out: results that keep a model, or one of those named, are forgotten wherever
        IPython has them. --errors: so is the last error, with its frames. What is
        connected to pyplot figures and keeps a cleared model is disconnected.
        -n: only says what would be done.
        """
        from keraser.notebook_clearing import NotebookClear

        chosen, words = split(line, USAGE["clear"], _CLEAR)
        if not chosen and not words:
            self._clear_screen()
        elif not chosen - {"-n"} and not words:
            raise LineError(f"clear what? {USAGE['clear']}")
        elif "--all" in chosen and words:
            raise LineError(f"names or --all, not both; {USAGE['clear']}")
        else:
            clear = NotebookClear(self.shell, chosen, words)
            self.shell.show(clear.plan() if "-n" in chosen else clear.run())

    def _clear_screen(self) -> None:
        before = self.shell.magic_before("clear")
        if before is None:
            raise LineError(f"clear what? {USAGE['clear']}")
        before("")

    def trial(self, line: str, cell: str) -> None:
        """%%trial [-k NAME]

        The cell as a keraser.scope(): what it builds is cleared at its end, and what it
        left is said. -k NAME: keeps what its last expression is worth, as variable
        NAME; where it has none, what the cell itself has called NAME.
        """
        from keraser.cell_trial import CellTrial

        chosen, words = split(line, USAGE["trial"], {"-k": "-k"})
        if len(words) != len(chosen) or not all(map(str.isidentifier, words)):
            raise LineError(f"{USAGE['trial']}")
        CellTrial(self.shell, words[0] if words else None).run(cell)

    def reset_weights(self, line: str) -> None:
        """%reset_weights NAME [SEED]

        Fresh weights in place, as keraser.reset(). SEED: 0 to 4294967295.
        """
        from keraser.adapters.base import find_adapter
        from keraser.resetting import reset

        _, words = split(line, USAGE["reset_weights"], {})
        if len(words) not in (1, 2):
            raise LineError(f"reset what? {USAGE['reset_weights']}")
        if words[1:] and not words[1].lstrip("-").isdigit():
            raise LineError(f"{words[1]!r} is no seed; {USAGE['reset_weights']}")
        variables = self.shell.variables()
        model = value_of(words[0], variables)
        adapter = find_adapter()
        if adapter is None or not adapter.is_model(model):
            raise not_a_model(words[0], model, variables)
        try:
            report = reset(model, int(words[1]) if words[1:] else None)
        except ValueError as error:  # a seed out of range, a model that is not built
            raise LineError(str(error)) from None
        finally:
            del model
        self.shell.show(dataclasses.replace(report, where=self.shell.where()))

    def trim(self, line: str) -> None:
        """%trim

        Gives free memory of native pools back to the system, as keraser.trim().
        """
        from keraser.trimming import trim

        if line.strip():
            raise LineError(f"%trim takes nothing; {USAGE['trim']}")
        self.shell.show(trim())

    def memory(self, line: str) -> None:
        """%memory

        The memory of this kernel, live, with buttons, as keraser.widget(); but no
        result remembers it.
        """
        from keraser.memory_widget import widget

        if line.strip():
            raise LineError(f"%memory takes nothing; {USAGE['memory']}")
        self.shell.show(widget())

    # ---- completion ------------------------------------------------------------------

    def complete(self, magic: str, words: list[str], typed: str) -> list[str]:
        """What may be typed next: options once `-` is, else names of models that the
        line does not have yet."""
        if typed.startswith("-"):
            return sorted(set(_OPTIONS.get(magic, {})) - set(words))
        several = magic == "clear"
        if magic not in ("why", "clear", "reset_weights") or (words and not several):
            return []
        return [n for n in model_names(self.shell.variables()) if n not in words]
