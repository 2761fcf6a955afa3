"""A linear RNN followed letter by letter: the state of every layer, its actions, its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import Machine
from lrnn_theory.words import Word, encode_word

MAX_NUMBERS = 4_000_000
"""Most numbers of all states together that a trace holds."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What a linear RNN did on one word.

    Attributes:
        arithmetic: where it ran, written out.
        word: indices of its letters, (time,).
        states: for every layer its states as float64, (time + 1, n, d), the initial one first;
            those of the layers of a tail come last.
        actions: for every stored layer, the actions it took, (time,).
        coordinates: for every stored layer, the coordinates that its state was read as,
            (time + 1,), the initial one first.
        outputs: output indices, (time + 1,); the first is that of the empty word, -1 in a Mealy
            machine.
    """

    arithmetic: str
    word: NDArray[np.int64]
    states: tuple[NDArray[np.float64], ...]
    actions: tuple[NDArray[np.int64], ...]
    coordinates: tuple[NDArray[np.int64], ...]
    outputs: NDArray[np.int64]


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
    """
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
        str(machine.arithmetic),
        letters,
        tuple(map(np.stack, zip(*states, strict=True))),
        tuple(actions),
        tuple(coordinates),
        np.array(outputs),
    )


def _numbers(machine: Machine, hidden: tuple[Any, ...]) -> list[NDArray[np.float64]]:
    """The state of every layer, (n, d), as its decoder sees it."""
    rows = []
    for i, h in enumerate(hidden):
        kernel = machine.kernels[i] if i < len(machine.kernels) else None
        observe = getattr(kernel, "observe", None)  # chunks and trees hold more than a state
        rows.append(np.asarray(observe(h)[0] if observe else h[0]).astype(np.float64))
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
