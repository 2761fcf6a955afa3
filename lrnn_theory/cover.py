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
from itertools import chain

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
    """

    size: int
    maps: NDArray[np.int32]
    action: NDArray[np.int32]
    next: NDArray[np.int32]


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
    n_letters, n_states = delta.shape
    old, letter, new = cover.contexts.T
    images = _images(delta, cover.blocks)
    size = cover.blocks.sum(axis=1)
    onto = (images.sum(axis=2)[old, letter] == size[new]) & (size[new] > 1)
    expandable = _expandable(size, old[onto], new[onto])
    edge = np.flatnonzero(onto & expandable[new])
    nodes = np.flatnonzero(expandable).tolist()
    charts = POLICIES[policy](BijectionGraph(delta, cover.blocks, nodes, cover.contexts[edge]))
    component, frame = _frames(charts, len(size), n_states)
    place = np.zeros((len(size), n_states + 1), np.int64)
    np.put_along_axis(place, frame, np.arange(frame.shape[1])[None], axis=1)
    split = component >= 0

    # Along an edge, a letter permutes positions; the edges where it moves some are "twisted".
    twisted = edge[split[new[edge]]]
    padded = np.column_stack([delta, np.full(n_letters, n_states)])
    carried = padded[letter[twisted, None], frame[old[twisted]]]
    moving = (carried != frame[new[twisted]]).any(axis=1)
    twisted, carried = twisted[moving], carried[moving]
    twists = [
        (k, tuple(row[: len(next(iter(charts[k].values())))]))
        for k, row in zip(
            component[new[twisted]].tolist(),
            np.take_along_axis(place[new[twisted]], carried, axis=1).tolist(),
            strict=True,
        )
    ]
    # Into a split block without an edge, it asks for a tile that contains a set of positions.
    reset = np.flatnonzero(split[new] & ~onto)
    wanted = np.take_along_axis(images[old[reset], letter[reset]], frame[new[reset]], axis=1)
    requests = list(zip(component[new[reset]].tolist(), bitmasks(wanted), strict=True))
    if split[cover.initial]:
        position = int(place[cover.initial, state])
        requests.append((int(component[cover.initial]), 1 << position))

    tiles = _tiles_by_component(charts, requests, twists)
    width = max(map(len, tiles))
    if cover.work(width) > work:
        return None
    answers = {(k, r): _smallest_tile(tiles[k], r) for k, r in dict.fromkeys(requests)}
    answer = np.array([answers[request] for request in requests], np.int64)
    coordinate = int(answer[-1]) if split[cover.initial] else 0

    # A context whose new block is not split keeps the coordinate, which is not read before the
    # next reset; the identity costs a network nothing.
    actions: dict[tuple[int, ...], int] = {tuple(range(width)): 0}
    resets = np.array([actions.setdefault((j,) * width, len(actions)) for j in range(width)])
    turns = {twist: _turn(tiles[twist[0]], twist[1], width) for twist in dict.fromkeys(twists)}
    action = np.zeros(len(old), np.int64)
    action[reset] = resets[answer[: len(reset)]]
    action[twisted] = [actions.setdefault(turns[twist], len(actions)) for twist in twists]
    used, action = np.unique(action, return_inverse=True)
    maps = np.array(list(actions), np.int32)[used]

    blocks, child = _children(cover.blocks, component, frame, tiles)
    context, previous = np.nonzero(child[old] >= 0)
    finer_contexts, index = _distinct_contexts(
        child[old[context], previous],
        letter[context],
        child[new[context], maps[action[context], previous]],
        (len(blocks), n_letters),
    )
    finer = Cover(blocks, finer_contexts, int(child[cover.initial, coordinate]))
    finer, kept = _pruned(delta, state, finer)
    table = np.full((len(old), width), -1, np.int32)
    table[context, previous] = kept[index]
    return Level(width, maps, action.astype(np.int32), table), coordinate, finer


def _images(delta: NDArray[np.int32], blocks: Bools) -> Bools:
    """The image of every block under every letter, (blocks, letters, states + 1)."""
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


def _frames(charts: list[Chart], n_blocks: int, n_states: int) -> tuple[Indices, Indices]:
    """The component of every block, or -1, and its frame padded with the no-state n_states."""
    width = max(len(frame) for chart in charts for frame in chart.values())
    component = np.full(n_blocks, -1)
    frames = np.full((n_blocks, width), n_states)
    for k, chart in enumerate(charts):
        blocks = list(chart)
        component[blocks] = k
        frames[blocks, : len(chart[blocks[0]])] = list(chart.values())
    return component, frames


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


def _children(
    blocks: Bools, component: Indices, frame: Indices, tiles: list[list[int]]
) -> tuple[Bools, Indices]:
    """Distinct blocks of the finer cover, and the one at (block, coordinate), -1 if none.

    A block that is not split is its own child at every coordinate.
    """
    count = np.array([*map(len, tiles), 0])[component]
    first = np.cumsum([0, *map(len, tiles)])
    n_bytes = (frame.shape[1] + 7) // 8
    packed = b"".join(tile.to_bytes(n_bytes, "little") for tile in chain.from_iterable(tiles))
    rows = np.frombuffer(packed, np.uint8).reshape(-1, n_bytes)
    positions = np.unpackbits(rows, axis=1, count=frame.shape[1], bitorder="little")
    width = int(count.max())
    block, tile = np.nonzero(np.arange(width) < count[:, None])
    sets = np.zeros((len(block), blocks.shape[1] + 1), np.bool_)
    np.put_along_axis(sets, frame[block], positions[first[component[block]] + tile] > 0, axis=1)
    whole = component < 0
    n_whole = int(whole.sum())
    distinct, index = _distinct_sets(np.concatenate([blocks[whole], sets[:, :-1]]))
    child = np.full((len(blocks), width), -1)
    child[whole] = index[:n_whole, None]
    child[block, tile] = index[n_whole:]
    return distinct, child


def _pruned(delta: NDArray[np.int32], state: int, cover: Cover) -> tuple[Cover, Indices]:
    """Drop from every block the states that never occur there, and contexts that never occur.

    Returns:
        The cover, and the new index of every context, -1 for those dropped.
    """
    n_states = delta.shape[1]
    old, letter, new = cover.contexts.T
    first = np.searchsorted(old, np.arange(len(cover.blocks) + 1))
    seen = np.zeros(cover.blocks.size, np.bool_)  # pairs (block, state)
    found = np.array([cover.initial * n_states + state])
    while found.size:
        seen[found] = True
        block, q = np.divmod(found, n_states)
        count = first[block + 1] - first[block]
        leaving = np.arange(count.sum()) + np.repeat(first[block] - np.cumsum(count) + count, count)
        found = new[leaving] * n_states + delta[letter[leaving], np.repeat(q, count)]
        found = np.unique(found[~seen[found]])
    occurring = seen.reshape(cover.blocks.shape)
    alive = occurring.sum(axis=1) > 0
    blocks, index = _distinct_sets(occurring[alive])
    number = np.full(len(alive), -1)
    number[alive] = index
    kept = np.full(len(old), -1)
    contexts, kept[alive[old]] = _distinct_contexts(
        number[old[alive[old]]],
        letter[alive[old]],
        number[new[alive[old]]],
        (len(blocks), len(delta)),
    )
    return Cover(blocks, contexts, int(number[cover.initial])), kept


def _distinct_sets(rows: Bools) -> tuple[Bools, Indices]:
    """The distinct rows in order of first occurrence, and the number of every row."""
    number: dict[bytes, int] = {}
    packed = np.packbits(rows, axis=1)
    index = np.array([number.setdefault(row.tobytes(), len(number)) for row in packed])
    return rows[np.unique(index, return_index=True)[1]], index


def _distinct_contexts(
    old: Indices, letter: Indices, new: Indices, sizes: tuple[int, int]
) -> tuple[Indices, Indices]:
    """The distinct triples in lexicographic order, and the number of every triple."""
    n_blocks, n_letters = sizes
    distinct, index = np.unique((old * n_letters + letter) * n_blocks + new, return_inverse=True)
    pair, after = np.divmod(distinct, n_blocks)
    return np.column_stack([*np.divmod(pair, n_letters), after]), index
