"""Batches of words read in compiled code, with the bits of the plain scan."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled.heads import Heads, chain_of
from lrnn_theory.compiled.packed import SPECIALISED, PackedChain
from lrnn_theory.compiled.stretches import SHORTEST, Stretches
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
_AT_ONCE = 4
"""Words that keep a core busy."""
_FEW = 10_000
"""Letters that are not worth a thread."""


class CompiledScan:
    """An LRNN in an arithmetic, ready to read batches of words on the CPU.

    Raises:
        UnsupportedError: if there is no compiled form.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic) -> None:
        chain = len(lrnn.heads) == 1 and lrnn.levels and lrnn.tail is None
        self.chain: Any = (chain_of if chain else Heads)(lrnn, arithmetic)
        self.stretches = _stretches(self.chain) if isinstance(self.chain, PackedChain) else None
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
        if lengths is None and not every and self.stretches is not None:
            letters = self._through_stretches(self.stretches, letters, state[0])
            ends = np.full(len(letters), letters.shape[1])
        output = start.output.numpy().copy()
        told = np.full(letters.shape, -1) if every else None

        def read(part: slice) -> None:
            of_part = None if told is None else told[part]
            own = [x[part] for x in state]
            self.chain.read(letters[part], ends[part], own, output[part], of_part)

        _in_threads(read, letters)
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
        """Take the states of few long words most of the way; the letters that are left."""
        batch, time = letters.shape
        count = -(-_AT_ONCE * (os.cpu_count() or 1) // max(batch, 1))
        length = (time - 1) // count  # at least one letter is left, which tells the output
        if count < 2 or length < SHORTEST:
            return letters
        stretches.run(letters[:, : count * length], state, count, _in_threads)
        return letters[:, count * length :]


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


def _stretches(chain: PackedChain) -> Stretches | None:
    first, *others = chain.levels
    if others or first.n > SPECIALISED:
        return None
    try:
        return Stretches(first)
    except UnsupportedError:
        return None


def _in_threads(read: Callable[[slice], None], letters: Array) -> None:
    batch, count = len(letters), os.cpu_count() or 1
    if letters.size < _FEW or count == 1:
        read(slice(batch))
        return
    edges = [batch * i // count for i in range(count + 1)]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(read, map(slice, edges, edges[1:])))
