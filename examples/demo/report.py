"""What the demo says at the end: table, curve, the name of the holder, the verdict."""

import growth
import ways
from chart import Chart
from keraser.receipt import format_bytes
from rich.box import HORIZONTALS
from rich.table import Table
from rich.text import Text

CHART_HEIGHT = 12
CHART_WIDTH = 72
REGISTRY = "gradient_registry"

ROWS = (
    ("resident\nmemory", "rss"),
    ("in TF's\npool", "pool"),
    ("in the\nC heap", "heap"),
    ("Python\nobjects", "objects"),
)


def show_table(console, results, trials):
    """Growth per trial, one column an arm, with the 95 % interval below each figure."""
    console.print("Growth per trial", style="bold")
    table = Table(box=HORIZONTALS, show_lines=True, pad_edge=False)
    table.add_column("", no_wrap=True)
    for way in results:
        heading = way.short.replace("_", "_\n").replace(".", ".\n")
        table.add_column(Text(heading, way.colour), justify="right", no_wrap=True)
    for label, figure in ROWS:
        cells = [cell(result.slopes[figure], figure) for result in results.values()]
        table.add_row(label, *cells)
    table.add_row("time to\ndrop it", *(drop_time(w, r) for w, r in results.items()))
    console.print(table)
    console.print(
        f"Median of all pairs' slopes (Theil-Sen) and its 95 % interval, over trials "
        f"{growth.WARM_UP + 1} to {trials}; in the first {growth.WARM_UP} TensorFlow "
        "makes what later trials share. Every arm is read after a gc.collect() that "
        "is not in the time. Pool: blocks of 256 KiB and more. The C heap counts the "
        "whole regions that the pool has taken, so the two do not add up.",
        style="dim",
        highlight=False,
    )


def cell(slope, figure):
    """The slope, and below it the interval in the same unit."""
    if slope is None:
        return "unknown"
    scale, unit = (1, "") if figure == "objects" else byte_unit(slope)
    digits = 0 if scale == 1 else 1
    middle, low, high = (
        f"{value / scale:,.{digits}f}"
        for value in (slope.per_trial, slope.low, slope.high)
    )
    interval = "exactly" if slope.low == slope.high else f"{low} .. {high}"
    return f"{middle}{unit}\n[dim]{interval}[/dim]"


def byte_unit(slope):
    """One unit for the three numbers of a slope, by the largest of them."""
    largest = max(abs(slope.low), abs(slope.high), abs(slope.per_trial))
    units = ((2**20, " MiB"), (2**10, " KiB"), (1, " B"))
    return next((u for u in units if largest >= u[0]), units[-1])


def drop_time(way, result):
    return "-" if way is ways.NOTHING else f"{result.clear * 1e3:,.0f} ms"


def show_curve(console, arms):
    """Resident memory over trials, named in the colours of the curves."""
    top = 1.05 * max(report["rss"] for reports in arms.values() for report in reports)
    trials = max(map(len, arms.values()))
    width = min(console.width, CHART_WIDTH + 12) - 12
    chart = Chart(width, CHART_HEIGHT, top, trials)
    for way, reports in arms.items():
        chart.curve([report["rss"] for report in reports], way.colour)
    console.print("Resident memory", style="bold")
    for line in chart.lines(format_bytes):
        console.print(line, no_wrap=True, crop=True)
    for way, reports in arms.items():
        last = format_bytes(reports[-1]["rss"])
        console.print(Text(f"  ━━ {way.long}: {last}", way.colour))


def holder_reset(evidence):
    """What the receipt says of the gradient registry, or None if it was not that."""
    for reset in evidence["receipt"]["resets"]:
        if REGISTRY in reset["what"] and reset["count"]:
            return reset
    return None


def show_holder(console, evidence, trials):
    """The holder by its name, in words and as the receipt has it."""
    console.print("\nWhat held the memory", style="bold")
    receipt, reset = evidence["receipt"], holder_reset(evidence)
    if reset is None:
        console.print("The receipt names no holder that was left behind.")
    else:
        console.print(in_words(receipt, reset, trials), highlight=False)
    console.print(
        "\n".join(evidence["lines"]), style="dim", soft_wrap=True, markup=False
    )


def in_words(receipt, reset, trials):
    objects, rss, pool = receipt["objects"], receipt["rss"], receipt["pool"]
    gone = objects["before"] - objects["after"]
    freed = [f"{gone:,} Python objects"]
    if pool["before"]:
        in_pool = pool["before"] - pool["after"]
        freed.append(f"{format_bytes(in_pool)} of tensors in TensorFlow's CPU pool")
    return (
        f"TensorFlow's gradient registry. Each fit() of the {trials} trials put "
        "functions into it that are never taken out; through its graph such a function "
        "refers to the weights and the optimizer's variables of a model long deleted. "
        f"{reset['count']} of them were left. One keraser.clear() at the end of the "
        f"clear_session() arm dropped them and freed {' and '.join(freed)}. RSS went "
        f"from {format_bytes(rss['before'])} to {format_bytes(rss['after'])}: most of "
        "what is free stays with the pool and the C heap, for the next model."
    )


def verdict(results, evidence):
    """(holds, sentences): what was seen, and whether it is what keraser promises."""
    advice, ours = results[ways.ADVICE], results[ways.KERASER]
    left = ours.slopes["objects"].per_trial
    checks = (
        (
            advice.grows,
            f"clear_session() leaves {advice.slopes['objects'].per_trial:,.0f} Python "
            f"objects and {format_bytes(advice.slopes['rss'].per_trial)} of RSS a "
            "trial",
            "clear_session() did not grow here: this TensorFlow and Keras need no help",
        ),
        (
            ours.is_flat,
            "keraser.clear(model) leaves 0 Python objects a trial",
            "keraser.clear(model) is NOT flat: objects after each trial were "
            f"{', '.join(f'{n:,}' for n in ours.object_counts)} ({left:+,.0f} a trial)",
        ),
        (
            holder_reset(evidence) is not None,
            "the holder is TensorFlow's gradient registry",
            "the holder was not found by name",
        ),
    )
    holds = all(held for held, _, _ in checks)
    return holds, [yes if held else no for held, yes, no in checks]


def title(results):
    """The picture's title: what is seen in it."""
    advice, ours = (results[way].slopes["rss"] for way in (ways.ADVICE, ways.KERASER))
    return (
        f"Each trial leaves {advice.per_trial / 2**20:.1f} MiB behind after "
        f"clear_session(), {ours.per_trial / 2**20:.1f} MiB after keraser.clear()"
    )
