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
from lrnn_theory.packing import follow_table
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.scanning.kernels import runs_natively
from lrnn_theory.transition import Dense

_TIME = 1024
"""Letters of a word that are taken through a level before the next."""


class FloatChain:
    """One chain of layers in an arithmetic that doubles emulate.

    Args:
        lrnn: the network.
        arithmetic: where it runs.
        reason: why it is not packed, for the message.

    Raises:
        UnsupportedError: if the network or the arithmetic is not supported.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic, reason: str) -> None:
        levels = lrnn.levels
        if (
            len(lrnn.heads) > 1
            or lrnn.tail
            or not levels
            or any(v.reads == "shifted" for v in levels)
        ):
            raise UnsupportedError(reason)
        if not (
            CompiledLayer.supports(arithmetic)
            and all(runs_natively(v.layer, arithmetic) for v in levels)
        ):
            raise UnsupportedError(f"{reason}, and compiled code does not emulate it")
        if arithmetic.factored and any(isinstance(v.layer.transition, Dense) for v in levels):
            raise UnsupportedError("a dense layer in a factored arithmetic")
        self._layers = [CompiledLayer(v.layer, arithmetic) for v in levels]
        after = [v.next for v in levels]
        after[-1] = lrnn.output[after[-1]]
        self._follow = [follow_table(v, x) for v, x in zip(levels, after, strict=True)]
        self._action = [v.action.astype(np.int64) for v in levels]
        self._action[0] = self._action[0][lrnn.letter_class]
        self._follow[0] = self._follow[0][lrnn.letter_class]

    def enter(self, hidden: Sequence[Any]) -> list[NDArray[Any]]:
        """The states of a batch, (batch, n * d) for every level, to be changed in place."""
        return [
            np.asarray(h).astype(v.program.b.dtype).reshape(-1, v.program.b.shape[1])
            for v, h in zip(self._layers, hidden, strict=True)
        ]

    def leave(self, state: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """The states of every level, (batch, n, d); all NaNs are one."""
        return [
            np.where(np.isnan(h), np.nan, h).astype(h.dtype).reshape(-1, *v.shape)
            for v, h in zip(self._layers, state, strict=True)
        ]

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
                silent = every is None and i == len(workers) - 1
                engine.read_level(*worker, state[i], contexts, left, silent)
            some = left > 0
            output[some] = contexts[rows[some], left[some] - 1]
            if every is not None:
                within = np.arange(contexts.shape[1]) < left[:, None]
                every[:, first : first + _TIME][within] = contexts[within]

    def _worker(self, i: int) -> tuple[Any, Any, Any, Any, Any]:
        """What a thread needs of a level, with room of its own."""
        layer, readout = self._layers[i], self._follow[i].shape[1]
        program = layer.program._replace(
            scratch=layer.program.scratch.copy(), partials=layer.program.partials.copy()
        )
        reader = layer.reader._replace(
            balls=layer.reader.balls.copy(),
            rivals=layer.reader.rivals.copy(),
            radii=layer.reader.radii.copy(),
        )
        guess = np.zeros((len(program.b), readout), np.int64)
        return program, reader, self._action[i], self._follow[i], guess
