"""Pictures: vector graphics in one style, with colours that the colour-blind can tell apart.

Every function returns a `Picture`, which is drawn when it is saved or shown; the same data give the
same bytes.  docs/pictures.md shows them all.
"""

from lrnn_theory.plots.automata import plot_automaton
from lrnn_theory.plots.cascades import plot_cascade
from lrnn_theory.plots.curves import plot_curves
from lrnn_theory.plots.horizons import plot_errors, plot_horizons
from lrnn_theory.plots.mirrors import plot_reflections
from lrnn_theory.plots.orbits import plot_orbit
from lrnn_theory.plots.spectra import plot_spectrum
from lrnn_theory.plots.style import COLOURS, Picture
from lrnn_theory.plots.training import plot_training
from lrnn_theory.plots.trajectories import plot_trajectory

__all__ = [
    "COLOURS",
    "Picture",
    "plot_automaton",
    "plot_cascade",
    "plot_curves",
    "plot_errors",
    "plot_horizons",
    "plot_orbit",
    "plot_reflections",
    "plot_spectrum",
    "plot_training",
    "plot_trajectory",
]
