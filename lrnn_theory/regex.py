r"""Regular expressions in Python's `re` syntax, as total DFA tables with `fullmatch` semantics.

A pattern becomes a hash-consed term, and a state of the automaton is a set of the term's partial
derivatives (Antimirov 1996): a counted repetition is a counter and is never written out.
Characters that no part of the pattern tells apart are handled together (Owens, Reppy and Turon
2009).

Supported: literals, `.`, classes, `\d \w \s \D \W \S` (ASCII), `* + ? {m} {m,} {,n} {m,n}` and
their lazy forms, `|`, groups with or without a name, `\t \n \r \f \v \a`, octal codes such as
`\0`, `\xhh \uhhhh \Uhhhhhhhh`, escaped punctuation, and the anchors `^ $ \A \Z` where a word can
only begin or end.  `$` means the very end, not the place before a last newline.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_DEPTH = 100
"""Deepest accepted nesting of groups."""

MAX_TABLE_ENTRIES = 50_000_000
"""Largest accepted number of letters times states, before minimisation (200 MB)."""

VISITS_PER_STATE = 50
"""Derivatives that the construction may look at for each of `max_states`, on average."""

Ranges = tuple[tuple[int, int], ...]  # of code points: inclusive, disjoint, increasing


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
    terms = _Terms()
    parser = _Parser(pattern, terms, codes)
    root = parser.parse()
    if terms.positions[root] > max_positions:
        raise _error(
            pattern,
            f"has more than {max_positions} positions (literals, dots and classes, with every "
            f"repetition written out); raise max_positions for more",
        )
    if codes is None:
        codes = [c for low, high in _union(parser.named) for c in range(low, high + 1)]
    if not codes:
        raise _error(pattern, "names no character to take as a letter; pass alphabet='...'")
    return _determinise(pattern, terms, root, codes, max_states)


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
    shown = pattern if len(pattern) <= 60 else pattern[:57] + "..."
    return ValueError(f"Regex {shown!r} {text}.")


# -------------------------------------------------------------------- sets of characters


def _union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: Ranges) -> Ranges:
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), sys.maxunicode]
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)


def _chars(text: str) -> Ranges:
    return _union((ord(c), ord(c)) for c in text)


def _is_single(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


_DIGITS = _chars("0123456789")
_WORD = _union([*_DIGITS, (ord("A"), ord("Z")), (ord("a"), ord("z")), *_chars("_")])
_SPACE = _chars(" \t\n\r\f\v")
_DOT = _complement(_chars("\n"))
_ESCAPES = {
    "d": _DIGITS, "w": _WORD, "s": _SPACE,
    "D": _complement(_DIGITS), "W": _complement(_WORD), "S": _complement(_SPACE),
    **{name: _chars(c) for name, c in zip("tnrfva", "\t\n\r\f\v\a", strict=True)},
}  # fmt: skip


# -------------------------------------------------------------------- terms

_EMPTY = 0


class _Terms:
    """Regular expressions by number: equal ones have equal numbers, the empty word has 0.

    A shape is `("empty",)`, `("chars", ranges)`, `("cat", head, tail)` where the head is no "cat",
    `("alt", *branches)` or `("repeat", body, low, high)`.
    """

    def __init__(self) -> None:
        self.shape: list[tuple[Any, ...]] = []
        self.nullable: list[bool] = []  # whether the term matches the empty word
        self.positions: list[float] = []  # "chars" in it, with every repetition written out
        self._number: dict[tuple[Any, ...], int] = {}
        self._cats: dict[tuple[int, int], int] = {}
        self._steps: dict[int, tuple[tuple[int, int], ...]] = {}
        self._add(("empty",), True, 0)

    def _add(self, shape: tuple[Any, ...], nullable: bool, positions: float) -> int:
        if shape not in self._number:
            self._number[shape] = len(self.shape)
            self.shape.append(shape)
            self.nullable.append(nullable)
            self.positions.append(positions)
        return self._number[shape]

    def chars(self, ranges: Ranges) -> int:
        """One character of `ranges`."""
        return self._add(("chars", ranges), False, 1)

    def alt(self, branches: Iterable[int]) -> int:
        """The union of the branches."""
        unique = tuple(dict.fromkeys(branches))
        if len(unique) == 1:
            return unique[0]
        nullable = any(self.nullable[t] for t in unique)
        return self._add(("alt", *unique), nullable, sum(self.positions[t] for t in unique))

    def repeat(self, body: int, low: int, high: float) -> int:
        """From `low` to `high` copies of `body`, where `high` may be infinite."""
        if body == _EMPTY or high == 0:
            return _EMPTY
        if low == high == 1:
            return body
        if self.nullable[body]:
            low = 0
        copies = max(low, 1) if high == inf else high
        return self._add(("repeat", body, low, high), low == 0, copies * self.positions[body])

    def cat(self, left: int, right: int) -> int:
        """`left` followed by `right`, bracketed to the right."""
        if right == _EMPTY:
            return left
        pending = []
        while left != _EMPTY and (left, right) not in self._cats:
            pending.append(left)
            left = self.split(left)[1]
        term = right if left == _EMPTY else self._cats[left, right]
        for left in reversed(pending):
            head = self.split(left)[0]
            nullable = self.nullable[head] and self.nullable[term]
            positions = self.positions[head] + self.positions[term]
            term = self._cats[left, right] = self._add(("cat", head, term), nullable, positions)
        return term

    def split(self, term: int) -> tuple[int, int]:
        """The first factor of a concatenation, and the rest."""
        shape = self.shape[term]
        return (shape[1], shape[2]) if shape[0] == "cat" else (term, _EMPTY)

    def steps(self, term: int) -> tuple[tuple[int, int], ...]:
        """Antimirov's linear form: "chars" that can be read first, each with what may follow."""
        if term not in self._steps:
            steps: dict[tuple[int, int], None] = {}
            rest = term
            while rest != _EMPTY:
                head, rest = self.split(rest)
                for chars, residual in self._steps_of_head(head):
                    steps[chars, self.cat(residual, rest)] = None
                if not self.nullable[head]:
                    break
            self._steps[term] = tuple(steps)
        return self._steps[term]

    def _steps_of_head(self, head: int) -> Iterator[tuple[int, int]]:
        match self.shape[head]:
            case ("chars", _):
                yield head, _EMPTY
            case ("alt", *branches):
                for branch in branches:
                    yield from self.steps(branch)
            case ("repeat", body, low, high):
                others = self.repeat(body, max(low - 1, 0), high - 1)
                for chars, residual in self.steps(body):
                    yield chars, self.cat(residual, others)

    def widest(self, terms: Iterable[int]) -> frozenset[int]:
        """The terms, without most of those whose words another of them has too.

        r{i,j}s contains r{m,n}s if i <= m and n <= j, and rs contains s if r matches the empty
        word.  This keeps `.*a.{0,30}`, and patterns with many optional parts, small.
        """
        contained: set[int] = set()
        counted: defaultdict[tuple[int, int], list[tuple[int, float, int]]] = defaultdict(list)
        for term in terms:
            head, rest = self.split(term)
            if self.shape[head][0] == "repeat":
                _, body, low, high = self.shape[head]
                counted[body, rest].append((low, -high, term))
            while head != _EMPTY and self.nullable[head] and rest not in contained:
                contained.add(rest)
                head, rest = self.split(rest)
        for group in counted.values():
            widest = 0.0
            for _, minus_high, term in sorted(group):
                if minus_high < widest:
                    widest = minus_high
                else:
                    contained.add(term)
        return frozenset(terms) - contained


