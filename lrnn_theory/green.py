"""Green's classes of a transition monoid, from its two Cayley graphs.

Elements are R-equivalent if each is a right multiple of the other, L-equivalent with left for
right, H-equivalent if both, D-equivalent if R and L together join them; in a finite monoid D is
two-sided, J.  A D-class is a grid, its *egg-box*: R-classes are the rows, L-classes the columns,
and the cells H-classes, all of one size.  A D-class is regular if it has an idempotent; the
H-classes of its idempotents are then isomorphic groups, the maximal subgroups.

The algorithm and its proof, and sources: docs/analysis.md, section 2.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.groups import TRIVIAL_GROUP, GroupFacts, Rows, keys, permutation_group_facts

MAX_EDGES = 16_000_000
"""Largest number of edges (elements x generators) of a Cayley graph."""

Indices = NDArray[np.int64]
Graph = NDArray[np.int32]


@dataclass(frozen=True)
class EggBox:
    """The shape of a D-class.

    Attributes:
        size: number of elements.
        r_classes: number of R-classes, the rows.
        l_classes: number of L-classes, the columns.
        h_order: number of elements of every H-class.
        group: the maximal subgroups, up to isomorphism; None if the D-class is not regular.
        count: number of D-classes of this shape.
    """

    size: int
    r_classes: int
    l_classes: int
    h_order: int
    group: GroupFacts | None
    count: int


@dataclass(frozen=True)
class GreenClasses:
    """Green's classes in numbers.

    Attributes:
        r_classes: number of R-classes.
        l_classes: number of L-classes.
        h_classes: number of H-classes.
        d_classes: number of D-classes.
        regular_d_classes: number of D-classes that have an idempotent.
        boxes: the shapes of the D-classes, by decreasing order of the H-classes, then size.
    """

    r_classes: int
    l_classes: int
    h_classes: int
    d_classes: int
    regular_d_classes: int
    boxes: tuple[EggBox, ...]

    @property
    def groups(self) -> tuple[GroupFacts, ...]:
        """The maximal subgroups, largest first; those of which the same is known are one."""
        found = dict.fromkeys(box.group for box in self.boxes if box.group is not None)
        return tuple(sorted(found, key=lambda g: (-(g.order or 0), str(g.name))))

    @classmethod
    def of_group(cls, facts: GroupFacts) -> GreenClasses | None:
        """Those of a group, which is one H-class; None if its order is not known."""
        if facts.order is None:
            return None
        return cls(1, 1, 1, 1, 1, (EggBox(facts.order, 1, 1, facts.order, facts, 1),))


def green_classes(elements: Rows, generators: Rows, seconds: float) -> GreenClasses | None:
    """Green's classes of a monoid of maps.

    Args:
        elements: all elements, the identity first, then in the order in which words of the
            generators find them, shortest words first (`groups.closure`), (elements, states).
        generators: maps that generate it, (generators, states).
        seconds: most time to spend.

    Returns:
        The classes; None if there are more than `MAX_EDGES` edges or time is up.

    Example:
        >>> from lrnn_theory.groups import closure
        >>> flip_flop = np.array([[0, 0], [1, 1]], np.uint8)
        >>> classes = green_classes(closure(flip_flop, 10)[0], flip_flop, seconds=1.0)
        >>> classes.d_classes, classes.r_classes, classes.l_classes
        (2, 2, 3)
    """
    if len(elements) * len(generators) > MAX_EDGES:
        return None
    try:
        return _classes(elements, generators, _Clock(time.monotonic() + seconds))
    except _TimeIsUpError:
        return None


class _TimeIsUpError(Exception):
    pass


@dataclass(frozen=True)
class _Clock:
    deadline: float = math.inf

    def check(self) -> None:
        if time.monotonic() > self.deadline:
            raise _TimeIsUpError


def _classes(elements: Rows, generators: Rows, clock: _Clock) -> GreenClasses:
    images = np.zeros(elements.shape, np.bool_)
    np.put_along_axis(images, elements, True, axis=1)
    rank = images.sum(axis=1)
    right = right_cayley_graph(elements, generators, clock)
    r_class = _one_sided(right, _numbers(np.packbits(images, axis=1)), rank, clock)
    left = left_cayley_graph(right, clock)
    del right
    l_class = _one_sided(left, _numbers(_kernels(elements, clock)), rank, clock)
    del left
    rows, columns = int(r_class.max()) + 1, int(l_class.max()) + 1
    joined = connected_components(rows + columns, r_class, l_class + rows)
    d_class = joined[r_class]
    size = np.bincount(d_class)
    height = np.bincount(joined[:rows])
    width = np.bincount(joined[rows:])
    order = size // (height * width)
    clock.check()

    # One idempotent for every regular D-class; its H-class is a group that permutes its image.
    square = np.take_along_axis(elements, elements, axis=1)
    idempotents = np.flatnonzero((square == elements).all(axis=1))
    regular, first = np.unique(d_class[idempotents], return_index=True)
    groups: list[GroupFacts | None] = [None] * len(size)
    cell = r_class * columns + l_class
    by_cell = np.argsort(cell, kind="stable")
    start = np.searchsorted(cell[by_cell], cell[idempotents[first]])
    known: dict[tuple[tuple[int, ...], bytes], GroupFacts] = {}
    for d, e, i in zip(regular.tolist(), idempotents[first].tolist(), start.tolist(), strict=True):
        groups[d] = TRIVIAL_GROUP
        if order[d] > 1:
            clock.check()
            members = elements[by_cell[i : i + order[d]]][:, images[e]]
            place = np.cumsum(images[e]) - 1
            permutations = place[members].astype(elements.dtype)
            key = permutations.shape, b"".join(sorted(keys(permutations)))
            if key not in known:
                facts = permutation_group_facts(permutations)
                known[key] = replace(facts, order=int(order[d]))  # told of any number of points
            groups[d] = known[key]
    shapes = Counter(
        zip(size.tolist(), height.tolist(), width.tolist(), order.tolist(), groups, strict=True)
    )
    boxes = [EggBox(*shape, count) for shape, count in shapes.items()]
    boxes.sort(key=lambda b: (-b.h_order, -b.size, -b.r_classes, b.group is None, str(b.group)))
    h_classes = int((height * width).sum())
    return GreenClasses(rows, columns, h_classes, len(size), len(regular), tuple(boxes))


def right_cayley_graph(elements: Rows, generators: Rows, clock: _Clock) -> Graph:
    """The number of x a for every element x and generator a, (elements, generators)."""
    number = {key: i for i, key in enumerate(keys(elements))}
    graph = np.empty((len(elements), len(generators)), np.int32)
    step = max(1, 2**20 // elements.shape[1])
    for j, generator in enumerate(generators):
        for i in range(0, len(elements), step):
            clock.check()
            products = keys(generator[elements[i : i + step]])
            graph[i : i + step, j] = [number[key] for key in products]
    return graph


def left_cayley_graph(right: Graph, clock: _Clock) -> Graph:
    """The number of a x for every element x and generator a, from that of x a.

    An element other than the identity was found as y b: a (y b) = (a y) b (Froidure and Pin 1997).
    """
    n, k = right.shape
    found = np.empty(n, np.int64)
    found[right.ravel()[::-1]] = np.arange(n * k)[::-1]  # where it occurs first
    before, last = np.divmod(found, k)
    left = np.empty_like(right)
    left[0] = right[0]
    start = 1
    while start < n:
        clock.check()
        end = 1 + int(np.searchsorted(before[1:], start))
        new = slice(start, end)
        left[new] = right[left[before[new]], last[new, None]]
        start = end
    return left


def _one_sided(graph: Graph, mark: Indices, rank: Indices, clock: _Clock) -> Indices:
    """The R-class of every element, from the right Cayley graph and the elements' images.

    Or its L-class, from the left Cayley graph and the kernels.  A letter stays in the class if
    and only if it leads to an image (a kernel) from which words lead back without loss of rank.
    """
    sample = np.unique(mark, return_index=True)[1]
    target = mark[graph[sample]]
    # An edge that loses rank never leads back; leaving it out saves time.
    onward = (rank[graph[sample]] == rank[sample, None]) & (
        target != np.arange(len(sample))[:, None]
    )
    source, letter = np.nonzero(onward)
    clock.check()
    arrows = np.unique(source * len(sample) + target[source, letter])
    source, end = np.divmod(arrows, len(sample))
    out = np.split(end, np.searchsorted(source, np.arange(1, len(sample))))
    part = np.array(strong_components([x.tolist() for x in out], clock))[mark]
    clock.check()
    element, letter = np.nonzero(part[graph] == part[:, None])
    return connected_components(len(graph), element, graph[element, letter])


def strong_components(out: list[list[int]], clock: _Clock | None = None) -> list[int]:
    """Number of the strongly connected component of every node (Gabow 2000), in linear time.

    Args:
        out: for every node, where its edges lead.
        clock: raises an exception when time is up.

    Example:
        >>> strong_components([[1], [2], [1], [0]])
        [1, 0, 0, 2]
    """
    preorder = [0] * len(out)
    component = [-1] * len(out)
    seen = components = 0
    open_nodes: list[int] = []  # without a component, in preorder
    bounds: list[int] = []  # preorder of the first node of each possible component
    for root in range(len(out)):
        if preorder[root]:
            continue
        if clock is not None:
            clock.check()
        path, edges = [root], [iter(out[root])]
        seen += 1
        preorder[root] = seen
        open_nodes.append(root)
        bounds.append(seen)
        while path:
            for y in edges[-1]:
                if not preorder[y]:
                    path.append(y)
                    edges.append(iter(out[y]))
                    seen += 1
                    preorder[y] = seen
                    open_nodes.append(y)
                    bounds.append(seen)
                    break
                if component[y] < 0:
                    while bounds[-1] > preorder[y]:
                        bounds.pop()
            else:
                x = path.pop()
                edges.pop()
                if bounds[-1] == preorder[x]:
                    bounds.pop()
                    while component[x] < 0:
                        component[open_nodes.pop()] = components
                    components += 1
    return component


def connected_components(
    n: int, source: NDArray[np.integer[Any]], end: NDArray[np.integer[Any]]
) -> Indices:
    """Number of the connected component of each of n nodes, by edges in either direction.

    Every root is hooked to its smallest neighbour, then paths are halved, until nothing moves.

    Example:
        >>> connected_components(5, np.array([0, 3]), np.array([4, 1])).tolist()
        [0, 1, 2, 1, 0]
    """
    root = np.arange(n)
    while source.size:
        source, end = root[source], root[end]
        apart = source != end
        source, end = source[apart], end[apart]
        np.minimum.at(root, np.maximum(source, end), np.minimum(source, end))
        while not np.array_equal(up := root[root], root):
            root = up
    return np.unique(root, return_inverse=True)[1]


def _kernels(elements: Rows, clock: _Clock) -> Rows:
    """For every map x, the map that takes q to the first state with the image x(q)."""
    first = np.zeros_like(elements)
    rows = np.arange(len(elements))
    for q in reversed(range(elements.shape[1])):
        clock.check()
        first[rows, elements[:, q]] = q
    return np.take_along_axis(first, elements, axis=1)


def _numbers(rows: Rows) -> Indices:
    """Equal numbers 0, 1, ... for equal rows."""
    number: dict[bytes, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys(rows)])
