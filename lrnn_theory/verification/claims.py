"""Verdicts written into weight files, as claims."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from lrnn_theory.arguments import check_type
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN, Claim
from lrnn_theory.verification.verdict import Proved, Refuted, Undecided, Verdict


def with_claim(lrnn: LRNN, verdict: Verdict, automaton: Any, source: str = "") -> LRNN:
    """The LRNN with a verdict among its claims, for `LRNN.save`.

    A former claim on the same automaton in the same arithmetic is replaced.

    Args:
        lrnn: the network.
        verdict: what `verify` answered.
        automaton: what it was compared with.
        source: how to call that.

    Example:
        >>> from constructions import compile_dfa
        >>> from lrnn_theory import verify
        >>> lrnn = compile_dfa("(0|10*1)*")
        >>> with_claim(lrnn, verify(lrnn, "(0|10*1)*"), "(0|10*1)*", "(0|10*1)*").claims[0].verdict
        'proved'
    """
    check_type("lrnn", lrnn, LRNN)
    machine = Automaton.coerce(automaton, lrnn.letters)
    match verdict:
        case Proved(method=method):
            detail = method
        case Refuted(word=word):
            runs = getattr(word, "runs", None)
            letters = [f"{a}^{k}" for a, k in runs] if runs else list(word)
            detail = " ".join(letters)
        case Undecided(reason=reason):
            detail = reason
        case _:
            raise TypeError(f"Argument 'verdict' must be a Verdict, not {type(verdict).__name__}.")
    name = type(verdict).__name__.lower()
    claim = Claim(name, verdict.arithmetic, source, digest_of(machine), detail)
    same = (claim.arithmetic, claim.automaton)
    others = [c for c in lrnn.claims if (c.arithmetic, c.automaton) != same]
    return replace(lrnn, claims=(*others, claim))


def digest_of(automaton: Automaton) -> str:
    """The SHA-256 of the JSON of the minimal automaton, letters sorted."""
    minimal = automaton.with_letters(sorted(automaton.letters)).minimize()
    return hashlib.sha256(minimal.to_json().encode()).hexdigest()
