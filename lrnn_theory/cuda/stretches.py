"""Few long words of one layer that moves entries: their stretches summed up on a GPU."""

from __future__ import annotations

import torch

from lrnn_theory.cuda.copies import CopiesScan
from lrnn_theory.cuda.launch import Words, aligned
from lrnn_theory.cuda.packed import PackedScan
from lrnn_theory.moves import Moves, names_of
from lrnn_theory.packing import Packed
from lrnn_theory.scanning import UnsupportedError

_LANES = 1 << 17
"""Stretches that fill a device."""
_SHORTEST = 64
"""Letters of a stretch at least; a multiple of four."""


class Stretches:
    """What stretches of letters do to the states of a packed network of one layer.

    Args:
        packed: the network.
        device: a CUDA device, or the CPU under Triton's interpreter.
        copies: the same network as bytes, if it is one that copies.

    Raises:
        UnsupportedError: if there is no summary of a stretch.
    """

    def __init__(self, packed: Packed, device: torch.device, copies: CopiesScan | None) -> None:
        self.level, *others = packed.levels
        if others:
            raise UnsupportedError(f"{len(packed.levels)} layers")
        self._copies = copies
        if copies is None:
            self._names = names_of(self.level)
            self._scan = PackedScan(Packed((self._names.level,), 0), device)

    def moves(self, letters: torch.Tensor) -> Moves:
        """What words, (batch, time) of at least one letter, do: (batch, n)."""
        letters = letters.to(torch.uint8)
        batch, time = letters.shape
        if self._copies is not None:
            return self._copies.moves(self._words(letters))
        wanted = max(_SHORTEST, -(-batch * time // _LANES))
        length = min(-(-wanted // 4) * 4, time)
        count = time // length
        whole = letters[:, : count * length].reshape(batch * count, length)
        moves = Moves(*(x.unflatten(0, (batch, count)) for x in self._read_all(whole))).joined()
        rest = letters[:, count * length :]
        return moves.then(self._read_all(rest)) if rest.numel() else moves

    def _read_all(self, words: torch.Tensor) -> Moves:
        read = self._words(words, self._scan.start(len(words)))
        self._scan.run(read)
        return self._names.moves(read.state[0].to(torch.int64))

    def _words(self, words: torch.Tensor, state: torch.Tensor | None = None) -> Words:
        unread = torch.zeros(len(words), dtype=torch.int32, device=words.device)
        time = words.shape[1]
        state = unread if state is None else state
        return Words(aligned(words), unread[:1], time, None, state, unread, None, 1, time)
