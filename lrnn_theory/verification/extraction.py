"""`extract`: the automaton that a network really implements in an arithmetic."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification.closure import Budget, exceeded, out_of_time
from lrnn_theory.verification.compositional import Target
from lrnn_theory.verification.configurations import Configurations
from lrnn_theory.verification.learner import learn
from lrnn_theory.verification.rowset import RowSet
from lrnn_theory.verification.states import OutOfTimeError

FEW = 50_000
"""A cascade with more configurations is learnt from its answers first."""


def extract(
    lrnn: LRNN,
    arithmetic: str | Arithmetic = "float32",
    *,
    budget: Budget | int | None = None,
    device: torch.device | str | None = None,
) -> Automaton:
    """The minimal automaton that an LRNN implements in an arithmetic, whatever it was made for.

    Args:
        lrnn: any LRNN, compiled or loaded.
        arithmetic: number format and rounding, such as "bfloat16"; see `lrnn_theory.arithmetic`.
        budget: a `Budget`, or a number of configurations.
        device: where to compute, if the arithmetic can; by default the CPU.

    Returns:
        An automaton of the LRNN's kind, over its letters and output symbols, that answers every
        word as the LRNN does; minimal and numbered as by `Automaton.minimize`.

    Raises:
        ValueError: if the reachable configurations pass the budget.

    Example:
        >>> from constructions import compile_dfa
        >>> extract(compile_dfa("(0|10*1)*"), "bfloat16")
        <Automaton dfa: 2 states, 2 letters>
    """
    check_type("lrnn", lrnn, LRNN)
    arithmetic = Arithmetic.parse(arithmetic)
    if not isinstance(budget, Budget):
        budget = Budget() if budget is None else Budget(configurations=budget)
    first = np.sort(np.unique(lrnn.letter_class, return_index=True)[1])
    classes = lrnn.letter_class[first]  # in the order of their first letters
    few = replace(budget, configurations=min(budget.configurations, FEW))
    until = budget.deadline()
    try:
        after, output = _close(lrnn, classes, arithmetic, few, until, device)
    except ValueError:
        if time.monotonic() > until:
            raise
        if len(lrnn.widths) > 1 and (machine := learn(lrnn, arithmetic, budget)):
            return machine
        after, output = _close(lrnn, classes, arithmetic, budget, until, device)
    if lrnn.kind != "mealy":
        after, output = _arrivals(after, output, lrnn.empty_output)
    after, output = after.astype(np.int32), output.astype(np.int32)
    machine = Automaton(
        after.T,
        0,
        output == 1 if lrnn.kind == "dfa" else np.zeros(len(after), np.bool_),
        tuple(lrnn.letters[i] for i in first),
        None if lrnn.kind == "dfa" else output.T,
        lrnn.output_symbols,
    ).minimize()
    letter = np.argmax(lrnn.letter_class[:, None] == classes, axis=1)
    return replace(
        machine,
        delta=machine.delta[letter],
        letters=lrnn.letters,
        outputs=machine.response[letter] if lrnn.kind == "mealy" else machine.outputs,
    )


def _close(
    lrnn: LRNN,
    classes: NDArray[np.int32],
    arithmetic: Arithmetic,
    budget: Budget,
    until: float,
    device: torch.device | str | None,
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The configuration after every configuration and letter class, and the output there."""
    nothing = np.zeros((len(classes), 1), np.int32)
    target = Target(nothing, 0, nothing[0], classes)
    after, output = [], []
    try:
        reached = Configurations(lrnn, target, arithmetic, device, merge=True, until=until)
        for step in reached.steps():
            after.append(step.number.cpu())
            output.append(step.output.cpu())
            reason = exceeded(budget, reached, until)
            if reason:
                raise ValueError(f"The LRNN in {arithmetic} takes {reason}.")
    except OutOfTimeError:
        raise ValueError(f"The LRNN in {arithmetic} takes {out_of_time(budget)}.") from None
    shape = (len(reached), len(classes))
    return torch.cat(after).reshape(shape).numpy(), torch.cat(output).reshape(shape).numpy()


def _arrivals(
    after: NDArray[np.integer], output: NDArray[np.integer], empty_output: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """States that know their output: pairs of a configuration and the output on arriving there.

    Returns:
        The state after every state and letter class, and the output of every state; the first is
        initial.
    """
    pairs = RowSet(2)
    pairs.add(torch.tensor([[0, empty_output]]))
    arrival = pairs.add(torch.from_numpy(np.stack([after.ravel(), output.ravel()], axis=1)))[0]
    configuration, answer = pairs.rows.T.numpy()
    return arrival.reshape(after.shape).numpy()[configuration], answer
