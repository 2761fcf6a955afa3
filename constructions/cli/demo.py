"""`lrnn demo`: four automata become linear RNNs, run, and are proved right for every length."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import torch

from constructions import compile_dfa
from constructions.cli import display
from constructions.cli.device import device_text, one_thread, pick_device
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.dispatch import scan
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification import Proved, Verdict, check, verify

if TYPE_CHECKING:
    from rich.table import Table

T = TypeVar("T")

ARITHMETICS = ("float32", "bfloat16", "float16")
"""Arithmetics of the verdicts."""

SCANNED = "bfloat16"
"""The arithmetic of the scan; the certificate in it is checked."""

WORDS, LENGTH = 1024, 64
"""Size of the batch of random words."""

MACHINES: tuple[tuple[str, str, Callable[[], Automaton]], ...] = (
    ("parity", "Is the number of 1's odd?", languages.parity),
    ("ISO date", "Is it like 2024-02-29?", lambda: languages.regex("iso_date")),
    ("S5", "Is the product the identity?", lambda: languages.symmetric_group(5)),
    ("TLS server", "What does it answer?", lambda: languages.protocol("tls")),
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
        verdicts: the verdict in every arithmetic, and how long it took.
        check_seconds: how long the checker took to prove a certificate again; None if there is
            none to prove.
        letters_per_second: of the batched scan.
        agrees: whether every answer of the scan is that of the automaton.
    """

    name: str
    question: str
    automaton: Automaton
    lrnn: LRNN
    compile_seconds: float
    verdicts: Mapping[str, tuple[Verdict, float]]
    check_seconds: float | None
    letters_per_second: float
    agrees: bool

    @property
    def proved(self) -> bool:
        """Whether every verdict is `Proved`, one was proved again, and the scan agrees."""
        proved = all(isinstance(verdict, Proved) for verdict, _ in self.verdicts.values())
        return proved and self.check_seconds is not None and self.agrees


def run(device_name: str, *, as_json: bool) -> bool:
    """Run and show the demo; whether everything was proved."""
    start = time.perf_counter()
    device = pick_device(device_name)
    if not as_json:
        display.put({}, introduction(compile_dfa(languages.parity())), as_json=False)
    cases = []
    with one_thread():
        for name, question, make in MACHINES:
            with display.progress(f"{name}: compile, verify, check, scan"):
                cases.append(examine(name, question, make(), device))
        place = device_text(device)
    seconds = time.perf_counter() - start
    if as_json:
        display.put(_facts(cases, place, seconds), "", as_json=True)
    else:
        _show(cases, place, seconds)
    return all(case.proved for case in cases)


def introduction(parity: LRNN) -> str:
    """What an LRNN is, on the weights of parity."""
    (level,) = parity.levels
    layer = level.layer
    actions = {
        a: int(level.action[c]) for a, c in zip(parity.letters, parity.letter_class, strict=True)
    }
    weights = {a: layer.transition.matrix(action)[0, 0] for a, action in actions.items()}
    word, h = "0111", layer.h0[0, 0]
    trace = [h]
    for letter in word:
        trace.append(weights[letter] * trace[-1] + layer.b[actions[letter]][0, 0])
    shown = "   ".join(f"A({a}) = {w}" for a, w in weights.items())
    return f"""\
A linear RNN has a state H and reads one letter at a time:
    H <- A(letter) H + B(letter)
Parity, "is the number of 1's odd?", takes one number, with B = 0:
    H starts at {h}   {shown}
    after {word!r}: H = {", ".join(map(str, trace))}
H is {h} after an even number of 1's and {-h} after an odd one, however long the word.
`lrnn compile` finds such weights for any finite automaton; `lrnn verify` proves
them right for every length, rounding included.  Four machines:
"""


