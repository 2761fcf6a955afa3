"""A linear RNN followed letter by letter: the state of every layer, its actions, its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cyclotomic import short_text
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import Machine
from lrnn_theory.words import Word, encode_word

MAX_NUMBERS = 4_000_000
"""Most numbers of all states together that a trace holds."""
MAX_SHOWN = 40
"""Most letters of a trace, and most numbers of a state, that its table shows."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What a linear RNN did on one word; its text is a table, in a notebook one in HTML.

    Attributes:
        lrnn: the network.
        arithmetic: where it ran, written out.
        word: indices of its letters, (time,).
        states: for every layer its states, (time + 1, n, d), the initial one first, in numbers of
            the arithmetic: exact ones stay exact.  Those of the layers of a tail come last.
        actions: for every stored layer, the actions it took, (time,).
        coordinates: for every stored layer, the coordinates that its state was read as,
            (time + 1,), the initial one first.
        outputs: output indices, (time + 1,); the first is that of the empty word, -1 in a Mealy
            machine.
    """

    lrnn: LRNN
    arithmetic: str
    word: NDArray[np.int64]
    states: tuple[NDArray[Any], ...]
    actions: tuple[NDArray[np.int64], ...]
    coordinates: tuple[NDArray[np.int64], ...]
    outputs: NDArray[np.int64]

    @property
    def floats(self) -> tuple[NDArray[np.float64], ...]:
        """The states as float64."""
        return tuple(states.astype(np.float64) for states in self.states)

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        return html_table(self._rows())

    def _rows(self) -> list[list[str]]:
        """The head and a row for every letter; the middle of a long word is left out."""
        rows = [["letter", *(f"layer {i + 1}" for i in range(len(self.states))), "output"]]
        times = list(range(len(self.outputs)))
        for t in _shortened(times, MAX_SHOWN):
            if t is None:
                rows.append(["…"] * len(rows[0]))
                continue
            letter = self.lrnn.letters[self.word[t - 1]] if t else ""
            output = int(self.outputs[t])
            said = self.lrnn.output_symbols[output] if output >= 0 else ""
            rows.append([letter, *(_entries(states[t]) for states in self.states), said])
        return rows


def _entries(state: NDArray[Any]) -> str:
    """The numbers of a state as text."""
    texts = (
        "…" if x is None else f"{x:g}" if isinstance(x, float) else short_text(x)
        for x in _shortened(state.ravel().tolist(), MAX_SHOWN)
    )
    return " ".join(texts)


def _shortened(items: list[Any], most: int) -> list[Any]:
    """A list, with None for the middle of a long one."""
    return items if len(items) <= most else [*items[: most // 2], None, *items[-most // 2 :]]


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as an HTML table; the first is its head."""
    cells = [
        "".join(f"<{tag}>{escape(x)}</{tag}>" for x in row)
        for tag, row in zip(["th"] + ["td"] * (len(rows) - 1), rows, strict=True)
    ]
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def trace(lrnn: LRNN, word: Word, arithmetic: str | Arithmetic = "float32") -> Trace:
    """Run a linear RNN on one word and keep everything.

    The steps are those of the plain scan, on the CPU.

    Args:
        lrnn: the network.
        word: letters, as a string or a sequence of names.
        arithmetic: number format, rounding and order of evaluation.

    Raises:
        ValueError: if a letter is unknown, or the trace would have more than `MAX_NUMBERS` numbers.

    Example:
        >>> from constructions import compile_dfa
        >>> run = trace(compile_dfa("(0|10*1)*"), "101", "bfloat16")
        >>> run.states[0].ravel().tolist(), run.outputs.tolist()
        ([1.0, -1.0, -1.0, 1.0], [1, 0, 0, 1])
        >>> run
        letter  layer 1  output
                1        1
        1       -1       0
        0       -1       0
        1       1        1
    """
    check_type("lrnn", lrnn, LRNN)
    letters = encode_word(word, {name: i for i, name in enumerate(lrnn.letters)})
    numbers = (len(letters) + 1) * lrnn.state_size
    if numbers > MAX_NUMBERS:
        raise ValueError(
            f"Argument 'word' must be shorter: its {len(letters)} letters lead to {numbers} "
            f"numbers, more than {MAX_NUMBERS}."
        )
    machine = Machine(lrnn, arithmetic)
    state = machine.start(1)
    shape = (len(lrnn.levels), len(letters))
    actions, coordinates = np.zeros(shape, np.int64), np.zeros((shape[0], shape[1] + 1), np.int64)
    coordinates[:, 0] = [level.layer.initial for level in lrnn.levels]
    states = [_numbers(machine, state.hidden)]
    outputs = [int(state.output[0])]
    for t, letter in enumerate(letters.tolist()):
        state = machine.step(state, machine.table([letter]))
        actions[:, t], coordinates[:, t + 1] = _read(
            machine, state.hidden, letter, coordinates[:, t]
        )
        states.append(_numbers(machine, state.hidden))
        outputs.append(int(state.output[0]))
    return Trace(
        lrnn,
        str(machine.arithmetic),
        letters,
        tuple(map(np.stack, zip(*states, strict=True))),
        tuple(actions),
        tuple(coordinates),
        np.array(outputs),
    )


def _numbers(machine: Machine, hidden: tuple[Any, ...]) -> list[NDArray[Any]]:
    """The state of every layer, (n, d), as its decoder sees it."""
    rows = []
    for i, h in enumerate(hidden):
        kernel = machine.kernels[i] if i < len(machine.kernels) else None
        observe = getattr(kernel, "observe", None)  # chunks, trees and casts hold more than a state
        rows.append(np.asarray(observe(h)[0] if observe else h[0]).copy())
    return rows


def _read(
    machine: Machine, hidden: tuple[Any, ...], letter: int, before: NDArray[np.int64]
) -> tuple[list[int], list[int]]:
    """The action of every stored layer on a letter, and the coordinate after it."""
    actions, coordinates = [], []
    for head in machine.lrnn.heads:
        context = machine.lrnn.letter_class[letter]
        for level in head:
            i = len(actions)
            action = int(level.action[context])
            codeword = int(machine.kernels[i].decode(hidden[i])[0])
            previous, current = level.layer.readout[action, codeword].tolist()
            shown = {"previous": previous, "current": current, "shifted": before[i]}
            context = level.next[context, shown[level.reads]]
            actions.append(action)
            coordinates.append(current)
    return actions, coordinates
