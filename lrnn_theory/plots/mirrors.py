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
_APART = 0.15
"""Least distance of two names, as a part of half the picture."""
_KEY = 0.5
"""How long keys are drawn."""

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
        axes.annotate("", tuple(_KEY * k), (0, 0), arrowprops=_arrow(colour(i), 0.9))
    for i, x in enumerate(path):
        axes.annotate("", tuple(x), (0, 0), arrowprops=_arrow(INK, 1.6), zorder=4)
        if i:
            axes.plot(*np.stack([path[i - 1], x]).T, color=colour(i - 1), lw=1.1, ls="--", zorder=3)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    _name(axes, units, path, np.eye(2), reach, 0.12)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2)


def _name(
    axes: Any, units: list[Vector], path: list[Vector], view: Vector, reach: float, gap: float
) -> None:
    """Names of vectors at their tips: one for those that are equal, and none on another one.

    Args:
        axes: where to write.
        units: the directions of the keys.
        path: the other vectors.
        view: (2, n), what is right and what is up in the picture.
        reach: how far the picture goes.
        gap: how far from its tip a name stands.
    """
    names: list[tuple[Vector, str, str]] = []
    for i, x in enumerate(path):
        same = next((j for j, (y, _, _) in enumerate(names) if np.allclose(x, y)), None)
        if same is None:
            names.append((x, f"$h_{i}$", INK))
        else:
            names[same] = (x, f"{names[same][1][:-1]} = h_{i}$", INK)
    names += [(_KEY * k, f"$k_{i + 1}$", colour(i)) for i, k in enumerate(units)]
    taken: list[Vector] = []
    for tip, text, tint in names:
        at = tip * (1 + gap / np.linalg.norm(tip)) if tip.any() else tip
        right, up = view @ at / reach
        beside = np.array([-up, right]) / (np.hypot(right, up) or 1.0)
        for step in (0, 1, -1, 2, -2, 3, -3):
            spot = np.array([right, up]) + step * _APART * beside
            if all(np.linalg.norm(spot - other) > 0.99 * _APART for other in taken):
                break
        taken.append(spot)
        at = at + reach * step * _APART * (view.T @ beside)
        axes.text(*at, text, color=tint, ha="center", va="center", zorder=5)


def _arrow(tint: str, width: float) -> dict[str, Any]:
    return {"arrowstyle": "-|>", "color": tint, "lw": width, "shrinkA": 0, "shrinkB": 0}


def _paint_space(
    figure: Figure, units: list[Vector], eigenvalues: list[float], path: list[Vector]
) -> None:
    from matplotlib.patches import Patch
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)  # names on top
    turn = np.linspace(0, 2 * np.pi, 73)
    legend = []
    for i, (k, value) in enumerate(zip(units, eigenvalues, strict=True)):
        first, second = np.linalg.svd(k[None])[2][1:]
        rim = np.outer(np.cos(turn), first) + np.outer(np.sin(turn), second)
        disc = Poly3DCollection([rim], alpha=0.22, facecolor=colour(i), edgecolor=colour(i))
        axes.add_collection3d(disc)
        axes.quiver(0, 0, 0, *(_KEY * k), color=colour(i), lw=1, arrow_length_ratio=0.15)
        legend.append(Patch(color=colour(i), alpha=0.5, label=_mirror_label(i, value)))
    for i, x in enumerate(path):
        axes.quiver(0, 0, 0, *x, color=INK, lw=1.6, arrow_length_ratio=0.1)
        if i:
            axes.plot(*np.stack([path[i - 1], x]).T, color=colour(i - 1), lw=1.1, ls="--")
    towards = _axis(units) + 0.5 * units[0] + 0.6 * np.cross(_axis(units), units[0])
    towards *= 1 if towards[2] >= 0 else -1  # seen from above
    up, along = np.arcsin(towards[2] / np.linalg.norm(towards)), np.arctan2(towards[1], towards[0])
    axes.view_init(elev=np.degrees(up), azim=np.degrees(along))
    reach = max(1.0, *(float(np.abs(x).max()) for x in path))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    ticks = [-0.5, 0, 0.5]  # none at a corner, where two axes meet
    axes.set(xticks=ticks, yticks=ticks, zticks=ticks)
    axes.set_box_aspect((1, 1, 1))
    right = np.array([-np.sin(along), np.cos(along), 0])
    above = np.cross(towards / np.linalg.norm(towards), right)
    _name(axes, units, path, np.stack([right, above]), 1.5 * reach, 0.2)
    figure.legend(handles=legend, loc="outside lower center", ncols=2)
