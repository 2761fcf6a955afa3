"""What a report says: facts about an automaton, its linear RNN and its verdicts, as plain data."""

from __future__ import annotations

import platform
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from constructions import CONSTRUCTIONS, Candidate, compile_dfa, explain
from constructions.cli import display
from constructions.cli.explanation import candidate_facts
from constructions.cli.report.weights import weight_facts
from lrnn_theory.automaton import Automaton
from lrnn_theory.construction import core_of
from lrnn_theory.exactness import exact_bits
from lrnn_theory.lrnn import LRNN
from lrnn_theory.profile import Profile, analyze

if TYPE_CHECKING:
    from lrnn_theory.verification import Horizon, Refuted, Verdict

FORMATS = ("exact", "float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2")
"""Arithmetics of the verdicts of a report, by default."""

CONTRASTS = ("rotation", "reflections", "orthogonal")
"""Constructions with irrational weights: what rounding does is shown on the first that applies."""
MAX_CONTRAST = 32
"""Most states of a minimal automaton for which that is shown."""

VERDICT_SECONDS = 2.0
CONFIGURATIONS = 100_000
"""The most time, and the most configurations, that one verdict may take."""
HORIZON_LENGTH = 1_000_000
MAX_LETTERS = 200
"""Letters of a word, or of an alphabet, that are listed one by one."""
MAX_TABLE = 2000
"""Entries of a transition table that is listed."""

Report = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """A network in several arithmetics.

    Attributes:
        lrnn: the network.
        verdicts: the verdict in each of the arithmetics.
        seconds: how long each took.
        horizons: the horizon of the first letter repeated, in each; empty if there was no time.
    """

    lrnn: LRNN
    verdicts: tuple[Verdict, ...]
    seconds: tuple[float, ...]
    horizons: tuple[Horizon, ...]


@dataclass(frozen=True)
class Study:
    """All that a report is made from.

    Attributes:
        source: what the automaton was made from, as on the command line.
        automaton: the automaton.
        profile: its profile.
        candidates: every construction.
        trial: the network that was picked or asked for.
        contrast: a network with irrational weights, if there is another.
        facts: all of it as plain data, ready for JSON; docs/report.md describes it.
    """

    source: str
    automaton: Automaton
    profile: Profile
    candidates: tuple[Candidate, ...]
    trial: Trial
    contrast: Trial | None
    facts: Report


