"""Gated linear attention: Yang et al., arXiv 2312.06635."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrnn_theory.learning.layers.base import (
    Features,
    Range,
    RecurrentLayer,
    RMSNorm,
    ShortConvolution,
)
from lrnn_theory.learning.scans import delta_scan, wide


class GLA(RecurrentLayer):
    """A = Diag(α_t) with α_t = σ(W x_t)^(1/τ), or 2 A - I of it.

    Args:
        width: of inputs and outputs; n = d = width / heads.
        heads: number of heads.
        eigenvalue_range: "[0,1]" or "[-1,1]".
        conv_size: letters that the short convolution sees; 0 for none.
        temperature: τ.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
        temperature: float = 16.0,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size)
        self.n = self.d = width // heads
        self.temperature = temperature
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.conv = ShortConvolution(3 * width, conv_size)
        self.decay = nn.Sequential(nn.Linear(width, 16, bias=False), nn.Linear(16, width))
        self.gate = nn.Linear(width, width, bias=False)
        self.norm = RMSNorm(self.d)
        self.out = nn.Linear(width, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """q, k, v, α: (batch, time, heads, width / heads); g: the output gate."""
        q, k, v = (self.split(y) for y in self.conv(self.project(x)).chunk(3, -1))
        alpha = torch.exp(-functional.softplus(-wide(self.decay(x))) / self.temperature)
        alpha = self.in_range(self.split(alpha))
        return {"q": q * self.n**-0.5, "k": k, "v": v, "α": alpha, "g": self.gate(x)}

    def transition(self, x: Features) -> Tensor:
        """A(x)."""
        return torch.diag_embed(x["α"])

    def input(self, x: Features) -> Tensor:
        """B(x) = k v^T."""
        return x["k"][..., None] * x["v"][..., None, :]

    def readout(self, state: Tensor, x: Features) -> Tensor:
        """The linear map of norm(H^T q) SiLU(g)."""
        return self._finish((state.mT @ x["q"][..., None])[..., 0], x)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, time, width)."""
        f = self.features(x)
        return self._finish(delta_scan(f["q"], f["k"], f["v"], gate=f["α"]), f)

    def _finish(self, y: Tensor, x: Features) -> Tensor:
        return self.out(self.norm(y).flatten(-2) * functional.silu(x["g"]))
