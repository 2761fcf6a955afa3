"""Census: what becomes of every state of a small format when one letter is read for ever."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.float_kernel import FloatKernel
from lrnn_theory.scanning.kernels import make_kernel
from lrnn_theory.scanning.rational import fractions
from lrnn_theory.verification.certificate import Certificate, certify_census

MAX_STATES = 20_000_000
"""Most states of a census."""
_CHUNK = 200_000


@dataclass(frozen=True)
class Census:
    """All states of a layer under one action, repeated.

    Attributes:
        arithmetic: where the layer runs.
        states: how many finite states there are.
        periods: for every period of a cycle, the number of states that end in such a cycle.
        overflow: the number of states that leave the finite numbers.
        cycles: for every period, one cycle of states, each a tuple of n * d numbers.
        certificate: what a checker needs to count them again (not the cycles); see `check`.
    """

    arithmetic: str
    states: int
    periods: dict[int, int]
    overflow: int
    cycles: dict[int, tuple[tuple[Any, ...], ...]]
    certificate: Certificate = field(repr=False)


def census(layer: Layer, action: int, arithmetic: str | Arithmetic) -> Census:
    """Find the period that every state of a layer ends in.

    It proves what no initial state can do: a layer whose periods are all 1 never counts.

    Args:
        layer: a layer with few numbers in its state.
        action: the action that is repeated.
        arithmetic: a format of at most 65,536 numbers, in sequential order.

    Raises:
        ValueError: if there are more than `MAX_STATES` states, or the arithmetic has none.

    Example:
        >>> from lrnn_theory import Dense, Layer
        >>> import numpy as np
        >>> swap, zero = Dense(np.array([[[0, 1], [1, 0]]])), np.zeros((2, 1), int)
        >>> readout = np.zeros((1, 1, 2), int)
        >>> layer = Layer(swap, zero[None], zero, (zero[None],), readout, 1, 0)
        >>> census(layer, 0, "{-1,0,1}").periods
        {1: 3, 2: 6}
    """
    arithmetic = Arithmetic.parse(arithmetic)
    if arithmetic.format is None or arithmetic.semantics == "cast":
        raise ValueError(f"A census needs an arithmetic that rounds states, not '{arithmetic}'.")
    if arithmetic.order != "sequential":
        raise ValueError(f"A census reads letter after letter, not '{arithmetic}'.")
    numbers = np.array(arithmetic.format.numbers())
    size = layer.n * layer.d
    total = len(numbers) ** size
    if total > MAX_STATES:
        raise ValueError(
            f"{len(numbers)} numbers in {size} places are more than {MAX_STATES} states."
        )
    after = _images(layer, action, arithmetic, numbers, total)
    ends = after
    for _ in range(total.bit_length()):  # after total steps every state is on its cycle
        ends = ends[ends]
    period, cycles = _cycles(after, np.unique(ends), total)
    counts = Counter(period[ends[:total]].tolist())
    overflow = counts.pop(0, 0)
    shape, periods = (len(numbers),) * size, sorted(counts.items())
    facts = {"states": total, "periods": list(map(list, periods)), "overflow": overflow}
    return Census(
        str(arithmetic),
        total,
        dict(periods),
        overflow,
        {
            p: tuple(tuple(numbers[np.array(np.unravel_index(i, shape))].tolist()) for i in cycle)
            for p, cycle in sorted(cycles.items())
        },
        certify_census(layer, arithmetic, action=action, **facts),
    )


def _images(
    layer: Layer, action: int, arithmetic: Arithmetic, numbers: NDArray[Any], total: int
) -> NDArray[np.int64]:
    """The state after each state; number `total` stands for what is not finite."""
    kernel: Any = make_kernel(layer, arithmetic, torch.device("cpu"))
    shape = (len(numbers),) * (layer.n * layer.d)
    after = np.full(total + 1, total)
    for at in range(0, total, _CHUNK):
        index = np.arange(at, min(at + _CHUNK, total))
        h = numbers[np.stack(np.unravel_index(index, shape), axis=1)]
        h = h.reshape(-1, layer.n, layer.d)
        actions = np.full(len(index), action)
        if isinstance(kernel, FloatKernel):
            x = torch.from_numpy(h).to(kernel.carrier)
            h = kernel.step(x, torch.from_numpy(actions)).double().numpy()
        else:
            h = kernel.step(fractions(h), actions)
        flat = h.reshape(len(index), -1)
        finite = np.isfinite(flat.astype(float)).all(axis=1)
        places = np.searchsorted(numbers, flat[finite])
        after[index[finite]] = np.ravel_multi_index(tuple(places.T), shape)
    return after


def _cycles(
    after: NDArray[np.int64], on_cycle: NDArray[np.int64], sink: int
) -> tuple[NDArray[np.int64], dict[int, list[int]]]:
    """The period of every state on a cycle (0 at the sink), and a cycle of every period."""
    period = np.zeros(len(after), np.int64)
    examples: dict[int, list[int]] = {}
    for start in on_cycle.tolist():
        if start == sink or period[start]:
            continue
        cycle = [start]
        while (state := int(after[cycle[-1]])) != start:
            cycle.append(state)
        period[cycle] = len(cycle)
        examples.setdefault(len(cycle), cycle)
    return period, examples
