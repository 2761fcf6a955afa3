"""An export put to the test on words: its arithmetic is its own, and so is its verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arguments import positive
from lrnn_theory.automaton import Automaton
from lrnn_theory.verification.verdict import Verdict

EDGES = (1, 16, 63, 64, 65, 127, 128, 129)
"""Lengths about which kernels change: chunks hold 16, 32 or 64 letters."""

MAX_LETTERS = 1 << 26
"""Most letters of all words of a trial."""


@dataclass(frozen=True)
class Agrees(Verdict):
    """An export answered every word of a trial like the automaton; no more is known.

    Attributes:
        words: how many words there were, each asked after every letter.
        letters: how many answers there were.
        longest: length of the longest word.
    """

    words: int
    letters: int
    longest: int


@dataclass(frozen=True)
class Differs(Verdict):
    """The shortest prefix of the words of a trial that an export answered differently.

    Attributes:
        word: its letters.
        answered: the output of the export.
        expected: the output of the automaton.
    """

    word: tuple[str, ...]
    answered: str
    expected: str


def trial(
    answers: Callable[[torch.Tensor], torch.Tensor],
    automaton: Automaton,
    name: str,
    *,
    symbols: Sequence[str] | None = None,
    words: int = 200,
    length: int = 256,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> Agrees | Differs:
    """Compare what answers words with an automaton, on random and adversarial words.

    Args:
        answers: letter indices, (batch, time), to output indices, (batch, time).
        automaton: what it should answer like; letters in the same order.
        name: the arithmetic of the verdict.
        symbols: names of the output indices; by default those of the automaton.
        words: how many words.
        length: letters of each.
        seed: of the random ones.
        device: where the tokens shall lie.

    Returns:
        The verdict.  Where several words are answered wrongly, the earliest wrong answer counts.

    Raises:
        ValueError: if there are no letters, or more than `MAX_LETTERS`.
    """
    check_size(words, length)
    tokens = trial_words(automaton, words, length, seed)
    said = answers(torch.as_tensor(tokens, device=device)).cpu().numpy()
    symbols = automaton.output_symbols if symbols is None else tuple(symbols)
    number = {symbol: i for i, symbol in enumerate(symbols)}
    places = np.array([number.get(symbol, -1) for symbol in automaton.output_symbols])
    outputs = automaton.transduce(tokens)
    expected = places[outputs]
    wrong = np.argwhere(said != expected)
    if not len(wrong):
        return Agrees(name, {}, len(tokens), tokens.size, length)
    i, t = wrong[wrong[:, 1].argmin()].tolist()
    return Differs(
        name,
        {"wrong": len(wrong), "letters": tokens.size},
        tuple(automaton.letters[a] for a in tokens[i, : t + 1].tolist()),
        symbols[said[i, t]],
        automaton.output_symbols[outputs[i, t]],
    )


def check_size(words: int, length: int) -> None:
    """The size of a trial, before anything is made.

    Raises:
        ValueError: if there is no word, none of a letter, or more than `MAX_LETTERS` letters.
    """
    words, length = positive("words", words), positive("length", length)
    if words * length > MAX_LETTERS:
        raise ValueError(
            f"A trial may have {MAX_LETTERS} letters, not 'words' x 'length' = {words * length}."
        )


def trial_words(automaton: Automaton, words: int, length: int, seed: int = 0) -> NDArray[np.int64]:
    """Words for a trial, letter indices (words, length).

    A quarter are adversarial: one letter for ever, two letters in turn, a letter only where the
    length of a chunk is passed; the next quarter go to every state in turn by shortest words; the
    rest is uniformly random.
    """
    rng = np.random.default_rng(seed)
    n = automaton.n_letters
    tokens = rng.integers(n, size=(words, length))
    quarter = words // 4
    for i in range(quarter):
        a, b = (i, i) if i < n else rng.integers(n, size=2).tolist()
        row = np.full(length, a % n)
        if i % 2 or i >= n:
            row[1::2] = b
        if i % 3 == 2:
            row[:] = a
            row[[e for e in EDGES if e < length]] = b
        tokens[i] = row
    paths = _paths(automaton)
    for i in range(quarter, 2 * quarter):
        state, at = automaton.initial, 0
        while at < length:
            goal = int(rng.integers(automaton.n_states))
            path = paths[state].get(goal) or [int(rng.integers(n))]
            path = path[: length - at]
            tokens[i, at : at + len(path)] = path
            at += len(path)
            for a in path:
                state = int(automaton.delta[a, state])
    return tokens


def _paths(automaton: Automaton) -> list[dict[int, list[int]]]:
    """Shortest words between states, for at most `_MOST` of them."""
    steps = automaton.delta.T.tolist()
    paths = []
    for start in range(automaton.n_states):
        found: dict[int, list[int]] = {start: []}
        queue = [start] if automaton.n_states <= _MOST else []
        for state in queue:
            for a, target in enumerate(steps[state]):
                if target not in found:
                    found[target] = [*found[state], a]
                    queue.append(target)
        paths.append(found)
    return paths


_MOST = 300
