"""`lrnn demo`: four automata become linear RNNs, run, and are proved right for every length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from constructions import compile_dfa
from constructions.cli import display
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.scanning import scan
from lrnn_theory.verification import Proved, Verdict, check, verify

if TYPE_CHECKING:
    from rich.table import Table

ARITHMETICS = ("float32", "bfloat16", "float16")
"""Arithmetics of the verdicts; the scan runs in the second one, and its certificate is checked."""

WORDS, LENGTH = 1024, 64
"""Size of the batch of random words."""

MACHINES: tuple[tuple[str, str, Callable[[], Automaton]], ...] = (
    ("parity", "Is the number of 1's odd?", languages.parity),
    ("ISO date", "Does the regex of dates such as 2024-02-29 match?", lambda: languages.regex("iso_date")),
    ("S5", "Do permutations of 5 points multiply to the identity?", lambda: languages.symmetric_group(5)),
    ("TLS", "What does a TLS server answer to each message?", lambda: languages.protocol("tls")),
)
"""Name, question and automaton of every machine of the demo."""


class Case(NamedTuple):
    """What was found out about one machine.

    Attributes:
        name: its name.
        question: what it answers.
        automaton: the automaton.
        lrnn: the LRNN compiled from it.
        compile_seconds: how long that took.
        verdicts: for every arithmetic, the verdict and how long it took.
        check_seconds: how long the checker took to prove a certificate again; None without one.
        letters_per_second: of the batched scan.
        equal: whether every answer of the scan is that of the automaton.
    """

    name: str
    question: str
    automaton: Automaton
    lrnn: LRNN
    compile_seconds: float
    verdicts: dict[str, tuple[Verdict, float]]
    check_seconds: float | None
    letters_per_second: float
    equal: bool

    @property
    def good(self) -> bool:
        """Whether everything was proved, and the scan agrees."""
        proved = all(isinstance(verdict, Proved) for verdict, _ in self.verdicts.values())
        return proved and self.equal and self.check_seconds is not None


def examine(
    name: str, question: str, automaton: Automaton, device: torch.device, seed: int = 0
) -> Case:
    """Compile an automaton, verify and check the LRNN, and scan random words."""
    lrnn, compile_seconds = _timed(lambda: compile_dfa(automaton))
    verdicts = {a: _timed(lambda a=a: verify(lrnn, automaton, a)) for a in ARITHMETICS}
    verdict = verdicts[ARITHMETICS[1]][0]
    seconds = None
    if isinstance(verdict, Proved):
        again, seconds = _timed(lambda: check(verdict.certificate, lrnn))
        assert isinstance(again, Proved)
    tokens = np.random.default_rng(seed).integers(automaton.n_letters, size=(WORDS, LENGTH))
    batch = torch.as_tensor(tokens, device=device)
    scan(lrnn, batch[:, :1], ARITHMETICS[1])  # the first call of a device is slower
    outputs, scan_seconds = _timed(lambda: scan(lrnn, batch, ARITHMETICS[1]).cpu().numpy())
    equal = bool((outputs == automaton.transduce(tokens)).all())
    return Case(
        name,
        question,
        automaton,
        lrnn,
        compile_seconds,
        verdicts,
        seconds,
        tokens.size / scan_seconds,
        equal,
    )


def run(device: torch.device, *, as_json: bool) -> bool:
    """Run and show the demo; whether everything was proved."""
    start = time.perf_counter()
    if not as_json:
        display.put({}, _introduction(compile_dfa(languages.parity())), as_json=False)
    cases = []
    with _one_thread():
        for name, question, make in MACHINES:
            with display.progress(f"{name}: compile, verify, check, scan"):
                cases.append(examine(name, question, make(), device))
    seconds = time.perf_counter() - start
    good = all(case.good for case in cases)
    if as_json:
        display.put(_facts(cases, device, seconds, good), "", as_json=True)
    else:
        _print(cases, device, seconds, good)
    return good


def _timed[T](function: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start
