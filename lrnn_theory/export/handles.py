"""Hidden states by hand: those of an automaton's states, and the way back.

The states of an LRNN in an arithmetic are those of the minimal automaton that it implements there
(`extract`), which is numbered breadth first from the initial state 0.
"""

from __future__ import annotations

from html import escape
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.congruence import distinguishing_word
from lrnn_theory.dispatch import scan
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import ScanState
from lrnn_theory.tracing import html_table
from lrnn_theory.verification import extract

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
    return f"<p>{escape(repr(lrnn).strip('<>'))}</p>{html_table(rows)}"
