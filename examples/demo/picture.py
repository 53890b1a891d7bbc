"""The picture of the sweep, as SVG and PNG, fit for light and dark pages."""

import matplotlib
from keraser.receipt import format_bytes

matplotlib.use("Agg")

from matplotlib import pyplot

MIB = 2**20
INK = "#7d8590"  # reads on white and on black
SETTINGS = {
    "font.family": "sans-serif",
    "font.size": 11,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "keraser",  # the same figures give the same file
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(arms, title, folder):
    """Draws resident memory over trials; `arms` maps a way to its reports.

    Returns the paths of the files written: folder/sweep.svg and folder/sweep.png.
    """
    with matplotlib.rc_context(SETTINGS):
        figure, axes = pyplot.subplots(figsize=(8, 4.2), layout="constrained")
        ends = {way: _curve(axes, way, reports) for way, reports in arms.items()}
        _frame(axes, title, max(len(reports) for reports in arms.values()))
        _labels(axes, ends)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "sweep.svg", folder / "sweep.png"]
        figure.savefig(paths[0], transparent=True, metadata={"Date": None})
        figure.savefig(paths[1], transparent=True, dpi=200)
        pyplot.close(figure)
    return paths


def _curve(axes, way, reports):
    """Draws one arm; returns where it ends."""
    trials = [report["trial"] for report in reports]
    rss = [report["rss"] / MIB for report in reports]
    axes.plot(trials, rss, color=way.colour, linewidth=2.2, marker="o", markersize=4)
    return trials[-1], rss[-1]


def _frame(axes, title, trials):
    axes.set_title(title, loc="left", fontsize=13, pad=14)
    axes.set_xlabel("trial")
    axes.set_ylabel("resident memory")
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(1, trials + 1))
    axes.yaxis.set_major_locator(pyplot.MultipleLocator(256))
    axes.yaxis.set_major_formatter(lambda mib, _: format_bytes(mib * MIB))
    axes.grid(axis="y", color=INK, alpha=0.2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)


def _labels(axes, ends):
    """Names each curve beside its end, moved apart where curves end together."""
    gap = 0.065 * axes.get_ylim()[1]
    free_from = float("-inf")
    for way, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        y = max(y, free_from)
        free_from = y + gap
        axes.annotate(
            way.long,
            (x, y),
            xytext=(10, 0),
            textcoords="offset points",
            color=way.colour,
            va="center",
            annotation_clip=False,
        )
