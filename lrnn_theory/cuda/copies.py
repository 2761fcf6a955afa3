"""Layers that copy, negate or clear entries on a GPU: many stretches of a word at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from triton import knobs

from lrnn_theory.cuda.copies_kernels import (
    compose_copies,
    copies_of_stretches,
    finish_copies,
)
from lrnn_theory.cuda.launch import launch
from lrnn_theory.cuda.packed import PackedScan
from lrnn_theory.moves import Moves
from lrnn_theory.packing import Packed
from lrnn_theory.scanning import UnsupportedError

_LANES = 1 << 18
"""Stretches that fill a device."""
_SHORTEST = 64
"""Letters of a stretch at least."""
_GROUP = 64
"""Stretches that a lane puts together."""


class CopiesScan:
    """A packed network of one layer, of at most 8 entries, without inputs.

    Raises:
        UnsupportedError: if the layer is not such a one.
    """

    def __init__(self, packed: Packed, device: torch.device) -> None:
        level, *others = packed.levels
        matrices = level.matrices
        if others or level.n > 8 or level.inputs.any():
            raise UnsupportedError("not one layer of at most 8 entries without inputs")
        rows = abs(matrices).sum(axis=2)
        if rows.max() > 1 or (level.n == 8 and rows.min() == 0):
            raise UnsupportedError("an action does not copy entries")
        place = np.where(rows > 0, abs(matrices).argmax(axis=2), level.n)
        negated = matrices.sum(axis=2) < 0
        names = np.tile(np.arange(8), (len(matrices), 1))
        names[:, : level.n] = place
        signs = np.zeros((len(matrices), 8), np.int64)
        signs[:, : level.n] = 128 * negated
        self.level, self.device = level, device
        self.words = 1 if level.n < 4 or (level.n == 4 and rows.min() > 0) else 2
        self.signed = bool(negated.any())

        def by_letter(values: np.ndarray, bits: int) -> torch.Tensor:
            packed_rows = (values << bits * np.arange(values.shape[-1])).sum(axis=-1)
            table = np.zeros(256, np.uint32)
            table[: len(level.action)] = packed_rows[level.action]
            return torch.from_numpy(table.view(np.int32)).to(device)

        self._selectors = by_letter(names, 4)
        self._signs = torch.stack([by_letter(signs[:, :4], 8), by_letter(signs[:, 4:], 8)])

    def run(
        self,
        scan: PackedScan,
        letters: torch.Tensor,
        time: int,
        state: torch.Tensor,
        output: torch.Tensor,
    ) -> None:
        """Read words of `time` letters; `state` and `output`, (batch,), are taken on.

        Args:
            scan: the same network.
            letters: (batch, stride), uint8, rows as `aligned` makes them.
            time: letters of a word, at least one.
            state: (batch,), packed states.
            output: (batch,), int32.
        """
        batch, stride = letters.shape
        names, count = self._read(letters, time, _GROUP)
        launch(
            finish_copies, batch,
            names, state, letters, output, scan.follow, batch, count, time - 1, stride,
            N=self.level.n, WIDTH=self.level.width, BIAS=self.level.bias,
            LEVELS=scan.levels, **self._shared(),
        )  # fmt: skip

    def moves(self, letters: torch.Tensor, time: int) -> Moves:
        """What words, as `run` takes them, do: (batch, n)."""
        four, _ = self._read(letters, time, 1)
        shifts = 8 * torch.arange(4, device=self.device)
        found = ((four[..., None] >> shifts) & 255).transpose(0, 1).flatten(1)[:, : self.level.n]
        place, negated = found & 127, found > 127
        names = torch.where(place < self.level.n, place + 1, 0)
        names = torch.where(negated, -names, names).long()
        return Moves(names, torch.zeros_like(names))

    def _shared(self) -> dict[str, Any]:
        return {"WORDS": self.words, "ASM": not knobs.runtime.interpret}

    def _read(self, letters: torch.Tensor, time: int, most: int) -> tuple[torch.Tensor, int]:
        """The names after stretches, (WORDS, batch * count), and their count, at most `most`."""
        batch, stride = letters.shape
        wanted = max(_SHORTEST, -(-batch * time // _LANES))
        length = min(stride, 1 << (wanted - 1).bit_length())
        count = -(-time // length)
        names = torch.empty(self.words, batch * count, dtype=torch.int32, device=self.device)
        launch(
            copies_of_stretches, batch * count,
            letters.view(torch.int32), names, self._selectors, self._signs,
            batch, time, count, length, stride,
            SIGNED=self.signed, RAGGED=count * length != time, **self._shared(),
        )  # fmt: skip
        while count > most:
            fewer = -(-count // _GROUP)
            out = torch.empty(self.words, batch * fewer, dtype=torch.int32, device=self.device)
            launch(
                compose_copies, batch * fewer, names, out, batch, fewer, count, _GROUP,
                **self._shared(),
            )  # fmt: skip
            names, count = out, fewer
        return names, count
