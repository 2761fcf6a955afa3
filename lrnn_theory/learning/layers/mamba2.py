"""Mamba-2: Dao and Gu, arXiv 2405.21060."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrnn_theory.learning.layers.base import (
    Features,
    Range,
    RecurrentLayer,
    RMSNorm,
    ShortConvolution,
    rates,
)
from lrnn_theory.learning.scans import delta_scan, wide


class Mamba2(RecurrentLayer):
    """A = exp(-Δ_t exp(w)) I for every head, or 2 A - I of it.

    Args:
        width: of inputs and outputs.
        heads: number of heads; d = expand * width / heads.
        eigenvalue_range: "[0,1]" or "[-1,1]".
        conv_size: letters that the short convolution sees; 0 for none.
        state_size: n.
        expand: channels for every input.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
        state_size: int = 16,
        expand: int = 2,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size)
        inner = expand * width
        self.n, self.d = state_size, inner // heads
        self.project = nn.Linear(width, 2 * inner + 2 * state_size + heads, bias=False)
        self.conv = ShortConvolution(inner + 2 * state_size, conv_size)
        start = torch.empty(heads).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        self.step_bias = nn.Parameter(start + torch.log(-torch.expm1(-start)))
        self.w = nn.Parameter(torch.empty(heads).uniform_(1, 16).log())
        self.skip = nn.Parameter(torch.ones(heads, 1))
        self.norm = RMSNorm(inner)
        self.out = nn.Linear(inner, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """u: (batch, time, heads, d); Δ: (batch, time, heads); B, C: (batch, time, n); z."""
        inner = self.heads * self.d
        z, mixed, step = self.project(x).split([inner, inner + 2 * self.n, self.heads], -1)
        u, b, c = self.conv(mixed).split([inner, self.n, self.n], -1)
        step = functional.softplus(wide(step + self.step_bias))
        return {"u": self.split(u), "Δ": step, "B": b, "C": c, "z": z}

    def gate(self, x: Features) -> Tensor:
        """The scalar of A, (..., heads)."""
        return self.in_range(torch.exp(-x["Δ"] * rates(self.w)))

    def transition(self, x: Features) -> Tensor:
        """A(x)."""
        return self.gate(x)[..., None, None] * torch.eye(self.n, device=x["u"].device)

    def input(self, x: Features) -> Tensor:
        """B(x) = Δ B u^T."""
        values = x["Δ"][..., None] * x["u"]
        return x["B"][..., None, :, None] * values[..., None, :]

    def readout(self, state: Tensor, x: Features) -> Tensor:
        """The linear map of the norm of (H^T C + D u) SiLU(z)."""
        return self._finish((state.mT @ x["C"][..., None, :, None])[..., 0], x)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, time, width)."""
        f = self.features(x)
        shape = (*f["Δ"].shape, self.n)
        q, k = (f[name][..., None, :].expand(shape) for name in "CB")
        return self._finish(delta_scan(q, k, f["Δ"][..., None] * f["u"], gate=self.gate(f)), f)

    def _finish(self, y: Tensor, x: Features) -> Tensor:
        y = (y + self.skip * x["u"]).flatten(-2)
        return self.out(self.norm(y * functional.silu(x["z"])))
