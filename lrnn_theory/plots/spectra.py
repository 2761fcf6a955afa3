"""Eigenvalues of transition matrices on the unit disc: of every action, and of products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.plots.style import INK, MARKERS, Picture, colour, picture
from lrnn_theory.tracing import trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 256
"""Largest matrix whose eigenvalues are found, and most actions of a layer that are drawn."""
WORDS = 60
LENGTH = 8
"""How many random words the products are taken along, and their longest length."""
_MAX_LEGEND = 8


def plot_spectrum(lrnn: LRNN, layer: int | None = None) -> Picture:
    """Eigenvalues of a layer's transition matrices, and of their products along words.

    On the left those of every action; on the right those of A(x_t) ... A(x_1), for all words of up
    to `LENGTH` letters if there are at most `WORDS` of them, and otherwise for `WORDS` random ones,
    with the actions that the layer really takes.

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


def _words(n_letters: int) -> list[NDArray[np.int64]]:
    if sum(n_letters**k for k in range(1, LENGTH + 1)) <= WORDS:
        grids = (np.indices((n_letters,) * k).reshape(k, -1).T for k in range(1, LENGTH + 1))
        return [word for grid in grids for word in grid]
    generator = np.random.default_rng(0)
    return [generator.integers(n_letters, size=1 + i % LENGTH) for i in range(WORDS)]


def _products(lrnn: LRNN, rows: list[int]) -> dict[int, NDArray[np.complex128]]:
    """Eigenvalues of products of the matrices that the layers use on words."""
    found: dict[int, list[NDArray[np.complex128]]] = {i: [] for i in rows}
    steps = {i: matrices(lrnn.levels[i]) for i in rows}
    for word in _words(len(lrnn.letters)):
        run = trace(lrnn, [lrnn.letters[a] for a in word], "float64")
        for i in rows:
            product = np.eye(lrnn.levels[i].layer.n)
            for action in run.actions[i]:
                product = steps[i][action] @ product
            found[i].append(np.linalg.eigvals(product).astype(complex))
    return {i: np.unique(np.round(np.concatenate(x), 3) + 0.0) for i, x in found.items()}


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
