"""Sizes and times as users write them."""

from __future__ import annotations

import math
import re

_UNITS = {
    "": 1,
    **{letter + "b": 1000**power for power, letter in enumerate(("", *"kmgt"))},
    **{letter + "ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)\s*")


def read_size(value: int | float | str | None, what: str) -> int:
    """Bytes of "4GiB", "500 MB" or a number of bytes; 0 for None, which is no limit.

    KiB, MiB, GiB, TiB are powers of 1024; kB, MB, GB, TB of 1000 (IEC 80000-13).

    Raises:
        TypeError, ValueError: `what` is not a positive size.
    """
    if value is None:
        return 0
    if isinstance(value, str):
        found = _WRITTEN.fullmatch(value)
        unit = found and _UNITS.get(found[2].lower())
        if not found or not unit:
            raise ValueError(
                f"{what}={value!r} is no size: write it as '4GiB', '500MB' or in bytes"
            )
        value = float(found[1]) * unit
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f"{what} takes a size such as '4GiB' or a number of bytes, "
            f"not {type(value).__name__}"
        )
    if not math.isfinite(value) or not 1 <= value < 2**63:
        raise ValueError(f"{what}={value!r}: a limit is at least 1 byte; None is none")
    return int(value)


def read_seconds(value: int | float | None, what: str) -> int:
    """Nanoseconds of a number of seconds; 0 for None, which is no limit.

    Raises:
        TypeError, ValueError: `what` is not a positive time.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} takes seconds, not {type(value).__name__}")
    if not math.isfinite(value) or not 0 < value < 2**33:
        raise ValueError(f"{what}={value!r}: a limit is above 0 seconds; None is none")
    return max(1, int(value * 1e9))
