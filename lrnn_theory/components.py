"""Which blocks a round of cover refinement splits together, and how their states correspond.

Where a letter maps block X *onto* a block Y of the same size, a split of Y must come from the
split of X.  Blocks tied in this way form a component; its *chart* orders the states of every
block (a *frame*) such that, as far as possible, position i goes to position i along those edges.
What remains are permutations of positions: they generate the component's group.

Three policies say which components a round takes; docs/cascades.md states what each promises.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np
from numpy.typing import NDArray

Frame = tuple[int, ...]
"""The states of a block in the order of their positions 0, 1, ..."""
Chart = dict[int, Frame]
"""A frame for every block of a component."""


class BijectionGraph:
    """The blocks that may be split, and the letters that map one of them onto another.

    Args:
        delta: transitions, of shape (letters, states).
        blocks: booleans of shape (blocks, states).
        nodes: the blocks that may be split.
        edges: triples (block, letter, block), of shape (edges, 3), each a bijection.
    """

    def __init__(
        self,
        delta: NDArray[np.int32],
        blocks: NDArray[np.bool_],
        nodes: Iterable[int],
        edges: NDArray[np.int64],
    ) -> None:
        self._delta: list[list[int]] = delta.tolist()
        self._blocks = blocks
        self.nodes = list(nodes)
        self._out: dict[int, list[tuple[int, int]]] = {x: [] for x in self.nodes}
        self._into: dict[int, list[tuple[int, int]]] = {x: [] for x in self.nodes}
        for x, a, y in edges.tolist():
            self._out[x].append((a, y))
            self._into[y].append((a, x))

    def carry(self, frame: Frame, letter: int) -> Frame:
        """The frame after every state has read `letter`."""
        row = self._delta[letter]
        return tuple([row[q] for q in frame])

    def _carry_back(self, frame: Frame, letter: int, node: int) -> Frame:
        row = self._delta[letter]
        before = {row[q]: q for q in self._states(node)}
        return tuple([before[q] for q in frame])

    def _states(self, node: int) -> Frame:
        return tuple(np.flatnonzero(self._blocks[node]).tolist())

    def chart(self, root: int, inside: Collection[int]) -> Chart:
        """Frames of the blocks tied to `root` by edges inside a set, breadth first from it.

        An edge may be walked against its direction: its bijection is inverted.
        """
        chart = {root: self._states(root)}
        queue = [root]
        for x in queue:
            for a, y in self._out[x]:
                if y in inside and y not in chart:
                    chart[y] = self.carry(chart[x], a)
                    queue.append(y)
            for a, w in self._into[x]:
                if w in inside and w not in chart:
                    chart[w] = self._carry_back(chart[x], a, w)
                    queue.append(w)
        return chart

    def is_straight(self, chart: Chart) -> bool:
        """Whether all edges inside a chart keep positions: its group is trivial."""
        return all(
            self.carry(frame, a) == chart[y]
            for x, frame in chart.items()
            for a, y in self._out[x]
            if y in chart
        )

    def entering(self, part: Collection[int]) -> list[tuple[int, int, int]]:
        """Edges into a set of blocks from outside it."""
        inside = set(part)
        return [(x, a, y) for y in part for a, x in self._into[y] if x not in inside]

    def strong_components(self) -> list[list[int]]:
        """Strongly connected components, sources first (Kosaraju and Sharir)."""
        finished: list[int] = []
        unseen = set(self.nodes)
        for root in self.nodes:
            if root not in unseen:
                continue
            unseen.remove(root)
            stack = [(root, iter(self._out[root]))]
            while stack:
                node, edges = stack[-1]
                fresh = next((y for _, y in edges if y in unseen), None)
                if fresh is None:
                    finished.append(node)
                    stack.pop()
                else:
                    unseen.remove(fresh)
                    stack.append((fresh, iter(self._out[fresh])))
        parts: list[list[int]] = []
        remaining = set(finished)
        for root in reversed(finished):
            if root not in remaining:
                continue
            remaining.remove(root)
            part = [root]
            for y in part:
                before = dict.fromkeys(x for _, x in self._into[y] if x in remaining)
                part += before
                remaining.difference_update(before)
            parts.append(part)
        return parts


def weak(graph: BijectionGraph) -> list[Chart]:
    """All blocks, in components of the undirected graph: fewest levels."""
    nodes = set(graph.nodes)
    charts: list[Chart] = []
    seen: set[int] = set()
    for root in graph.nodes:
        if root not in seen:
            charts.append(graph.chart(root, nodes))
            seen.update(charts[-1])
    return charts


def strong(graph: BijectionGraph) -> list[Chart]:
    """Strongly connected components that no edge enters: every group divides the monoid."""
    parts = graph.strong_components()
    return [graph.chart(min(p), set(p)) for p in parts if not graph.entering(p)]


def faithful(graph: BijectionGraph) -> list[Chart]:
    """As `strong`, and what follows group-free components without making a permutation.

    A component below is added if its own group and those of all components above it are trivial,
    these were all added, and the edges from any one chart above agree on where its positions go.
    The charts above are then relabelled accordingly, and become one chart with it.
    """
    straight: dict[int, Chart] = {}
    twisted: list[Chart] = []
    for part in graph.strong_components():
        chart = graph.chart(min(part), set(part))
        entering = graph.entering(part)
        if not graph.is_straight(chart):
            if not entering:
                twisted.append(chart)
            continue
        if any(x not in straight for x, _, _ in entering):
            continue
        orders: dict[int, set[tuple[int, ...]]] = {}
        for x, a, y in entering:
            order = _positions(chart[y], graph.carry(straight[x][x], a))
            orders.setdefault(id(straight[x]), set()).add(order)
        if any(len(proposed) > 1 for proposed in orders.values()):
            continue
        above = {id(straight[x]): straight[x] for x, _, _ in entering}
        for key, upper in above.items():
            (order,) = orders[key]
            chart.update({x: _relabelled(frame, order) for x, frame in upper.items()})
        straight.update(dict.fromkeys(chart, chart))
    return [*twisted, *{id(chart): chart for chart in straight.values()}.values()]


def _positions(frame: Frame, states: Frame) -> tuple[int, ...]:
    place = {q: i for i, q in enumerate(frame)}
    return tuple([place[q] for q in states])


def _relabelled(frame: Frame, order: tuple[int, ...]) -> Frame:
    """The frame in which the state at position i stands at position `order[i]`."""
    return tuple(q for _, q in sorted(zip(order, frame, strict=True)))


POLICIES: dict[str, Callable[[BijectionGraph], list[Chart]]] = {
    "weak": weak,
    "strong": strong,
    "faithful": faithful,
}
