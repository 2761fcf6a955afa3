"""Compile finite automata to explicit linear RNNs, run them in finite precision, verify them.

    automaton -> construction -> LRNN -> scan -> verdict -> certificate

The names below are loaded on first use, so that `import lrnn_theory` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrnn_theory.arithmetic import Arithmetic
    from lrnn_theory.automaton import Automaton
    from lrnn_theory.dispatch import scan
    from lrnn_theory.impossibility import check, refute
    from lrnn_theory.lrnn import LRNN, Layer, Level
    from lrnn_theory.profile import Profile, analyze
    from lrnn_theory.scanning import ScanState
    from lrnn_theory.theorem import Theorem
    from lrnn_theory.tracing import Trace, trace
    from lrnn_theory.transition import Dense, Diagonal, Householder
    from lrnn_theory.verification import (
        Budget,
        Certificate,
        Horizon,
        Proved,
        Refuted,
        Undecided,
        census,
        extract,
        horizon,
        verify,
    )

_HOME = {
    "Arithmetic": "arithmetic",
    "Automaton": "automaton",
    "Budget": "verification",
    "Certificate": "verification",
    "Dense": "transition",
    "Diagonal": "transition",
    "Horizon": "verification",
    "Householder": "transition",
    "LRNN": "lrnn",
    "Layer": "lrnn",
    "Level": "lrnn",
    "Profile": "profile",
    "Proved": "verification",
    "Refuted": "verification",
    "ScanState": "scanning",
    "Trace": "tracing",
    "Theorem": "theorem",
    "Undecided": "verification",
    "analyze": "profile",
    "census": "verification",
    "check": "impossibility",
    "extract": "verification",
    "horizon": "verification",
    "refute": "impossibility",
    "scan": "dispatch",
    "trace": "tracing",
    "verify": "verification",
}

__all__ = [
    "LRNN",
    "Arithmetic",
    "Automaton",
    "Budget",
    "Certificate",
    "Dense",
    "Diagonal",
    "Horizon",
    "Householder",
    "Layer",
    "Level",
    "Profile",
    "Proved",
    "Refuted",
    "ScanState",
    "Theorem",
    "Trace",
    "Undecided",
    "analyze",
    "census",
    "check",
    "extract",
    "horizon",
    "refute",
    "scan",
    "trace",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lrnn_theory' has no attribute {name!r}")
    return getattr(import_module(f"lrnn_theory.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
