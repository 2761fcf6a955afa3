"""The plain scan: one Python loop over time, batched in torch, any arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning.kernels import make_kernel, runs_natively
from lrnn_theory.scanning.tail import TailRunner

Outputs = Literal["all", "last", "bits"]
"""All outputs of a word, the last one, or one bit for each, eight in a byte."""


class UnsupportedError(Exception):
    """A fast scan cannot run this network, arithmetic or state; the message says why."""


@dataclass(frozen=True, eq=False)
class ScanState:
    """Where a batch of words stands, to continue from.

    Attributes:
        hidden: the state of every layer, (batch, n, d).
        shifted: the coordinate read last by every layer, (batch,).
        output: the output after the letters so far, (batch,); -1 before the first letter of a
            Mealy machine.
    """

    hidden: tuple[Any, ...]
    shifted: tuple[Any, ...]
    output: torch.Tensor

    def take(self, keep: NDArray[np.bool_]) -> ScanState:
        """The words of a mask, (batch,)."""

        def chosen(x: Any) -> Any:
            return (
                x[torch.from_numpy(keep).to(x.device)] if isinstance(x, torch.Tensor) else x[keep]
            )

        return ScanState(
            tuple(map(chosen, self.hidden)), tuple(map(chosen, self.shifted)), chosen(self.output)
        )


class Machine:
    """An LRNN bound to an arithmetic and a device."""

    def __init__(
        self, lrnn: LRNN, arithmetic: str | Arithmetic, device: torch.device | str | None = None
    ) -> None:
        self.lrnn = lrnn
        self.arithmetic = Arithmetic.parse(arithmetic)
        self.device = torch.device(device or "cpu")
        levels = lrnn.levels
        self.kernels = [make_kernel(v.layer, self.arithmetic, self.device) for v in levels]
        # Kernels of Python numbers need tables beside them.
        self.on_host = not all(runs_natively(v.layer, self.arithmetic) for v in levels)
        self.actions = [self.table(v.action) for v in levels]
        self.nexts = [self.table(v.next) for v in levels]
        self.readouts = [self.table(v.layer.readout) for v in levels]
        self.reads = [v.reads for v in levels]
        self.letter_class = self.table(lrnn.letter_class)
        self.combine = [self.table(c) for c in lrnn.combine]
        self.output = self.table(lrnn.output)
        self.tail = None if lrnn.tail is None else TailRunner(lrnn.tail, self)

    def table(self, array: Any) -> Any:
        """An index table: a tensor on the device, or an array for kernels of Python numbers."""
        wide = np.asarray(array).astype(np.int64)
        return wide if self.on_host else torch.as_tensor(wide, device=self.device)

    def start(self, batch: int) -> ScanState:
        """The state before the first letter."""
        shifted = tuple(self.table(np.full(batch, v.layer.initial)) for v in self.lrnn.levels)
        hidden = tuple(k.start(batch) for k in self.kernels)
        if self.tail is not None:
            hidden += self.tail.start(batch)
        output = torch.full((batch,), self.lrnn.empty_output, device=self.device)
        return ScanState(hidden, shifted, output)

    def step(self, state: ScanState, letters: Any) -> ScanState:
        """Read one letter (index) per word."""
        token = self.letter_class[letters]
        hidden, shifted = [], []
        joint: Any = None
        i = 0
        for head_index, head in enumerate(self.lrnn.heads):
            c = token
            for _ in head:
                a = self.actions[i][c]
                h = self.kernels[i].step(state.hidden[i], a)
                pair = self.readouts[i][a, self.kernels[i].decode(h)]
                previous, current = pair[:, 0], pair[:, 1]
                read = {"previous": previous, "current": current, "shifted": state.shifted[i]}
                c = self.nexts[i][c, read[self.reads[i]]]
                hidden.append(h)
                shifted.append(current)
                i += 1
            joint = c if head_index == 0 else self.combine[head_index - 1][joint, c]
        if self.tail is None:
            answer = self.output[joint]
        else:
            below, answer = self.tail.step(state.hidden[i:], joint)
            hidden += below
        output = torch.as_tensor(answer, device=self.device)
        return ScanState(tuple(hidden), tuple(shifted), output)


def _freeze(running: Any, new: ScanState, old: ScanState) -> ScanState:
    """Keep the old state of the words that have ended."""

    def choose(a: Any, b: Any) -> Any:
        mask = running if isinstance(a, torch.Tensor) else running.cpu().numpy()
        a[~mask] = b[~mask]
        return a

    return ScanState(
        tuple(map(choose, new.hidden, old.hidden)),
        tuple(map(choose, new.shifted, old.shifted)),
        choose(new.output, old.output),
    )


class FastScan(Protocol):
    """An LRNN in an arithmetic, ready to read batches of words with the bits of `read`.

    Attributes:
        stretches: what sums up stretches of letters (`lrnn_theory.moves.Summaries`), or a text that
            says why nothing does.
    """

    stretches: Any

    def checks(self, tokens: torch.Tensor, lengths: torch.Tensor | None) -> bool:
        """Whether `run` finds letters out of range by itself."""
        ...

    def run(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor | None,
        initial: ScanState | None,
        outputs: Outputs,
        keep: bool,
    ) -> tuple[torch.Tensor, ScanState | None]:
        """Read words.

        Args:
            tokens: (batch, time), letter indices of any integer type, on the scan's device.
            lengths: (batch,), letters to read of every word, or None for all.
            initial: where to continue.
            outputs: which outputs to return.
            keep: whether to return the state.

        Returns:
            The outputs, as `read` returns them, and the state, as of the sequential order.
            Coordinates are taken on of levels that read "shifted" only: nothing looks at those of
            the others.

        Raises:
            UnsupportedError: if the network cannot be in the initial state, words are too long, or
                a letter is out of range, and it checks them.
        """
        ...


def read(
    machine: Machine,
    rows: torch.Tensor,
    ends: torch.Tensor | None,
    state: ScanState,
    outputs: Outputs,
) -> tuple[torch.Tensor, ScanState]:
    """Read words letter after letter.

    Args:
        machine: the LRNN.
        rows: (time, batch), letter indices on the machine's device.
        ends: (batch,), the length of every word, or None if all end with the last row.
        state: where the words start.
        outputs: which outputs to return.

    Returns:
        The outputs and the state, all of whose NaNs are one bit pattern.  Outputs: "all", (batch,
        time) with -1 past the end of a word; "last", (batch,); "bits", as `packed_bits` has them.
    """
    time, batch = rows.shape
    every = outputs != "last"
    collected = torch.full((batch, time), -1, device=machine.device) if every else None
    with torch.no_grad():
        for t in range(time):
            letters = rows[t].cpu().numpy() if machine.on_host else rows[t]
            new = machine.step(state, letters)
            if ends is not None:
                running = t < ends
                new = _freeze(running, new, state)
                if collected is not None:
                    collected[running, t] = new.output[running]
            elif collected is not None:
                collected[:, t] = new.output
            state = new
    state = ScanState(tuple(map(_one_nan, state.hidden)), state.shifted, state.output)
    if collected is None:
        return state.output.clone(), state
    return (packed_bits(collected) if outputs == "bits" else collected), state


def packed_bits(outputs: torch.Tensor) -> torch.Tensor:
    """Which outputs are 1, as bits.

    Args:
        outputs: (batch, time), 0 or 1, or -1 past the end of a word.

    Returns:
        (batch, bytes), uint8: that of letter t is bit t % 8, from the lowest, of byte t // 8.
    """
    bits = np.packbits((outputs == 1).cpu().numpy(), axis=1, bitorder="little")
    return torch.from_numpy(bits).to(outputs.device)


def _one_nan(h: Any) -> Any:
    """All NaNs of a state as one bit pattern."""
    return torch.where(torch.isnan(h), torch.nan, h) if isinstance(h, torch.Tensor) else h
