"""Batches of words read in compiled code, with the bits of the plain scan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled.chain import FloatChain
from lrnn_theory.compiled.packed import PackedChain
from lrnn_theory.compiled.stretches import Stretches, in_threads
from lrnn_theory.lrnn import LRNN
from lrnn_theory.packing import pack
from lrnn_theory.scanning import Machine, ScanState, UnsupportedError

Array = NDArray[Any]


class CompiledScan:
    """An LRNN in an arithmetic, ready to read batches of words on the CPU.

    Raises:
        UnsupportedError: if there is no compiled form.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic) -> None:
        self.stretches: Stretches | str
        try:
            packed = pack(lrnn, arithmetic)
            self.chain: Any = PackedChain(packed)
        except UnsupportedError as reason:
            self.stretches = str(reason)
            self.chain = FloatChain(lrnn, arithmetic, str(reason))
        else:
            try:
                self.stretches = Stretches(packed)
            except UnsupportedError as reason:
                self.stretches = str(reason)
        self.machine = Machine(lrnn, replace(arithmetic, order="sequential", chunk=0))

    def run(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor | None,
        initial: ScanState | None,
        every: bool,
        keep: bool,
    ) -> tuple[torch.Tensor, ScanState | None]:
        """As `FastScan` says."""
        letters = tokens.numpy()
        ends = np.full(len(letters), letters.shape[1]) if lengths is None else lengths.numpy()
        start = initial or self.machine.start(len(letters))
        state = self.chain.enter(start.hidden)
        if lengths is None and not every and isinstance(self.stretches, Stretches):
            letters = self._through_stretches(self.stretches, letters, state[0])
            ends = np.full(len(letters), letters.shape[1])
        output = start.output.numpy().copy()
        outputs = np.full(letters.shape, -1) if every else None

        def read(part: slice) -> None:
            of_part = None if outputs is None else outputs[part]
            own = [x[part] for x in state]
            self.chain.read(letters[part], ends[part], own, output[part], of_part)

        in_threads(read, letters)
        found = torch.from_numpy(output if outputs is None else outputs)
        if not keep:
            return found, None
        hidden = [
            torch.from_numpy(x).to(like.dtype)
            if isinstance(like, torch.Tensor)
            else x.astype(like.dtype)
            for x, like in zip(self.chain.leave(state), start.hidden, strict=True)
        ]
        return found, ScanState(tuple(hidden), start.shifted, torch.from_numpy(output.copy()))

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
