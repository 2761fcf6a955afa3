"""Generalized Householder factors as mirrors, in the plane and in space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.householder import GHProduct
from lrnn_theory.plots.style import INK, Picture, colour, count, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_FACTORS = 6

Vector = NDArray[np.float64]


def plot_reflections(product: GHProduct, start: ArrayLike | None = None) -> Picture:
    """What the factors of a product do to a vector, one after the other; the last acts first.

    A factor I - beta k k^T keeps its mirror, the line or plane orthogonal to k, and multiplies by
    1 - beta |k|^2 along k: -1 reflects, 0 projects.

    Args:
        product: one to `MAX_FACTORS` factors of dimension 2 or 3.
        start: the vector; by default (1, 0.35) in the plane, and one beside the first mirror in
            space.

    Raises:
        ValueError: if the dimension or the number of factors is another.

    Example:
        >>> from lrnn_theory.householder import orthogonal
        >>> plot_reflections(orthogonal([[0, -1], [1, 0]])).title
        '2 generalized Householder factors, with eigenvalues -1, -1'
    """
    n, size = product.n, len(product)
    if n not in (2, 3) or not 1 <= size <= MAX_FACTORS:
        raise ValueError(
            f"A picture of mirrors needs 1 to {MAX_FACTORS} factors of dimension 2 or 3, "
            f"not {size} of dimension {n}."
        )
    keys = np.asarray(product.keys).astype(float)[::-1]
    betas = np.asarray(product.betas).astype(float)[::-1]
    units = [k / np.linalg.norm(k) for k in keys]
    if start is None:
        start = (1, 0.35) if n == 2 else 0.8 * units[0] + 0.4 * _axis(units)
    x = np.asarray(start, float)
    if x.shape != (n,):
        raise ValueError(f"Argument 'start' must have {n} numbers, not shape {x.shape}.")
    path = [x]
    for k, beta in zip(keys, betas, strict=True):
        path.append(path[-1] - beta * k * (k @ path[-1]))
    eigenvalues = [float(x) for x in product.eigenvalues()[::-1]]
    shown = ", ".join(f"{x:.3g}" for x in eigenvalues)
    factors = count(size, "generalized Householder factor")
    title = f"{factors}, with {'eigenvalues' if size > 1 else 'eigenvalue'} {shown}"
    paint = _paint_plane if n == 2 else _paint_space
    return picture(title, (4.6, 4.6), lambda figure: paint(figure, units, eigenvalues, path))


def _axis(units: list[Vector]) -> Vector:
    """A unit vector in the mirrors of the first two keys, or in the only one."""
    across = np.cross(units[0], units[1]) if len(units) > 1 else np.zeros(3)
    if np.linalg.norm(across) < 1e-9:
        across = np.linalg.svd(units[0][None])[2][1]
    return across / np.linalg.norm(across)


def _mirror_label(i: int, eigenvalue: float) -> str:
    return f"factor {i + 1}: eigenvalue {eigenvalue:.3g}"


def _paint_plane(
    figure: Figure, units: list[Vector], eigenvalues: list[float], path: list[Vector]
) -> None:
    axes = figure.subplots()
    reach = 1.25 * max(1.0, *(float(np.linalg.norm(x)) for x in path))
    turn = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(turn), np.sin(turn), color=INK, lw=0.4)
    for i, (k, value) in enumerate(zip(units, eigenvalues, strict=True)):
        line = np.outer([-reach, reach], [-k[1], k[0]])
        axes.plot(*line.T, color=colour(i), lw=1.6, label=_mirror_label(i, value))
        axes.annotate("", tuple(0.5 * k), (0, 0), arrowprops=_arrow(colour(i), 0.9))
        axes.annotate(f"$k_{i + 1}$", tuple(0.58 * k), color=colour(i), ha="center", va="center")
    _walk_plane(axes, path)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06))


def _walk_plane(axes: Any, path: list[Vector]) -> None:
    for i, x in enumerate(path):
        axes.annotate("", x, (0, 0), arrowprops=_arrow(INK, 1.6), zorder=4)
        axes.annotate(f"$h_{i}$", x * (1 + 0.12 / np.linalg.norm(x)) if x.any() else x, zorder=5,
                      ha="center", va="center")  # fmt: skip
        if i:
            axes.plot(*np.stack([path[i - 1], x]).T, color=colour(i - 1), lw=1.1, ls="--", zorder=3)


def _arrow(tint: str, width: float) -> dict[str, Any]:
    return {"arrowstyle": "-|>", "color": tint, "lw": width, "shrinkA": 0, "shrinkB": 0}


def _paint_space(
    figure: Figure, units: list[Vector], eigenvalues: list[float], path: list[Vector]
) -> None:
    from matplotlib.patches import Patch
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    axes: Any = figure.add_subplot(projection="3d")
    turn = np.linspace(0, 2 * np.pi, 73)
    legend = []
    for i, (k, value) in enumerate(zip(units, eigenvalues, strict=True)):
        first, second = np.linalg.svd(k[None])[2][1:]
        rim = np.outer(np.cos(turn), first) + np.outer(np.sin(turn), second)
        disc = Poly3DCollection([rim], alpha=0.22, facecolor=colour(i), edgecolor=colour(i))
        axes.add_collection3d(disc)
        axes.quiver(0, 0, 0, *(0.6 * k), color=colour(i), lw=1, arrow_length_ratio=0.15)
        axes.text(*(0.7 * k), f"$k_{i + 1}$", color=colour(i))
        legend.append(Patch(color=colour(i), alpha=0.5, label=_mirror_label(i, value)))
    for i, x in enumerate(path):
        axes.quiver(0, 0, 0, *x, color=INK, lw=1.6, arrow_length_ratio=0.1)
        axes.text(*(1.25 * x), f"$h_{i}$")
        if i:
            axes.plot(*np.stack([path[i - 1], x]).T, color=colour(i - 1), lw=1.1, ls="--")
    towards = _axis(units) + 0.5 * units[0] + 0.6 * np.cross(_axis(units), units[0])
    towards *= 1 if towards[2] >= 0 else -1  # seen from above
    up, along = np.arcsin(towards[2] / np.linalg.norm(towards)), np.arctan2(towards[1], towards[0])
    axes.view_init(elev=np.degrees(up), azim=np.degrees(along))
    reach = max(1.0, *(float(np.abs(x).max()) for x in path))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], zticks=[-1, 0, 1])
    axes.set_box_aspect((1, 1, 1))
    axes.legend(handles=legend, loc="upper left")
