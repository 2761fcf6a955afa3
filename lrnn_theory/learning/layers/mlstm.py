"""The mLSTM of xLSTM: Beck et al., arXiv 2405.04517."""

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

CAP = 15.0
"""Bound on the input gate's exponent, as in xLSTM 7B: exp(15) needs no other stabiliser."""


class MLSTM(RecurrentLayer):
    """A = f_t I with the forget gate f_t = σ(w x_t), or 2 A - I of it.

    The normaliser of the paper is the last column of the state, so that d = n + 1.

    Args:
        width: of inputs and outputs; n = width / heads.
        heads: number of heads.
        eigenvalue_range: "[0,1]" or "[-1,1]".
        conv_size: letters that the short convolution sees; 0 for none.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size)
        self.n = width // heads
        self.d = self.n + 1
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.conv = ShortConvolution(2 * width, conv_size)
        self.gates = nn.Linear(width, 2 * heads)
        nn.init.zeros_(self.gates.weight)
        self.gates.bias.data = torch.cat([torch.zeros(heads), torch.linspace(3, 6, heads)])
        self.gate = nn.Linear(width, width, bias=False)
        self.norm = RMSNorm(self.n)
        self.out = nn.Linear(width, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """q, k: (batch, time, heads, n); v: and a one, i: input gate, f: forget gate; g: output."""
        mixed, v = self.project(x).split([2 * self.width, self.width], -1)
        q, k = (self.split(y) for y in self.conv(mixed).chunk(2, -1))
        v = functional.pad(self.split(v), (0, 1), value=1.0)
        i, f = wide(self.gates(x)).chunk(2, -1)
        i, f = torch.exp(CAP * torch.tanh(i / CAP)), self.in_range(torch.sigmoid(f))
        return {"q": q, "k": k * self.n**-0.5, "v": v, "i": i, "f": f, "g": self.gate(x)}

    def transition(self, x: Features) -> Tensor:
        """A(x)."""
        return x["f"][..., None, None] * torch.eye(self.n, device=x["f"].device)

    def input(self, x: Features) -> Tensor:
        """B(x) = i k (v, 1)^T."""
        return x["k"][..., None] * (x["i"][..., None] * x["v"])[..., None, :]

    def readout(self, state: Tensor, x: Features) -> Tensor:
        """The linear map of norm(C^T q / max(|n^T q|, 1)) σ(g), with H = (C, n)."""
        return self._finish((state.mT @ x["q"][..., None])[..., 0], x)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, time, width)."""
        f = self.features(x)
        return self._finish(delta_scan(f["q"], f["k"], f["i"][..., None] * f["v"], gate=f["f"]), f)

    def _finish(self, y: Tensor, x: Features) -> Tensor:
        y = self.norm(y[..., :-1] / y[..., -1:].abs().clamp_min(1.0))
        return self.out(y.flatten(-2) * torch.sigmoid(x["g"]))
