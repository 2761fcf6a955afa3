"""State-tracking tasks: words drawn on the fly, and the answer that is right after each prefix.

A causal model answers after every letter, so that one word asks for its prefixes too: the
accuracy at position t is that on words of length t.  A label of `UNASKED` asks for nothing.

Sources: Deletang et al., arXiv 2207.02098 (parity, modular arithmetic); Merrill et al.,
arXiv 2404.08819, and Grazzi, Siems et al., arXiv 2411.12537 (groups, lengths, "swaps only",
"4 tokens a permutation"); Liu et al., arXiv 2210.10749 (flip-flop).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lrnn_theory import languages
from lrnn_theory.arguments import check_type
from lrnn_theory.automaton import Automaton

UNASKED = -100
"""The label of a position where no answer is asked for."""

FORMAL = ((3, 40), (40, 256))
"""Training and test lengths of the paper's formal languages."""
GROUPS = ((1, 32), (32, 256))
"""Training and test lengths of the group word problems."""

Range2 = tuple[int, int]


@dataclass(frozen=True)
class Task(ABC):
    """A source of words and answers.

    Attributes:
        name: of the task.
        letters: the alphabet.
        classes: number of answers.
        train: shortest and longest word of training.
        test: shortest and longest word of the test.
    """

    name: str
    letters: tuple[str, ...]
    classes: int
    train: Range2
    test: Range2

    def __post_init__(self) -> None:
        for name, (low, high) in (("train", self.train), ("test", self.test)):
            if not 1 <= low <= high <= 100_000:
                raise ValueError(f"Argument '{name}' must be rising lengths, not {(low, high)}.")

    @abstractmethod
    def sample(
        self, words: int, lengths: Range2, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Random words with their answers, on the generator's device.

        Args:
            words: how many.
            lengths: shortest and longest prefix that is asked for.
            generator: the source of randomness.

        Returns:
            Letters and labels, both (words, longest), as int64.
        """


@dataclass(frozen=True)
class AutomatonTask(Task):
    """Uniformly random letters; the answer is the response of an automaton.

    Attributes:
        automaton: the automaton.
        blanks: letters without effect after every letter; the last of them asks.
    """

    automaton: Automaton
    blanks: int = 0

    def sample(
        self, words: int, lengths: Range2, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """See `Task.sample`."""
        low, high = lengths
        device = generator.device
        moves = -(-high // (1 + self.blanks))
        response = np.asarray(self.automaton.response)
        if response.ndim == 1:
            response = response[self.automaton.delta]
        delta, answer = (
            torch.from_numpy(table.astype(np.int64)).to(device)
            for table in (self.automaton.delta, response)
        )
        letters = torch.randint(len(delta), (moves, words), device=device, generator=generator)
        state = torch.full((words,), self.automaton.initial, device=device)
        said = []
        for letter in letters:
            said.append(answer[letter, state])
            state = delta[letter, state]
        labels = torch.stack(said)
        if self.blanks:
            letters, labels = letters[:, None], labels[:, None]
            blank = torch.full_like(letters, len(delta)).expand(-1, self.blanks, -1)
            nothing = torch.full_like(blank, UNASKED)
            letters = torch.cat([letters, blank], 1).flatten(0, 1)[:high]
            labels = torch.cat([nothing, labels], 1).flatten(0, 1)[:high]
        labels[: low - 1] = UNASKED
        return letters.T, labels.T


@dataclass(frozen=True)
class ArithmeticTask(Task):
    """Digits modulo m with +, - and * between them; the answer is the value, after every digit.

    Example:
        >>> task = ArithmeticTask.modulo(5)
        >>> word, value = task.sample(1, (1, 7), torch.Generator().manual_seed(1))
        >>> " ".join(task.letters[i] for i in word[0]), value[0, 2::2].tolist()
        ('0 - 4 - 4 * 3', [1, 2, 4])
    """

    modulus: int

    @classmethod
    def modulo(cls, modulus: int) -> ArithmeticTask:
        """The task of a modulus from 2 to 10, with the paper's lengths."""
        languages.check_integer("modulus", modulus, 2, 10)
        letters = (*map(str, range(modulus)), *"+-*")
        return cls("modular_arithmetic", letters, modulus, *FORMAL, modulus)

    def sample(
        self, words: int, lengths: Range2, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """See `Task.sample`."""
        low, high = lengths
        m, device = self.modulus, generator.device
        shape = ((high + 1) // 2, words)
        digits = torch.randint(m, shape, device=device, generator=generator)
        signs = torch.randint(3, shape, device=device, generator=generator)
        total = torch.zeros(words, dtype=torch.int64, device=device)
        term, values = digits[0], [digits[0]]
        for digit, sign in zip(digits[1:], signs[:-1], strict=True):
            product = sign == 2
            total = torch.where(product, total, total + term)
            signed = torch.where(sign == 1, -digit, digit)
            term = torch.where(product, term * digit, signed) % m
            values.append((total + term) % m)
        labels = torch.stack(values)
        letters = torch.stack([digits, m + signs], 1).flatten(0, 1)[:high]
        labels = torch.stack([labels, torch.full_like(labels, UNASKED)], 1).flatten(0, 1)[:high]
        labels[: low - 1] = UNASKED
        return letters.T, labels.T


@dataclass(frozen=True)
class BracketsTask(Task):
    """Bracketed expressions modulo m; the answer is the value, at the end.

    An expression of length 1 to 4 is d, -d, (d) or (-d); a longer one is (left sign right), where
    the length of the left part is uniform.  After an expression, blanks fill the word.
    """

    modulus: int

    @classmethod
    def modulo(cls, modulus: int) -> BracketsTask:
        """The task of a modulus from 2 to 10, with the paper's lengths."""
        languages.check_integer("modulus", modulus, 2, 10)
        letters = (*map(str, range(modulus)), *"+-*()_")
        return cls("modular_arithmetic_with_brackets", letters, modulus, *FORMAL, modulus)

    def sample(
        self, words: int, lengths: Range2, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """See `Task.sample`; every word has one length, drawn uniformly."""
        low, high = lengths
        m, device = self.modulus, generator.device

        def random(high: Tensor | int, like: Tensor) -> Tensor:
            share = torch.rand(like.shape, device=device, generator=generator, dtype=torch.float64)
            return (share * high).long()

        plus, opening, closing, blank = m, m + 3, m + 4, m + 5
        letters = torch.full((words, high), blank, device=device)
        word = torch.arange(words, device=device)
        whole = low + random(high - low + 1, word)
        start, size = torch.zeros_like(word), whole
        levels = []  # from the outside to the inside: (inner places, signs, values of the others)
        while len(word):
            bracket = size > 2
            letters[word[bracket], start[bracket]] = opening
            letters[word[bracket], (start + size - 1)[bracket]] = closing
            split = size > 4
            leaf = ~split
            digit, sign = random(m, size), random(3, size)
            end = start + size - 1 - bracket.long()  # where a leaf's digit stands
            letters[word[leaf], end[leaf]] = digit[leaf]
            minus = leaf & (size % 2 == 0)
            letters[word[minus], end[minus] - 1] = plus + 1
            left = 1 + random(size - 4, size)
            letters[word[split], (start + 1 + left)[split]] = plus + sign[split]
            levels.append((split, sign[split], torch.where(minus, -digit, digit) % m))
            begin = torch.stack([start + 1, start + 2 + left], 1)[split].flatten()
            sizes = torch.stack([left, size - left - 3], 1)[split].flatten()
            word, start, size = word[split].repeat_interleave(2), begin, sizes
        values = torch.zeros(0, dtype=torch.int64, device=device)
        for split, sign, value in reversed(levels):
            a, b = values[::2], values[1::2]
            joined = torch.where(sign == 2, a * b, torch.where(sign == 1, a - b, a + b)) % m
            values = value.masked_scatter(split, joined)
        labels = torch.full_like(letters, UNASKED)
        labels[torch.arange(words, device=device), whole - 1] = values
        return letters, labels


def of_automaton(
    automaton: Automaton,
    name: str = "automaton",
    *,
    states: bool = False,
    lengths: tuple[Range2, Range2] = FORMAL,
) -> AutomatonTask:
    """The task of tracking an automaton.

    Args:
        automaton: any automaton.
        name: what the task is called.
        states: whether the answer is the state, not the automaton's response.
        lengths: those of training and those of the test.

    Example:
        >>> task = of_automaton(languages.parity())
        >>> word, parity = task.sample(1, (1, 6), torch.Generator().manual_seed(0))
        >>> word.tolist(), parity.tolist()
        ([[0, 1, 1, 0, 1, 1]], [[0, 1, 0, 0, 1, 0]])
    """
    check_type("automaton", automaton, Automaton)
    if states:
        automaton = replace(
            automaton,
            accepting=np.zeros_like(automaton.accepting),
            outputs=np.arange(automaton.n_states),
            output_symbols=tuple(map(str, range(automaton.n_states))),
        )
    classes = len(automaton.output_symbols)
    return AutomatonTask(name, automaton.letters, classes, *lengths, automaton)


def moving_at_most(n: int, points: int) -> Automaton:
    """The word problem of S_n whose letters move at most that many points.

    Example:
        >>> moving_at_most(5, 2).n_letters  # the identity and ten swaps
        11
    """
    group = languages.symmetric_group(n)
    moved = [sum(x != str(i + 1) for i, x in enumerate(name)) for name in group.letters]
    kept = [i for i, count in enumerate(moved) if count <= points]
    return replace(group, delta=group.delta[kept], letters=tuple(group.letters[i] for i in kept))


def _group(make: Callable[[], Automaton], name: str) -> AutomatonTask:
    return of_automaton(make(), name, states=True, lengths=GROUPS)


def _spaced(name: str) -> AutomatonTask:
    task = _group(partial(languages.symmetric_group, 5), name)
    return replace(task, letters=(*task.letters, "_"), blanks=3)


TASKS: dict[str, Callable[[], Task]] = {
    "parity": lambda: of_automaton(languages.parity(), "parity"),
    "modular_counting": lambda: of_automaton(
        languages.mod(5, "ab"), "modular_counting", states=True
    ),
    "modular_arithmetic": lambda: ArithmeticTask.modulo(5),
    "modular_arithmetic_with_brackets": lambda: BracketsTask.modulo(5),
    "flip_flop": lambda: of_automaton(languages.flip_flop(), "flip_flop"),
    "s3": partial(_group, partial(languages.symmetric_group, 3), "s3"),
    "s4": partial(_group, partial(languages.symmetric_group, 4), "s4"),
    "s5": partial(_group, partial(languages.symmetric_group, 5), "s5"),
    "s5_swaps": partial(_group, partial(moving_at_most, 5, 2), "s5_swaps"),
    "s5_3_permutations": partial(_group, partial(moving_at_most, 5, 3), "s5_3_permutations"),
    "s5_4_tokens": partial(_spaced, "s5_4_tokens"),
    "a5": partial(_group, partial(languages.alternating_group, 5), "a5"),
    "z60": partial(_group, partial(languages.cyclic_group, 60), "z60"),
}
"""The named tasks; `of_automaton` makes one of any automaton."""
