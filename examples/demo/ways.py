"""The three ways to drop a model that the demo compares: names, labels, colours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """One arm: `key` on the command line, `short` in a table, `long` in the picture."""

    key: str
    short: str
    long: str
    colour: str


NOTHING = Way("nothing", "nothing", "nothing called", "#b8860b")
ADVICE = Way(
    "clear_session",
    "clear_session()",
    "del model; clear_session(); gc.collect()",
    "#d1495b",
)
KERASER = Way("keraser", "keraser.clear()", "keraser.clear(model)", "#2a9d6f")

WAYS = (NOTHING, ADVICE, KERASER)