def examine(name: str, question: str, automaton: Automaton, device: torch.device) -> Case:
    """Compile an automaton, verify the LRNN and check a certificate, scan random words."""
    lrnn, compile_seconds = _timed(lambda: compile_dfa(automaton))
    verdicts = {a: _timed(lambda a=a: verify(lrnn, automaton, a)) for a in ARITHMETICS}
    verdict, check_seconds = verdicts[SCANNED][0], None
    if isinstance(verdict, Proved):
        check_seconds = _timed(lambda: check(verdict.certificate, lrnn))[1]
    tokens = np.random.default_rng(0).integers(automaton.n_letters, size=(WORDS, LENGTH))
    batch = torch.as_tensor(tokens, device=device)
    scan(lrnn, batch[:, :1], SCANNED)  # whatever torch does only once is not timed
    outputs, seconds = _timed(lambda: scan(lrnn, batch, SCANNED).cpu().numpy())
    return Case(
        name,
        question,
        automaton,
        lrnn,
        compile_seconds,
        verdicts,
        check_seconds,
        tokens.size / seconds,
        bool((outputs == automaton.transduce(tokens)).all()),
    )


def _timed(function: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start


# -------------------------------------------------------------------- showing


def _facts(cases: list[Case], device: str, seconds: float) -> dict[str, Any]:
    return {
        "proved": all(case.proved for case in cases),
        "device": device,
        "seconds": round(seconds, 3),
        "machines": [
            {
                "name": case.name,
                "question": case.question,
                "automaton": display.automaton_facts(case.automaton),
                "lrnn": display.lrnn_facts(case.lrnn),
                "compile_seconds": round(case.compile_seconds, 4),
                "verdicts": [
                    display.verdict_facts(verdict) | {"seconds": round(seconds, 4)}
                    for verdict, seconds in case.verdicts.values()
                ],
                "check_seconds": case.check_seconds and round(case.check_seconds, 4),
                "scan": {
                    "arithmetic": SCANNED,
                    "words": WORDS,
                    "length": LENGTH,
                    "letters_per_second": round(case.letters_per_second),
                    "agrees": case.agrees,
                },
            }
            for case in cases
        ],
    }


def _show(cases: list[Case], device: str, seconds: float) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_table(cases))
    wrong = ", ".join(case.name for case in cases if not case.agrees)
    agreement = f"[red]{wrong}: answers differ![/]" if wrong else "all answers are the automaton's."
    console.print(
        f"Proved: right on every word of every length, in that arithmetic.  Checked: the\n"
        f"{SCANNED} proof was repeated by a checker that shares no code with the prover.\n"
        f"Letters/s: {WORDS:,} random words of {LENGTH} letters scanned together in {SCANNED}\n"
        f"({device}); {agreement}"
    )
    proved = all(case.proved for case in cases)
    ending = "Everything was proved" if proved else "[red]Not everything was proved[/]"
    console.print(f"{ending}, in {seconds:.1f} s.")


def _table(cases: list[Case]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for case in cases:
        table.add_column(f"[bold]{case.name}[/]\n[dim]{case.question}[/]")

    def row(title: str, cell: Callable[[Case], str]) -> None:
        table.add_row(title, *map(cell, cases))

    def verdict(case: Case, arithmetic: str) -> str:
        verdict, seconds = case.verdicts[arithmetic]
        name = display.verdict_name(verdict)
        colour = {"proved": "green", "refuted": "red"}.get(name, "yellow")
        return f"[{colour}]{name}[/] {seconds:.2f} s"

    row("automaton", lambda c: display.automaton_text(c.automaton).replace(", ", "\n"))
    row("linear RNN", lambda c: c.lrnn.construction.replace("_", " "))
    row("  layers", lambda c: f"{c.lrnn.n_layers}")
    row("  n", lambda c: "+".join(map(str, c.lrnn.widths)))
    row("  factors", lambda c: "dense" if c.lrnn.max_factors is None else f"{c.lrnn.max_factors}")
    for arithmetic in ARITHMETICS:
        row(arithmetic, lambda c, a=arithmetic: verdict(c, a))
    row("checked", lambda c: "no" if c.check_seconds is None else f"yes    {c.check_seconds:.2f} s")
    row("letters/s", lambda c: f"{c.letters_per_second:,.0f}")
    return table
