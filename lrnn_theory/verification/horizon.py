"""`horizon`: the first length at which an LRNN answers wrongly, on words of a given kind.

An LRNN that drifts may be right for a very long time.  The horizon of a word is the length of its
first prefix that is answered wrongly.  Repeating one letter, it is found exactly or proved not to
exist; along random words it is a random variable, of which seeds are sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type, positive
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.compiled import Follower
from lrnn_theory.dispatch import runs_compiled, scan
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.certificate import Certificate
from lrnn_theory.verification.closure import Budget
from lrnn_theory.verification.compositional import Target
from lrnn_theory.verification.equivalence import Question, align, verify
from lrnn_theory.verification.unary import decides
from lrnn_theory.verification.verdict import Proved, Refuted
from lrnn_theory.words import encode_word

BLOCK = 4096
"""Letters of a random word that are drawn at once, and of any word that are read at most."""
_SHORTEST = 64
"""Letters that are read first: many words err early."""


@dataclass(frozen=True)
class Horizon:
    """Where an LRNN first errs.

    Attributes:
        arithmetic: where it ran.
        words: "unary", "random" or "given".
        first: for every word, the length of its first prefix that is answered wrongly, or None.
        covered: for every word, the length up to which all prefixes are answered right.
        never: whether it is proved that no length is answered wrongly (unary words only).
        certificate: unary words: that proof, or the word of length `first`, which is answered
            wrongly; that no shorter one is, and all other horizons, is what a run has met.
    """

    arithmetic: str
    words: str
    first: tuple[int | None, ...]
    covered: tuple[int, ...]
    never: bool = False
    certificate: Certificate | None = field(default=None, repr=False)

    @property
    def minimum(self) -> int | None:
        """The least first length; None if no word is answered wrongly."""
        return min((x for x in self.first if x is not None), default=None)

    @property
    def median(self) -> float | None:
        """The median first length; None if at most half of the words are answered wrongly."""
        middle = median(np.inf if x is None else x for x in self.first)
        return None if middle == np.inf else middle

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        del fields["certificate"]
        return fields | {"minimum": self.minimum, "median": self.median}

    def __str__(self) -> str:
        kind = {"unary": "one letter repeated", "random": "random words", "given": "given words"}
        name = f"{self.arithmetic}, {kind[self.words]}"
        if self.never:
            return f"{name}: never wrong, at any length (proved)"
        wrong = sum(x is not None for x in self.first)
        if not wrong:
            return f"{name}: right up to length {min(self.covered, default=0):,}"
        if len(self.first) == 1:
            return f"{name}: first wrong at length {self.minimum:,}"
        middle = "none" if self.median is None else f"{self.median:,.0f}"
        return (
            f"{name}: {wrong} of {len(self.first)} words wrong, first at length {self.minimum:,} "
            f"(least) and {middle} (median)"
        )


def horizon(
    lrnn: LRNN,
    automaton: Any,
    arithmetic: str | Arithmetic = "float32",
    words: str | Iterable[str | Sequence[str]] = "unary",
    *,
    letter: str | None = None,
    length: int | None = None,
    count: int = 25,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Horizon:
    """Find the first length at which an LRNN answers wrongly.

    Args:
        lrnn: the network.
        automaton: what it should answer like; see `verify`.
        arithmetic: number format, rounding and order of evaluation.
        words: "unary" for one letter repeated, "random" for uniformly random letters, or words.
        letter: the letter to repeat; by default the first.
        length: how far words are followed: by default 10^9 letters of a unary word in compiled
            code and 10^4 elsewhere, 10^6 of a random one and 10^4 elsewhere.  In the cast model
            a unary word is decided whatever this is.
        count: the number of random words.
        seed: random words are reproducible from it.
        progress: called now and then with the number of letters read.

    Raises:
        ValueError: if the letters or kinds of LRNN and automaton differ, or a letter is unknown.

    Example:
        >>> from constructions import compile_dfa
        >>> from lrnn_theory import languages
        >>> count = languages.mod(7)
        >>> str(horizon(compile_dfa(count, "rotation"), count, "bfloat16:once"))
        'bfloat16:once, one letter repeated: first wrong at length 287'
    """
    check_type("lrnn", lrnn, LRNN)
    arithmetic = Arithmetic.parse(arithmetic)
    wanted = align(lrnn, Automaton.coerce(automaton, lrnn.letters))
    if letter is not None and letter not in lrnn.letters:
        raise ValueError(f"Argument 'letter' must be a letter of the LRNN, not {letter!r}.")
    length = None if length is None else positive("length", length)
    count = positive("count", count)
    index = 0 if letter is None else lrnn.letters.index(letter)
    if words == "unary" and lrnn.tail is None:
        return _unary(lrnn, wanted, arithmetic, index, length, progress)
    if isinstance(words, str) and words not in ("unary", "random"):
        raise ValueError(
            f"Argument 'words' must be 'unary', 'random' or a list of words, not {words!r}."
        )
    question = Question(lrnn, wanted, arithmetic)
    compiled = Follower.supports(lrnn, question.working)
    if words == "random":
        fast = compiled or runs_compiled(lrnn, question.working)
        length = length or (1_000_000 if fast else 10_000)
        streams = [_random_letters(len(lrnn.letters), length, (seed, i)) for i in range(count)]
    elif words == "unary":
        streams = [iter([np.full(length or 10_000, index)])]
    else:
        index_of = {name: i for i, name in enumerate(lrnn.letters)}
        streams = [iter([encode_word(word, index_of)]) for word in words]
    letters = _letters_of(question)
    first, covered = [], []
    if compiled:
        follower = question.follower()
        for stream in streams:
            wrong, right = _follow(follower, stream, letters)
            first.append(wrong)
            covered.append(right)
            if progress:
                progress(sum(covered))
    else:
        first, covered = _scan(question, streams, letters, progress)
    kind = words if isinstance(words, str) else "given"
    return Horizon(str(arithmetic), kind, tuple(first), tuple(covered))


def _unary(
    lrnn: LRNN,
    wanted: Automaton,
    arithmetic: Arithmetic,
    letter: int,
    length: int | None,
    progress: Callable[[int], None] | None,
) -> Horizon:
    """One letter repeated: the verdict on network and automaton with that letter only."""
    name, classes = (lrnn.letters[letter],), lrnn.letter_class[[letter]]
    outputs = wanted.outputs
    if wanted.kind == "mealy" and outputs is not None:
        outputs = outputs[[letter]]
    lrnn = replace(lrnn, letters=name, letter_class=classes)
    wanted = replace(wanted, letters=name, delta=wanted.delta[[letter]], outputs=outputs)
    compiled = Follower.supports(lrnn, arithmetic)
    length = length or (10**9 if compiled else 10_000)
    budget = Budget(configurations=min(length, 10**7), steps=length)
    if decides(lrnn, arithmetic):
        budget = Budget()
    verdict = verify(lrnn, wanted, arithmetic, budget=budget, progress=progress)
    if isinstance(verdict, Proved):
        return Horizon(verdict.arithmetic, "unary", (None,), (length,), True, verdict.certificate)
    if isinstance(verdict, Refuted):
        first = verdict.statistics["length"]
        covered = (max(first - 1, 0),)
        return Horizon(
            verdict.arithmetic, "unary", (first,), covered, certificate=verdict.certificate
        )
    return Horizon(verdict.arithmetic, "unary", (None,), (verdict.covered,))


def _letters_of(question: Question) -> NDArray[np.int64]:
    """For every letter of the LRNN, the letter of the target that acts like it."""
    merged = question.wanted.merge_letters()[0]
    pairs = np.stack([question.lrnn.letter_class, merged], axis=1)
    first = np.unique(pairs, axis=0, return_index=True)[1]
    inverse = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    rank = np.argsort(np.argsort(first))
    return rank[inverse]


def _random_letters(
    n_letters: int, length: int, seed: tuple[int, int]
) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    for done in range(0, length, BLOCK):
        yield generator.integers(n_letters, size=min(BLOCK, length - done))


def _follow(
    follower: Follower, stream: Iterator[NDArray[np.int64]], letters: NDArray[np.int64]
) -> tuple[int | None, int]:
    follower.reset()
    done = 0
    for block in stream:
        wrong = follower.follow(letters[block])
        if wrong >= 0:
            return done + wrong + 1, done + wrong
        done += len(block)
    return None, done


def _scan(
    question: Question,
    streams: list[Iterator[NDArray[np.int64]]],
    letters: NDArray[np.int64],
    progress: Callable[[int], None] | None,
) -> tuple[list[int | None], list[int]]:
    """All words at once by `scan`, in blocks that grow; those that ended or erred are left out."""
    target, size = question.target, _SHORTEST
    first: list[int | None] = [None] * len(streams)
    covered = [0] * len(streams)
    words = [(x for block in stream for x in block.tolist()) for stream in streams]
    running, q = np.arange(len(streams)), np.full(len(streams), target.initial)
    state = None
    while len(running):
        blocks = [np.fromiter(islice(words[i], size), np.int64) for i in running]
        lengths = np.array([len(x) for x in blocks])
        within = np.arange(lengths.max()) < lengths[:, None]
        tokens = np.zeros(within.shape, np.int64)
        tokens[within] = np.concatenate(blocks)
        outputs, state = scan(
            question.lrnn, tokens, question.working,
            initial=state, lengths=lengths, return_state=True,
        )  # fmt: skip
        wanted, q = _answers(target, letters[tokens], q)
        wrong = within & (outputs.numpy() != wanted)
        for i, row, length in zip(running, wrong, lengths, strict=True):
            place = int(row.argmax()) if row.any() else None
            covered[i] += int(length) if place is None else place
            first[i] = None if place is None else covered[i] + 1
        if progress:
            progress(sum(covered))
        on = (lengths == size) & ~wrong.any(axis=1)
        state, q, running = state.take(on), q[on], running[on]
        size = min(2 * size, BLOCK)
    return first, covered


def _answers(
    target: Target, words: NDArray[np.int64], q: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """What an automaton answers after every letter, from these states, and where it ends."""
    wanted, response = np.empty_like(words), target.response
    for t, a in enumerate(words.T):
        after = target.delta[a, q]
        wanted[:, t] = response[a, q] if response.ndim == 2 else response[after]
        q = after
    return wanted, q
