"""What `verify` answers: proved for all lengths, refuted by a word, or undecided."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, repeat
from typing import Any

from lrnn_theory.verification.certificate import Certificate


class Runs(Sequence[str]):
    """A long word as repeated letters, such as a^118048119; a sequence that takes little memory.

    Python's `len` ends at 2^63 - 1; `length` does not.

    Args:
        runs: pairs (letter, how often).

    Example:
        >>> word = Runs([("a", 3), ("b", 1)])
        >>> len(word), word[-1], list(word)
        (4, 'b', ['a', 'a', 'a', 'b'])
    """

    def __init__(self, runs: Iterable[tuple[str, int]]) -> None:
        self.runs = tuple(runs)
        self._ends = list(accumulate(count for _, count in self.runs))

    @property
    def length(self) -> int:
        """The number of letters."""
        return self._ends[-1] if self._ends else 0

    def __len__(self) -> int:
        return self.length

    def __bool__(self) -> bool:
        return self.length > 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        at = range(len(self))[index]
        return self.runs[bisect_right(self._ends, at)][0]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(repeat(letter, count) for letter, count in self.runs)

    def __repr__(self) -> str:
        return f"Runs({list(self.runs)!r})"


@dataclass(frozen=True)
class Verdict:
    """The base of `Proved`, `Refuted` and `Undecided`.

    A verdict has no truth value; ask `isinstance(verdict, Proved)`.

    Attributes:
        arithmetic: the arithmetic that it holds in, written out.
        statistics: sizes of what was examined.
    """

    arithmetic: str
    statistics: dict[str, Any] = field(repr=False)

    def __bool__(self) -> bool:
        raise TypeError("A verdict has no truth value: ask isinstance(verdict, Proved).")


@dataclass(frozen=True)
class Proved(Verdict):
    """The LRNN answers like the automaton on every word, of any length.

    Attributes:
        method: "compositional" (every layer closed by itself, wiring by induction), "orbit" (the
            cycle of the only letter), "eventual" (how it ends in the cast model) or "closure" (all
            reachable pairs of LRNN state and automaton state); where `check` repeats a census,
            "census".
        certificate: what a checker needs to prove it again.
    """

    method: str
    certificate: Certificate = field(repr=False)


@dataclass(frozen=True)
class Refuted(Verdict):
    """A shortest word on which the LRNN answers differently.

    Attributes:
        word: its letters; a `Runs` where it has very many.
        answered: the LRNN's output after the word.
        expected: the automaton's.
        certificate: what a checker needs to replay it.
        other: if any decoder was asked for: another word, with the same last letter, that leads to
            the same state but must be answered by `answered`.
    """

    word: Sequence[str]
    answered: str
    expected: str
    certificate: Certificate = field(repr=False)
    other: Sequence[str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Undecided(Verdict):
    """Neither proved nor refuted within the budget.

    Attributes:
        covered: every word up to this length was answered correctly.
        reason: why the search stopped, and how to go on.
    """

    covered: int
    reason: str
