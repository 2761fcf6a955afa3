"""`check`: prove the claim of a certificate again, with the standalone checker."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from lrnn_theory.arguments import check_type
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification import checker
from lrnn_theory.verification.certificate import Certificate, certify_census, describe
from lrnn_theory.verification.verdict import Proved, Refuted, Runs

FEW_LETTERS = 1_000_000
"""Longest word that is written out letter by letter."""


def check(
    certificate: Certificate | dict[str, Any] | str | os.PathLike[str],
    weights: LRNN | None = None,
) -> Proved | Refuted:
    """Prove the claim of a certificate again.

    Args:
        certificate: a Certificate, its data, or the path of its file.
        weights: an LRNN that the certificate must be about: its weights, stored in the
            certificate's arithmetic, must be the embedded ones.

    Returns:
        The verdict that was proved again.

    Raises:
        ValueError: if the certificate is malformed or changed, does not prove its claim, or is
            about other weights.
    """
    certificate = Certificate.coerce(certificate)
    try:
        claim = checker.check(certificate.data)
    except ValueError as reason:
        if certificate.data.get("method") != "eventual":
            raise
        more = "verify decides more of one letter than the checker proves (docs/certificates.md)"
        raise ValueError(f"{reason}; {more}") from None
    arithmetic = Arithmetic.parse(certificate.data["arithmetic"])
    need_weights(certificate.data, arithmetic, weights)
    if claim.claim == "census":
        return Proved(str(arithmetic), claim.facts, "census", certificate)
    if claim.claim == "proved":
        return Proved(str(arithmetic), {}, claim.method, certificate)
    words = [certificate.data["word"]] if claim.claim == "refuted" else certificate.data["words"]
    answers: list[tuple[str, str]] = claim.ends
    if claim.claim == "confused" and answers[0][0] == answers[0][1]:
        words, answers = words[::-1], answers[::-1]  # the one that is answered wrongly
    word, *other = map(_letters, words)
    statistics = {"length": len(word)}
    return Refuted(str(arithmetic), statistics, word, *answers[0], certificate, *other)


def refusal(certificate: Certificate) -> str:
    """Why `check` rejects a true certificate for its size, told at once; "" if it does not."""
    data = certificate.data
    if data["claim"] == "confused" and data["arithmetic"].endswith(":cast"):
        return ""  # long words are compared by the formula
    try:
        read = checker.load("proofs").Census if "layer" in data else checker.Claim
        claim = read(**checker.opened(data))
        cost = claim.cost(**claim.facts)
    except ValueError as reason:
        return str(reason)
    if claim.facts.get("states", 0) > checker.MAX_STATES:
        return f"more than {checker.MAX_STATES} states"
    return f"more than {checker.MAX_STEPS} steps of layers" if cost > checker.MAX_STEPS else ""


def need_weights(data: dict[str, Any], arithmetic: Arithmetic, weights: LRNN | None) -> None:
    """Raise a ValueError if weights are given that a certificate is not about."""
    if weights is not None:
        check_type("weights", weights, LRNN)
    if weights is not None and not (
        _among_layers(data, arithmetic, weights)
        if "layer" in data
        else list(weights.letters) == data["automaton"]["letters"]
        and describe(weights, arithmetic) == data["lrnn"]
    ):
        raise ValueError("The certificate is about other weights than those given.")


def _among_layers(data: dict[str, Any], arithmetic: Arithmetic, weights: LRNN) -> bool:
    """Whether a census is about a layer of the weights."""
    layers = (certify_census(level.layer, arithmetic).data for level in weights.levels)
    return any(x["layer"] == data["layer"] and x.get("field") == data.get("field") for x in layers)


def _letters(runs: list[list[Any]]) -> Sequence[str]:
    word = Runs((letter, count) for letter, count in runs)
    return tuple(word) if len(word) <= FEW_LETTERS else word
