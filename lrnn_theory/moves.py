"""What a stretch of letters does to any state of a layer that moves entries: h -> A h + v.

If every row of every A has at most one entry, 1 or -1, products of them are of the same kind, so
that a stretch of any length is summed up by 2 n integers.  They are read off one state: start from
(k, 2k, ..., nk) with k > 2 |v|.  The stretch leads to +- k j + v_i in entry i where its A puts +-
entry j, and v_i is the remainder nearest to 0.  Nothing is rounded, so that stretches may be read
in any order, side by side, or by several processes, with the bits of one letter after another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import torch

from lrnn_theory.packing import PackedLevel, packed_words
from lrnn_theory.scanning import ScanState, UnsupportedError


class Moves(NamedTuple):
    """What stretches do to the states of a layer.

    Attributes:
        names: (..., n), int64, +-j where row i of A has +-1 in column j - 1, and 0 if it has none.
        added: (..., n), int64, v.

    Example:
        >>> swap = Moves(torch.tensor([2, 1]), torch.tensor([0, 0]))
        >>> clear = Moves(torch.tensor([-1, 0]), torch.tensor([0, 5]))
        >>> swap.then(clear).apply(torch.tensor([3, 4])).tolist()
        [-4, 5]
    """

    names: torch.Tensor
    added: torch.Tensor

    @classmethod
    def nothing(cls, n: int) -> Moves:
        """What the empty stretch does, (n,)."""
        return cls(torch.arange(1, n + 1), torch.zeros(n, dtype=torch.int64))

    def apply(self, h: torch.Tensor) -> torch.Tensor:
        """States (..., n) after the stretches."""
        return self._moved(h) + self.added

    def then(self, later: Moves) -> Moves:
        """These stretches, each followed by a later one."""
        return Moves(later._moved(self.names), later.apply(self.added))

    def joined(self) -> Moves:
        """Consecutive stretches, (..., count, n) with a count of 1 or more, as one, (..., n)."""
        moves = self
        while (count := moves.names.shape[-2]) > 1:
            even = count - count % 2
            first, second, rest = (
                Moves(*(x[..., part, :] for x in moves))
                for part in (slice(0, even, 2), slice(1, even, 2), slice(even, None))
            )
            pairs = zip(first.then(second), rest, strict=True)
            moves = Moves(*(torch.cat(pair, dim=-2) for pair in pairs))
        return Moves(*(x[..., 0, :] for x in moves))

    def _moved(self, h: torch.Tensor) -> torch.Tensor:
        """A h."""
        place = (self.names.abs() - 1).clamp(min=0)
        return self.names.sign() * torch.gather(h, -1, place)


class Summaries(Protocol):
    """Sums up stretches of letters of one layer."""

    level: PackedLevel

    def checks(self, letters: torch.Tensor) -> bool:
        """Whether `moves` finds letters out of range by itself."""
        ...

    def moves(self, letters: torch.Tensor) -> Moves:
        """What words, (batch, time) on the scan's device, do: (batch, n).

        Raises:
            UnsupportedError: if a letter is out of range, and it checks them.
        """
        ...


class Names(NamedTuple):
    """A layer that starts from the names of its entries.

    Attributes:
        level: the layer, with (k, 2k, ..., nk) as its start and without a decoder.
        scale: k.
    """

    level: PackedLevel
    scale: int

    def moves(self, words: torch.Tensor) -> Moves:
        """What the stretches did that led from the start to these words, (...,), int64."""
        width, bias = self.level.width, self.level.bias
        shifts = torch.arange(self.level.n, device=words.device) * width
        entries = ((words[..., None] >> shifts) & ((1 << width) - 1)) - bias
        names = torch.div(entries + self.scale // 2, self.scale, rounding_mode="floor")
        return Moves(names, entries - self.scale * names)


def names_of(level: PackedLevel) -> Names:
    """A layer on the names of its entries.

    Raises:
        UnsupportedError: if it does more than move, negate, clear and set entries, or names do not
            fit into a word.
    """
    if level.shifted:
        raise UnsupportedError("a layer that reads 'shifted'")
    if abs(level.matrices).sum(axis=2).max() > 1:
        raise UnsupportedError("a layer that adds entries")
    n, added = level.n, 0
    if level.inputs.any():
        # v = (A H_0 + v) - A H_0 is a state that words lead to, less entries of H_0.
        states = abs(level.unpack(level.words)).max()
        added = int(states + abs(level.unpack(np.array([level.start]))).max())
    scale = 2 * added + 1
    bias = scale * n + added
    width = (2 * bias).bit_length()
    if n * width > 63:
        raise UnsupportedError(f"the names of {n} entries, of {width} bits each")
    start = packed_words(scale * np.arange(1, n + 1) + bias, width)
    layer = replace(
        level,
        width=width,
        bias=bias,
        start=int(start),
        columns=packed_words(level.matrices.transpose(0, 2, 1), width),
        constant=packed_words(bias + level.inputs - bias * level.matrices.sum(axis=2), width),
        ones=0,
        least=0,
        readout=np.zeros((len(level.matrices), 1), np.int32),
        next=np.zeros((len(level.action), 1), np.int32),
        words=start[None],
        nearest=np.zeros(1, np.int32),
    )
    return Names(layer, scale)


def moved(level: PackedLevel, moves: Moves, last: int, state: ScanState) -> ScanState:
    """The state after a stretch.

    Args:
        level: the only layer of the network.
        moves: what the stretch does, (n,) or (batch, n), on the CPU.
        last: its last letter, which with the state says the output.
        state: where words stand before it.

    Raises:
        UnsupportedError: if the layer is never in such a state.
    """
    h = state.hidden[0]
    before = level.unpack(level.pack(host(h)[:, :, 0]))
    moves = Moves(*(x.expand(before.shape) for x in moves))
    after = moves.apply(torch.from_numpy(before)).numpy()
    words = level.pack(after)
    output = torch.from_numpy(level.follow[last, level.decode(words)].astype(np.int64))
    entries = after[:, :, None]
    is_tensor = isinstance(h, torch.Tensor)
    hidden = torch.from_numpy(entries).to(h) if is_tensor else entries.astype(h.dtype)
    return ScanState((hidden,), state.shifted, output.to(state.output.device))


def host(x: torch.Tensor | np.ndarray) -> np.ndarray:
    """A part of a state as an array."""
    return x.cpu().numpy() if isinstance(x, torch.Tensor) else x