# -------------------------------------------------------------------- subset construction


def _letter_classes(charsets: Iterable[Ranges], codes: Sequence[int]) -> NDArray[np.int64]:
    """A number for every letter, equal for letters that lie in the same sets; shape (letters,)."""
    toggled: defaultdict[int, int] = defaultdict(int, {0: 0})
    for k, ranges in enumerate(charsets):
        for first, last in _spans(ranges, codes):
            toggled[first] ^= 1 << k
            toggled[last] ^= 1 << k
    starts = sorted(toggled.keys() - {len(codes)})
    classes: dict[int, int] = {}
    inside, labels = 0, []
    for start in starts:
        inside ^= toggled[start]  # the bit mask of the sets that hold the letters from here on
        labels.append(classes.setdefault(inside, len(classes)))
    return np.repeat(labels, np.diff([*starts, len(codes)]))


def _spans(ranges: Ranges, codes: Sequence[int]) -> list[tuple[int, int]]:
    return [(bisect_left(codes, low), bisect_right(codes, high)) for low, high in ranges]


def _determinise(
    pattern: str, terms: _Terms, root: int, codes: Sequence[int], max_states: int
) -> RegexTable:
    charsets = {t: shape[1] for t, shape in enumerate(terms.shape) if shape[0] == "chars"}
    letter_class = _letter_classes(charsets.values(), codes)
    n_classes = int(letter_class.max()) + 1

    @cache
    def classes(chars: int) -> list[int]:
        spans = _spans(charsets[chars], codes)
        return sorted({c for i, j in spans for c in np.unique(letter_class[i:j]).tolist()})

    limit = min(max_states, MAX_TABLE_ENTRIES // len(codes))
    visits = 0
    index: dict[frozenset[int], int] = {}
    states: list[frozenset[int]] = []
    rows = []

    def number(state: frozenset[int]) -> int:
        if state not in index:
            if len(states) >= limit:
                raise _error(
                    pattern,
                    f"needs more than {limit} states over {len(codes)} letters before "
                    f"minimisation; raise max_states (or regex.MAX_TABLE_ENTRIES) for more",
                )
            index[state] = len(states)
            states.append(state)
        return index[state]

    number(frozenset([root]))
    for state in states:
        targets: defaultdict[int, set[int]] = defaultdict(set)
        for chars, residual in (step for term in state for step in terms.steps(term)):
            for c in classes(chars):
                targets[c].add(residual)
            visits += 1 + len(classes(chars))
            if visits > VISITS_PER_STATE * max_states:
                raise _error(
                    pattern,
                    f"needs more than {VISITS_PER_STATE * max_states} derivatives; raise "
                    f"max_states ({VISITS_PER_STATE} derivatives for each state) for more",
                )
        sink = number(frozenset()) if len(targets) < n_classes else -1
        row = np.full(n_classes, sink, np.int32)
        for c, target in targets.items():
            row[c] = number(terms.widest(target))
        rows.append(row)
    return RegexTable(
        delta=np.array(rows).T[letter_class],
        initial=0,
        accepting=np.array([any(terms.nullable[t] for t in state) for state in states]),
        letters=tuple(map(chr, codes)),
    )


# -------------------------------------------------------------------- syntax

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

    def __init__(self, pattern: str, terms: _Terms, codes: Iterable[int] | None) -> None:
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
            if piece.term != _EMPTY:
                if end >= 0:
                    raise self._misplaced(end)
                terms.append(piece.term)
            begin, end = max(begin, piece.begin), max(end, piece.end)
        term = _EMPTY
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
            return _Piece(_EMPTY, begin=start) if anchor[1] else _Piece(_EMPTY, end=start)
        if first == ".":
            self.at += 1
            return _Piece(self.terms.chars(_DOT))
        ranges = self._class() if first == "[" else self._character(_OCTAL)
        if first != "[" and _is_single(ranges) and self.letters is not None:
            code = ranges[0][0]
            if code not in self.letters:
                more = ", which is not a letter of the alphabet"
                raise self._error(f"has {chr(code)!r}", start, more)
        leaves_out = ranges and ranges[-1][1] == sys.maxunicode and not _is_single(ranges)
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
                if not (_is_single(low) and _is_single(high) and low <= high):
                    shown = self.pattern[low_at : self.at]
                    raise self._error(f"has a bad range {shown!r}", low_at)
                low = ((low[0][0], high[0][0]),)
            members += low
        self.at += 1
        ranges = _union(members)
        return _complement(ranges) if self.pattern[first - 1] == "^" else ranges

    def _member(self, start: int) -> Ranges:
        if self.at == len(self.pattern):
            raise self._error("has an unbalanced '['", start)
        if self._next(r"\b"):
            self.at += 2
            return _chars("\b")
        return self._character(_OCTAL_IN_CLASS)

    def _character(self, octal: re.Pattern[str]) -> Ranges:
        start = self.at
        if not self._next("\\"):
            self.at += 1
            return _chars(self.pattern[start])
        for code, base in ((_HEX, 16), (octal, 8)):
            if found := code.match(self.pattern, start):
                self.at = found.end()
                return _chars(chr(int(found[found.lastindex or 0], base)))
        name = self.pattern[start + 1 : start + 2]
        if name not in _ESCAPES and (not name or (name.isascii() and name.isalnum())):
            raise self._unsupported(start)
        self.at += 2
        return _ESCAPES.get(name) or _chars(name)


def _count(digits: str) -> int:
    # Twenty digits are past any limit; Python refuses to read thousands.
    return int(digits.lstrip("0")[:20] or 0)
