"""RWKV-7, "Goose": Peng et al., arXiv 2503.14456."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lrnn_theory.learning.layers.base import (
    Features,
    Range,
    RecurrentLayer,
    RMSNorm,
    TokenShift,
    unit,
)
from lrnn_theory.learning.scans import wide


class RWKV7(RecurrentLayer):
    """A = Diag(w_t) - (a_t κ_t) κ_t^T with |κ_t| = 1, a_t in [0, 1], w_t in [e^(-e^(-1/2)), 1].

    A is similar to a symmetric matrix, so its eigenvalues are real: at most max w, and at least
    min w - max a, which is above -0.46 as published.  It has no range to choose; its norm may
    pass 1.  The recurrence is run step by step.

    Args:
        width: of inputs and outputs; n = d = width / heads.
        heads: number of heads.
        eigenvalue_range: "[-1,1]".
        conv_size: any positive number for the token shift; 0 for none.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[-1,1]",
        conv_size: int = 4,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size)
        if not self.signed:
            raise ValueError("Argument 'eigenvalue_range' of RWKV-7 must be [-1,1], not [0,1].")
        self.n = self.d = width // heads
        self.shifts = nn.ModuleList(TokenShift(width, conv_size) for _ in range(6))
        self.maps = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(4))
        self.decay = nn.Sequential(
            nn.Linear(width, 16, bias=False), nn.Tanh(), nn.Linear(16, width)
        )
        self.rate = nn.Sequential(nn.Linear(width, 16, bias=False), nn.Linear(16, width))
        self.removal = nn.Parameter(torch.ones(width))
        self.replacement = nn.Parameter(torch.ones(width))
        self.bonus = nn.Parameter(torch.zeros(heads, self.n))
        self.norm = RMSNorm(self.d)
        self.out = nn.Linear(width, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """r, k, v, w, a, κ: (batch, time, heads, width / heads); g: the output gate."""
        *mixed, for_decay, for_rate = (shift(x) for shift in self.shifts)
        r, k, v, g = (each(y) for each, y in zip(self.maps, mixed, strict=True))
        w = torch.exp(-math.exp(-0.5) * torch.sigmoid(wide(self.decay(for_decay))))
        a = torch.sigmoid(wide(self.rate(for_rate)))
        kappa = unit(self.split(k * self.removal))
        k = k * (1 + (a - 1) * self.replacement)
        found = {"r": r, "k": k, "v": v, "w": w, "a": a}
        return {name: self.split(y) for name, y in found.items()} | {"κ": kappa, "g": g}

    def transition(self, x: Features) -> Tensor:
        """A(x)."""
        return torch.diag_embed(x["w"]) - (x["a"] * x["κ"])[..., None] * x["κ"][..., None, :]

    def input(self, x: Features) -> Tensor:
        """B(x) = k v^T."""
        return x["k"][..., None] * x["v"][..., None, :]

    def readout(self, state: Tensor, x: Features) -> Tensor:
        """The linear map of (norm(H^T r) + (r^T (u k)) v) σ(g)."""
        y = self.norm((state.mT @ x["r"][..., None])[..., 0])
        y = y + (x["r"] * self.bonus * x["k"]).sum(-1, keepdim=True) * x["v"]
        return self.out(y.flatten(-2) * torch.sigmoid(x["g"]))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, time, width)."""
        return self.recur(x)
