"""Active learning: an automaton from an LRNN's answers, where its configurations are too many.

Angluin's observation table with the counterexample analysis of Rivest and Schapire (Information and
Computation 103, 1993).  Questions are asked in batches, of the scan.  A hypothesis is attacked with
random words and then put to `verify`, so that what is returned is proved.

Most letters of a protocol lead to one sink, so that words of random letters tell little.  Half of
the words draw the next *state* of the hypothesis at random instead, of all that some letter leads
to: they stay where states differ.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.dispatch import scan
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.closure import Budget
from lrnn_theory.verification.equivalence import verify
from lrnn_theory.verification.verdict import Proved, Refuted

MAX_STATES = 5_000
"""Largest automaton that is learnt."""
_ATTACKS = 10_000
"""Random words that a hypothesis must survive before it is put to `verify`."""
_LAST_ATTACKS = 200_000
"""Random words that are tried where `verify` is undecided."""
_FIRST = 1_000
"""Random words that are tried at first; then four times as many."""
_SHARE = 20_000
"""Random words that are tried at once."""
_BATCH = 200_000
"""Letters scanned at once, padding included."""

Word = tuple[int, ...]


def learn(lrnn: LRNN, arithmetic: Arithmetic, budget: Budget) -> Automaton | None:
    """The minimal automaton of an LRNN, proved; None if it is not found."""
    table = _Table(lrnn, arithmetic)
    while table.close():
        machine = table.hypothesis()
        word = table.attack(machine)
        if word is None:
            verdict = verify(lrnn, machine, arithmetic, budget=budget)
            if isinstance(verdict, Proved):
                return machine.minimize()
            if isinstance(verdict, Refuted):
                word = tuple(lrnn.letters.index(letter) for letter in verdict.word)
            else:
                word = table.attack(machine, _LAST_ATTACKS)
        if word is None:
            return None
        table.analyse(word)
    return None


class _Table:
    """Access words, suffixes that tell them apart, and the answers known so far.

    Letters of one class act alike, so that words are made of the first letter of each class.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic) -> None:
        self.lrnn, self.arithmetic = lrnn, arithmetic
        first = np.sort(np.unique(lrnn.letter_class, return_index=True)[1])
        self.letters: list[int] = first.tolist()
        self.mealy = lrnn.kind == "mealy"
        self.access: list[Word] = [()]
        self.suffixes: list[Word] = [*([] if self.mealy else [()]), *product(self.letters)]
        self.known: dict[Word, int] = {(): lrnn.empty_output}
        self.rng = np.random.default_rng(0)

    def ask(self, words: Sequence[Word]) -> None:
        """Learn the LRNN's answers after words."""
        new = sorted({w for w in words if w not in self.known}, key=len)
        while new:
            count = max(1, _BATCH // len(new[min(len(new), _BATCH // len(new[0])) - 1]))
            part, new = new[:count], new[count:]
            lengths = np.array([len(w) for w in part])
            tokens = np.zeros((len(part), lengths.max()), np.int64)
            for row, w in zip(tokens, part, strict=True):
                row[: len(w)] = w
            answers = scan(self.lrnn, tokens, self.arithmetic, lengths=lengths, outputs="last")
            self.known.update(zip(part, answers.tolist(), strict=True))

    def row(self, word: Word) -> Word:
        """The answers after a word and each suffix."""
        return tuple(self.known[word + suffix] for suffix in self.suffixes)

    def close(self) -> bool:
        """Find an access word for every row that letters lead to; False if they are too many."""
        while len(self.access) <= MAX_STATES:
            moved = [(*w, a) for w in self.access for a in self.letters]
            self.ask([w + e for w in (*self.access, *moved) for e in self.suffixes])
            rows = {self.row(w) for w in self.access}
            fresh = {}
            for w in moved:
                if (row := self.row(w)) not in rows:
                    fresh.setdefault(row, w)
            if not fresh:
                return True
            self.access += fresh.values()
        return False

    def hypothesis(self) -> Automaton:
        """The automaton of the table, over all letters of the LRNN."""
        number = {self.row(w): i for i, w in enumerate(self.access)}
        delta = [[number[self.row((*w, a))] for w in self.access] for a in self.letters]
        self.delta = dict(zip(self.letters, delta, strict=True))
        classes = self.lrnn.letter_class
        of = np.argmax(classes[:, None] == classes[self.letters], axis=1)
        if self.mealy:
            outputs = np.array([[self.known[(*w, a)] for w in self.access] for a in self.letters])
            outputs = outputs[of]
        else:
            outputs = np.array([self.known[w] for w in self.access])
        dfa = self.lrnn.kind == "dfa"
        return Automaton.from_table(
            np.array(delta)[of],
            accepting=outputs == 1 if dfa else (),
            letters=self.lrnn.letters,
            outputs=None if dfa else outputs,
            output_symbols=None if dfa else self.lrnn.output_symbols,
        )

    def attack(self, machine: Automaton, count: int = _ATTACKS) -> Word | None:
        """A word on which LRNN and hypothesis differ, among random ones that visit every state."""
        part = _FIRST
        while count > 0:
            part = min(part, count, _SHARE)
            tokens, lengths = self._walks(part)
            said = scan(self.lrnn, tokens, self.arithmetic, lengths=lengths).numpy()
            within = np.arange(tokens.shape[1]) < lengths[:, None]
            wrong = np.argwhere((said != machine.transduce(tokens)) & within)
            if len(wrong):
                i, t = wrong[wrong[:, 1].argmin()].tolist()
                return tuple(tokens[i, : t + 1].tolist())
            count, part = count - part, 4 * part
        return None

    def _walks(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Words from states of the hypothesis, (count, time), and their lengths.

        After an access word and any letter, half of them take letters at random, and half take
        letters to states at random.
        """
        delta = np.array([self.delta[a] for a in self.letters])
        steps = 8 + 2 * int(np.log2(len(self.access) + 1))
        chances = 1 / (delta[:, None] == delta).sum(axis=1)  # every state that follows has one
        edges = np.cumsum(chances / chances.sum(axis=0), axis=0).T[:, :-1]
        state = self.rng.integers(len(self.access), size=count)
        starts = np.array([len(w) for w in self.access])[state]
        tokens = np.zeros((count, starts.max() + steps), np.int64)
        for row, q in zip(tokens, state.tolist(), strict=True):
            row[: len(self.access[q])] = self.access[q]
        rows = np.arange(count)
        for t in range(steps):
            letter = (edges[state] < self.rng.random((count, 1))).sum(axis=1)
            blind = (rows % 2 == 0) | (t == 0)
            letter[blind] = self.rng.integers(len(self.letters), size=blind.sum())
            tokens[rows, starts + t] = np.array(self.letters)[letter]
            state = delta[letter, state]
        return tokens, starts + steps

    def analyse(self, word: Word) -> None:
        """Add a suffix of a wrongly answered word that tells two words of one state apart."""
        word = tuple(self.letters[self._class(a)] for a in word)
        states = [0]
        for a in word:
            states.append(self.delta[a][states[-1]])
        mixed = [self.access[q] + word[i:] for i, q in enumerate(states)]
        mixed = mixed[: len(word)] if self.mealy else mixed
        self.ask(mixed)
        answers = [self.known[w] for w in mixed]
        changes = [i for i, (x, y) in enumerate(itertools.pairwise(answers)) if x != y]
        self.suffixes.append(word[changes[-1] + 1 :])

    def _class(self, letter: int) -> int:
        classes = self.lrnn.letter_class
        return int(np.argmax(classes[self.letters] == classes[letter]))
