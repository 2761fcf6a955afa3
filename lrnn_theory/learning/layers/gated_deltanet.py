"""Gated DeltaNet: Yang et al., arXiv 2412.06464."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrnn_theory.learning.layers.base import Features, Range, rates
from lrnn_theory.learning.layers.deltaproduct import DeltaProduct
from lrnn_theory.learning.scans import wide


class GatedDeltaNet(DeltaProduct):
    """A = α_t (I - β_t k_t k_t^T) with α_t = exp(-Δ_t exp(w)) in [0, 1].

    Args:
        width: of inputs and outputs; n = d = width / heads.
        heads: number of heads.
        eigenvalue_range: "[0,1]" or "[-1,1]", by β; α stays in [0, 1].
        conv_size: letters that the short convolution sees; 0 for none.
        factors: the number of factors; more than one is Gated DeltaProduct.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
        factors: int = 1,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size, factors)
        self.step = nn.Linear(width, heads)
        start = torch.empty(heads).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        self.step.bias.data = start + torch.log(-torch.expm1(-start))
        self.w = nn.Parameter(torch.empty(heads).uniform_(1, 16).log())
        self.output_gate = nn.Linear(width, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """Those of DeltaProduct; α: (batch, time, heads); g: the output gate."""
        alpha = torch.exp(-functional.softplus(wide(self.step(x))) * rates(self.w))
        return super().features(x) | {"α": alpha, "g": self.output_gate(x)}

    def gate(self, x: Features) -> Tensor:
        """α."""
        return x["α"]

    def _finish(self, y: Tensor, x: Features) -> Tensor:
        return self.out(self.norm(y).flatten(-2) * functional.silu(x["g"]))
