"""Active learning: an automaton from an LRNN's answers, where its configurations are too many.

Angluin's observation table with the counterexample analysis of Rivest and Schapire (Information and
Computation 103, 1993).  Questions are asked in batches, of the scan.  A hypothesis is attacked with
random words and then put to `verify`, so that what is returned is proved.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from itertools import product

import numpy as np

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.dispatch import scan
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.closure import Budget
from lrnn_theory.verification.equivalence import verify
from lrnn_theory.verification.verdict import Proved, Refuted

MAX_STATES = 5_000
"""Largest automaton that is learnt."""
_ATTACKS = 1_000
"""Random words that a hypothesis must survive before it is put to `verify`."""
_FEW_LETTERS = 20
_LAST_ATTACKS = 30_000
"""Random words that are tried where `verify` is undecided."""
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
        # Pairs of letters tell states apart that random words would take long to.
        pairs = list(product(self.letters, repeat=2)) if len(self.letters) <= _FEW_LETTERS else []
        self.suffixes: list[Word] = [*([] if self.mealy else [()]), *product(self.letters), *pairs]
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
        length = 8 + 2 * int(np.log2(len(self.access) + 1))
        starts = self.rng.integers(len(self.access), size=count)
        words = [
            (*self.access[i], *self.rng.choice(self.letters, size=length).tolist()) for i in starts
        ]
        for at in range(0, len(words), 1000):
            part = words[at : at + 1000]
            lengths = np.array([len(w) for w in part])
            tokens = np.zeros((len(part), lengths.max()), np.int64)
            for row, w in zip(tokens, part, strict=True):
                row[: len(w)] = w
            said = scan(self.lrnn, tokens, self.arithmetic, lengths=lengths).numpy()
            within = np.arange(tokens.shape[1]) < lengths[:, None]
            wrong = np.argwhere((said != machine.transduce(tokens)) & within)
            if len(wrong):
                i, t = wrong[wrong[:, 1].argmin()].tolist()
                return part[i][: t + 1]
        return None

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
