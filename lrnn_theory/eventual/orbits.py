"""What a layer does when the actions that it takes come round in a cycle.

Three models of a number, one answer: from which length on the states that a readout sees are
periodic, with which period, and what they are before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from math import lcm

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import CompiledLayer
from lrnn_theory.eventual.casts import REPLAYED, CastLayer, Runs, UnsettledError, codeword
from lrnn_theory.eventual.streams import Stream
from lrnn_theory.eventual.unity import multiply, unity_orders
from lrnn_theory.ideal_cast import Unresolved, eventual_period
from lrnn_theory.lrnn import Layer
from lrnn_theory.scanning.kernels import make_kernel, runs_natively
from lrnn_theory.transition import Array

MAX_SIMULATED = 20_000
"""Most steps of a layer below another one that are computed one by one in the cast model."""
MAX_TOLD = 1_000_000
"""Most steps of such a layer that are told by enclosures of runs of states."""
MAX_ENCLOSED = 100_000
"""Most of these enclosures."""
MAX_HEAD = 2_000
"""Most steps before the actions of a layer come round: each leaves an exact term."""
MAX_STEPS = 20_000_000
"""Most steps of a layer that are followed where every step is rounded."""
MAX_EXACT = 4096
"""Most steps of a layer that are followed in exact arithmetic."""
_CHUNK = 4_000_000
"""Numbers of states computed at once."""


@dataclass(frozen=True, eq=False)
class Orbit:
    """States of a layer after 0, 1, 2, ... letters.

    Attributes:
        preperiod: from this length on they are periodic, as a readout sees them.
        period: with this period, not always the least one.
        product: the matrix that one round of the cycle of actions applies.
        codewords: computes the codewords read after 1, ..., t letters.
    """

    preperiod: int
    period: int
    product: Array
    codewords: Callable[[int], list[int]]


def orbit(layer: Layer, actions: Stream, arithmetic: Arithmetic) -> Orbit:
    """The orbit of a layer.

    Raises:
        UnsettledError: if it is not known to be periodic in the end.
    """
    if arithmetic.order != "sequential":
        raise UnsettledError(f"'{arithmetic}' is not evaluated letter after letter")
    matrices = [layer.transition.matrix(a) for a in actions.cycle]
    product = multiply(matrices, range(len(matrices)))
    if arithmetic.is_exact:
        return _exact(layer, actions, arithmetic, product)
    if arithmetic.semantics == "cast":
        return _cast(layer, actions, arithmetic, product)
    return _rounded(layer, actions, arithmetic, product)


# -------------------------------------------------------------------- the cast model


def _cast(layer: Layer, actions: Stream, arithmetic: Arithmetic, product: Array) -> Orbit:
    if len(actions.head) > MAX_HEAD:
        raise UnsettledError(
            f"a layer hears changes of those below for {len(actions.head)} letters, "
            f"more than {MAX_HEAD}"
        )
    walk = CastLayer.of(layer, actions, arithmetic)
    found = eventual_period(walk.steps, walk.terms, walk.form)
    if isinstance(found, Unresolved):
        raise UnsettledError(found.reason)
    preperiod = len(walk.seen) + found[0]

    def codewords(t: int) -> list[int]:
        most = MAX_TOLD
        if len(walk.seen) + REPLAYED < t <= MAX_TOLD:  # exact terms grow: enclosures do not
            try:
                return _enclosed(walk, found[1], t)
            except UnsettledError:
                most = MAX_SIMULATED
        if t > most:
            raise UnsettledError(
                f"a layer below another one takes {preperiod} letters to settle, more than {most}"
            )
        return [int(walk.reader(x)) for x in islice(walk.states(), t)]

    return Orbit(preperiod, found[1], product, codewords)


def _enclosed(walk: CastLayer, period: int, t: int) -> list[int]:
    """Codewords after 1, ..., t letters, by enclosing states; UnsettledError if these do not do."""
    runs = Runs(walk, codeword(walk.reader), period, t, MAX_ENCLOSED)
    runs.extend(t)
    out = []
    for i in range(1, t + 1):
        label = runs.at(i)
        assert isinstance(label, int)
        out.append(label)
    return out


# -------------------------------------------------------------------- exact arithmetic


def _exact(layer: Layer, actions: Stream, arithmetic: Arithmetic, product: Array) -> Orbit:
    """Exact states; periodic in the end if and only if they are finitely many.

    A round is an affine map x -> P x + c.  A finite orbit is in its cycle after n rounds, and by
    the unary lemma (docs/impossibility.md, section 5) the rounds of the cycle divide the least
    common multiple N of the orders of the roots of unity among the eigenvalues of P: the orbit
    is finite if and only if the states after n and n + N rounds are equal.
    """
    first, q, n = len(actions.head), len(actions.cycle), layer.n
    rounds = lcm(*unity_orders(product))
    if (n + rounds) * q > MAX_EXACT:
        raise UnsettledError(f"a cycle of exact states may have {rounds} rounds")
    kernel = make_kernel(layer, arithmetic, torch.device("cpu"))
    states = [kernel.start(1)]
    for t in range(1, first + (n + rounds) * q + 1):
        states.append(kernel.step(states[-1], np.array([actions[t]])))
    keys = [kernel.keys(h)[0] for h in states]
    if keys[first + n * q] != keys[-1]:
        raise UnsettledError("infinitely many exact states are reached")
    preperiod = first + n * q
    period = next(
        p for p in range(q, rounds * q + 1, q) if keys[preperiod:-p] == keys[preperiod + p :]
    )
    while preperiod > first and keys[preperiod - 1] == keys[preperiod - 1 + period]:
        preperiod -= 1

    def codewords(t: int) -> list[int]:
        read = [int(kernel.decode(h)[0]) for h in states[1 : t + 1]]
        return _extended(read, preperiod, period, t)

    return Orbit(preperiod, period, product, codewords)


def _extended(read: list[int], preperiod: int, period: int, t: int) -> list[int]:
    """Codewords after 1, ..., t letters, from those of one period at least."""
    out = read[: preperiod + period]
    while len(out) < t:
        out.append(out[-period])
    return out[:t]


# -------------------------------------------------------------------- every step is rounded


def _rounded(layer: Layer, actions: Stream, arithmetic: Arithmetic, product: Array) -> Orbit:
    """A layer that rounds is a finite machine: its cycle is found by Brent's method."""
    run = runner(layer, arithmetic)
    first, q, cycle = len(actions.head), len(actions.cycle), np.array(actions.cycle, np.int64)
    start = run(None, np.array(actions.head, np.int64))[-1]
    found = _brent(run, start, cycle, MAX_STEPS)
    if found is None:
        raise UnsettledError(f"no state came again in {MAX_STEPS} rounded steps")
    mark, at, rounds = found
    period = rounds * q
    preperiod = first + at * q
    if at * mark.size <= MAX_STEPS:  # the least one
        path = np.concatenate([start[None], _rounds(run, start, cycle, at + rounds)])
        same = _equal(path[:-rounds], path[rounds:])
        preperiod = first + q * int(np.argmax(same))

    def codewords(t: int) -> list[int]:
        taken = np.array([actions[i] for i in range(1, min(t, preperiod + period) + 1)], np.int64)
        kernel = make_kernel(layer, arithmetic, torch.device("cpu"))
        states = run(None, taken)[1:]
        read = kernel.decode(torch.as_tensor(states) if states.dtype == float else states)
        return _extended([int(x) for x in read], preperiod, period, t)

    return Orbit(preperiod, period, product, codewords)


