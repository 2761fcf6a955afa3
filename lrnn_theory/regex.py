r"""Regular expressions in Python's `re` syntax, as total DFA tables with `fullmatch` semantics.

Supported: literals, `.`, classes, `\d \w \s \D \W \S` (ASCII), `* + ? {m} {m,} {,n} {m,n}` and
their lazy forms, `|`, groups with or without a name, `\t \n \r \f \v \a`, octal codes such as
`\0`, `\xhh \uhhhh \Uhhhhhhhh`, escaped punctuation, and the anchors `^ $ \A \Z` where a word can
only begin or end.  `$` means the very end, not the place before a last newline.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.derivatives import (
    EMPTY,
    Ranges,
    Terms,
    charset,
    complement,
    determinise,
    is_single,
    union,
)

MAX_DEPTH = 100
"""Deepest accepted nesting of groups."""


class RegexTable(NamedTuple):
    """A total deterministic automaton, not minimised.

    Attributes:
        delta: `delta[a, q]` is the state after `q` reads letter `a`, (letters, states).
        initial: the state before the first letter.
        accepting: whether a word may end in the state, (states,).
        letters: single characters in the order of their code points.
    """

    delta: NDArray[np.int32]
    initial: int
    accepting: NDArray[np.bool_]
    letters: tuple[str, ...]


def regex_table(
    pattern: str,
    alphabet: Iterable[str] | None = None,
    *,
    max_positions: int = 20_000,
    max_states: int = 20_000,
) -> RegexTable:
    r"""The automaton of the words that `re.fullmatch` matches.

    Without an alphabet, the letters are the characters that the pattern names in its literals and
    classes.  `.` and a class that says what it leaves out (`[^a]`, `\D`) name no character and
    range over the others: `b[^a]*` is over the letter b alone, and `[^a]*` needs an alphabet.

    Args:
        pattern: a regular expression in Python's syntax, as read with `re.ASCII`.
        alphabet: the letters, single characters; `.` and classes are intersected with it.
        max_positions: how many literals, dots and classes there may be with every repetition
            written out; this is computed, not done.
        max_states: how many states there may be before minimisation.

    Raises:
        TypeError: if `pattern` is not a string, or `alphabet` not an iterable.
        ValueError: if the syntax is wrong or not supported, a literal is outside the alphabet, no
            alphabet can be inferred, or a limit is exceeded.

    Example:
        >>> table = regex_table("a*b")
        >>> table.letters, table.delta.shape
        (('a', 'b'), (2, 3))
    """
    if not isinstance(pattern, str):
        raise TypeError(f"Argument 'pattern' must be a string, not {pattern!r}.")
    codes = None if alphabet is None else _check_alphabet(alphabet)
    terms = Terms()
    parser = _Parser(pattern, terms, codes)
    root = parser.parse()
    if terms.positions[root] > max_positions:
        raise _error(
            pattern,
            f"has more than {max_positions} positions (literals, dots and classes, with every "
            f"repetition written out); simplify it, or raise the limit in Python "
            f"(Automaton.from_regex(..., max_positions=...))",
        )
    if codes is None:
        codes = [c for low, high in union(parser.named) for c in range(low, high + 1)]
    if not codes:
        raise _error(
            pattern, "names no character to take as a letter: give --alphabet (alphabet= in Python)"
        )
    delta, accepting = determinise(terms, root, codes, max_states, _subject(pattern))
    return RegexTable(delta, 0, accepting, tuple(map(chr, codes)))


def _check_alphabet(alphabet: Iterable[str]) -> list[int]:
    if not isinstance(alphabet, Iterable):
        raise TypeError(
            f"Argument 'alphabet' must be a string or an iterable of characters, not {alphabet!r}."
        )
    seen: set[str] = set()
    for letter in alphabet:
        if not isinstance(letter, str) or len(letter) != 1:
            raise ValueError(
                f"Argument 'alphabet' must hold single characters, because a regex reads words "
                f"character by character, not {letter!r}."
            )
        if letter in seen:
            raise ValueError(
                f"Argument 'alphabet' must not repeat a letter, as it does {letter!r}."
            )
        seen.add(letter)
    if not seen:
        raise ValueError("Argument 'alphabet' must hold at least one character.")
    return sorted(map(ord, seen))


def _error(pattern: str, text: str) -> ValueError:
    return ValueError(f"{_subject(pattern)} {text}.")


def _subject(pattern: str) -> str:
    return "Regex " + repr(pattern if len(pattern) <= 60 else pattern[:57] + "...")


# -------------------------------------------------------------------- syntax

_DIGITS = charset("0123456789")
_WORD = union([*_DIGITS, (ord("A"), ord("Z")), (ord("a"), ord("z")), *charset("_")])
_SPACE = charset(" \t\n\r\f\v")
_DOT = complement(charset("\n"))
_ESCAPES = {
    "d": _DIGITS, "w": _WORD, "s": _SPACE,
    "D": complement(_DIGITS), "W": complement(_WORD), "S": complement(_SPACE),
    **{name: charset(c) for name, c in zip("tnrfva", "\t\n\r\f\v\a", strict=True)},
}  # fmt: skip


_QUANTIFIER = re.compile(r"(?:[*+?]|\{(?!\})([0-9]*)(,?)([0-9]*)\})([?+]?)")
_ANCHOR = re.compile(r"(\^|\\A)|\$|\\Z")
_HEX = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}))"
)
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[0-3][0-7]{2})")
_OCTAL_IN_CLASS = re.compile(r"\\([0-3][0-7]{0,2}|[0-7]{1,2}(?![0-7]))")
_GROUP = re.compile(r"\((?:\?:|\?P<([^>)]*)>|(?!\?))")
_UNSUPPORTED = [
    (re.compile(start), name)
    for start, name in (
        (r"\(\?[=!]", "a lookahead"),
        (r"\(\?<[=!]", "a lookbehind"),
        (r"\(\?P=|\\[1-9]", "a backreference"),
        (r"\(\?>", "an atomic group"),
        (r"\(\?\(", "a conditional group"),
        (r"\(\?[a-zA-Z]*-?[a-zA-Z]+[:)]", "an inline flag"),
        (r"\(\?#", "a comment"),
        (r"\(\?", "an unknown kind of group"),
        (r"\\[bB]", "a word boundary"),
        (r"\\\Z", "a backslash with nothing after it"),
        (r"\\", "an unknown or unfinished escape"),
        (r"[*+?{]", "a possessive quantifier"),
    )
]


class _Piece(NamedTuple):
    """The term of a part of the pattern, and where an anchor in it is (-1: nowhere)."""

    term: int
    begin: int = -1
    end: int = -1


class _Parser:
    """Recursive descent over a pattern; `named` collects the characters that it names."""

    def __init__(self, pattern: str, terms: Terms, codes: Iterable[int] | None) -> None:
        self.pattern = pattern
        self.terms = terms
        self.letters = None if codes is None else frozenset(codes)
        self.named: list[tuple[int, int]] = []
        self.groups: set[str] = set()
        self.at = 0

    def parse(self) -> int:
        """The term of the whole pattern."""
        term = self._alternatives(0).term
        if self.at < len(self.pattern):
            raise self._error("has an unbalanced ')'", self.at)
        return term

    def _error(self, text: str, at: int, more: str = "") -> ValueError:
        return _error(self.pattern, f"{text} at position {at}{more}")

    def _unsupported(self, at: int) -> ValueError:
        name = next(name for start, name in _UNSUPPORTED if start.match(self.pattern, at))
        return self._error(f"has {name}", at, ", which is not supported")

    def _misplaced(self, at: int) -> ValueError:
        anchor = self.pattern[at : at + 2] if self.pattern[at] == "\\" else self.pattern[at]
        return self._error(
            f"has the anchor {anchor}",
            at,
            ", but anchors are supported only at the ends of a pattern",
        )

    def _next(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def _alternatives(self, depth: int) -> _Piece:
        branches = [self._sequence(depth)]
        while self._next("|"):
            self.at += 1
            branches.append(self._sequence(depth))
        terms, begins, ends = zip(*branches, strict=True)
        return _Piece(self.terms.alt(terms), max(begins), max(ends))

    def _sequence(self, depth: int) -> _Piece:
        terms: list[int] = []
        begin = end = -1
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            piece = self._repeated(depth)
            # Only the empty word may stand before a '^' or after a '$'.
            if terms and piece.begin >= 0:
                raise self._misplaced(piece.begin)
            if piece.term != EMPTY:
                if end >= 0:
                    raise self._misplaced(end)
                terms.append(piece.term)
            begin, end = max(begin, piece.begin), max(end, piece.end)
        term = EMPTY
        for head in reversed(terms):
            term = self.terms.cat(head, term)
        return _Piece(term, begin, end)

    def _repeated(self, depth: int) -> _Piece:
        start = self.at
        if _QUANTIFIER.match(self.pattern, start):
            raise self._error("has nothing to repeat", start)
        piece = self._atom(depth)
        found = _QUANTIFIER.match(self.pattern, self.at)
        if not found:
            return piece
        if _ANCHOR.fullmatch(self.pattern, start, self.at):
            raise self._error("has nothing to repeat", self.at)
        least, comma, most, suffix = found.groups()
        if suffix == "+":
            raise self._unsupported(self.at)
        if least is None:
            low, high = {"*": (0, inf), "+": (1, inf), "?": (0, 1)}[found[0][0]]
        else:
            low = _count(least) if least else 0
            high = _count(most) if most else inf if comma else low
        if low > high:
            raise self._error(f"has a repetition {found[0]} from more to fewer", self.at)
        if high > 1 and max(piece.begin, piece.end) >= 0:
            raise self._misplaced(max(piece.begin, piece.end))
        self.at = found.end()
        if _QUANTIFIER.match(self.pattern, self.at):
            raise self._error("has a multiple repeat", self.at)
        return piece._replace(term=self.terms.repeat(piece.term, low, high))

    def _atom(self, depth: int) -> _Piece:
        start = self.at
        first = self.pattern[start]
        if first == "(":
            return self._group(depth)
        if anchor := _ANCHOR.match(self.pattern, start):
            self.at = anchor.end()
            return _Piece(EMPTY, begin=start) if anchor[1] else _Piece(EMPTY, end=start)
        if first == ".":
            self.at += 1
            return _Piece(self.terms.chars(_DOT))
        ranges = self._class() if first == "[" else self._character(_OCTAL)
        if first != "[" and is_single(ranges) and self.letters is not None:
            code = ranges[0][0]
            if code not in self.letters:
                more = ", which is not a letter of the alphabet"
                raise self._error(f"has {chr(code)!r}", start, more)
        leaves_out = ranges and ranges[-1][1] == sys.maxunicode and not is_single(ranges)
        if not leaves_out:
            self.named += ranges
        return _Piece(self.terms.chars(ranges))

    def _group(self, depth: int) -> _Piece:
        start = self.at
        found = _GROUP.match(self.pattern, start)
        if not found:
            raise self._unsupported(start)
        name = found[1]
        if name is not None:
            if name in self.groups or not name.isidentifier():
                raise self._error(f"has a bad or repeated group name {name!r}", start)
            self.groups.add(name)
        if depth == MAX_DEPTH:
            raise self._error(f"nests groups more than {MAX_DEPTH} deep", start)
        self.at = found.end()
        piece = self._alternatives(depth + 1)
        if not self._next(")"):
            raise self._error("has an unbalanced '('", start)
        self.at += 1
        return piece

    def _class(self) -> Ranges:
        start = self.at
        self.at += 2 if self.pattern.startswith("[^", start) else 1
        first = self.at
        members: list[tuple[int, int]] = []
        while self.at == first or not self._next("]"):
            low_at = self.at
            low = self._member(start)
            if self._next("-") and not self._next("-]"):
                self.at += 1
                high = self._member(start)
                if not (is_single(low) and is_single(high) and low <= high):
                    shown = self.pattern[low_at : self.at]
                    raise self._error(f"has a bad range {shown!r}", low_at)
                low = ((low[0][0], high[0][0]),)
            members += low
        self.at += 1
        ranges = union(members)
        return complement(ranges) if self.pattern[first - 1] == "^" else ranges

    def _member(self, start: int) -> Ranges:
        if self.at == len(self.pattern):
            raise self._error("has an unbalanced '['", start)
        if self._next(r"\b"):
            self.at += 2
            return charset("\b")
        return self._character(_OCTAL_IN_CLASS)

    def _character(self, octal: re.Pattern[str]) -> Ranges:
        start = self.at
        if not self._next("\\"):
            self.at += 1
            return charset(self.pattern[start])
        for code, base in ((_HEX, 16), (octal, 8)):
            if found := code.match(self.pattern, start):
                self.at = found.end()
                return charset(chr(int(found[found.lastindex or 0], base)))
        name = self.pattern[start + 1 : start + 2]
        if name not in _ESCAPES and (not name or (name.isascii() and name.isalnum())):
            raise self._unsupported(start)
        self.at += 2
        return _ESCAPES.get(name) or charset(name)


def _count(digits: str) -> int:
    # Twenty digits are past any limit; Python refuses to read thousands.
    return int(digits.lstrip("0")[:20] or 0)
