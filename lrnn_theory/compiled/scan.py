"""Batches of words read in compiled code, with the bits of the plain scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled.chain import FloatChain
from lrnn_theory.compiled.heads import Heads, chain_of
from lrnn_theory.compiled.packed import PackedChain
from lrnn_theory.compiled.stretches import Stretches, in_threads
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.scanning import (
    Machine,
    Outputs,
    ScanState,
    UnsupportedError,
    packed_bits,
)
from lrnn_theory.scanning.rational import fractions

Array = NDArray[Any]


class CompiledScan:
    """An LRNN in an arithmetic, ready to read batches of words on the CPU.

    Raises:
        UnsupportedError: if there is no compiled form.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic) -> None:
        chain = len(lrnn.heads) == 1 and lrnn.levels and lrnn.tail is None
        self.chain: Any = (chain_of if chain else Heads)(lrnn, arithmetic)
        self.stretches = _stretches(self.chain)
        self.machine = Machine(lrnn, replace(arithmetic, order="sequential", chunk=0))

    def checks(self, tokens: torch.Tensor, lengths: torch.Tensor | None) -> bool:  # noqa: ARG002
        """As `FastScan` says."""
        return False

    def run(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor | None,
        initial: ScanState | None,
        outputs: Outputs,
        keep: bool,
    ) -> tuple[torch.Tensor, ScanState | None]:
        """As `FastScan` says."""
        letters, every = tokens.numpy(), outputs != "last"
        ends = np.full(len(letters), letters.shape[1]) if lengths is None else lengths.numpy()
        start = initial or self.machine.start(len(letters))
        state = self.chain.enter(start.hidden, _valid(start.shifted, self.machine.lrnn.levels))
        if lengths is None and not every and isinstance(self.stretches, Stretches):
            letters = self._through_stretches(self.stretches, letters, state[0])
            ends = np.full(len(letters), letters.shape[1])
        output = start.output.numpy().copy()
        told = np.full(letters.shape, -1) if every else None

        def read(part: slice) -> None:
            of_part = None if told is None else told[part]
            own = [x[part] for x in state]
            self.chain.read(letters[part], ends[part], own, output[part], of_part)

        in_threads(read, letters)
        found = torch.from_numpy(output if told is None else told)
        if outputs == "bits":
            found = packed_bits(found)
        if not keep:
            return found, None
        hidden, shifted = self.chain.leave(state)
        return found, ScanState(
            tuple(map(_like, hidden, start.hidden)),
            tuple(map(_like, shifted, start.shifted)),
            torch.from_numpy(output.copy()),
        )

    def _through_stretches(
        self, stretches: Stretches, letters: Array, state: NDArray[np.uint64]
    ) -> Array:
        """Take the states of few long words most of the way; the last letters, for the outputs."""
        batch, time = letters.shape
        if not stretches.pays(batch, time - 1):
            return letters
        moves = stretches.moves(torch.from_numpy(letters[:, :-1]))
        h = moves.apply(torch.from_numpy(stretches.level.unpack(state[:, 0])))
        state[:, 0] = stretches.level.pack(h.numpy())
        return letters[:, -1:]


def _valid(shifted: Sequence[Any], levels: Sequence[Level]) -> Sequence[Any]:
    """Coordinates read last, if the levels have such."""
    for x, level in zip(shifted, levels, strict=True):
        if len(x) and not 0 <= int(x.min()) <= int(x.max()) < level.layer.size:
            raise UnsupportedError("a coordinate that the layer does not have")
    return shifted


def _like(x: Array, other: Any) -> Any:
    """The same numbers as the plain scan holds them."""
    if isinstance(other, torch.Tensor):
        return torch.from_numpy(np.ascontiguousarray(x)).to(other.dtype)
    return fractions(x) if other.dtype == object else x


def _stretches(chain: Any) -> Stretches | str:
    """What sums up stretches of letters, or why there is nothing that does."""
    if not isinstance(chain, PackedChain):
        return chain.reason if isinstance(chain, FloatChain) else "parallel heads, or a tail"
    try:
        return Stretches(chain.levels)
    except UnsupportedError as reason:
        return str(reason)
