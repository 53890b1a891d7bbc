"""Figures that matplotlib's pyplot keeps until they are closed."""

from __future__ import annotations

import sys

from keraser.names import Landmark, Vocabulary


def vocabulary() -> Vocabulary:
    """pyplot's table of figures."""
    figures = sys.modules["matplotlib._pylab_helpers"].Gcf.figs
    landmark = Landmark("pyplot figure", "figure", "plt.close({key})", spaced=True)
    return Vocabulary({id(figures): landmark})
