"""DeltaProduct: Siems et al., arXiv 2502.10297."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrnn_theory.learning.layers.base import (
    Features,
    Range,
    RecurrentLayer,
    RMSNorm,
    ShortConvolution,
    unit,
)
from lrnn_theory.learning.scans import delta_scan, wide


class DeltaProduct(RecurrentLayer):
    """A = (I - β_h k_h k_h^T) ... (I - β_1 k_1 k_1^T), of `factors` factors, |k| = 1.

    β = σ(W x) for "[0,1]", 2 σ(W x) for "[-1,1]": the eigenvalue of a factor is 1 - β.

    Args:
        width: of inputs and outputs; n = d = width / heads.
        heads: number of heads.
        eigenvalue_range: "[0,1]" or "[-1,1]", of every factor.
        conv_size: letters that the short convolution sees; 0 for none.
        factors: n_h, the number of factors.
    """

    def __init__(
        self,
        width: int,
        heads: int = 4,
        eigenvalue_range: Range = "[0,1]",
        conv_size: int = 4,
        factors: int = 2,
    ) -> None:
        super().__init__(width, heads, eigenvalue_range, conv_size)
        if factors < 1:
            raise ValueError(f"Argument 'factors' must be positive, not {factors}.")
        self.n = self.d = width // heads
        self.factors = factors
        self.project = nn.Linear(width, (1 + 2 * factors) * width, bias=False)
        self.conv = ShortConvolution((1 + 2 * factors) * width, conv_size)
        self.beta = nn.Linear(width, factors * heads)
        self.norm = RMSNorm(self.d)
        self.out = nn.Linear(width, width, bias=False)

    def features(self, x: Tensor) -> Features:
        """q: (batch, time, heads, n); k, v: (batch, time, factors, heads, n); β without n."""
        size = self.factors * self.width
        q, k, v = self.conv(self.project(x)).split([self.width, size, size], -1)
        k, v = (y.unflatten(-1, (self.factors, self.heads, -1)) for y in (k, v))
        beta = torch.sigmoid(wide(self.beta(x))).unflatten(-1, (self.factors, self.heads))
        beta = 2 * beta if self.signed else beta
        return {"q": unit(self.split(q)), "k": unit(k), "v": v, "β": beta}

    def gate(self, x: Features) -> Tensor | None:
        """A scalar that the product is multiplied by, (..., heads); here none."""
        del x

    def transition(self, x: Features) -> Tensor:
        """A(x)."""
        return self._compose(x)[0]

    def input(self, x: Features) -> Tensor:
        """B(x): β_j k_j v_j^T, taken through the factors after j, summed up."""
        return self._compose(x)[1]

    def readout(self, state: Tensor, x: Features) -> Tensor:
        """The linear map of norm(H^T q)."""
        return self._finish((state.mT @ x["q"][..., None])[..., 0], x)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, time, width): every factor is a step of the delta rule."""
        f = self.features(x)
        q, gate, factors = f["q"], self.gate(f), self.factors
        k, v, beta = (f[name].flatten(1, 2) for name in ("k", "v", "β"))
        if factors > 1:
            q = q.repeat_interleave(factors, 1)
            if gate is not None:  # at the first factor only
                ones = torch.ones_like(gate)
                gate = torch.stack([gate, *[ones] * (factors - 1)], 2).flatten(1, 2)
        y = delta_scan(q, k, v, beta, gate)
        return self._finish(y[:, factors - 1 :: factors], f)

    def _compose(self, x: Features) -> tuple[Tensor, Tensor]:
        identity = torch.eye(self.n, device=x["q"].device, dtype=x["q"].dtype)
        gate = self.gate(x)
        a, b = identity if gate is None else gate[..., None, None] * identity, None
        for j in range(self.factors):
            k, v, beta = (x[name].select(x["β"].ndim - 2, j) for name in ("k", "v", "β"))
            factor = identity - beta[..., None, None] * k[..., None] * k[..., None, :]
            written = beta[..., None, None] * k[..., None] * v[..., None, :]
            a, b = factor @ a, written if b is None else factor @ b + written
        assert b is not None
        return a, b

    def _finish(self, y: Tensor, x: Features) -> Tensor:
        del x
        return self.out(self.norm(y).flatten(-2))
