"""State trajectories: the numbers in the state of every layer, letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.plots.style import INK, Picture, letter_text, picture
from lrnn_theory.words import Word, encode_word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LETTERS = 64
MAX_NUMBERS = 160
"""Longest word, and most numbers of a state, that are drawn."""
_SHORT, _LONG = 3, 16
"""Characters of a name that stands upright, and of any name."""


def plot_trajectory(lrnn: LRNN, word: Word, arithmetic: str | Arithmetic = "float32") -> Picture:
    """The state of every layer as a word is read: a column a letter, a row a number of the state.

    Blue is negative, orange positive, and 0 has no colour; the other numbers stand in their cells.

    Args:
        lrnn: the network.
        word: what it reads.
        arithmetic: where.

    Raises:
        ValueError: if the word is longer than `MAX_LETTERS`, has an unknown letter, or the state
            has no or more than `MAX_NUMBERS` numbers.

    Example:
        >>> from constructions import compile_dfa
        >>> plot_trajectory(compile_dfa("(aaa)*"), "aaaa", "bfloat16").title
        'State after every letter of a a a a, in bfloat16:wide+acc=float32'
    """
    from lrnn_theory.tracing import trace

    check_type("lrnn", lrnn, LRNN)
    letters = encode_word(word, {name: i for i, name in enumerate(lrnn.letters)})
    if len(letters) > MAX_LETTERS:
        raise ValueError(f"Too long to draw: {len(letters)} letters, more than {MAX_LETTERS}.")
    if not 0 < lrnn.state_size <= MAX_NUMBERS:
        raise ValueError(f"A state of {lrnn.state_size} numbers is not drawn: 1 to {MAX_NUMBERS}.")
    run = trace(lrnn, letters, arithmetic)
    names = [letter_text(lrnn.letters[a]) for a in run.word]
    panels = [states.reshape(len(states), -1).T for states in run.floats]
    answers = [lrnn.output_symbols[x] if x >= 0 else "" for x in run.outputs]
    if lrnn.kind == "dfa":
        answers = ["✓" if x == "1" else "✗" for x in answers]
    title = (
        f"State after every letter of {' '.join(names) or 'the empty word'}, in {run.arithmetic}"
    )
    rows = [len(panel) for panel in panels]
    size = (max(3.2, 1.3 + 0.36 * (len(names) + 1)), 1.4 + 0.24 * sum(rows) + 0.2 * len(rows))
    return picture(title, size, lambda figure: _paint(figure, panels, names, answers))


def _paint(
    figure: Figure, panels: list[NDArray[np.float64]], names: list[str], answers: list[str]
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    blue_orange = LinearSegmentedColormap.from_list("lrnn", ["#56B4E9", "#F7F7F7", "#E69F00"])
    ratios = [len(panel) for panel in panels]
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=ratios, sharex=True)
    for i, (axes, panel) in enumerate(zip(grid[:, 0], panels, strict=True)):
        finite = np.abs(panel[np.isfinite(panel)])
        top = max(1.0, float(finite.max(initial=0)))
        axes.pcolormesh(
            np.where(np.isfinite(panel) & (panel != 0), panel, np.nan),
            cmap=blue_orange, vmin=-top, vmax=top, edgecolors="white", linewidth=0.5,
        )  # fmt: skip
        _write(axes, panel)
        axes.set(ylabel=f"layer {i + 1}", yticks=[], ylim=(len(panel), 0))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.grid(visible=False)
    last = grid[-1, 0]
    long = max(map(len, (*names, *answers))) > _SHORT
    pairs = zip(["", *names], answers, strict=True)
    if long:
        ticks = [f"{_cut(letter)} {_cut(answer)}".strip() for letter, answer in pairs]
    else:
        ticks = [f"{letter}\n{answer}" for letter, answer in pairs]
    last.set_xticks(np.arange(len(ticks)) + 0.5, ticks, fontsize=8, rotation=90 if long else 0)
    last.set_xlabel("letter, and the answer after it")


def _cut(name: str) -> str:
    return name if len(name) <= _LONG else name[: _LONG - 1] + "…"


def _write(axes: Any, panel: NDArray[np.float64]) -> None:
    """Every number that differs from 0, in its cell."""
    for (row, column), x in np.ndenumerate(panel):
        if x != 0:
            text = f"{x:.2g}".replace("0.", ".", 1) if abs(x) < 1 else f"{x:.3g}"
            place = (column + 0.5, row + 0.5)
            ink = "#101010" if np.isfinite(x) else INK  # on a colour, or on the paper
            axes.text(*place, text, ha="center", va="center", size=5.5, color=ink)
