"""`refute`: two words that a network must confuse, whatever its readout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.eventual import Orbit, Settled, UnsettledError, settle
from lrnn_theory.impossibility.loops import MAX_SPELLED, Loop, loops
from lrnn_theory.impossibility.search import confused_pair
from lrnn_theory.impossibility.spectrum import RealSpectrum, spectrum
from lrnn_theory.lrnn import LRNN
from lrnn_theory.transition import Diagonal
from lrnn_theory.verification.certificate import certify
from lrnn_theory.verification.equivalence import FEW_LETTERS, align, verify
from lrnn_theory.verification.verdict import Refuted, Runs

SEARCHED = 2_000
"""Configurations that are searched for two words where no theorem applies."""


def refute(
    lrnn: LRNN,
    language: Any,
    arithmetic: str | Arithmetic = "float32:cast",
    *,
    budget: int = SEARCHED,
    progress: Callable[[str], None] | None = None,
    unsettled: Callable[[str], None] | None = None,
) -> Refuted | None:
    """Two words that a network confuses and a language does not, whatever the readout.

    The last letter and the states of all layers after it (in the cast model the states as they are
    cast) are the same after both words, so that every function of them answers one of them
    wrongly.  What the network's own readout says plays no role, except between layers.

    The words are u w^k and u w^(k + p), from a k on from which the network is proved to be
    periodic; docs/impossibility.md has the theorems.  Where none are found, short words are
    searched.  `certificate.data["theorem"]` names what the refutation rests on: "G-T1", "G-T2",
    "unary lemma", "monotone", "orbit" or "search".

    Args:
        lrnn: any network: compiled, loaded, of any depth.
        language: what it should track, over its letters: an Automaton, a regex, an automata-lib
            DFA or a networkx graph.
        arithmetic: "FORMAT:cast" for the papers' model, "exact", or rounding after every step.
        budget: how many configurations are searched where no theorem applies (in exact arithmetic
            a tenth of it).
        progress: called with what is tried next.
        unsettled: called with words that told nothing, and why: some layer is not known to come
            to rest, or too late.

    Returns:
        `Refuted` with `word` and `other`; None if nothing was found, which proves nothing.

    Raises:
        ValueError: if the letters or the kinds (DFA, Moore, Mealy) differ.

    Example:
        >>> import numpy as np
        >>> from fractions import Fraction
        >>> from lrnn_theory import Diagonal
        >>> decay = Diagonal(np.array([[Fraction(99, 100)]]))
        >>> layer = LRNN.from_layer(decay, inputs=[[[0]]], initial=[[1]], letters="1")
        >>> found = refute(layer, "(11)*", "float32:cast")
        >>> found.certificate.data["theorem"], len(found.word), len(found.other)
        ('G-T1', 10347, 10346)
        >>> refute(layer, "11*", "float32:cast") is None
        True
    """
    arithmetic = Arithmetic.parse(arithmetic)
    check_type("lrnn", lrnn, LRNN)
    wanted = align(lrnn, Automaton.coerce(language, lrnn.letters))
    for loop in loops(wanted):
        if progress:
            progress(_shown(lrnn, loop))
        try:
            found = settle(lrnn, loop.prefix, loop.cycle, arithmetic)
        except UnsettledError as error:
            if unsettled:
                unsettled(f"{_shown(lrnn, loop)}: {error}")
            continue
        refuted = _refuted(lrnn, wanted, arithmetic, loop, found)
        if refuted is not None:
            return refuted
    if progress:
        progress("short words")
    return _searched(lrnn, wanted, arithmetic, budget)


def _shown(lrnn: LRNN, loop: Loop) -> str:
    u, w = ("".join(lrnn.letters[a] for a in part) for part in (loop.prefix, loop.cycle))
    return f"words {u}({w})^k"


def _refuted(
    lrnn: LRNN, wanted: Automaton, arithmetic: Arithmetic, loop: Loop, found: Settled
) -> Refuted | None:
    """The words of a loop that must be confused, if there are any."""
    u, w = len(loop.prefix), len(loop.cycle)
    pair = loop.pair(-(-max(0, found.preperiod - u) // w), found.period // w)
    if pair is None or (w > 1 and u + w * pair[1] > MAX_SPELLED):
        return None
    answers = [wanted.output_symbols[loop.answers[k]] for k in pair]
    words = [_runs(lrnn, loop, k) for k in pair]
    layers = [_layer_facts(x) for x in found.orbits]
    facts = {
        "theorem": _theorem(lrnn, arithmetic, layers),
        "spectra": layers,
        "preperiod": found.preperiod,
        "period": found.period,
    }
    return _verdict(lrnn, wanted, arithmetic, words, answers, facts)


def _verdict(
    lrnn: LRNN,
    wanted: Automaton,
    arithmetic: Arithmetic,
    words: list[Runs],
    answers: list[str],
    facts: dict[str, Any],
) -> Refuted:
    certificate = certify(
        lrnn, wanted, arithmetic, "confused", words=[w.runs for w in words], **facts
    )
    other, word = (tuple(w) if w.length <= FEW_LETTERS else w for w in words)
    statistics = {"theorem": facts["theorem"], "length": words[1].length}
    return Refuted(str(arithmetic), statistics, word, answers[0], answers[1], certificate, other)


def _runs(lrnn: LRNN, loop: Loop, k: int) -> Runs:
    letters = [lrnn.letters[a] for a in loop.prefix]
    if len(loop.cycle) == 1:
        return Runs([*((a, 1) for a in letters), (lrnn.letters[loop.cycle[0]], k)])
    return Runs((a, 1) for a in [*letters, *[lrnn.letters[a] for a in loop.cycle] * k])


def _layer_facts(found: Orbit) -> dict[str, Any]:
    """The spectrum of the product of a round, with its certificate."""
    for nonnegative in (True, False):
        proof = spectrum(found.product, nonnegative=nonnegative)
        if isinstance(proof, RealSpectrum):
            name = "nonnegative" if proof.nonnegative else "real"
            return {"spectrum": name, "points": list(map(str, proof.points))}
    return {"spectrum": "complex"}


def _theorem(lrnn: LRNN, arithmetic: Arithmetic, layers: list[dict[str, Any]]) -> str:
    """The theorem that told beforehand that the words would be confused."""
    spectra = {x["spectrum"] for x in layers}
    if arithmetic.is_exact:
        return "unary lemma"
    if arithmetic.semantics == "cast":
        if spectra <= {"nonnegative"}:
            return "G-T1"
        return "G-T2" if "complex" not in spectra else "orbit"
    diagonal = all(
        isinstance(v.layer.transition, Diagonal) and (v.layer.transition.diagonal >= 0).all()
        for v in lrnn.levels
    )
    wraps = arithmetic.format is not None and arithmetic.format.overflow == "wrap"
    return "monotone" if diagonal and not wraps else "orbit"


def _searched(lrnn: LRNN, wanted: Automaton, arithmetic: Arithmetic, budget: int) -> Refuted | None:
    """Two short words that are confused."""
    if arithmetic.semantics != "cast":
        if arithmetic.is_exact:  # fractions that grow
            budget = max(1, budget // 10)
        found = verify(lrnn, wanted, arithmetic, decoder="any", budget=budget)
        if not isinstance(found, Refuted) or found.other is None:
            return None
        words = [Runs((a, 1) for a in word) for word in (found.other, found.word)]
        answers = [found.answered, found.expected]
    else:
        pair = None if lrnn.tail else confused_pair(lrnn, wanted, arithmetic, budget)
        if pair is None:
            return None
        words = [Runs((lrnn.letters[a], 1) for a in word) for word, _ in pair]
        answers = [wanted.output_symbols[answer] for _, answer in pair]
    return _verdict(lrnn, wanted, arithmetic, words, answers, {"theorem": "search"})
