"""Reachable rounded states of a layer of two rows, such as a rotation, in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.plots.style import INK, Picture, colour, letter_text, picture
from lrnn_theory.words import Word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LENGTH = 20_000
"""Longest word that is read."""


def plot_orbit(
    lrnn: LRNN,
    arithmetic: str | Arithmetic = "bfloat16:once",
    *,
    letter: str | None = None,
    length: int = 1000,
) -> Picture:
    """The states that a layer of two numbers reaches as one letter is repeated.

    Exact arithmetic stays on the codewords (crosses); rounding drifts away from them, or is caught
    in a cycle.

    Args:
        lrnn: a network whose last layer has two numbers in its state.
        arithmetic: where it runs.
        letter: the letter that is repeated; by default the first.
        length: how often, at most `MAX_LENGTH`.

    Raises:
        ValueError: if the layer has another size, or the letter or the length is wrong.

    Example:
        >>> from constructions import compile_dfa
        >>> plot_orbit(compile_dfa("(a{7})*", "rotation"), "bfloat16:once", length=500).title
        '501 states after up to 500 letters a, in bfloat16:once'
    """
    from lrnn_theory.tracing import trace

    check_type("lrnn", lrnn, LRNN)
    levels = lrnn.levels
    layer = levels[-1].layer if levels and lrnn.tail is None else None
    if layer is None or layer.n * layer.d != 2 or len(layer.codewords) != 1:
        raise ValueError(
            "A picture of an orbit needs a last layer with two numbers in its state, "
            "such as that of the construction 'rotation'."
        )
    if letter is not None and letter not in lrnn.letters:
        raise ValueError(f"Argument 'letter' must be a letter of the LRNN, not {letter!r}.")
    if not 1 <= length <= MAX_LENGTH:
        raise ValueError(f"Argument 'length' must be in 1..{MAX_LENGTH}, not {length}.")
    name = lrnn.letters[0] if letter is None else letter
    word: Word = [name] * length
    run = trace(lrnn, word, arithmetic)
    path = run.floats[-1].reshape(-1, 2)
    finite = path[np.isfinite(path).all(axis=1)]
    visited, first = np.unique(finite, axis=0, return_index=True)
    codewords = layer.codewords[0].reshape(-1, 2).astype(float)
    letters = f"letters {letter_text(name)}"
    title = f"{len(visited)} states after up to {length} {letters}, in {run.arithmetic}"

    def paint(figure: Figure) -> None:
        import matplotlib as mpl

        axes = figure.subplots()
        shades = mpl.colormaps["cividis"].resampled(20)  # few are drawn as vectors, many are not
        turn = np.linspace(0, 2 * np.pi, 361)
        axes.plot(np.cos(turn), np.sin(turn), color=INK, lw=0.6)
        points = axes.scatter(*visited.T, c=first, s=7, cmap=shades, zorder=2, lw=0)
        axes.plot(*codewords.T, "+", color=colour(1), ms=11, mew=1.6, label="codewords", zorder=3)
        axes.set(aspect="equal", title=run.arithmetic, xlabel="$h_1$", ylabel="$h_2$")
        axes.legend(loc="upper right")
        bar = figure.colorbar(points, ax=axes, shrink=0.8, label="first reached after")
        bar.outline.set_visible(False)

    return picture(title, (5.2, 4.2), paint)
