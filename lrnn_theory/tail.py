"""The levels of an LRNN whose wiring is computed instead of stored: an exclusion tail.

Where the tables of a cascade would explode, its last levels exclude one state each (see
`lrnn_theory.exclusion`).  Their contexts are pairs of blocks, too many to store, and their actions
are any permutation or reset of `size` coordinates.  So contexts and actions are numbered when they
are first met.  The layers are one-hot register layers (`lrnn_theory.onehot.register_layer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.exclusion import ExclusionTail

Context = tuple[int, int, int]
"""States before as a bitmask, letter class, states after as a bitmask."""


@dataclass(frozen=True, eq=False)
class Tail:
    """What follows the stored levels of an LRNN.

    Attributes:
        exclusion: the rule, over letter classes and states.
        contexts: for every context after the stored levels, its blocks and letter class.
        initial: the initial coordinate of every level.
        response: the output of every state, (states,), or of every letter class and state before
            it, (classes, states), as indices into the LRNN's output symbols.

    Raises:
        ValueError: if a context or coordinate is out of range, or the image of a block before a
            letter does not lie in the block after it.
    """

    exclusion: ExclusionTail
    contexts: tuple[Context, ...]
    initial: tuple[int, ...]
    response: NDArray[np.int32]

    def __post_init__(self) -> None:
        n_letters, n_states = self.exclusion.delta.shape
        sizes = self.exclusion.sizes
        if len(self.initial) != len(sizes) or not all(
            0 <= p < s for p, s in zip(self.initial, sizes, strict=True)
        ):
            raise ValueError(f"Argument 'initial' must hold a coordinate below each of {sizes}.")
        if self.response.shape not in ((n_states,), (n_letters, n_states)):
            raise ValueError(
                f"Argument 'response' must have shape ({n_states},) or ({n_letters}, {n_states}), "
                f"not {self.response.shape}."
            )
        for before, letter, after in self.contexts:
            if not (0 <= letter < n_letters and 0 < before < 1 << n_states > after > 0):
                raise ValueError(f"Context {(before, letter, after)} is out of range.")
            if max(before.bit_count(), after.bit_count()) > len(sizes) + 1:
                raise ValueError(f"A block of {(before, letter, after)} is larger than the tail.")
            if self.exclusion.image(before, letter) & ~after:
                raise ValueError(
                    f"In context {(before, letter, after)} the letter leaves the block."
                )

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of coordinates of every level."""
        return self.exclusion.sizes

    def answer(self, context: Context) -> int:
        """The output in a context below the last level, where one state remains."""
        before, letter, after = context
        if self.response.ndim == 2:
            return int(self.response[letter, before.bit_length() - 1])
        return int(self.response[after.bit_length() - 1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it as integer arrays; `from_arrays` reads them back."""
        n_states = self.exclusion.delta.shape[1]

        def bits(masks: list[int]) -> NDArray[np.uint8]:
            return np.array([[m >> q & 1 for q in range(n_states)] for m in masks], np.uint8)

        return {
            "delta": self.exclusion.delta,
            "before": bits([x for x, _, _ in self.contexts]),
            "letter": np.array([a for _, a, _ in self.contexts], np.int64),
            "after": bits([y for _, _, y in self.contexts]),
            "initial": np.array(self.initial, np.int64),
            "response": self.response,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Tail:
        """Read `arrays` back."""

        def masks(rows: NDArray[np.uint8]) -> list[int]:
            return [sum(1 << q for q in np.flatnonzero(row).tolist()) for row in rows]

        delta = arrays["delta"].astype(np.int32)
        if (
            delta.ndim != 2
            or not delta.size
            or not 0 <= delta.min() <= delta.max() < delta.shape[1]
        ):
            raise ValueError("Argument 'delta' must be a table of states.")
        initial = tuple(arrays["initial"].tolist())
        before, after = masks(arrays["before"]), masks(arrays["after"])
        return cls(
            ExclusionTail.below(delta, len(initial) + 1),
            tuple(zip(before, arrays["letter"].tolist(), after, strict=True)),
            initial,
            arrays["response"].astype(np.int32),
        )


class TailTables:
    """The contexts and actions of a tail's levels met so far, numbered as they come.

    Attributes:
        actions: for every level, the coordinate maps met, in order.
        action: for every level, the action of every context met.
        next: for every level, a dict from (context, previous coordinate) to the context below.
        outputs: the output of every context below the last level.
    """

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        depth = len(tail.sizes)
        self._contexts: list[list[Context]] = [[] for _ in range(depth + 1)]
        self._numbers: list[dict[Context, int]] = [{} for _ in range(depth + 1)]
        self._action_numbers: list[dict[tuple[int, ...], int]] = [{} for _ in range(depth)]
        self.actions: list[list[tuple[int, ...]]] = [[] for _ in range(depth)]
        self.action: list[list[int]] = [[] for _ in range(depth)]
        self.next: list[dict[tuple[int, int], int]] = [{} for _ in range(depth)]
        self.outputs: list[int] = []
        for context in tail.contexts:
            # Contexts of the first level keep their places, even where two are equal.
            self._contexts[0].append(context)
            self._open(0, context)

    def below(self, depth: int, context: int, previous: int) -> int:
        """The context of the next level, given the coordinate before the letter."""
        key = (context, previous)
        found = self.next[depth].get(key)
        if found is None:
            before, letter, after = self._contexts[depth][context]
            size = self._tail.sizes[depth]
            current = self.actions[depth][self.action[depth][context]][previous]
            descend = self._tail.exclusion.descend
            finer = (descend(size, before, previous), letter, descend(size, after, current))
            found = self._number(depth + 1, finer)
            self.next[depth][key] = found
        return found

    def walk(self, context: int, coordinates: Sequence[int]) -> tuple[list[int], int]:
        """The new coordinates of all levels after a letter, and the output."""
        moved = []
        for depth, p in enumerate(map(int, coordinates)):
            moved.append(self.actions[depth][self.action[depth][context]][p])
            context = self.below(depth, context, p)
        return moved, self.outputs[context]

    def _number(self, depth: int, context: Context) -> int:
        numbers = self._numbers[depth]
        if context not in numbers:
            numbers[context] = len(self._contexts[depth])
            self._contexts[depth].append(context)
            self._open(depth, context)
        return numbers[context]

    def _open(self, depth: int, context: Context) -> None:
        if depth == len(self._tail.sizes):
            self.outputs.append(self._tail.answer(context))
            return
        image = self._tail.exclusion.map(self._tail.sizes[depth], *context)
        numbers = self._action_numbers[depth]
        if image not in numbers:
            numbers[image] = len(numbers)
            self.actions[depth].append(image)
        self.action[depth].append(numbers[image])
