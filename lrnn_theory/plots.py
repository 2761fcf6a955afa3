"""Figures: vector graphics in one style, with colours that the colour-blind can tell apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrnn_theory.textfile import write_atomically

if TYPE_CHECKING:
    from lrnn_theory.learning.curves import Curve
    from lrnn_theory.verification.horizon import Horizon

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito."""
_DASHES = ("-", "--", "-.", ":")


def plot_horizons(horizons: Sequence[Horizon], path: str | os.PathLike[str]) -> None:
    """Draw the share of words that are still answered right against their length.

    Args:
        horizons: one for every arithmetic, of words of one kind.
        path: an .svg, .pdf or .png file.

    Raises:
        ValueError: if there is nothing to draw, or the suffix is another.
    """
    if not horizons:
        raise ValueError("Argument 'horizons' must not be empty.")
    suffix = _suffix(path)
    figure, axes = _figure()
    lengths = [n for h in horizons for n in (*h.covered, *(x for x in h.first if x))]
    right_end = 2 * max(2, *lengths)
    for i, horizon in enumerate(horizons):
        first = np.sort([x for x in horizon.first if x is not None])
        share = 1 - np.arange(1, len(first) + 1) / len(horizon.first)
        end = right_end if horizon.never else max(*horizon.covered, 1, *first.tolist())
        x = np.concatenate([[1], first, [max(end, 1)]])
        y = np.concatenate([[1], share, [share[-1] if len(share) else 1]])
        label = str(horizon.arithmetic) + (": never wrong" if horizon.never else "")
        style = _DASHES[i // len(COLOURS) % len(_DASHES)]
        axes.step(x, y, style, where="post", color=COLOURS[i % len(COLOURS)], label=label)
    kind = {"unary": "one letter repeated", "random": "random words", "given": "given words"}
    axes.set(xscale="log", xlim=(1, right_end), ylim=(-0.03, 1.03), xlabel="length of the word")
    axes.set(ylabel="share of words right so far", title=kind[horizons[0].words])
    axes.legend(frameon=False, fontsize=8)
    _save(figure, path, suffix)


def plot_curves(curves: Sequence[Curve], path: str | os.PathLike[str]) -> None:
    """Draw scaled accuracy against length: the best seed of every model, and faintly the others.

    Args:
        curves: one for every model, of one task.
        path: an .svg, .pdf or .png file.

    Raises:
        ValueError: if there is nothing to draw, or the suffix is another.
    """
    if not curves:
        raise ValueError("Argument 'curves' must not be empty.")
    suffix = _suffix(path)
    figure, axes = _figure()
    for i, curve in enumerate(curves):
        colour, style = COLOURS[i % len(COLOURS)], _DASHES[i // len(COLOURS) % len(_DASHES)]
        for j, row in enumerate(curve.accuracy):
            if j != curve.best:
                axes.plot(curve.lengths, row, style, color=colour, alpha=0.25, linewidth=0.8)
        best = curve.accuracy[curve.best]
        axes.plot(curve.lengths, best, style, color=colour, label=curve.model, linewidth=1.6)
    axes.axvline(curves[0].train[1], color="grey", linewidth=0.8, linestyle=":")
    axes.set(ylim=(-0.1, 1.05), xlabel="length of the word", ylabel="scaled accuracy")
    axes.set(title=f"{curves[0].task}: trained up to length {curves[0].train[1]}")
    axes.legend(frameon=False, fontsize=8)
    _save(figure, path, suffix)


def _suffix(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix[1:]
    if suffix not in ("svg", "pdf", "png"):
        raise ValueError(f"Argument 'path' must end in .svg, .pdf or .png, not '{path}'.")
    return suffix


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3, linewidth=0.5)
    return figure, axes


def _save(figure: Any, path: str | os.PathLike[str], suffix: str) -> None:
    from io import BytesIO

    import matplotlib as mpl

    picture = BytesIO()
    # No date and fixed names of elements: the same data give the same file.
    with mpl.rc_context({"svg.hashsalt": "lrnn-theory"}):
        figure.savefig(picture, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
    write_atomically(path, picture.getvalue())
