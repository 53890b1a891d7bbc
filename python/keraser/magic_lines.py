"""The lines of magics: their options and names, and what the names stand for."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keraser.errors import KeraserError
from keraser.holders import find_adapter_or_none
from keraser.husk import ClearedModel
from keraser.parked import ParkedModel
from keraser.receipt import block, html_block

#: What a name may consist of: to look at it runs no code of the user's but `[...]`.
_NODES = (
    ast.Expression, ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Load,
    ast.UnaryOp, ast.USub,
)  # fmt: skip


class LineError(KeraserError):
    """A magic was given something that it does not know. Nothing was changed."""


@dataclass(frozen=True, repr=False)
class Said:
    """What a magic says: a headline and rows. Text alone."""

    headline: str
    rows: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return block(self.headline, list(self.rows)) if self.rows else self.headline

    def _repr_html_(self) -> str:
        return html_block(self.headline, list(self.rows))


def split(
    line: str, usage: str, options: Mapping[str, str]
) -> tuple[set[str], list[str]]:
    """The options of a line, by their long names, and the other words.

    Args:
        options: what may be typed -> its long name.
    """
    chosen, words = set(), []
    for word in line.split():
        if not word.startswith("-") or word.lstrip("-").isdigit():
            words.append(word)
        elif word in options:
            chosen.add(options[word])
        else:
            raise LineError(f"no option {word}; {usage}")
    return chosen, words


def value_of(word: str, variables: dict[str, Any]) -> Any:
    """What `net`, `models[0]` or `history.model` stands for.

    Raises:
        LineError: nothing; says which models there are.
    """
    try:
        tree = ast.parse(word, mode="eval")
    except SyntaxError:
        tree = None
    if tree is None or not all(isinstance(node, _NODES) for node in ast.walk(tree)):
        raise LineError(
            f"{word!r} is no name, such as net, models[0]{_there(variables)}"
        )
    try:
        return eval(compile(tree, "<name>", "eval"), variables)
    except NameError:
        raise LineError(f"no variable {word!r}{_there(variables)}") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise LineError(f"{word!r} is nothing ({reason}){_there(variables)}") from None


def model_names(variables: dict[str, Any]) -> list[str]:
    """Variables of the user's that are models, parked ones too."""
    adapter = find_adapter_or_none()
    return sorted(
        name
        for name, value in list(variables.items())
        if not name.startswith("_")
        and (
            isinstance(value, ParkedModel)
            or (adapter is not None and adapter.is_model(value))
        )
    )


def names_of(thing: Any, variables: dict[str, Any]) -> list[str]:
    """Variables of the user's that are this very object."""
    return [
        name
        for name, value in list(variables.items())
        if value is thing and not name.startswith("_")
    ]


def not_a_model(word: str, value: Any, variables: dict[str, Any]) -> LineError:
    kind = type(value).__name__
    if isinstance(value, ClearedModel):
        kind = "model that was cleared"
    return LineError(f"{word!r} is no model but a {kind}{_there(variables)}")


def _there(variables: dict[str, Any]) -> str:
    names = model_names(variables)
    return f"; models here: {', '.join(names)}" if names else "; no variable is a model"
