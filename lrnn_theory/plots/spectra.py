"""Eigenvalues of transition matrices on the unit disc: of every action, and of products."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.plots.style import INK, MARKERS, Picture, colour, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 256
"""Largest matrix whose eigenvalues are found, and most actions of a layer that are drawn."""
PRODUCTS = 80
LENGTH = 8
"""How many products there are, and the most factors of one."""
_MAX_LEGEND = 8


def plot_spectrum(lrnn: LRNN, layer: int | None = None) -> Picture:
    """Eigenvalues of a layer's transition matrices, and of their products.

    On the left those of every action; on the right those of `PRODUCTS` products of up to `LENGTH`
    matrices, the ones that the layer uses one after another as it reads a random word.

    Args:
        lrnn: the network.
        layer: which layer, from 0; by default all, if there are at most four, and otherwise the
            first four.

    Raises:
        ValueError: if there is no such layer, or one is larger than `MAX_ROWS`.

    Example:
        >>> from constructions import compile_dfa
        >>> plot_spectrum(compile_dfa("(aaa)*")).title
        'Eigenvalues on the unit disc: cyclic'
    """
    check_type("lrnn", lrnn, LRNN)
    levels = lrnn.levels
    if layer is not None and not 0 <= layer < len(levels):
        raise ValueError(f"Argument 'layer' must be in 0..{len(levels) - 1}, not {layer}.")
    if not levels:
        raise ValueError("A network without layers has no eigenvalues to draw.")
    rows = list(range(min(4, len(levels)))) if layer is None else [layer]
    for i in rows:
        transition = levels[i].layer.transition
        if max(transition.n, transition.n_actions) > MAX_ROWS:
            raise ValueError(
                f"Too large to draw: layer {i} has {transition.n_actions} matrices of "
                f"{transition.n} rows, more than {MAX_ROWS}."
            )
    products = _products(lrnn, rows)
    single = {i: [_eigenvalues(m) for m in matrices(levels[i])] for i in rows}
    title = f"Eigenvalues on the unit disc: {lrnn.construction or 'custom'}"
    if len(rows) < len(levels):
        title += f", layer {rows[0] + 1}" + f" to {rows[-1] + 1}" * (len(rows) > 1)
        title += f" of {len(levels)}"

    def paint(figure: Figure) -> None:
        grid = figure.subplots(len(rows), 2, squeeze=False)
        for (left, right), i in zip(grid, rows, strict=True):
            _disc(left, f"layer {i + 1}: every action")
            _actions(left, single[i])
            _disc(right, f"layer {i + 1}: products of up to {LENGTH}")
            _cloud(right, products[i])

    return picture(title, (6.4, 3.1 * len(rows)), paint)


def matrices(level: Level) -> list[NDArray[np.float64]]:
    """A(a) of every action, as float64."""
    transition = level.layer.transition
    return [np.asarray(transition.matrix(a)).astype(float) for a in range(transition.n_actions)]


def _eigenvalues(matrix: NDArray[np.float64]) -> list[tuple[complex, int]]:
    """Distinct eigenvalues, to three digits, with their multiplicities."""
    found = np.round(np.linalg.eigvals(matrix), 3) + 0.0
    values, counts = np.unique(found, return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))


def _products(lrnn: LRNN, rows: list[int]) -> dict[int, NDArray[np.complex128]]:
    """Eigenvalues of products of the matrices that the layers use, one after another."""
    from lrnn_theory.tracing import trace

    if lrnn.tail is not None:  # its layers are not drawn, and their tables take time
        output = np.zeros(len(lrnn.tail.contexts), np.int64)
        lrnn = replace(lrnn, tail=None, output=output)
    generator = np.random.default_rng(0)
    word = generator.integers(len(lrnn.letters), size=PRODUCTS + LENGTH)
    run = trace(lrnn, word, "float64")
    found = {}
    for i in rows:
        steps = matrices(lrnn.levels[i])
        eigenvalues = []
        for start in range(PRODUCTS):
            product = np.eye(len(steps[0]))
            for action in run.actions[i][start : start + 1 + start % LENGTH]:
                product = steps[action] @ product
            eigenvalues.append(np.linalg.eigvals(product).astype(complex))
        found[i] = np.unique(np.round(np.concatenate(eigenvalues), 3) + 0.0)
    return found


def _disc(axes: Any, title: str) -> None:
    turn = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(turn), np.sin(turn), color=INK, lw=0.8)
    axes.plot([-1, 1], [0, 0], color=INK, lw=0.5, ls=":")
    axes.plot([0, 0], [-1, 1], color=INK, lw=0.5, ls=":")
    axes.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal", title=title)
    axes.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], yticklabels=["-i", "0", "i"])
    axes.grid(visible=False)


def _actions(axes: Any, spectra: list[list[tuple[complex, int]]]) -> None:
    """Nested markers of several actions on one point; the number says how many eigenvalues."""
    most: dict[complex, int] = {}
    for a, spectrum in enumerate(spectra):
        points = np.array([value for value, _ in spectrum], np.complex128)
        axes.plot(
            points.real,
            points.imag,
            MARKERS[a % len(MARKERS)],
            mfc="none",
            mec=colour(a),
            mew=1.2,
            ms=5 + 2.5 * (a % 5),
            label=f"action {a}" if a < _MAX_LEGEND else None,
            zorder=3,
        )
        for value, count in spectrum:
            most[value] = max(count, most.get(value, 0))
    for value, count in most.items():
        if count > 1:
            axes.annotate(
                f"×{count}", (value.real, value.imag), (7, 7), textcoords="offset points", size=7
            )
    if len(spectra) <= _MAX_LEGEND:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.12), ncols=4, fontsize=7)
    else:
        axes.set(xlabel=f"{len(spectra)} actions")


def _cloud(axes: Any, points: NDArray[np.complex128]) -> None:
    axes.plot(points.real, points.imag, "o", color=colour(0), ms=4, alpha=0.7, mew=0, zorder=3)
