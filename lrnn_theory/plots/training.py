"""Training curves: loss and accuracy against updates, from a log in JSON lines."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.plots.style import Picture, colour, count, picture
from lrnn_theory.textfile import read_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CURVES = ("loss", "accuracy")


def plot_training(path: str | os.PathLike[str]) -> Picture:
    """Loss and accuracy of every seed, thin, and their medians, thick.

    Args:
        path: a log as `lrnn learn` writes it, one JSON object a line: an optional first one without
            `step`, whose `task` names the picture, then `step`, `loss` and `accuracy`, each of the
            last two a number or a list with one for every seed.

    Raises:
        ValueError: if the file cannot be read, or is no such log; the line is named.
    """
    entries = _entries(path)
    task = "training"
    if "step" not in entries[0][1]:
        task = str(entries.pop(0)[1].get("task", task))
    rows = [(number, entry) for number, entry in entries if "step" in entry]
    if not rows:
        raise ValueError(f"Log '{path}' has no line with a 'step'.")
    steps = np.array([_row(entry, "step", number, path) for number, entry in rows])[:, 0]
    curves = {}
    for name in _CURVES:
        values = [_row(entry, name, number, path) for number, entry in rows]
        if len({len(row) for row in values}) > 1:
            raise ValueError(f"Log '{path}' has '{name}' of different numbers of seeds.")
        curves[name] = np.array(values)
    seeds = count(curves["loss"].shape[1], "seed")
    title = f"Training of {task}: {seeds}, {count(int(steps.max()), 'update')}"
    return picture(title, (7, 3), lambda figure: _paint(figure, steps, curves))


def _entries(path: str | os.PathLike[str]) -> list[tuple[int, dict[str, Any]]]:
    """The objects of the lines that are not empty, with the numbers of the lines."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            raise ValueError(f"Line {number} of log '{path}' must be one JSON object.")
        found.append((number, entry))
    if not found:
        raise ValueError(f"Log '{path}' is empty.")
    return found


def _row(
    entry: dict[str, Any], name: str, number: int, path: str | os.PathLike[str]
) -> list[float]:
    value = entry.get(name)
    values: list[Any] = value if isinstance(value, list) else [value]
    numbers = [float(x) for x in values if isinstance(x, (int, float))]
    if not values or len(numbers) < len(values):
        raise ValueError(f"Line {number} of log '{path}' must give '{name}' as numbers.")
    return numbers


def _paint(
    figure: Figure, steps: NDArray[np.float64], curves: dict[str, NDArray[np.float64]]
) -> None:
    panels = figure.subplots(1, len(_CURVES))
    for i, (axes, name) in enumerate(zip(panels, _CURVES, strict=True)):
        values = np.where(np.isfinite(curves[name]), curves[name], np.nan)
        axes.plot(steps, values, color=colour(i), lw=0.6, alpha=0.5)
        axes.plot(steps, np.median(values, axis=1), color=colour(i), lw=2, label="median")
        axes.set(xlabel="updates", ylabel=name)
        axes.legend()
    if (curves["loss"] > 0).all():
        panels[0].set_yscale("log")
    panels[1].set_ylim(-0.03, 1.03)
