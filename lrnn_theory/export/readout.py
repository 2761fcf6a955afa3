"""What stands between the layers of an exported network: decoders, and wiring as ReLU networks.

Both work on one-hot vectors.  A decoder turns a state into the one-hot vector of its nearest
codeword, and wiring turns two one-hot vectors x and y into that of `table[x, y]`:

    max(0, P x + Q y - 1), then a linear map.

There is one unit for every distinct row of the table and value v in it: P tells whether x has this
row, Q whether y is sent to v.  On one-hot vectors every number is -1, 0 or 1, so that the result is
exact in any order of summation and any number format.  The ReLU is `clamp`, whose slope at 0 is 1:
units of the right row and another value are at 0, and a gradient must reach them.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import one_hot

MAX_PARAMETERS = 100_000_000
"""Largest accepted number of weights in one ReLU network."""


class Pairs(nn.Module):
    """x, y one-hot to `table[x, y]` one-hot: a ReLU network of one hidden layer.

    Args:
        left: the size of x.
        right: the size of y.
        units: the number of hidden units.
        out: the size of the result.
    """

    def __init__(self, left: int, right: int, units: int, out: int) -> None:
        super().__init__()
        self.left = nn.Linear(left, units)
        self.right = nn.Linear(right, units, bias=False)
        self.out = nn.Linear(units, out, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., left) and (..., right) to (..., out)."""
        return self.out((self.left(x) + self.right(y)).clamp(min=0))

    def table(self) -> NDArray[np.int64]:
        """The table that it computes, (left, right).

        Raises:
            ValueError: if some result is not one-hot, as after training.
        """
        left, right = self.left.in_features, self.right.in_features
        weight = self.out.weight
        x = torch.eye(left, dtype=weight.dtype, device=weight.device)
        y = torch.eye(right, dtype=weight.dtype, device=weight.device)
        with torch.no_grad():
            rows = [self(row.expand(right, -1), y) for row in x]
        return one_hot_index("a wiring", torch.stack(rows)) if rows else np.zeros((0, right), int)


def units_of(table: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The hidden units of `Pairs` for a table.

    Returns:
        For every x the class of its row, (left,); for every unit the class of row and the value,
        (units, 2); and the number of classes.
    """
    rows, of = np.unique(table, axis=0, return_inverse=True)
    units = [(c, v) for c, row in enumerate(rows) for v in np.unique(row)]
    return of.ravel().astype(np.int64), np.array(units, np.int64).reshape(-1, 2), len(rows)


def fill_pairs(pairs: Pairs, table: NDArray[np.integer]) -> None:
    """Set the weights of a `Pairs` of the right sizes from a table."""
    of, units, _ = units_of(table)
    rows = table[np.unique(of, return_index=True)[1]]
    set_weight(pairs.left.weight, of == units[:, :1])
    set_weight(pairs.left.bias, np.full(len(units), -1))
    set_weight(pairs.right.weight, rows[units[:, 0]] == units[:, 1:])
    set_weight(pairs.out.weight, np.arange(pairs.out.out_features)[:, None] == units[:, 1])


def check_pairs(left: int, right: int, units: int, out: int) -> None:
    """Refuse what would take too much memory.

    Raises:
        ValueError: if there are more than `MAX_PARAMETERS` weights.
    """
    total = units * (left + right + out)
    if total > MAX_PARAMETERS:
        raise ValueError(
            f"The wiring of {left} contexts takes {total} weights as a ReLU network, more than "
            f"{MAX_PARAMETERS} (raise lrnn_theory.export.readout.MAX_PARAMETERS for more)."
        )


class Decoder(nn.Module):
    """A state to its nearest codeword, one-hot; slots decoded one by one.

    Scores c h - |c|^2 / 2 are computed in float64, ties go to the lowest index, and a NaN counts as
    minus infinity.  Backwards, the softmax of the scores takes the place of the largest.

    Args:
        slots: for every slot the number of its codewords and of its numbers (rows * d).
    """

    def __init__(self, slots: list[tuple[int, int]]) -> None:
        super().__init__()
        self.codewords = nn.ParameterList(nn.Parameter(torch.zeros(k, m)) for k, m in slots)

    def forward(self, h: Tensor) -> Tensor:
        """(..., n, d) to (..., codewords of all slots together, row-major)."""
        parts = h.flatten(-2).split([w.shape[1] for w in self.codewords], -1)
        joint: Tensor | None = None
        for part, words in zip(parts, self.codewords, strict=True):
            w = words.double()
            score = (part.double()[..., None, :] * w).sum(-1) - (w * w).sum(-1) / 2
            score = torch.nan_to_num(score, -torch.inf, torch.inf, -torch.inf)
            hard = one_hot(score.argmax(-1), len(w)).to(words.dtype)
            if torch.is_grad_enabled():
                soft = torch.softmax(score.clamp(-1e30, 1e30), -1).to(words.dtype)
                hard = hard + (soft - soft.detach())
            if joint is None:
                joint = hard
            else:
                pair = joint[..., :, None] + hard[..., None, :] - 1
                joint = pair.clamp(min=0).flatten(-2)
        assert joint is not None
        return joint


def set_weight(parameter: Tensor, values: object) -> None:
    """Copy numbers into a parameter of the same shape."""
    with torch.no_grad():
        parameter.copy_(torch.as_tensor(np.asarray(values, np.float64)))


def one_hot_index(name: str, values: Tensor) -> NDArray[np.int64]:
    """The index of the 1 in every one-hot vector, (..., size) to (...).

    Raises:
        ValueError: if a vector is not one-hot.
    """
    index = values.argmax(-1)
    if not torch.equal(one_hot(index, values.shape[-1]).to(values.dtype), values):
        raise ValueError(f"The weights of {name} no longer map one-hot vectors to one-hot vectors.")
    return index.cpu().numpy()
