"""What all layers share: eq. (1), its step-by-step run, ranges, convolutions, norms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrnn_theory.learning.scans import convolution, wide

Range = Literal["[0,1]", "[-1,1]"]
"""The range of the eigenvalues of a transition matrix: classic, or signed."""

RANGES: tuple[Range, ...] = get_args(Range)

Features = dict[str, Tensor]
"""What a layer computes from its input before the recurrence, by the symbols of its paper."""


class RecurrentLayer(nn.Module, ABC):
    """A layer H_t = A(x_t) H_{t-1} + B(x_t), y_t = dec(H_t, x_t): eq. (1) of arXiv 2411.12537.

    A state has one matrix of shape (n, d) for every head.  `features` computes from the inputs all
    that A, B and the readout depend on; unless the layer has a short convolution, letter by letter.

    Args:
        width: of inputs and outputs.
        heads: number of heads.
        eigenvalue_range: "[0,1]" or "[-1,1]".
        conv_size: letters that the short convolution sees; 0 for none.

    Attributes:
        n: rows of a head's state.
        d: columns of a head's state.
    """

    n: int
    d: int

    def __init__(
        self, width: int, heads: int, eigenvalue_range: Range = "[0,1]", conv_size: int = 4
    ) -> None:
        super().__init__()
        if eigenvalue_range not in RANGES:
            raise ValueError(
                f"Argument 'eigenvalue_range' must be one of {', '.join(RANGES)}, "
                f"not {eigenvalue_range!r}."
            )
        if width < 1 or heads < 1 or width % heads:
            raise ValueError(f"Argument 'width' must be a multiple of {heads} heads, not {width}.")
        if conv_size < 0:
            raise ValueError(f"Argument 'conv_size' must not be negative, not {conv_size}.")
        self.width, self.heads, self.conv_size = width, heads, conv_size
        self.signed = eigenvalue_range == "[-1,1]"

    @property
    def eigenvalue_range(self) -> Range:
        """The range in which all eigenvalues of A are."""
        return RANGES[self.signed]

    @abstractmethod
    def features(self, x: Tensor) -> Features:
        """Projections, gates and short convolutions of inputs of shape (batch, time, width)."""

    @abstractmethod
    def transition(self, x: Features) -> Tensor:
        """A(x), of shape (..., heads, n, n)."""

    @abstractmethod
    def input(self, x: Features) -> Tensor:
        """B(x), of shape (..., heads, n, d)."""

    @abstractmethod
    def readout(self, state: Tensor, x: Features) -> Tensor:
        """dec(H, x), of shape (..., width), for states of shape (..., heads, n, d)."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The outputs for inputs of shape (batch, time, width), by a parallel scan."""

    def states(self, x: Features) -> Tensor:
        """All H_t from H_0 = 0, one step after the other: (batch, time, heads, n, d)."""
        a, b = self.transition(x), self.input(x)
        state, states = torch.zeros_like(b[:, 0]), []
        for t in range(b.shape[1]):
            state = a[:, t] @ state + b[:, t]
            states.append(state)
        return torch.stack(states, 1)

    def recur(self, x: Tensor) -> Tensor:
        """What `forward` returns, computed by eq. (1): the reference."""
        features = self.features(x)
        return self.readout(self.states(features), features)

    def in_range(self, share: Tensor) -> Tensor:
        """A number in [0, 1], stretched to the range of the eigenvalues."""
        return 2 * share - 1 if self.signed else share

    def split(self, x: Tensor) -> Tensor:
        """(..., heads * size) to (..., heads, size)."""
        return x.unflatten(-1, (self.heads, -1))


class ShortConvolution(nn.Module):
    """A causal depthwise convolution, then SiLU; SiLU alone if its size is 0.

    Args:
        width: number of channels.
        size: letters that it sees, the current one last.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        if size:
            bound = size**-0.5
            self.weight = nn.Parameter(torch.empty(size, width).uniform_(-bound, bound))
            self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Channels (batch, time, width) to the same."""
        if not self.size:
            return functional.silu(x)
        return functional.silu(convolution(x, self.weight, self.bias))


class TokenShift(nn.Module):
    """RWKV's mixture of a letter with the one before it, channel by channel; none if size is 0."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        if size:
            self.mix = nn.Parameter(torch.rand(width))

    def forward(self, x: Tensor) -> Tensor:
        """Channels (batch, time, width) to the same."""
        if not self.size:
            return x
        return x + (functional.pad(x, (0, 0, 1, -1)) - x) * self.mix


class RMSNorm(nn.Module):
    """Vectors scaled to root mean square 1, in operations that `torch.func.vmap` takes."""

    def __init__(self, d: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., d) to the same."""
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)


def rates(w: Tensor) -> Tensor:
    """exp(w), but finite: a decay of rate infinity and a step of 0 would have no product."""
    w = wide(w)
    return w.exp().clamp_max(torch.finfo(w.dtype).max)


def unit(x: Tensor) -> Tensor:
    """Vectors scaled to length 1, rounded so that no length exceeds 1.

    The sum of squares, its root and the products err by less than (n + 6) u together, where u is
    half the machine epsilon; the vector is made shorter by as much.  So 1 - beta |k|^2 stays in
    [-1, 1] for all beta in [0, 2], exactly, whatever was rounded.

    Args:
        x: (..., n); computed in float32 at least.
    """
    x = wide(x)
    largest = x.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    x = x / largest  # no square overflows or vanishes
    shrink = 1 - (x.shape[-1] + 6) * torch.finfo(x.dtype).eps / 2
    return x * (shrink * torch.rsqrt(x.square().sum(-1, keepdim=True).clamp_min(0.25)))
