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

    def checks(self, letters: torch.Tensor) -> bool:
        """As `Summaries` says: where kernels read the bytes as they are."""
        return letters.dtype == torch.uint8

    def moves(self, letters: torch.Tensor) -> Moves:
        """What words, (batch, time) of at least one letter, do: (batch, n).

        Raises:
            UnsupportedError: if a letter is out of range.
        """
        wrong = torch.zeros(2, dtype=torch.int32, device=letters.device)
        moves = self._moves(letters.to(torch.uint8), wrong)
        if int(wrong[0]):
            raise UnsupportedError("a letter out of range")
        return moves

    def _moves(self, letters: torch.Tensor, wrong: torch.Tensor) -> Moves:
        batch, time = letters.shape
        if self._copies is not None:
            return self._copies.moves(_words(letters, wrong))
        wanted = max(_SHORTEST, -(-batch * time // _LANES))
        length = min(-(-wanted // 4) * 4, time)
        count = time // length
        whole = letters[:, : count * length].reshape(batch * count, length)
        read = (x.unflatten(0, (batch, count)) for x in self._read_all(whole, wrong))
        moves = Moves(*read).joined()
        rest = letters[:, count * length :]
        return moves.then(self._read_all(rest, wrong)) if rest.numel() else moves

    def _read_all(self, letters: torch.Tensor, wrong: torch.Tensor) -> Moves:
        words = _words(letters, wrong)._replace(state=self._scan.start(len(letters)))
        self._scan.run(words)
        return self._names.moves(words.state[0].to(torch.int64))


def _words(letters: torch.Tensor, wrong: torch.Tensor) -> Words:
    """Words of which nobody asks for outputs."""
    unread, time = (
        torch.zeros(len(letters), dtype=torch.int32, device=letters.device),
        letters.shape[1],
    )
    return Words(aligned(letters), wrong, time, None, unread, unread, None, 1, time)
