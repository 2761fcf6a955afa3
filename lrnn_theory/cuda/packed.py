"""Packed networks on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lrnn_theory.cuda.launch import launch
from lrnn_theory.cuda.packed_kernels import read_packed
from lrnn_theory.packing import Packed, chain_tables

_SHALLOW = 4
"""Levels of which the loop over four letters is unrolled: more take too long to compile."""


class PackedScan:
    """A packed network on a device.

    Args:
        packed: the network.
        device: a CUDA device, or the CPU under Triton's interpreter.

    Raises:
        UnsupportedError: if its tables are too large.
    """

    def __init__(self, packed: Packed, device: torch.device) -> None:
        self.packed, self.device = packed, device
        bits = max(v.n * v.width for v in packed.levels)
        self.bits = 32 if bits <= 32 else 64
        self.word = torch.uint32 if self.bits == 32 else torch.uint64
        chain = chain_tables(packed.levels, self.bits)
        self.levels = tuple(
            (v.n, v.width, v.ones, v.least, v.support, *h)
            for v, h in zip(packed.levels, chain.hashes, strict=True)
        )
        self.follow = self._indices(chain.follow)
        self._tables = (
            self._words(chain.constant),
            self._indices(chain.column),
            self._words(chain.columns),
            self.follow,
        )

    def _words(self, array: Any) -> torch.Tensor:
        kind = np.uint32 if self.bits == 32 else np.uint64
        return torch.from_numpy(array.astype(np.uint64).astype(kind)).to(self.device)

    def _indices(self, array: Any) -> torch.Tensor:
        return torch.from_numpy(np.asarray(array, np.int32)).to(self.device)

    def start(self, batch: int) -> torch.Tensor:
        """The packed initial states, (levels, batch)."""
        words = self._words(np.array([[v.start] for v in self.packed.levels]))
        signed = torch.int32 if self.bits == 32 else torch.int64
        return words.view(signed).expand(-1, batch).contiguous().view(self.word)

    def run(
        self,
        letters: torch.Tensor,
        time: int,
        lengths: torch.Tensor | None,
        state: torch.Tensor,
        output: torch.Tensor,
        every: torch.Tensor | None,
    ) -> None:
        """Read words; `state` and `output` are taken on.

        Args:
            letters: (batch, stride), uint8, rows as `aligned` makes them.
            time: letters of a row that are read at most.
            lengths: (batch,), or None if all words fill their row.
            state: (levels, batch), packed states of dtype `word`.
            output: (batch,), int32, the output after the letters so far.
            every: (time, batch), any integer dtype, for all outputs; or None.
        """
        batch = len(letters)
        launch(
            read_packed,
            batch,
            letters.view(torch.int32),
            output if lengths is None else lengths,
            state,
            output,
            output if every is None else every,
            *self._tables,
            batch,
            time,
            letters.shape[1],
            LEVELS=self.levels,
            HAS_LENGTHS=lengths is not None,
            RAGGED=lengths is not None or time % 4 != 0,
            EVERY=every is not None,
            wide=every is not None,
            UNROLLED=len(self.levels) <= _SHALLOW,
        )
