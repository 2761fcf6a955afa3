"""Orthogonal representations that track a group automaton with few Householder factors a letter.

A letter that acts by the orthogonal matrix Q takes rank(I - Q) reflections (Scherk), and that rank
is known from the characters.  So the least number of factors over all faithful representations is
found before any matrix is made.  A constituent may be used *up to sign*: every letter takes rho or
-rho, whichever is shorter, and the readout forgets the sign.  Proofs in docs/representations.md.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.automaton import Automaton
from lrnn_theory.characters import FiniteGroup, Index, RealCharacter, real_characters
from lrnn_theory.representations import Irreducible, irreducible, simplified

Array = NDArray[Any]
Objective = Literal["factors", "n"]

MAX_SUMS = 2_000
"""How many sums of constituents are looked at."""

CANDIDATES = 300
"""How many initial vectors are compared."""

FEWEST_DISTANCE = 1e-6
"""Codewords of different states at least so far apart, at norm 1; the floats err by far less."""


@dataclass(frozen=True)
class Choice:
    """A sum of irreducible constituents that is faithful.

    Attributes:
        constituents: (number of the character, whether up to sign).
        factors: most factors that a letter takes.
        n: dimension.
        exact: whether no faithful sum is better; if not, none was found that is.
    """

    constituents: tuple[tuple[int, bool], ...]
    factors: int
    n: int
    exact: bool


def least(
    characters: Sequence[RealCharacter],
    letters: Index,
    objective: Objective = "factors",
    *,
    signs: bool = False,
    usable: Sequence[int] | None = None,
) -> Choice | None:
    """The faithful sum of constituents with the fewest factors a letter, or of least dimension.

    Sums are looked at in the order of their cost, which only grows as constituents are added, so
    the first faithful one is the best; a constituent twice would change no kernel.

    Args:
        characters: all irreducible real characters of the group.
        letters: the classes of the letters.
        objective: what to compare first, the other breaking ties.
        signs: whether constituents may be used up to sign.
        usable: the characters to choose from; all by default.

    Returns:
        The choice; None if no sum of usable constituents is faithful.
    """
    options: list[tuple[tuple[int, bool], int, Index, NDArray[np.bool_]]] = []
    for i in range(len(characters)) if usable is None else usable:
        c = characters[i]
        options.append(((i, False), c.dimension, c.lengths[letters], c.lengths == 0))
        shorter = np.minimum(c.lengths, c.negated_lengths)[letters]
        if signs and (shorter < c.lengths[letters]).any():
            blind = (c.lengths == 0) | (c.negated_lengths == 0)
            options.append(((i, True), c.dimension, shorter, blind))

    def cost(chosen: tuple[int, ...], n: int, lengths: Index) -> tuple[int, int, int]:
        most, signed = int(lengths.max(initial=0)), sum(options[j][0][1] for j in chosen)
        return (most, n, signed) if objective == "factors" else (n, most, signed)

    classes = len(characters[0].spectrum)
    nothing = np.zeros(len(letters), np.int64)
    heap: list[Any] = [((0, 0, 0), (), 0, nothing, np.ones(classes, bool))]
    seen: set[tuple[bytes, int, bytes]] = set()
    while heap and len(seen) < MAX_SUMS:
        _, chosen, n, lengths, kernel = heapq.heappop(heap)
        state = kernel.tobytes(), n, lengths.tobytes()
        if state in seen:
            continue
        seen.add(state)
        if chosen and kernel.sum() == 1:
            names = tuple(sorted(options[j][0] for j in chosen))
            return Choice(names, int(lengths.max(initial=0)), n, True)
        for j in range(len(options)):
            _, dimension, more, blind = options[j]
            smaller = kernel & blind
            if not chosen or smaller.sum() < kernel.sum():
                longer, total, size = (*chosen, j), lengths + more, n + dimension
                heapq.heappush(heap, (cost(longer, size, total), longer, size, total, smaller))
    return _greedy(options) if heap else None


def _greedy(options: list[Any]) -> Choice | None:
    """Some faithful sum: whatever makes the kernel smaller is added."""
    kernel, chosen, n, lengths = np.ones(len(options[0][3]), bool), [], 0, 0 * options[0][2]
    while kernel.sum() > 1:
        sizes = [(kernel & blind).sum() for _, _, _, blind in options]
        j = int(np.argmin(sizes))
        if sizes[j] == kernel.sum():
            return None
        name, dimension, more, blind = options[j]
        kernel, n, lengths = kernel & blind, n + dimension, lengths + more
        chosen.append(name)
    return Choice(tuple(sorted(chosen)), int(lengths.max(initial=0)), n, False)


@dataclass(frozen=True, eq=False)
class Tracking:
    """Orthogonal matrices of letters and the vectors that stand for states.

    Attributes:
        matrices: (letters, n, n), exact.
        vectors: (codewords, n), exact and distinct; what the initial one can become.
        states: (codewords,), the state that each stands for; several may stand for one.
        start: the codeword of the initial vector.
        choice: the constituents, and whether they are the best.
    """

    matrices: Array
    vectors: Array
    states: Index
    start: int
    choice: Choice


def track(core: Automaton, *, integral: bool = False) -> Tracking | str:
    """An orthogonal tracking with few factors a letter, or one line that says why there is none.

    Args:
        core: an automaton whose letters are permutations, all states reachable.
        integral: accept signed permutation matrices only.
    """
    return _track(core.delta.tobytes(), core.delta.shape, core.initial, integral)


@lru_cache(maxsize=16)
def _track(table: bytes, shape: tuple[int, int], initial: int, integral: bool) -> Tracking | str:
    delta = np.frombuffer(table, np.int32).reshape(shape)
    try:
        group = FiniteGroup.generated_by(delta)
        characters = real_characters(group)
    except ValueError as error:
        return str(error)
    letters = group.classes[group.letters]
    usable = [i for i, c in enumerate(characters) if not integral or _has_integers(c)]
    models: dict[int, Irreducible] = {}
    bound = least(characters, letters, signs=True)
    while (choice := least(characters, letters, signs=True, usable=usable)) is not None:
        for i, _ in choice.constituents:
            model = models.get(i) or irreducible(group, characters[i], integral=integral)
            if model is None:
                usable.remove(i)
                break
            models[i] = model
        else:
            same = bound is not None and (choice.factors, choice.n) == (bound.factors, bound.n)
            choice = Choice(choice.constituents, choice.factors, choice.n, choice.exact and same)
            return _assemble(group, choice, models, initial)
    kind = "signed permutation matrices" if integral else "exact orthogonal matrices"
    return (
        f"no faithful sum of irreducible representations with {kind} was found "
        f"(group of order {group.order})"
    )


def _has_integers(character: RealCharacter) -> bool:
    """Whether all traces are integers, as those of signed permutations are."""
    return all(isinstance(x, int) for x in character.values)


def _assemble(
    group: FiniteGroup, choice: Choice, models: dict[int, Irreducible], initial: int
) -> Tracking | str:
    """Block-diagonal matrices, and an initial vector that keeps the states apart."""
    state = group.elements[:, initial]
    parts = [(models[i], signed) for i, signed in choice.constituents]
    starts = _starts(parts, state, initial)
    if starts is None:
        return "no initial vector was found that tells the states apart"
    orbits = [model.orbit(x) for (model, _), x in zip(parts, starts, strict=True)]
    words: dict[tuple[Any, ...], int] = {}
    for signs in product(*([1, -1] if signed else [1] for _, signed in parts)):
        rows = np.concatenate([s * orbit for s, orbit in zip(signs, orbits, strict=True)], 1)
        for row, q in zip(rows.tolist(), state.tolist(), strict=True):
            if words.setdefault(tuple(row), q) != q:
                return "two states have one vector"
    blocks = []
    for a in group.letters.tolist():
        c, block = group.classes[a], np.zeros((choice.n, choice.n), object)
        at = 0
        for model, signed in parts:
            shorter = model.character.negated_lengths[c] < model.character.lengths[c]
            matrix = model.matrix(a)
            block[at : at + model.n, at : at + model.n] = -matrix if signed and shorter else matrix
            at += model.n
        blocks.append(simplified(block))
    vectors = np.empty((len(words), choice.n), object)
    vectors[:] = list(words)
    return Tracking(np.stack(blocks), vectors, np.array(list(words.values())), 0, choice)


def _starts(
    parts: list[tuple[Irreducible, bool]], state: Index, initial: int
) -> list[Array] | None:
    """The initial vector, part by part: of some candidates, the one with the best separation.

    Since the matrices are isometries, the least distance of two codewords of different states is
    the least distance that an element which moves the initial state moves the initial vector.
    Candidates are small integer vectors and their sums over the initial state's stabiliser.
    """
    rng = np.random.default_rng(0)
    stabiliser = np.flatnonzero(state == initial)
    moving = state != initial
    n = sum(model.n for model, _ in parts)
    ends = np.cumsum([model.n for model, _ in parts])[:-1]
    rows = [np.ones(n, int), *np.eye(n, dtype=int), *rng.integers(-3, 4, size=(CANDIDATES, n))]
    drawn = [np.split(x, ends) for x in rows]
    gaps = np.zeros((2, len(drawn), int(moving.sum())))
    norms = np.zeros((2, len(drawn)))
    for i, (model, signed) in enumerate(parts):
        turn = _floats(model)
        plain = np.array([x[i] for x in drawn], float)
        for kind, x in enumerate((plain, plain @ turn[stabiliser].sum(axis=0).T)):
            inner = np.einsum("ki,gij,kj->kg", x, turn[moving], x, optimize=True)
            size = (x * x).sum(axis=1)
            gaps[kind] += 2 * (size[:, None] - (abs(inner) if signed else inner))
            norms[kind] += size
    nearest = gaps.min(axis=2, initial=np.inf) / np.maximum(norms, 1e-300)
    nearest[norms < FEWEST_DISTANCE] = 0
    kind, best = np.unravel_index(int(np.argmax(np.round(nearest, 9))), nearest.shape)
    if nearest[kind, best] < FEWEST_DISTANCE**2:
        return None
    starts = [x.astype(object) for x in drawn[best]]
    if kind == 1:
        starts = [
            simplified(model.orbit(x)[stabiliser].sum(axis=0))
            for (model, _), x in zip(parts, starts, strict=True)
        ]
    return starts


def _floats(model: Irreducible) -> NDArray[np.float64]:
    """The matrices of all elements, nearly."""
    generators = {g: m.astype(float) for g, m in model.generators.items()}
    turn = np.empty((model.group.order, model.n, model.n))
    turn[0] = np.eye(model.n)
    for g, s, h in model.group.walk:
        turn[g] = generators[s] @ turn[h]
    return turn
