"""RWKV-6, "Finch": Peng et al., arXiv 2404.05892."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrnn_theory.learning.layers.base import (
    Features,
    Range,
    RecurrentLayer,
    RMSNorm,
    TokenShift,
)
from lrnn_theory.learning.scans import delta_scan, wide


class RWKV6(RecurrentLayer):
    """A = Diag(w_t) with w_t = exp(-exp(W x_t)), or 2 A - I of it.

    The published readout sees the state before the letter, to which the letter adds u k v^T.
    In eq. (1) it sees the state after it; the one before is (H_t - k v^T) / w_t.  The token shift
    mixes by weights that do not depend on the letter.

    Args:
        width: of inputs and outputs; n = d = width / heads.
        heads: number of heads.
        eigenvalue_range: "[0,1]" or "[-1,1]".
        conv_size: any positive number for the token shift; 0 for none.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size)
        self.n = self.d = width // heads
        self.shifts = nn.ModuleList(TokenShift(width, conv_size) for _ in range(5))
        self.maps = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(4))
        self.decay = nn.Sequential(
            nn.Linear(width, 16, bias=False), nn.Tanh(), nn.Linear(16, width)
        )
        self.decay[2].bias.data = torch.linspace(-6, 0, width)
        self.bonus = nn.Parameter(torch.zeros(heads, self.n))
        self.norm = RMSNorm(self.d)
        self.out = nn.Linear(width, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """r, k, v, w: (batch, time, heads, width / heads); g: the output gate."""
        *mixed, for_decay = (shift(x) for shift in self.shifts)
        r, k, v, g = (each(y) for each, y in zip(self.maps, mixed, strict=True))
        w = self.in_range(torch.exp(-torch.exp(wide(self.decay(for_decay)))))
        return {
            "r": self.split(r),
            "k": self.split(k),
            "v": self.split(v),
            "w": self.split(w),
            "g": g,
        }

    def transition(self, x: Features) -> Tensor:
        """A(x)."""
        return torch.diag_embed(x["w"])

    def input(self, x: Features) -> Tensor:
        """B(x) = k v^T."""
        return x["k"][..., None] * x["v"][..., None, :]

    def readout(self, state: Tensor, x: Features) -> Tensor:
        """The linear map of norm((H_before + u k v^T)^T r) SiLU(g)."""
        before = (state - self.input(x)) / x["w"][..., None]
        return self._finish((before.mT @ x["r"][..., None])[..., 0], x)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, time, width)."""
        f = self.features(x)
        # The state before a letter is a scan of what came one letter earlier.
        k, v, w = (functional.pad(f[name], (0, 0, 0, 0, 1, -1)) for name in "kvw")
        return self._finish(delta_scan(f["r"], k, v, gate=w), f)

    def _finish(self, seen: Tensor, x: Features) -> Tensor:
        own = (x["r"] * self.bonus * x["k"]).sum(-1, keepdim=True) * x["v"]
        return self.out(self.norm(seen + own).flatten(-2) * functional.silu(x["g"]))
