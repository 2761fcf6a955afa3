"""What `verify` answers: proved for all lengths, refuted by a word, or undecided."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lrnn_theory.verification.certificate import Certificate


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
        method: "compositional" (every layer closed by itself, wiring by induction) or "closure"
            (all reachable pairs of LRNN state and automaton state).
        certificate: what a checker needs to prove it again.
    """

    method: str
    certificate: Certificate = field(repr=False)


@dataclass(frozen=True)
class Refuted(Verdict):
    """A shortest word on which the LRNN answers differently.

    Attributes:
        word: its letters.
        answered: the LRNN's output after the word.
        expected: the automaton's.
        certificate: what a checker needs to replay it.
    """

    word: tuple[str, ...]
    answered: str
    expected: str
    certificate: Certificate = field(repr=False)


@dataclass(frozen=True)
class Undecided(Verdict):
    """Neither proved nor refuted within the budget.

    Attributes:
        covered: every word up to this length was answered correctly.
        reason: why the search stopped, and how to go on.
    """

    covered: int
    reason: str
