"""Packed networks on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lrnn_theory.cuda.launch import Words, read_words
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

    def run(self, words: Words) -> None:
        """Read words; their states are packed, (levels, batch), of dtype `word`."""
        unrolled = len(self.levels) <= _SHALLOW
        read_words(read_packed, words, self._tables, LEVELS=self.levels, UNROLLED=unrolled)
