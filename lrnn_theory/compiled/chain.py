"""Chains of layers that round, in compiled code: level after level over a stretch of the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import engine
from lrnn_theory.compiled.layer import CompiledLayer
from lrnn_theory.lrnn import LRNN
from lrnn_theory.packing import coordinates_read, follow_table
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.scanning.kernels import runs_natively
from lrnn_theory.transition import Dense

_TIME = 1024
"""Letters of a word that are taken through a level before the next."""


class FloatChain:
    """One chain of layers in an arithmetic that doubles emulate.

    Args:
        lrnn: a network of one head of some levels, without a tail.
        arithmetic: where it runs.
        reason: why it is not packed.

    Attributes:
        arrays: how many arrays hold the states of a batch.
        reason: why it is not packed.

    Raises:
        UnsupportedError: if the network or the arithmetic is not supported.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic, reason: str) -> None:
        levels, self.reason = lrnn.levels, reason
        if arithmetic.factored and any(isinstance(v.layer.transition, Dense) for v in levels):
            raise UnsupportedError("a dense layer in a factored arithmetic")
        if not (
            CompiledLayer.supports(arithmetic)
            and all(runs_natively(v.layer, arithmetic) for v in levels)
        ):
            raise UnsupportedError(f"{reason}, and compiled code does not emulate it")
        self._layers = [CompiledLayer(v.layer, arithmetic) for v in levels]
        self.arrays = 2 * len(levels)
        after = [v.next for v in levels]
        after[-1] = lrnn.output[after[-1]]
        tables: list[tuple[Any, Any, Any]] = [
            (
                v.action.astype(np.int64),
                coordinates_read(v)[v.action] if v.reads == "shifted" else follow_table(v, x),
                x if v.reads == "shifted" else x[:, :0],
            )
            for v, x in zip(levels, after, strict=True)
        ]
        action, follow, below = (x[lrnn.letter_class] for x in tables[0])
        self._tables = [(action, follow, below), *tables[1:]]

    def enter(self, hidden: Sequence[Any], shifted: Sequence[Any]) -> list[NDArray[Any]]:
        """The states of a batch, (batch, n * d) for every level, to be changed in place.

        After them, for every level, the coordinates that it read last, (batch,).
        """
        pairs = zip(self._layers, hidden, strict=True)
        states = [
            np.asarray(h).astype(v.program.b.dtype).reshape(-1, v.program.b.shape[1])
            for v, h in pairs
        ]
        return states + [np.asarray(x).copy() for x in shifted]

    def leave(self, state: list[NDArray[Any]]) -> tuple[list[Any], list[Any]]:
        """The states of every level, (batch, n, d), and the coordinates; all NaNs are one."""
        depth = len(self._layers)
        hidden = [
            np.where(np.isnan(h), np.nan, h).astype(h.dtype).reshape(-1, *v.shape)
            for v, h in zip(self._layers, state[:depth], strict=True)
        ]
        return hidden, state[depth:]

    def read(
        self,
        letters: NDArray[Any],
        lengths: NDArray[np.int64],
        state: list[NDArray[Any]],
        output: NDArray[np.int64],
        every: NDArray[np.int64] | None,
    ) -> None:
        """Read words, (batch, time), of these lengths; states and outputs are taken on."""
        workers = [self._worker(i) for i in range(len(self._layers))]
        rows = np.arange(len(letters))
        for first in range(0, letters.shape[1], _TIME):
            contexts = letters[:, first : first + _TIME].astype(np.int32)
            left = (lengths - first).clip(0, contexts.shape[1])
            for i, worker in enumerate(workers):
                silent = every is None and i == len(workers) - 1 and not worker[4].size
                memory = state[len(workers) + i]
                engine.read_level(*worker, state[i], memory, contexts, left, silent)
            some = left > 0
            output[some] = contexts[rows[some], left[some] - 1]
            if every is not None:
                within = np.arange(contexts.shape[1]) < left[:, None]
                every[:, first : first + _TIME][within] = contexts[within]

    def _worker(self, i: int) -> tuple[Any, Any, Any, Any, Any, Any]:
        """What a thread needs of a level, with room of its own."""
        layer, (action, follow, below) = self._layers[i], self._tables[i]
        program = layer.program._replace(
            scratch=layer.program.scratch.copy(), partials=layer.program.partials.copy()
        )
        reader = layer.reader._replace(
            balls=layer.reader.balls.copy(),
            rivals=layer.reader.rivals.copy(),
            radii=layer.reader.radii.copy(),
        )
        guess = np.zeros((len(program.b), follow.shape[1]), np.int64)
        return program, reader, action, follow, below, guess
