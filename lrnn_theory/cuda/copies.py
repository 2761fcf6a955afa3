"""Layers that copy, negate or clear entries on a GPU: many stretches of a word at once."""

from __future__ import annotations

import numpy as np
import torch
from triton import knobs

from lrnn_theory.cuda.copies_kernels import (
    compose_copies,
    copies_before,
    copies_of_stretches,
    finish_copies,
    states_before,
)
from lrnn_theory.cuda.launch import Words, launch
from lrnn_theory.cuda.packed import PackedScan
from lrnn_theory.moves import Moves
from lrnn_theory.packing import Packed
from lrnn_theory.scanning import UnsupportedError

_LANES = 1 << 18
"""Stretches that fill a device."""
_SHORTEST = 64
"""Letters of a stretch at least, a power of two, and no fewer than 8."""
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
        self._level = {"N": level.n, "WIDTH": level.width, "BIAS": level.bias}
        self._shared = {"WORDS": self.words, "ASM": not knobs.runtime.interpret}

        def by_letter(values: np.ndarray, bits: int, unknown: int = 0) -> torch.Tensor:
            packed_rows = (values << bits * np.arange(values.shape[-1])).sum(axis=-1)
            table = np.full(256, unknown, np.uint32)
            table[: len(level.action)] = packed_rows[level.action]
            return torch.from_numpy(table.view(np.int32)).to(device)

        self._selectors = by_letter(names, 4, unknown=1 << 31)
        self._signs = torch.stack([by_letter(signs[:, :4], 8), by_letter(signs[:, 4:], 8)])

    def cut(self, words: Words) -> Words:
        """The same words, in as many stretches as fill the device."""
        batch, stride = words.letters.shape
        wanted = max(_SHORTEST, -(-batch * words.time // _LANES))
        length = 1 << (wanted - 1).bit_length()
        if length >= stride:
            return words
        return words._replace(stretches=-(-words.time // length), length=length)

    def run(self, scan: PackedScan, words: Words, starts: bool = False) -> torch.Tensor | None:
        """Read words that fill their rows, to the last output.

        Args:
            scan: the same network.
            words: their states are packed, (1, batch); cut by `cut`; at least one letter each.
            starts: whether to return the packed states that stretches start from, (1, lanes).
        """
        batch, stride = words.letters.shape
        time, count = words.time, words.stretches
        at_once = not starts and count <= _GROUP and count & (count - 1) == 0
        names, counts = self._read(words, _GROUP, scan if at_once else None)
        if at_once:
            return None
        first = None
        if starts:
            before = None
            for x, total in zip(reversed(names), reversed(counts), strict=True):
                above, before = before, self._names(batch * total)
                group = total if above is None else _GROUP
                groups = -(-total // group)
                launch(
                    copies_before, batch * groups,
                    x, x if above is None else above, before, batch, groups, total, group,
                    HAS_ABOVE=above is not None, **self._shared,
                )  # fmt: skip
            first = torch.empty(1, batch * count, dtype=words.state.dtype, device=self.device)
            launch(
                states_before, batch * count,
                before, words.state, first, batch, count, **self._level, WORDS=self.words,
            )  # fmt: skip
        launch(
            finish_copies, batch,
            names[-1], words.state, words.letters, words.output, scan.follow,
            batch, counts[-1], time - 1, stride,
            FRESH=words.fresh, LEVELS=scan.levels, **self._level, **self._shared,
        )  # fmt: skip
        return first

    def moves(self, words: Words) -> Moves:
        """What words that fill their rows do, (batch, n); no states are read."""
        four = self._read(self.cut(words), 1)[0][-1]
        shifts = 8 * torch.arange(4, device=self.device)
        found = ((four[..., None] >> shifts) & 255).transpose(0, 1).flatten(1)[:, : self.level.n]
        place, negated = found & 127, found > 127
        names = torch.where(place < self.level.n, place + 1, 0)
        names = torch.where(negated, -names, names).long()
        return Moves(names, torch.zeros_like(names))

    def _read(
        self, words: Words, most: int, scan: PackedScan | None = None
    ) -> tuple[list[torch.Tensor], list[int]]:
        """The names after stretches, and after more and more of them together.

        With a scan, words are also read to the last output; their stretches are a power of two.

        Returns:
            Names, (WORDS, batch * count) each, and every count; the last one is at most `most`.
        """
        batch, stride = words.letters.shape
        time, count = words.time, words.stretches
        length = words.length if count > 1 else stride
        names, counts = [self._names(batch * count)], [count]
        launch(
            copies_of_stretches, batch * count,
            words.letters.view(torch.int32), words.wrong,
            names[0], self._selectors, self._signs,
            words.state, words.output, words.output if scan is None else scan.follow,
            batch, time, count, length, stride,
            SIGNED=self.signed, RAGGED=count * length != time, FRESH=words.fresh,
            TOTAL=0 if scan is None else count, LEVELS=() if scan is None else scan.levels,
            **self._level, **self._shared,
        )  # fmt: skip
        while counts[-1] > most:
            counts.append(-(-counts[-1] // _GROUP))
            names.append(self._names(batch * counts[-1]))
            launch(
                compose_copies, batch * counts[-1],
                names[-2], names[-1], batch, counts[-1], counts[-2], _GROUP, **self._shared,
            )  # fmt: skip
        return names, counts

    def _names(self, stretches: int) -> torch.Tensor:
        return torch.empty(self.words, stretches, dtype=torch.int32, device=self.device)
