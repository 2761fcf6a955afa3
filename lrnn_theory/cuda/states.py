"""States on a GPU, and back: words of packed networks, numbers of those that round."""

from __future__ import annotations

from typing import Any

import torch

from lrnn_theory.cuda.floats import FloatScan
from lrnn_theory.cuda.packed import PackedScan
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.scanning.rational import fractions


class PackedStates:
    """States of a packed network as words, and back."""

    def __init__(self, scan: PackedScan) -> None:
        self.scan = scan
        self._known = [torch.from_numpy(v.words).to(scan.device) for v in scan.packed.levels]

    def enter(self, hidden: tuple[Any, ...]) -> torch.Tensor:
        """(levels, batch) words.

        Raises:
            UnsupportedError: if the network is never in such a state.
        """
        rows = []
        for level, known, h in zip(self.scan.packed.levels, self._known, hidden, strict=True):
            if not isinstance(h, torch.Tensor):  # Python numbers, which may be fractions
                rows.append(torch.from_numpy(level.pack(h[:, :, 0])).to(self.scan.device))
                continue
            h = h.to(self.scan.device)[:, :, 0]
            entries = h.long()
            shifts = torch.arange(level.n, device=self.scan.device) * level.width
            words = ((entries + level.bias) << shifts).sum(dim=1)
            if not (bool((entries == h).all()) and bool(torch.isin(words, known).all())):
                raise UnsupportedError("a state that the layer is never in")
            rows.append(words)
        return torch.stack(rows).to(self.scan.word)

    def leave(self, state: torch.Tensor, like: tuple[Any, ...]) -> list[Any]:
        """(batch, n, 1) states of every level, of the types given."""
        hidden = []
        for level, words, h in zip(self.scan.packed.levels, state, like, strict=True):
            shifts = torch.arange(level.n, device=self.scan.device) * level.width
            fields = (words.to(torch.int64)[:, None] >> shifts) & ((1 << level.width) - 1)
            entries = (fields - level.bias)[:, :, None]
            if isinstance(h, torch.Tensor):
                hidden.append(entries.to(h.dtype))
            else:
                numbers = entries.cpu().numpy()
                hidden.append(fractions(numbers) if h.dtype == object else numbers)
        return hidden


class FloatStates:
    """States of a chain that rounds, entry by entry, and back."""

    def __init__(self, scan: FloatScan, lrnn: LRNN) -> None:
        self.scan = scan
        self._shapes = [(v.layer.n, v.layer.d) for v in lrnn.levels]

    def enter(self, hidden: tuple[Any, ...]) -> torch.Tensor:
        """(numbers, batch)."""
        flat = [h.flatten(1).to(self.scan.carrier) for h in hidden]
        return torch.cat(flat, dim=1).T.contiguous()

    def leave(self, state: torch.Tensor, like: tuple[Any, ...]) -> list[torch.Tensor]:
        """(batch, n, d) states of every level, of the types given."""
        parts = state.T.split([n * d for n, d in self._shapes], dim=1)
        return [
            x.reshape(-1, *shape).to(h.dtype, copy=True)
            for x, shape, h in zip(parts, self._shapes, like, strict=True)
        ]