Runner = Callable[[Array | None, NDArray[np.int64]], Array]


def runner(layer: Layer, arithmetic: Arithmetic) -> Runner:
    """A function from a state (None: the initial one) and actions to the states on the way."""
    if CompiledLayer.supports(arithmetic) and runs_natively(layer, arithmetic):
        compiled = CompiledLayer(layer, arithmetic)

        def quick(h: Array | None, actions: NDArray[np.int64]) -> Array:
            begin = compiled.start() if h is None else h
            return np.concatenate([begin[None], compiled.run(begin, actions)])

        return quick
    kernel = make_kernel(layer, arithmetic, torch.device("cpu"))

    def slow(h: Array | None, actions: NDArray[np.int64]) -> Array:
        states = [np.asarray(kernel.start(1) if h is None else h[None])]
        for a in actions:
            states.append(kernel.step(states[-1], np.array([a])))
        return np.concatenate(states)

    return slow


def cycle_of(run: Runner, h: Array, action: int, steps: int) -> Array | None:
    """The states of the cycle that an action repeated leads to; None within so many steps."""
    found = _brent(run, h, np.array([action]), steps)
    if found is None:
        return None
    mark, _, rounds = found
    return run(mark, np.full(rounds - 1, action))


def _brent(
    run: Runner, h: Array, cycle: NDArray[np.int64], steps: int
) -> tuple[Array, int, int] | None:
    """A state on a cycle, a number of rounds that leads to it, and the rounds of the cycle."""
    at, count = 0, 1
    while (at + count) * len(cycle) <= steps:
        after = _rounds(run, h, cycle, count)
        if (met := _where(after, h)) is not None:
            return h, at, met + 1
        h, at, count = after[-1], at + count, 2 * count
    return None


def _rounds(run: Runner, h: Array, cycle: NDArray[np.int64], count: int) -> Array:
    """The states after 1, ..., count rounds, (count, n, d)."""
    out, most = [], max(1, _CHUNK // (len(cycle) * h.size))
    for begin in range(0, count, most):
        some = min(most, count - begin)
        out.append(run(h, np.tile(cycle, some))[len(cycle) :: len(cycle)])
        h = out[-1][-1]
    return np.concatenate(out)


def _equal(x: Array, y: Array) -> NDArray[np.bool_]:
    """Which states are equal; a NaN is equal to a NaN."""
    same = (x == y) | ((x != x) & (y != y))
    return same.reshape(len(same), -1).astype(bool).all(axis=1)


def _where(states: Array, mark: Array) -> int | None:
    same = _equal(states, np.broadcast_to(mark, states.shape))
    return int(np.argmax(same)) if same.any() else None
