"""The widget in the notebook, as anywidget has it. Importing this imports anywidget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget

_HERE = Path(__file__).parent.parent


class FrontEnd(anywidget.AnyWidget):
    """Sends messages both ways. No figure is among its traits, so that none is saved
    with the notebook; ipywidgets keeps it alive until `close`."""

    # As text: of a path, anywidget would watch the file in a thread.
    _esm = (_HERE / "widget.js").read_text()
    _css = (_HERE / "widget.css").read_text()

    def __init__(self, hear: Callable[[Any], None]) -> None:
        super().__init__()
        self.on_msg(lambda _, content, __: hear(content))

    def close(self) -> None:
        """Its layout, a widget of its own, would stay for ever."""
        layout = self.layout if self.comm is not None else None
        super().close()
        if layout is not None:
            layout.close()

    def tell(self, message: dict[str, Any]) -> None:
        if self.comm is not None:
            self.send(message)

    def mimebundle(self) -> dict[str, Any]:
        """What displays it, by MIME type."""
        bundle = self._repr_mimebundle_()
        return dict(bundle[0] if isinstance(bundle, tuple) else bundle)
