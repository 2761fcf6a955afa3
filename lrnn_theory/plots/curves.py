"""What trained networks do on longer words: scaled accuracy against length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lrnn_theory.plots.style import COLOURS, DASHES, Picture, colour, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lrnn_theory.learning.curves import Curve


def plot_curves(curves: Sequence[Curve]) -> Picture:
    """Draw scaled accuracy against length: the best seed of every model, and faintly the others.

    Args:
        curves: one for every model and task; of several tasks, labels and title name them.

    Raises:
        ValueError: if there is nothing to draw.
    """
    if not curves:
        raise ValueError("Argument 'curves' must not be empty.")
    tasks = dict.fromkeys(curve.task for curve in curves)
    title = f"{', '.join(tasks)}: trained up to length {curves[0].train[1]}"
    return picture(title, (6, 3.6), lambda figure: _paint(figure, curves, title))


def _paint(figure: Figure, curves: Sequence[Curve], title: str) -> None:
    axes = figure.subplots()
    several = len({curve.task for curve in curves}) > 1
    for i, curve in enumerate(curves):
        style = DASHES[i // len(COLOURS) % len(DASHES)]
        for j, row in enumerate(curve.accuracy):
            if j != curve.best:
                axes.plot(curve.lengths, row, style, color=colour(i), alpha=0.25, linewidth=0.8)
        best = curve.accuracy[curve.best]
        label = f"{curve.task}, {curve.model}" if several else curve.model
        axes.plot(curve.lengths, best, style, color=colour(i), label=label, linewidth=1.6)
    axes.axvline(curves[0].train[1], color="grey", linewidth=0.8, linestyle=":")
    axes.set(ylim=(-0.1, 1.05), xlabel="length of the word", ylabel="scaled accuracy", title=title)
    axes.legend()
