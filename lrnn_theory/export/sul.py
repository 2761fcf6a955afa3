"""A running LRNN as a system under learning of AALpy, and the automata that AALpy learns.

AALpy (Muškardin et al., Innovations in Systems and Software Engineering 18, 2022) learns automata
by asking for outputs.  It shares no code with `extract`, so that the two check each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import Machine, ScanState
from lrnn_theory.table import tabulate

_MISSING = "Learning with AALpy needs it: pip install 'lrnn-theory[aalpy]'."


def aalpy_sul(lrnn: LRNN, arithmetic: str | Arithmetic = "float32") -> Any:
    """An `aalpy.base.SUL` that steps an LRNN in an arithmetic.

    Outputs are True or False of a DFA, and names of outputs otherwise.  Letters are names.

    Raises:
        ImportError: if AALpy is not installed.
    """
    check_type("lrnn", lrnn, LRNN)
    try:
        from aalpy.base import SUL
    except ImportError as error:
        raise ImportError(_MISSING) from error

    class NetworkSUL(SUL):
        """An LRNN, letter after letter."""

        def __init__(self) -> None:
            super().__init__()
            self.machine = Machine(lrnn, arithmetic)
            self.index = {a: i for i, a in enumerate(lrnn.letters)}
            self.state: ScanState = self.machine.start(1)

        def pre(self) -> None:
            self.state = self.machine.start(1)

        def post(self) -> None:
            pass

        def step(self, letter: str | None) -> Any:
            if letter is not None:
                row = self.machine.table(np.array([self.index[letter]]))
                self.state = self.machine.step(self.state, row)
            said = int(self.state.output[0])
            if lrnn.kind == "dfa":
                return said == 1
            return lrnn.output_symbols[said] if said >= 0 else None

    return NetworkSUL()


def from_aalpy(machine: Any) -> Automaton:
    """The automaton of a DFA, Moore or Mealy machine of AALpy.

    Raises:
        TypeError: if it is something else.
        ValueError: if it is not total.
    """
    states = getattr(machine, "states", None)
    if not states or not hasattr(states[0], "transitions"):
        raise TypeError(f"Argument 'machine' must be an automaton of AALpy, not {machine!r:.80}.")
    names = {id(state): f"s{i}" for i, state in enumerate(states)}
    mealy = hasattr(states[0], "output_fun")
    edges = [
        (
            names[id(state)],
            letter,
            names[id(target)],
            str(state.output_fun[letter]) if mealy else None,
        )
        for state in states
        for letter, target in state.transitions.items()
    ]
    dfa = hasattr(states[0], "is_accepting")
    outputs = None
    if not dfa and not mealy:
        outputs = {names[id(state)]: str(state.output) for state in states}
    table = tabulate(
        list(names.values()),
        edges,
        initial=names[id(machine.initial_state)],
        accepting=[names[id(s)] for s in states if s.is_accepting] if dfa else (),
        state_outputs=outputs,
    )
    return Automaton(*table)


def learn_with_aalpy(
    lrnn: LRNN,
    arithmetic: str | Arithmetic = "float32",
    *,
    walks: int = 30,
    length: int = 20,
) -> Automaton:
    """The automaton that AALpy's algorithm KV learns from a running LRNN.

    Args:
        lrnn: the network.
        arithmetic: where it runs.
        walks: random words from every state of a hypothesis that are asked before it is believed.
        length: letters of each.

    Returns:
        An automaton of the LRNN's kind; where the walks missed something, a wrong one.

    Raises:
        ImportError: if AALpy is not installed.
    """
    sul = aalpy_sul(lrnn, arithmetic)
    from aalpy.learning_algs import run_KV
    from aalpy.oracles import StatePrefixEqOracle

    letters = list(lrnn.letters)
    oracle = StatePrefixEqOracle(letters, sul, walks_per_state=walks, walk_len=length)
    learnt = from_aalpy(run_KV(letters, sul, oracle, automaton_type=lrnn.kind, print_level=0))
    return learnt.with_letters(lrnn.letters)
