"""Mamba, the selective state-space model S6: Gu and Dao, arXiv 2312.00752."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrnn_theory.learning.layers.base import (
    Features,
    Range,
    RecurrentLayer,
    ShortConvolution,
    rates,
)
from lrnn_theory.learning.scans import selective_scan, wide


class Mamba(RecurrentLayer):
    """A = Diag(exp(-Δ_t exp(w_i))) for channel i, or 2 A - 1 of it: Tables 1 and 2.

    Every channel is a head with n = `state_size` and d = 1.

    Args:
        width: of inputs and outputs.
        heads: has no meaning here; channels are heads.
        eigenvalue_range: "[0,1]" or "[-1,1]".
        conv_size: letters that the short convolution sees; 0 for none.
        state_size: n.
        expand: channels for every input.
    """

    def __init__(
        self,
        width: int,
        heads: int = 1,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
        state_size: int = 16,
        expand: int = 2,
    ) -> None:
        super().__init__(width, 1, eigenvalue_range, conv_size)
        del heads
        inner = self.heads = expand * width
        self.n, self.d, self.rank = state_size, 1, math.ceil(width / 16)
        self.project = nn.Linear(width, 2 * inner, bias=False)
        self.conv = ShortConvolution(inner, conv_size)
        self.select = nn.Linear(inner, self.rank + 2 * state_size, bias=False)
        self.step = nn.Linear(self.rank, inner)
        nn.init.uniform_(self.step.weight, -(self.rank**-0.5), self.rank**-0.5)
        start = torch.empty(inner).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        self.step.bias.data = start + torch.log(-torch.expm1(-start))  # softplus gives start
        self.w = nn.Parameter(torch.arange(1.0, state_size + 1).log().repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))
        self.out = nn.Linear(inner, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """u: channels; Δ: their step sizes; B, C: (batch, time, n); z: the output gate."""
        u, z = self.project(x).chunk(2, -1)
        u = self.conv(u)
        low, b, c = self.select(u).split([self.rank, self.n, self.n], -1)
        return {"u": u, "Δ": functional.softplus(wide(self.step(low))), "B": b, "C": c, "z": z}

    def diagonal(self, x: Features) -> Tensor:
        """The diagonals of A, (..., channels, n)."""
        return self.in_range(torch.exp(-x["Δ"][..., None] * rates(self.w)))

    def transition(self, x: Features) -> Tensor:
        """A(x)."""
        return torch.diag_embed(self.diagonal(x))

    def input(self, x: Features) -> Tensor:
        """B(x) = Δ u B."""
        return ((x["Δ"] * x["u"])[..., None] * x["B"][..., None, :])[..., None]

    def readout(self, state: Tensor, x: Features) -> Tensor:
        """The linear map of (C^T H + D u) SiLU(z)."""
        return self._finish((state[..., 0] @ x["C"][..., None])[..., 0], x)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, time, width)."""
        f = self.features(x)
        y = selective_scan(f["u"], f["Δ"], rates(self.w), f["B"], f["C"], signed=self.signed)
        return self._finish(y, f)

    def _finish(self, y: Tensor, x: Features) -> Tensor:
        return self.out((y + self.skip * x["u"]) * functional.silu(x["z"]))
