"""Sequences that are periodic in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """A sequence s_1, s_2, ... that is periodic in the end.

    Attributes:
        head: its first members.
        cycle: what follows, again and again; not empty.
    """

    head: tuple[int, ...]
    cycle: tuple[int, ...]

    def __getitem__(self, t: int) -> int:
        """s_t, for t >= 1."""
        if t <= len(self.head):
            return self.head[t - 1]
        return self.cycle[(t - 1 - len(self.head)) % len(self.cycle)]

    @classmethod
    def shortest(cls, head: Sequence[int], cycle: Sequence[int]) -> Stream:
        """The same sequence with the shortest cycle, and then the shortest head."""
        n = len(cycle)
        period = next(p for p in range(1, n + 1) if n % p == 0 and cycle[p:] == cycle[: n - p])
        turn, first = list(cycle[:period]), list(head)
        while first and first[-1] == turn[-1]:
            turn.insert(0, turn.pop())
            first.pop()
        return cls(tuple(first), tuple(turn))
