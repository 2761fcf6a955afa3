"""What the linear recurrences are compared with: an LSTM and causal attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LSTM(nn.Module):
    """Hochreiter and Schmidhuber's LSTM in plain operations, which `torch.func.vmap` takes.

    Args:
        width: of inputs, states and outputs.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(width, 4 * width)
        self.states = nn.Linear(width, 4 * width, bias=False)
        self.inputs.bias.data[width : 2 * width] = 1.0  # remember at first
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) to the same."""
        gates = self.inputs(x)
        h = cell = torch.zeros_like(x[:, 0])
        outputs = []
        for t in range(x.shape[1]):
            i, f, g, o = (gates[:, t] + self.states(h)).chunk(4, -1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(h)
        return self.out(torch.stack(outputs, 1))


class Attention(nn.Module):
    """Causal softmax attention with rotary positions.

    Args:
        width: of inputs and outputs.
        heads: number of heads; width / heads must be even.
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        if width % (2 * heads):
            raise ValueError(f"Argument 'width' must be a multiple of {2 * heads}, not {width}.")
        self.heads = heads
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) to the same."""
        parts = self.project(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = _rotate(parts[0]), _rotate(parts[1]), parts[2]
        above = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        scores = (q @ k.mT * q.shape[-1] ** -0.5).masked_fill(above, -torch.inf)
        return self.out((functional.softmax(scores, -1) @ v).transpose(1, 2).flatten(-2))


def _rotate(x: Tensor) -> Tensor:
    """Turn pairs of coordinates of (..., time, size) by angles that grow with time."""
    half = x.shape[-1] // 2
    speeds = 10_000.0 ** (-torch.arange(half, device=x.device) / half)
    angles = torch.arange(x.shape[-2], device=x.device)[:, None] * speeds
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)
