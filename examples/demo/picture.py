"""The picture of the sweep, as SVG and PNG, fit for light and dark pages."""

import matplotlib

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
        figure, axes = pyplot.subplots(figsize=(8, 4.2))
        figure.subplots_adjust(left=0.1, right=0.8, top=0.86, bottom=0.13)
        figure.text(0.012, 0.935, title, fontsize=12.5)
        ends = {way: _curve(axes, way, reports) for way, reports in arms.items()}
        _frame(axes, max(len(reports) for reports in arms.values()))
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


def _frame(axes, trials):
    axes.set_xlabel("trial")
    axes.set_ylabel("resident memory, MiB")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(pyplot.MaxNLocator(min(trials, 15), integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", color=INK, alpha=0.2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)


def _labels(axes, ends):
    """Names each curve beside its end, moved apart where curves end together."""
    line = 0.055 * axes.get_ylim()[1]
    free_below = float("inf")
    for way, (x, y) in sorted(ends.items(), key=lambda item: -item[1][1]):
        half = line * (1 + way.long.count(";")) / 2
        y = min(y, free_below - half)
        free_below = y - half - line / 3
        axes.annotate(
            way.long.replace("; ", "\n"),
            (x, y),
            xytext=(10, 0),
            textcoords="offset points",
            color=way.colour,
            va="center",
            annotation_clip=False,
        )