def study(
    automaton: Automaton,
    source: str,
    *,
    construction: str | None = None,
    lrnn: LRNN | None = None,
    arithmetics: Sequence[str] = FORMATS,
    seconds: float = 10.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Study:
    """Find out all that a report says.

    Args:
        automaton: the automaton.
        source: how to name it, as on the command line.
        construction: the construction to use; by default the cheapest that applies.
        lrnn: the network to judge, from a file that `source` names, instead of a construction's.
        arithmetics: where the network is judged.
        seconds: time to spend on verdicts and horizons; when it is spent, the rest is undecided,
            and the report says so.
        progress: called with what is done next.

    Raises:
        ValueError: if the construction does not apply, or an arithmetic is wrong.
    """
    from lrnn_theory.arithmetic import Arithmetic

    names = [str(Arithmetic.parse(a)) for a in arithmetics]
    if not names:
        raise ValueError("Argument 'arithmetics' must not be empty.")
    progress("analyzing")
    profile = analyze(automaton)
    progress("compiling")
    candidates = tuple(explain(automaton))
    picked = next(c.lrnn for c in candidates if c.picked)
    loaded = lrnn is not None
    if not loaded:
        lrnn = compile_dfa(automaton, construction) if construction else picked
    if lrnn is None:
        raise ValueError("No construction can be picked.")
    deadline = time.perf_counter() + seconds
    trial = _try(lrnn, automaton, names, deadline, progress)
    contrast = None
    rounding = [name for name in names if name != "exact"]
    other = _contrast(candidates, lrnn) if profile.minimal_states <= MAX_CONTRAST else None
    if other is not None and rounding and not loaded:
        contrast = _try(other, automaton, rounding, deadline, progress)
    facts = {
        "source": source,
        "versions": _versions(),
        "automaton": _automaton_facts(automaton, profile),
        "profile": profile.to_dict(),
        "construction": _construction_facts(lrnn, automaton, candidates),
        "candidates": [candidate_facts(c) for c in candidates],
        **_trial_facts(trial),
        "contrast": None
        if contrast is None
        else {"construction": _construction_facts(contrast.lrnn, automaton, candidates)}
        | _trial_facts(contrast),
        "weights": weight_facts(lrnn),
        "commands": _file_commands(source, arithmetics)
        if loaded
        else _commands(source, lrnn, construction, arithmetics, trial),
    }
    return Study(source, automaton, profile, candidates, trial, contrast, facts)


def _contrast(candidates: Sequence[Candidate], lrnn: LRNN) -> LRNN | None:
    """A network that no format computes exactly, unless the chosen one is such."""
    built = {c.construction.key: c for c in candidates if c.lrnn is not None}
    if lrnn.construction in CONTRASTS:
        return None
    drifting = (built[key] for key in CONTRASTS if key in built)
    return next((c.lrnn for c in drifting if c.bits is None), None)


def _try(
    lrnn: LRNN,
    automaton: Automaton,
    names: Sequence[str],
    deadline: float,
    progress: Callable[[str], None],
) -> Trial:
    from lrnn_theory.verification import Budget, Horizon, Proved, Undecided, horizon, verify

    verdicts: list[Verdict] = []
    spent: list[float] = []
    horizons: list[Horizon] = []
    for name in names:
        progress(f"verifying {lrnn.construction} in {name}")
        start = time.perf_counter()
        left = min(deadline - start, VERDICT_SECONDS)
        if left <= 0:
            verdicts.append(Undecided(name, {}, 0, "the time of the report was spent before"))
        else:
            budget = Budget(configurations=CONFIGURATIONS, seconds=left)
            verdicts.append(verify(lrnn, automaton, name, budget=budget))
        spent.append(time.perf_counter() - start)
    for name, verdict in zip(names, verdicts, strict=True):
        progress(f"seeking the horizon of {lrnn.construction} in {name}")
        if isinstance(verdict, Proved):
            horizons.append(Horizon(verdict.arithmetic, "unary", (None,), (0,), never=True))
        elif time.perf_counter() < deadline:
            horizons.append(horizon(lrnn, automaton, name, length=_length(lrnn)))
    return Trial(lrnn, tuple(verdicts), tuple(spent), tuple(horizons))


def _length(lrnn: LRNN) -> int:
    """How far a letter is repeated: less where no compiled code follows it."""
    return HORIZON_LENGTH if lrnn.n_layers == 1 else 2000


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("lrnn-theory", "numpy", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _automaton_facts(automaton: Automaton, profile: Profile) -> Report:
    small = automaton.delta.size <= MAX_TABLE
    outputs = automaton.outputs
    return {
        **display.automaton_facts(automaton),
        "minimal_states": profile.minimal_states,
        "letter_classes": profile.letter_classes,
        "alphabet": list(automaton.letters[:MAX_LETTERS]),
        "initial": automaton.initial,
        "accepting": np.flatnonzero(automaton.accepting).tolist() if small else None,
        "delta": automaton.delta.tolist() if small else None,
        "outputs": outputs.tolist() if small and outputs is not None else None,
        "output_symbols": list(automaton.output_symbols[:MAX_LETTERS]),
    }


def _construction_facts(
    lrnn: LRNN, automaton: Automaton, candidates: Sequence[Candidate]
) -> Report:
    """What is claimed is null for a network from a file that names no construction that applies."""
    applies = {c.construction.key for c in candidates if not c.obstacles}
    known = CONSTRUCTIONS[lrnn.construction] if lrnn.construction in applies else None
    return {
        **display.lrnn_facts(lrnn),
        "statement": known.statement if known else None,
        "citation": known.citation if known else None,
        "claims": vars(known.claims(core_of(automaton)[1])) if known else None,
        "bits": exact_bits(lrnn),
        "state": lrnn.state_size,
    }


def _trial_facts(trial: Trial) -> Report:
    verdicts = zip(trial.verdicts, trial.seconds, strict=True)
    return {
        "verdicts": [
            _short(display.verdict_facts(v)) | {"seconds": round(s, 4)} for v, s in verdicts
        ],
        "horizons": [h.to_dict() for h in trial.horizons],
    }


def _short(facts: Report) -> Report:
    """A long word by its runs and its length."""
    word = facts.get("word")
    if isinstance(word, tuple):
        facts["length"] = len(word)
        if len(word) > MAX_LETTERS:
            runs = [(letter, len(list(group))) for letter, group in groupby(word)]
            facts["word"] = {"runs": runs[:MAX_LETTERS], "complete": len(runs) <= MAX_LETTERS}
    elif isinstance(word, dict):
        facts["length"] = sum(count for _, count in word["runs"])
    return facts


def _commands(
    source: str, lrnn: LRNN, construction: str | None, names: Sequence[str], trial: Trial
) -> list[str]:
    """What to type to see it all again; `--` protects a source that begins with a dash."""
    from lrnn_theory.verification import Undecided

    quoted = ("-- " if source.startswith("-") else "") + shlex.quote(source)
    chosen = f"--construction {lrnn.construction} " if construction else ""
    exact = " ".join(f"-a {shlex.quote(a)}" for a in names)
    lines = [
        f"lrnn analyze {quoted}",
        f"lrnn compile --explain {quoted}",
        f"lrnn compile {chosen}-o weights.safetensors {quoted}",
        f"lrnn verify {exact} weights.safetensors {quoted}",
    ]
    for verdict in trial.verdicts:
        if not isinstance(verdict, Undecided):
            where = shlex.quote(verdict.arithmetic)
            lines.append(
                f"lrnn verify -a {where} --certificate certificate.json weights.safetensors "
                f"{quoted}"
            )
            lines.append("lrnn check --weights weights.safetensors certificate.json")
            break
    lines.append(f"lrnn horizon {exact} --plot horizon.svg weights.safetensors {quoted}")
    return lines


def _file_commands(source: str, names: Sequence[str]) -> list[str]:
    """Likewise for a weight file, whose automaton gets a file first."""
    file = ("-- " if source.startswith("-") else "") + shlex.quote(source)
    exact = " ".join(f"-a {shlex.quote(a)}" for a in names)
    return [
        f"lrnn extract -a exact -o automaton.json {file}",
        "lrnn analyze automaton.json",
        "lrnn compile --explain automaton.json",
        f"lrnn verify {exact} {file} automaton.json",
        f"lrnn horizon {exact} --plot horizon.svg {file} automaton.json",
    ]


def counterexample(trial: Trial) -> Refuted | None:
    """The shortest word that refutes the network in some arithmetic."""
    from lrnn_theory.verification import Refuted

    wrong = [v for v in trial.verdicts if isinstance(v, Refuted)]
    return min(wrong, key=lambda v: len(v.word), default=None)
