"""Whether a process that has imported TensorFlow may still be forked."""

from __future__ import annotations

import sys


def find_hazard() -> str | None:
    """What TensorFlow has begun that does not survive a fork; None if nothing.

    With the first operation, or the first question for devices, the eager context is
    made: thread pools that a child would wait for. Looks only at what is imported."""
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(eager, "_context", None)
    if context is None:
        return None
    if getattr(context, "_context_handle", True) is None:
        return None  # made by a setting, such as that of a seed: no thread so far
    return "TensorFlow has run an operation in the fork server"
