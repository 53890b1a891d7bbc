"""Where a snapshot has its values: in the variables' own buffers, or in copies."""

from __future__ import annotations

from typing import Any

from keraser.adapters.base import Adapter

HOLDS = ("live", "host")


def hold_values(adapter: Adapter, handles: list[Any], hold: str) -> HeldValues:
    """Takes the values behind the handles.

    Raises:
        UnsupportedError: a value is text and is to be copied to host memory.
    """
    tensors = adapter.read_all(handles)
    if hold == "host":
        return HeldValues("host", adapter.to_host(tensors))
    if not all(map(adapter.shares_buffers, handles)):
        return HeldValues("copy", adapter.copies(tensors))
    return HeldValues("live", tensors)


class HeldValues:
    """Values of a moment: tensors if `hold` is "live" or "copy", otherwise arrays."""

    def __init__(self, hold: str, values: list[Any]) -> None:
        self.hold = hold
        self._values = values

    def _are_tensors(self) -> bool:
        return self.hold in ("live", "copy")

    def tensors(self, adapter: Adapter, handles: list[Any]) -> list[Any]:
        """As tensors that may become the values behind the handles."""
        if self._are_tensors():
            return list(self._values)
        return adapter.from_host(self._values, handles)

    def arrays(self, adapter: Adapter) -> list[Any]:
        """As arrays in host memory that nobody changes."""
        return adapter.to_host(self._values) if self._are_tensors() else self._values

    def views(self, adapter: Adapter) -> list[Any]:
        """As arrays to look at, without a copy where they are in host memory."""
        return adapter.views(self._values) if self._are_tensors() else self._values

    def looks(self, adapter: Adapter) -> list[tuple[tuple[int, ...], str]]:
        """Shape and type of each."""
        if self._are_tensors():
            return adapter.looks(self._values)
        return [(array.shape, array.dtype.name) for array in self._values]
