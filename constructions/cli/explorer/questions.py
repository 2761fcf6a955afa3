"""What the explorer's page can ask about a machine, and the answers as plain data.

They are computed in a process of their own (`worker`), so that a question that takes too long, or
too much memory, ends without the page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from constructions import ALL, CONSTRUCTIONS, compile_dfa
from constructions.cli import display
from constructions.cli.report import FORMATS
from constructions.cli.report.facts import CONFIGURATIONS, VERDICT_SECONDS
from constructions.cli.report.page import least_width, said, sample_word, verdict_cells
from constructions.cli.report.weights import weight_facts
from constructions.cli.source import read_automaton, source_kind
from lrnn_theory import plots, table
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import core_of
from lrnn_theory.exactness import exact_bits
from lrnn_theory.lrnn import LRNN
from lrnn_theory.profile import analyze
from lrnn_theory.words import encode_word

MAX_SOURCE = 500
"""Longest source, in characters."""
MAX_POSITIONS = 5_000
"""Most literals of a regex with every repetition written out, and most states before minimising."""
MAX_ENTRIES = 200_000
"""Most entries of a transition table."""
MAX_WORD = 400
"""Longest word that is stepped through, in letters."""
MAX_NUMBERS = 300
"""Most numbers of a state that the page shows; of a larger one it shows the first."""
MAX_SHOWN_TABLE = 600
"""Most entries of a transition table that the page shows."""

Answer = dict[str, Any]


def limit_tables() -> None:
    """Let this process refuse tables that a page has no use for."""
    table.MAX_TABLE_ENTRIES = MAX_ENTRIES


@lru_cache(maxsize=32)
def automaton_of(source: str) -> Automaton:
    """The minimal automaton of a regex or of @NAME; files are not read.

    Raises:
        ValueError: if it is neither, or too large.
    """
    if len(source) > MAX_SOURCE:
        raise ValueError(f"A regex may have {MAX_SOURCE} characters here, not {len(source)}.")
    if not source:
        raise ValueError("Type a regex, such as (11)*, or pick a machine, such as @parity.")
    kind = source_kind(source)
    if kind == "name":
        return read_automaton(source).minimize()
    if kind != "regex":
        raise ValueError("The explorer takes a regex or @NAME; it reads no files.")
    return Automaton.from_regex(source, max_positions=MAX_POSITIONS, max_states=MAX_POSITIONS)


@lru_cache(maxsize=32)
def network_of(source: str, construction: str) -> LRNN:
    """The network of a source; the cheapest, if no construction is named."""
    return compile_dfa(automaton_of(source), construction or None)


def machine(source: str, construction: str) -> Answer:
    """What is needed first: the automaton and its network."""
    automaton = automaton_of(source)
    lrnn = network_of(source, construction)
    return {
        "summary": f"{display.automaton_text(automaton)}, minimal",
        "states": automaton.n_states,
        "initial": automaton.initial,
        "letters": list(automaton.letters[:MAX_WORD]),
        "table": _table(automaton),
        "picture": _picture(lambda: plots.plot_automaton(automaton), "automaton"),
        "network": display.lrnn_text(lrnn),
        "construction": lrnn.construction,
        "statement": CONSTRUCTIONS[lrnn.construction].statement,
        "citation": CONSTRUCTIONS[lrnn.construction].citation,
        "reason": lrnn.reason,
        "exact": "in no format"
        if (bits := exact_bits(lrnn)) is None
        else f"from {display.count(bits, 'bit')} of precision on",
        "weights": weight_facts(lrnn),
        "word": _written(sample_word(automaton)),
    }


def _table(automaton: Automaton) -> Answer | None:
    if automaton.delta.size > MAX_SHOWN_TABLE:
        return None
    symbols = automaton.output_symbols
    answers = automaton.response
    if automaton.kind == "mealy":
        return {
            "delta": automaton.delta.T.tolist(),
            "outputs": [[symbols[x] for x in row] for row in answers.T],
            "answers": None,
        }
    return {
        "delta": automaton.delta.T.tolist(),
        "outputs": None,
        "answers": [said(automaton, symbols[x]) for x in answers],
    }


def _picture(make: Callable[[], plots.Picture], name: str) -> Answer:
    try:
        drawn = make()
        svg = drawn.inline(name)
        return {"svg": svg, "title": drawn.title, "least": least_width(svg)}
    except ValueError as error:
        return {"missing": str(error)}


def _written(word: Any) -> str:
    """A word as `encode_word` reads it."""
    return ("" if all(len(a) == 1 for a in word) else " ").join(word)


def run(source: str, construction: str, arithmetic: str, word: str) -> Answer:
    """Automaton and network on a word, letter by letter."""
    from lrnn_theory.tracing import trace

    automaton, lrnn = automaton_of(source), network_of(source, construction)
    letters = encode_word(word, automaton.letter_index)
    if len(letters) > MAX_WORD:
        raise ValueError(f"A word may have {MAX_WORD} letters here, not {len(letters)}.")
    path = [automaton.initial]
    for a in letters:
        path.append(int(automaton.delta[a, path[-1]]))
    found = trace(lrnn, letters, arithmetic)
    first = lrnn.empty_output if automaton.kind == "mealy" else int(automaton.response[path[0]])
    wanted = [first, *automaton.transduce(letters).tolist()]

    def name(output: int) -> str | None:
        return None if output < 0 else said(automaton, automaton.output_symbols[output])

    answers = [name(x) for x in found.outputs.tolist()]
    expected = [name(x) for x in wanted]
    pairs = enumerate(zip(answers, expected, strict=True))
    return {
        "arithmetic": found.arithmetic,
        "word": [automaton.letters[a] for a in letters],
        "path": path,
        "states": [_shown(states) for states in found.floats],
        "actions": [actions.tolist() for actions in found.actions],
        "coordinates": [read.tolist() for read in found.coordinates],
        "answers": answers,
        "expected": expected,
        "wrong": next((t for t, (x, y) in pairs if x != y), None),
    }


def _shown(states: np.ndarray) -> list[list[float | str]]:
    """Numbers to four digits, (time + 1, numbers); what is not finite as text."""
    rows = states.reshape(len(states), -1)[:, :MAX_NUMBERS]
    return [
        [float(f"{x:.4g}") if np.isfinite(x) else str(float(x)) for x in row.tolist()]
        for row in rows
    ]


def verdict(source: str, construction: str, arithmetic: str) -> Answer:
    """Whether the network is right on all words; if not, a shortest word if it can be run."""
    from lrnn_theory.verification import Budget, Refuted, verify

    automaton, lrnn = automaton_of(source), network_of(source, construction)
    budget = Budget(configurations=CONFIGURATIONS, seconds=VERDICT_SECONDS)
    found = verify(lrnn, automaton, arithmetic, budget=budget)
    answer: Answer = {"arithmetic": found.arithmetic, **verdict_cells(automaton, found)}
    if isinstance(found, Refuted):
        answer["length"] = len(found.word)
        answer["word"] = _written(found.word) if len(found.word) <= MAX_WORD else None
    return answer


def details(source: str, construction: str) -> Answer:
    """The profile, the architectures, the constructions that apply, and the pictures."""
    automaton, lrnn = automaton_of(source), network_of(source, construction)
    profile = analyze(automaton)
    core = core_of(automaton)[1]
    return {
        "profile": list(profile.rows().items()),
        "architectures": [
            {"matrices": row.matrices, "models": row.models}
            | {"one": _cell(row.one_layer), "layers": _cell(row.layers)}
            for row in profile.architectures
        ],
        "constructions": [c.key for c in ALL if not c.obstacles(core)],
        "spectrum": _picture(lambda: plots.plot_spectrum(lrnn), "spectrum"),
        "cascade": _picture(lambda: plots.plot_cascade(automaton), "cascade"),
    }


def _cell(cell: Any) -> Answer:
    return {"answer": cell.answer, "why": cell.construction or cell.reason or ""}


def load() -> Answer:
    """A first run and a first verdict: they load torch, which all answers but `machine` need."""
    run("(aaa)*", "", "bfloat16", "a")
    return verdict("(aaa)*", "", "bfloat16")


def compile_orbits() -> Answer:
    """A verdict that follows an orbit: numba compiles the code once after an installation."""
    return verdict("@mod(7)", "rotation", "bfloat16")


QUESTIONS: dict[str, tuple[Callable[..., Answer], tuple[str, ...]]] = {
    "machine": (machine, ("source", "construction")),
    "run": (run, ("source", "construction", "arithmetic", "word")),
    "verdict": (verdict, ("source", "construction", "arithmetic")),
    "details": (details, ("source", "construction")),
    "load": (load, ()),
    "compile": (compile_orbits, ()),
}
"""Every question: its function, and the names of its arguments, all of them text.

The page asks all but the last two, which the server does.
"""

__all__ = ["FORMATS", "QUESTIONS", "limit_tables"]
