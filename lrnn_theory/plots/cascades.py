"""Cascades as coordinate trees: a level of the tree for every level of the cascade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrnn_theory.arguments import check_type
from lrnn_theory.automaton import Automaton
from lrnn_theory.cascade import Cascade, decompose
from lrnn_theory.onehot import is_permutation
from lrnn_theory.plots.style import INK, Picture, colour, count, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LEAVES = 120
"""Most reachable coordinates that a tree shows."""
MAX_LEVELS = 16

Coordinates = tuple[int, ...]


def plot_cascade(automaton: Automaton) -> Picture:
    """The coordinate tree of an automaton's permutation-reset cascade.

    A path from the root gives one coordinate a level, and its leaf the state that they stand for;
    a state may have several leaves.  Coordinates that no word leads to are left out.

    Args:
        automaton: any automaton; what is decomposed is its minimal one with equal letters merged,
            and the states are those of the minimal one.

    Raises:
        ValueError: if there are more than `MAX_LEAVES` reachable coordinates or `MAX_LEVELS`
            levels.

    Example:
        >>> plot_cascade(Automaton.from_regex("(ab)*")).title
        'Cascade of 2 levels, 2 x 2 coordinates'
    """
    check_type("automaton", automaton, Automaton)
    cascade = decompose(automaton.minimize().merge_letters()[1])
    sizes = cascade.sizes
    shape = " x ".join(map(str, sizes)) or "no"
    title = f"Cascade of {count(len(sizes), 'level')}, {shape} coordinates"
    if len(sizes) > MAX_LEVELS:
        raise ValueError(f"Too large to draw: {len(sizes)} levels, more than {MAX_LEVELS}.")
    leaves = sorted(reachable(cascade))
    states = [cascade.decode(leaf) for leaf in leaves]
    accepting = [bool(cascade.automaton.accepting[q]) for q in states]
    names = [f"{_level_kind(cascade, i)}\n{size} coordinates" for i, size in enumerate(sizes)]
    size = (1.5 + 1.25 * max(len(sizes), 1), max(2.0, 0.8 + 0.2 * len(leaves)))
    return picture(title, size, lambda figure: _paint(figure, leaves, states, accepting, names))


def reachable(cascade: Cascade) -> set[Coordinates]:
    """The coordinates that some word leads to.

    Raises:
        ValueError: if there are more than `MAX_LEAVES`.
    """
    found, queue = {cascade.initial}, [cascade.initial]
    for coordinates in queue:
        for letter in range(cascade.automaton.n_letters):
            after = cascade.step(coordinates, letter)
            if after not in found:
                found.add(after)
                queue.append(after)
                if len(found) > MAX_LEAVES:
                    raise ValueError(
                        f"Too large to draw: more than {MAX_LEAVES} reachable coordinates."
                    )
    return found


def _level_kind(cascade: Cascade, i: int) -> str:
    if i >= len(cascade.levels):
        return "of the tail"
    maps = cascade.levels[i].maps
    permutes = [is_permutation(row) and (row != range(len(row))).any() for row in maps]
    resets = [not is_permutation(row) for row in maps]
    words = ["permutes"] * any(permutes) + ["resets"] * any(resets)
    return " and ".join(words) or "stays"


def _paint(
    figure: Figure,
    leaves: list[Coordinates],
    states: list[int],
    accepting: list[bool],
    names: list[str],
) -> None:
    from matplotlib.collections import LineCollection

    axes = figure.subplots()
    axes.set_axis_off()
    depth = len(names)
    place: dict[Coordinates, float] = {leaf: -i for i, leaf in enumerate(leaves)}
    for level in reversed(range(depth)):  # a node stands in the middle of its children
        children: dict[Coordinates, list[float]] = {}
        for node, y in place.items():
            if len(node) == level + 1:
                children.setdefault(node[:-1], []).append(y)
        place |= {node: (min(ys) + max(ys)) / 2 for node, ys in children.items()}
    nodes = [(node, y) for node, y in place.items() if node]
    arms = [[(len(node) - 1, place[node[:-1]]), (len(node), y)] for node, y in nodes]
    axes.add_collection(LineCollection(arms, colors=INK, lw=0.6, alpha=0.6, zorder=1))
    axes.plot([0], [place[()]], "o", color=INK, ms=4, zorder=2)
    colours = [colour(node[-1]) for node, _ in nodes]
    x, ys = [len(node) for node, _ in nodes], [y for _, y in nodes]
    axes.scatter(x, ys, s=121, c="white", edgecolors=colours, lw=1.4, zorder=2)
    for (node, y), shade in zip(nodes, colours, strict=True):
        text = str(node[-1])
        axes.text(len(node), y, text, ha="center", va="center", size=7, color=shade, zorder=3)
    for leaf, state, final in zip(leaves, states, accepting, strict=True):
        text = f"state {state}" + ", accepting" * final
        axes.text(depth + 0.16, place[leaf], text, va="center", fontsize=8)
    top = 1.1 + 0.02 * len(leaves)
    for level, name in enumerate(names, 1):
        axes.text(level, top, f"level {level}\n{name}", ha="center", va="bottom", fontsize=7)
    axes.set(xlim=(-0.3, depth + 1.1), ylim=(-len(leaves) + 0.3, top + 1.6))
