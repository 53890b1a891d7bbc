"""The hint of a notebook: that the last value of a cell keeps a model alive."""

from __future__ import annotations

from typing import Any

from keraser.holders import find_adapter_or_none
from keraser.reaching import find_reached


class Hint:
    """Given once. Holds no model.

    Attributes:
        on: whether it is to be given.
    """

    def __init__(self, on: bool) -> None:
        self.on = on

    def look(self, value: Any, shell: Any) -> None:
        """Gives it, if a cell that has just ended left a model among the results."""
        if not self.on or value is None:
            return
        adapter = find_adapter_or_none()
        if adapter is None or not shell.is_result(value):
            return
        found = find_reached(value, adapter.has_memory)
        models = [one for one in found if adapter.is_model(one)]
        if not models:
            return
        self.on = False
        by = "" if models[0] is value else f", by a {type(value).__name__}"
        print(
            f"keraser: Out now keeps model {models[0].name!r} alive{by}. End the line "
            "with ; and it does not; %clear --out lets go. (Said once; never with "
            "%models --no-hints or KERASER_HINTS=0.)"
        )
