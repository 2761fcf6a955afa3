"""One round of cover refinement: split blocks of states into tiles, and get one cascade level.

Above its level l a cascade knows that the state lies in a *block*.  A *context* (X, a, Y) says
that the state was in X, the letter a came, and the state is in Y; always X·a ⊆ Y.  A round covers
blocks by proper subsets, *tiles*; the level's coordinate numbers the tile that has the state.  A
letter permutes the tiles where X·a = Y, and elsewhere resets to one tile that contains X·a.

Refining covers is an idea of Zeiger's (Cascade synthesis of finite-state machines, Information
and Control 10, 1967) and Ginzburg's (Algebraic Theory of Automata, 1968).  docs/cascades.md
has this algorithm step by step, its proofs, and what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.components import POLICIES, BijectionGraph, Chart

Bools = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Level:
    """One permutation-reset level of a cascade.

    Attributes:
        size: number of coordinates 0, ..., size - 1; at least 2.
        maps: int32 of shape (actions, size), the distinct actions: coordinate i goes to
            `maps[action, i]`.  Each row is a permutation, or a constant (a reset).
        action: int32 of shape (contexts,), the action of every context of this level.
        next: int32 of shape (contexts, size), the context of the next level, given the
            coordinate of this level *before* the letter; -1 where that coordinate cannot occur.
        free: booleans of shape (contexts,): where the block after the letter is not split, so
            that the coordinate means nothing until the next reset and any action would do.
    """

    size: int
    maps: NDArray[np.int32]
    action: NDArray[np.int32]
    next: NDArray[np.int32]
    free: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cover:
    """What a cascade knows between two levels.

    Attributes:
        blocks: booleans of shape (blocks, states): distinct sets of states, each the set of all
            states that occur there.
        contexts: integers of shape (contexts, 3): the distinct triples (block, letter, block)
            that occur, in lexicographic order.
        initial: the block of the initial state.
    """

    blocks: Bools
    contexts: Indices
    initial: int

    @classmethod
    def trivial(cls, n_letters: int, n_states: int) -> Cover:
        """One block of all states (each reachable); the context of letter a has index a."""
        contexts = np.zeros((n_letters, 3), np.int64)
        contexts[:, 1] = np.arange(n_letters)
        return cls(np.ones((1, n_states), np.bool_), contexts, 0)

    @property
    def largest(self) -> int:
        """Number of states of the largest block."""
        return int(self.blocks.sum(axis=1).max())

    def work(self, size: int) -> int:
        """Table entries and block members that a level of `size` coordinates has to write."""
        return size * (len(self.contexts) + self.blocks.size)


def refine(
    delta: NDArray[np.int32], state: int, cover: Cover, policy: str, work: int
) -> tuple[Level, int, Cover] | None:
    """Split the blocks that `policy` chooses.

    Args:
        delta: transitions, of shape (letters, states).
        state: the initial state.
        cover: the cover to refine; it has a block of several states.
        policy: a key of `components.POLICIES`.
        work: the most `Cover.work` that the level may take.

    Returns:
        The level, its initial coordinate and the finer cover; None if it takes more work.

    Example:
        >>> delta = np.array([[0, 1], [1, 0]], np.int32)
        >>> level, coordinate, finer = refine(delta, 0, Cover.trivial(2, 2), "weak", 100)
        >>> level.maps.tolist(), coordinate, finer.largest
        ([[0, 1], [1, 0]], 0, 1)
    """
    old, letter, new = cover.contexts.T
    images = letter_images(delta, cover.blocks)
    size = cover.blocks.sum(axis=1)
    onto = (images.sum(axis=2)[old, letter] == size[new]) & (size[new] > 1)
    expandable = _expandable(size, old[onto], new[onto])
    edges = cover.contexts[onto & expandable[new]]
    nodes = np.flatnonzero(expandable).tolist()
    charts = POLICIES[policy](BijectionGraph(delta, cover.blocks, nodes, edges))
    layout = _Layout.of(charts, cover.blocks.shape)
    split = layout.component >= 0

    # Along an edge, a letter moves positions.  Into any other split block, it resets: it asks for
    # a tile that contains some positions.
    edge = np.flatnonzero(onto & split[new])
    shift = layout.shift(delta, cover.contexts[edge])
    moving = np.flatnonzero((shift != np.arange(shift.shape[1])).any(axis=1))
    moved_in = layout.component[new[edge[moving]]].tolist()
    twists = list(zip(moved_in, map(tuple, shift[moving].tolist()), strict=True))
    reset = np.flatnonzero(split[new] & ~onto)
    wanted = np.take_along_axis(images[old[reset], letter[reset]], layout.frame[new[reset]], axis=1)
    requests = list(zip(layout.component[new[reset]].tolist(), bitmasks(wanted), strict=True))
    position = int(layout.place[cover.initial, state])
    if split[cover.initial]:
        requests.append((int(layout.component[cover.initial]), 1 << position))

    tiles = _tiles_by_component(charts, requests, twists)
    width = max(map(len, tiles))
    if cover.work(width) > work:
        return None
    answers = {(k, r): _smallest_tile(tiles[k], r) for k, r in dict.fromkeys(requests)}
    answer = np.array([answers[request] for request in requests], np.int64)
    coordinate = int(answer[-1]) if split[cover.initial] else 0
    answer = answer[: len(reset)]

    # A context whose new block is not split keeps the coordinate, which is not read before the
    # next reset; the identity costs a network nothing.
    actions: dict[tuple[int, ...], int] = {tuple(range(width)): 0}
    resets = np.array([actions.setdefault((j,) * width, len(actions)) for j in range(width)])
    turns = {twist: _turn(tiles[twist[0]], twist[1], width) for twist in dict.fromkeys(twists)}
    action = np.zeros(len(old), np.int64)
    action[reset] = resets[answer]
    action[edge[moving]] = [actions.setdefault(turns[twist], len(actions)) for twist in twists]
    used, action = np.unique(action, return_inverse=True)
    maps = np.array(list(actions), np.int32)[used]

    # The positions that occur in the tiles: those asked for, and what edges make of them.
    occupied = np.zeros((len(size), width, shift.shape[1]), np.bool_)
    row, asked = np.nonzero(wanted)
    occupied[new[reset[row]], answer[row], asked] = True
    if split[cover.initial]:
        occupied[cover.initial, coordinate, position] = True
    _propagate(occupied, old[edge], new[edge], maps[action[edge]], shift)
    blocks, child = _children(cover.blocks, split, layout.frame, occupied)
    table, contexts = _contexts(cover.contexts, maps[action], child, len(blocks), len(delta))
    finer = Cover(blocks, contexts, int(child[cover.initial, coordinate]))
    level = Level(width, maps, action.astype(np.int32), table, ~split[new])
    return level, coordinate, finer


def letter_images(delta: NDArray[np.int32], blocks: Bools) -> Bools:
    """The image of every block under every letter, (blocks, letters, states + 1).

    The last column is False, for the padding of frames.
    """
    images = np.zeros((len(blocks), len(delta), blocks.shape[1] + 1), np.bool_)
    for a, row in enumerate(delta):
        order = np.argsort(row, kind="stable")
        targets, starts = np.unique(row[order], return_index=True)
        images[:, a, targets] = np.logical_or.reduceat(blocks[:, order], starts, axis=1)
    return images


def _expandable(size: Indices, old: Indices, new: Indices) -> Bools:
    """Blocks of several states that no path of surjections enters from a larger block."""
    blocked = np.zeros(len(size), np.bool_)
    blocked[new[size[old] > size[new]]] = True
    while (fresh := blocked[old] & ~blocked[new]).any():
        blocked[new[fresh]] = True
    return (size > 1) & ~blocked


@dataclass(frozen=True, eq=False)
class _Layout:
    """Charts as arrays.

    Attributes:
        component: of shape (blocks,), the chart of a block, or -1.
        frame: of shape (blocks, positions), the state at a position; padded with the number of
            states, which is no state.
        place: of shape (blocks, states + 1), the position of a state, if it is in the block.
    """

    component: Indices
    frame: Indices
    place: Indices

    @classmethod
    def of(cls, charts: list[Chart], shape: tuple[int, ...]) -> _Layout:
        n_blocks, n_states = shape
        width = max(len(frame) for chart in charts for frame in chart.values())
        component = np.full(n_blocks, -1)
        frame = np.full((n_blocks, width), n_states)
        for k, chart in enumerate(charts):
            blocks = list(chart)
            component[blocks] = k
            frame[blocks, : len(chart[blocks[0]])] = list(chart.values())
        place = np.zeros((n_blocks, n_states + 1), np.int64)
        np.put_along_axis(place, frame, np.arange(width)[None], axis=1)
        return cls(component, frame, place)

    def shift(self, delta: NDArray[np.int32], edges: Indices) -> Indices:
        """Where every position goes along edges (block, letter, block), (edges, positions)."""
        old, letter, new = edges.T
        nowhere = np.full(len(delta), delta.shape[1])
        carried = np.column_stack([delta, nowhere])[letter[:, None], self.frame[old]]
        shift = np.take_along_axis(self.place[new], carried, axis=1)
        return np.where(carried == delta.shape[1], np.arange(shift.shape[1]), shift)


# ------------------------------------------------------------------ tiles, as sets of positions


def bitmasks(rows: Bools) -> list[int]:
    """Every row of booleans as an integer; column i is bit i."""
    packed = np.packbits(rows, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _tiles_by_component(
    charts: list[Chart],
    requests: list[tuple[int, int]],
    twists: list[tuple[int, tuple[int, ...]]],
) -> list[list[int]]:
    wanted: list[list[int]] = [[] for _ in charts]
    for k, request in dict.fromkeys(requests):
        wanted[k].append(request)
    generators: list[list[tuple[int, ...]]] = [[] for _ in charts]
    for k, twist in dict.fromkeys(twists):
        generators[k].append(twist)
    return [
        _tiles(len(next(iter(chart.values()))), wanted[k], generators[k])
        for k, chart in enumerate(charts)
    ]


def _tiles(
    width: int, requests: Collection[int], generators: Sequence[tuple[int, ...]]
) -> list[int]:
    """The maximal sets of the closure of `requests` under the group of `generators`.

    If there are more than `width` of them, all sets of width - 1 positions serve instead: every
    permutation permutes these, and one of them contains any request.
    """
    tiles: list[int] = []
    for request in sorted(requests, key=lambda r: (-r.bit_count(), r)):
        if any(request & ~tile == 0 for tile in tiles):
            continue
        orbit = [request]
        seen = {request}
        for tile in orbit:
            for permutation in generators:
                image = _permuted(tile, permutation)
                if image not in seen:
                    seen.add(image)
                    orbit.append(image)
            if len(tiles) + len(orbit) > width:
                everything = (1 << width) - 1
                return [everything ^ (1 << i) for i in reversed(range(width))]
        tiles += orbit
    return sorted(tiles, key=lambda tile: (-tile.bit_count(), tile))


def _permuted(positions: int, permutation: tuple[int, ...]) -> int:
    if 2 * positions.bit_count() > len(permutation):  # the complement is quicker to move
        everything = (1 << len(permutation)) - 1
        return everything ^ _permuted(everything ^ positions, permutation)
    image = 0
    while positions:
        lowest = positions & -positions
        image |= 1 << permutation[lowest.bit_length() - 1]
        positions ^= lowest
    return image


def _smallest_tile(tiles: list[int], request: int) -> int:
    return min(
        (i for i, tile in enumerate(tiles) if request & ~tile == 0),
        key=lambda i: (tiles[i].bit_count(), i),
    )


def _turn(tiles: list[int], permutation: tuple[int, ...], width: int) -> tuple[int, ...]:
    """How a permutation of positions permutes the tiles; the unused coordinates stay."""
    index = {tile: i for i, tile in enumerate(tiles)}
    return (*(index[_permuted(tile, permutation)] for tile in tiles), *range(len(tiles), width))


# ------------------------------------------------------------------ the finer cover


def _propagate(
    occupied: Bools, old: Indices, new: Indices, turn: NDArray[np.int32], shift: Indices
) -> None:
    """Carry occupied (block, tile, position) along edges until nothing is new, in place."""
    order = np.argsort(old, kind="stable")
    first = np.searchsorted(old[order], np.arange(len(occupied) + 1))
    flat = occupied.reshape(-1)
    found = np.flatnonzero(flat)
    while found.size:
        flat[found] = True
        block, tile, position = np.unravel_index(found, occupied.shape)
        count = first[block + 1] - first[block]
        source = np.repeat(np.arange(len(found)), count)
        offset = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
        edge = order[first[block[source]] + offset]
        target = (new[edge], turn[edge, tile[source]], shift[edge, position[source]])
        index = np.ravel_multi_index(target, occupied.shape)
        found = np.sort(index[~flat[index]])  # np.unique hashes, a hundred times slower
        found = found[np.diff(found, prepend=-1) > 0]


def _children(
    blocks: Bools, split: Bools, frame: Indices, occupied: Bools
) -> tuple[Bools, Indices]:
    """Distinct blocks of the finer cover, and the one at (block, coordinate), -1 if none.

    A block that is not split is its own child at every coordinate.
    """
    block, tile = np.nonzero(occupied.any(axis=2))
    sets = np.zeros((len(block), blocks.shape[1] + 1), np.bool_)
    np.put_along_axis(sets, frame[block], occupied[block, tile], axis=1)
    rows = np.concatenate([blocks[~split], sets[:, :-1]])
    number: dict[bytes, int] = {}
    packed = np.packbits(rows, axis=1)
    index = np.array([number.setdefault(row.tobytes(), len(number)) for row in packed])
    child = np.full(occupied.shape[:2], -1)
    n_whole = len(rows) - len(block)
    child[~split] = index[:n_whole, None]
    child[block, tile] = index[n_whole:]
    return rows[np.unique(index, return_index=True)[1]], child


def _contexts(
    contexts: Indices,
    moved: NDArray[np.int32],
    child: Indices,
    n_blocks: int,
    n_letters: int,
) -> tuple[NDArray[np.int32], Indices]:
    """The table of next contexts, and the distinct triples that they are."""
    old, letter, new = contexts.T
    context, previous = np.nonzero(child[old] >= 0)
    before = child[old[context], previous]
    after = child[new[context], moved[context, previous]]
    key = (before * n_letters + letter[context]) * n_blocks + after
    distinct, index = np.unique(key, return_inverse=True)
    table = np.full(moved.shape, -1, np.int32)
    table[context, previous] = index
    pair, after = np.divmod(distinct, n_blocks)
    return table, np.column_stack([*np.divmod(pair, n_letters), after])
