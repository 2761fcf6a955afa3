"""Layers with exact weights and decoders, and their wiring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.transition import Array, Transition, exact_array, index_array

Reads = Literal["previous", "current", "shifted"]


@dataclass(frozen=True, eq=False)
class Layer:
    """H <- A_a H + B_a with H of shape (n, d), and a decoder.

    The rows of H are split into consecutive *slots*.  A slot is decoded to the nearest of its
    codewords: with s_j = sum_i c_ji h_i - |c_j|^2 / 2 over the nonzero c_ji, the largest s_j
    wins, ties to the lowest index (a NaN counts as -infinity); in a float arithmetic the scores
    are computed in float64, in index order.  The index of a codeword of several slots is that of a
    row-major array.

    Attributes:
        transition: the matrices A_a.
        b: (actions, n, d).
        h0: (n, d), the initial state.
        codewords: for every slot, (codewords of the slot, rows of the slot, d).
        readout: (actions, codewords, 2), the coordinates (previous, current) that a codeword
            stands for after an action.
        size: the number of coordinates.
        initial: the coordinate before the first letter.

    Raises:
        ValueError: if shapes disagree or an index is out of range.
    """

    transition: Transition
    b: Array
    h0: Array
    codewords: tuple[Array, ...]
    readout: NDArray[Any]
    size: int
    initial: int

    def __post_init__(self) -> None:
        a, n = self.transition.n_actions, self.transition.n
        b, h0 = exact_array("b", self.b), exact_array("h0", self.h0)
        if h0.ndim != 2 or h0.shape[0] != n or 0 in h0.shape:
            raise ValueError(f"Argument 'h0' must have shape ({n}, d), not {h0.shape}.")
        if b.shape != (a, *h0.shape):
            raise ValueError(f"Argument 'b' must have shape {(a, *h0.shape)}, not {b.shape}.")
        words = tuple(exact_array("codewords", c) for c in self.codewords)
        rows = [c.shape[1] for c in words if c.ndim == 3 and c.size and c.shape[2] == h0.shape[1]]
        if len(rows) != len(words) or not words or sum(rows) != n:
            raise ValueError(
                f"Argument 'codewords' must split {n} rows into slots of shape (codewords, rows, "
                f"{h0.shape[1]}), not {[c.shape for c in words]}."
            )
        n_words = int(np.prod([len(c) for c in words]))
        readout = index_array("readout", self.readout, 3, self.size)
        if readout.shape != (a, n_words, 2):
            raise ValueError(
                f"Argument 'readout' must have shape {(a, n_words, 2)}, not {readout.shape}."
            )
        if not 0 <= self.initial < self.size:
            raise ValueError(
                f"Argument 'initial' must be in 0..{self.size - 1}, not {self.initial}."
            )
        for name, value in (("b", b), ("h0", h0), ("codewords", words), ("readout", readout)):
            object.__setattr__(self, name, value)

    @property
    def n(self) -> int:
        """Rows of the state."""
        return self.h0.shape[0]

    @property
    def d(self) -> int:
        """Columns of the state."""
        return self.h0.shape[1]

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return self.transition.n_actions


@dataclass(frozen=True, eq=False)
class Level:
    """A layer with its wiring.

    Attributes:
        layer: the layer.
        action: (contexts,), the action taken in every context.
        next: (contexts, size), the context of the next level given the coordinate read.
        reads: which coordinate is passed on: "previous" (of the state before the letter,
            recovered from the state after it), "current" (of the state after it), or "shifted"
            (the coordinate read one step earlier, as a short convolution delivers it; the initial
            coordinate at the first step).
    """

    layer: Layer
    action: NDArray[Any]
    next: NDArray[Any]
    reads: Reads

    def __post_init__(self) -> None:
        if self.reads not in ("previous", "current", "shifted"):
            raise ValueError(
                f"Argument 'reads' must be 'previous', 'current' or 'shifted', not {self.reads!r}."
            )
        action = index_array("action", self.action, 1, self.layer.n_actions)
        nxt = index_array("next", self.next, 2, np.iinfo(np.int32).max)
        if nxt.shape != (len(action), self.layer.size):
            raise ValueError(
                f"Argument 'next' must have shape {(len(action), self.layer.size)}, "
                f"not {nxt.shape}."
            )
        object.__setattr__(self, "action", action)
        object.__setattr__(self, "next", nxt)
