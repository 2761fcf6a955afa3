"""How far an LRNN stays right: the share of words, and its error, against length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.plots.style import DASHES, Picture, colour, letter_text, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lrnn_theory.lrnn import LRNN
    from lrnn_theory.verification.horizon import Horizon

_KINDS = {"unary": "one letter repeated", "random": "random words", "given": "given words"}
MAX_LENGTH = 20_000
"""Longest word whose states are compared."""
_POINTS = 400
_SHORTEST = 500


def plot_horizons(horizons: Sequence[Horizon]) -> Picture:
    """The share of words that are still answered right against their length.

    A dot marks the first wrong answer in every arithmetic.

    Args:
        horizons: one for every arithmetic, of words of one kind.

    Raises:
        ValueError: if there is nothing to draw.
    """
    if not horizons:
        raise ValueError("Argument 'horizons' must not be empty.")
    lengths = [n for h in horizons for n in (*h.covered, *(x for x in h.first if x))]
    right_end = 2 * max(_SHORTEST, *lengths)
    title = f"Share of words right so far, {_KINDS[horizons[0].words]}"
    return picture(title, (6, 3.6), lambda figure: _paint_shares(figure, horizons, right_end))


def _paint_shares(figure: Figure, horizons: Sequence[Horizon], right_end: int) -> None:
    axes = figure.subplots()
    for i, horizon in enumerate(horizons):
        first = np.sort([x for x in horizon.first if x is not None])
        share = 1 - np.arange(1, len(first) + 1) / len(horizon.first)
        end = right_end if horizon.never else max(*horizon.covered, 1, *first.tolist())
        x = np.concatenate([[1], first, [max(end, 1)]])
        y = np.concatenate([[1], share, [share[-1] if len(share) else 1]])
        axes.step(x, y, where="post", label=_told(horizon), **_line(i))
        if len(first):
            axes.plot([first[0]], [1], "o", color=colour(i), ms=5)
    axes.set(xscale="log", xlim=(1, right_end), ylim=(-0.03, 1.06), xlabel="length of the word")
    axes.set(ylabel="share of words right so far", title=_KINDS[horizons[0].words])
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.18))


def plot_errors(
    lrnn: LRNN,
    arithmetics: Sequence[str | Arithmetic],
    horizons: Sequence[Horizon],
    *,
    letter: str | None = None,
    length: int = 1000,
) -> Picture:
    """The largest distance so far of a rounded state from the exact one, one letter repeated.

    A dot marks the horizon, the first wrong answer, where it lies within the length drawn.

    Args:
        lrnn: the network.
        arithmetics: where it runs; each gives a line.
        horizons: for every arithmetic, the horizon for the same letter repeated.
        letter: the letter; by default the first.
        length: how often it is repeated, at most `MAX_LENGTH`.

    Raises:
        ValueError: if there is nothing to draw, as where no state is rounded, or the letter or the
            length is wrong.

    Example:
        >>> from constructions import compile_dfa
        >>> from lrnn_theory import horizon
        >>> seven = compile_dfa("(a{7})*", "rotation")
        >>> found = horizon(seven, "(a{7})*", "bfloat16:once")
        >>> plot_errors(seven, ["bfloat16:once"], [found], length=400).title
        'Distance from the exact state, letter a repeated up to 400 times'
    """
    from lrnn_theory.tracing import trace

    if not arithmetics or len(arithmetics) != len(horizons):
        raise ValueError("Arguments 'arithmetics' and 'horizons' must be as many, and not empty.")
    if letter is not None and letter not in lrnn.letters:
        raise ValueError(f"Argument 'letter' must be a letter of the LRNN, not {letter!r}.")
    if not 1 <= length <= MAX_LENGTH:
        raise ValueError(f"Argument 'length' must be in 1..{MAX_LENGTH}, not {length}.")
    name = lrnn.letters[0] if letter is None else letter
    word = [name] * length
    exact = trace(lrnn, word, "exact").floats
    errors = [_distance(trace(lrnn, word, a).floats, exact) for a in arithmetics]
    if not any((np.isfinite(error) & (error > 0)).any() for error in errors):
        raise ValueError(
            f"There is no error to draw: up to length {length} every state is exact in "
            f"{', '.join(map(str, arithmetics))}."
        )
    title = (
        f"Distance from the exact state, letter {letter_text(name)} repeated up to {length} times"
    )
    return picture(title, (6, 3.8), lambda figure: _paint_errors(figure, errors, horizons))


def _distance(states: Sequence[Any], exact: Sequence[Any]) -> NDArray[np.float64]:
    """The largest difference of an entry of a state so far, after every letter."""
    gaps = [
        np.abs(x - y).reshape(len(x), -1).max(axis=1) for x, y in zip(states, exact, strict=True)
    ]
    return np.maximum.accumulate(np.max(gaps, axis=0)[1:])


def _paint_errors(
    figure: Figure, errors: list[NDArray[np.float64]], horizons: Sequence[Horizon]
) -> None:
    axes = figure.subplots()
    length = len(errors[0])
    at = np.unique(np.geomspace(1, length, _POINTS).astype(int))
    for i, (error, horizon) in enumerate(zip(errors, horizons, strict=True)):
        shown = np.where(np.isfinite(error) & (error > 0), error, np.nan)
        axes.plot(at, shown[at - 1], lw=1.3, label=_told(horizon), **_line(i))
        first = horizon.minimum
        if first is not None and 1 <= first <= length:
            axes.plot([first], [shown[first - 1]], "o", color=colour(i), ms=7, zorder=4)
            axes.axvline(first, color=colour(i), lw=0.6, ls=":")
    axes.set(xscale="log", xlim=(1, length), xlabel="length of the word")
    axes.set(yscale="log", ylabel="largest error of a state so far")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.16))


def _told(horizon: Horizon) -> str:
    """An arithmetic with its horizon, for a legend."""
    if horizon.never:
        return f"{horizon.arithmetic}: never wrong, proved"
    if horizon.minimum is not None:
        return f"{horizon.arithmetic}: first wrong at length {horizon.minimum:,}"
    return f"{horizon.arithmetic}: right up to length {min(horizon.covered, default=0):,}"


def _line(i: int) -> dict[str, Any]:
    return {"color": colour(i), "ls": DASHES[i // 7 % len(DASHES)]}
