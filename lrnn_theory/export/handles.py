"""Hidden states by hand: those of an automaton's states, the way back, and all of a word.

The states of an LRNN in an arithmetic are those of the minimal automaton that it implements there
(`extract`), which is numbered breadth first from the initial state 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.congruence import distinguishing_word
from lrnn_theory.dispatch import scan
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import Machine, ScanState
from lrnn_theory.verification import extract
from lrnn_theory.words import Word, encode_word

_implemented: WeakKeyDictionary[LRNN, dict[Arithmetic, Automaton]] = WeakKeyDictionary()


def automaton_of(lrnn: LRNN, arithmetic: str | Arithmetic) -> Automaton:
    """What `extract` finds, kept as long as the LRNN is."""
    known = _implemented.setdefault(lrnn, {})
    arithmetic = Arithmetic.parse(arithmetic)
    if arithmetic not in known:
        known[arithmetic] = extract(lrnn, arithmetic)
    return known[arithmetic]


def encode(lrnn: LRNN, state: int, arithmetic: str | Arithmetic = "float32") -> ScanState:
    """The hidden state of a state; see `LRNN.encode`."""
    machine = automaton_of(lrnn, arithmetic)
    if not isinstance(state, (int, np.integer)) or not 0 <= state < machine.n_states:
        raise ValueError(
            f"Argument 'state' must be one of the {machine.n_states} states, not {state!r}."
        )
    word = machine.access_words[int(state)]
    return scan(lrnn, np.array([word], np.int64), arithmetic, return_state=True)[1]


def decode(
    lrnn: LRNN, hidden: ScanState, arithmetic: str | Arithmetic = "float32"
) -> NDArray[np.int64]:
    """The states of hidden states; see `LRNN.decode`."""
    machine = automaton_of(lrnn, arithmetic)
    words = _separating(machine)
    batch = len(hidden.output)
    said = [hidden.output.cpu().numpy()] if machine.kind != "mealy" else []
    expected = [machine.response] if machine.kind != "mealy" else []
    for word in words:
        tokens = np.tile(np.array(word, np.int64), (batch, 1))
        outputs = scan(lrnn, tokens, arithmetic, initial=hidden, outputs="last")
        said.append(outputs.cpu().numpy())
        states = np.arange(machine.n_states)
        for a in word[:-1]:
            states = machine.delta[a, states]
        after = machine.delta[word[-1], states]
        mealy = machine.kind == "mealy"
        expected.append(machine.response[word[-1], states] if mealy else machine.response[after])
    if not said:
        return np.zeros(batch, np.int64)
    same = (np.stack(said, 1)[:, None] == np.stack(expected, 1)[None]).all(axis=2)
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def _separating(machine: Automaton) -> list[tuple[int, ...]]:
    """Words whose answers tell all states of a minimal automaton apart, with those of no letter."""
    words: list[tuple[int, ...]] = []
    mealy = machine.kind == "mealy"
    block = np.zeros(machine.n_states, np.int64) if mealy else machine.response.astype(np.int64)
    while len(np.unique(block)) < machine.n_states:
        values, first, count = np.unique(block, return_index=True, return_counts=True)
        p = int(first[count > 1][0])
        q = int(np.flatnonzero(block == values[count > 1][0])[1])
        word = distinguishing_word(machine.delta, machine.response, p, q)
        assert word, "a minimal automaton has no equivalent states"
        words.append(tuple(word))
        states = np.arange(machine.n_states)
        for a in word[:-1]:
            states = machine.delta[a, states]
        last = machine.response[word[-1], states] if mealy else None
        if last is None:
            last = machine.response[machine.delta[word[-1], states]]
        block = np.unique(np.stack([block, last]), axis=1, return_inverse=True)[1].ravel()
    return words


# -------------------------------------------------------------------- traces


@dataclass(frozen=True, eq=False)
class Trace:
    """Everything that an LRNN holds while it reads a word.

    Attributes:
        letters: the word.
        hidden: for every layer its states, (time + 1, n, d); the first is the initial one.
        outputs: the output after every letter, and before the first one (None in a Mealy machine).
        arithmetic: where it was read.
    """

    letters: tuple[str, ...]
    hidden: tuple[NDArray[Any], ...]
    outputs: tuple[str | None, ...]
    arithmetic: str

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        head, *rest = self._rows()
        body = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in rest)
        return f"<table><tr>{_cells(head, 'th')}</tr>{body}</table>"

    def _rows(self) -> list[list[str]]:
        head = ["letter", *(f"layer {i}" for i in range(1, len(self.hidden) + 1)), "output"]
        rows = [head]
        for t, output in enumerate(self.outputs):
            letter = self.letters[t - 1] if t else ""
            states = [" ".join(_shown(x) for x in h[t].ravel().tolist()) for h in self.hidden]
            rows.append([letter, *states, output or ""])
        return rows


def _cells(row: list[str], tag: str) -> str:
    return "".join(f"<{tag}>{escape(x)}</{tag}>" for x in row)


def _shown(x: Any) -> str:
    return f"{x:g}" if isinstance(x, float) else str(x)


def trace(lrnn: LRNN, word: Word, arithmetic: str | Arithmetic = "exact") -> Trace:
    """All hidden states of a word; see `LRNN.trace`."""
    arithmetic = Arithmetic.parse(arithmetic)
    machine = Machine(lrnn, arithmetic)
    letters = encode_word(word, {a: i for i, a in enumerate(lrnn.letters)})
    state = machine.start(1)
    states = [state]
    with torch.no_grad():
        for a in letters:
            state = machine.step(state, machine.table(np.array([a])))
            states.append(state)
    layers = zip(*(s.hidden for s in states), strict=True)
    said = [int(s.output[0]) for s in states]
    return Trace(
        tuple(lrnn.letters[a] for a in letters),
        tuple(np.concatenate([np.asarray(h) for h in layer]) for layer in layers),
        tuple(lrnn.output_symbols[x] if x >= 0 else None for x in said),
        str(arithmetic),
    )


# -------------------------------------------------------------------- notebooks

_MOST = 8
"""Largest matrices, and most of them, that are shown."""


def html(lrnn: LRNN) -> str:
    """An LRNN as an HTML table, with its matrices if they are small."""
    rows = [["head", "layer", "state", "actions", "reads", "A and B"]]
    for i, head in enumerate(lrnn.heads):
        for j, level in enumerate(head):
            layer = level.layer
            small = max(layer.n, layer.n_actions) <= _MOST
            shown = ""
            if small:
                parts = []
                for a in range(layer.n_actions):
                    matrix = layer.transition.matrix(a).tolist()
                    text = "; ".join(" ".join(map(str, row)) for row in matrix)
                    b = " ".join(map(str, layer.b[a].ravel().tolist()))
                    parts.append(f"[{text}]" + (f" + [{b}]" if (layer.b[a] != 0).any() else ""))
                shown = ", ".join(parts)
            size = f"{layer.n} x {layer.d}"
            rows.append([str(i), str(j), size, str(layer.n_actions), level.reads, shown])
    head, *rest = rows
    body = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in rest)
    title = escape(repr(lrnn).strip("<>"))
    return f"<p>{title}</p><table><tr>{_cells(head, 'th')}</tr>{body}</table>"
