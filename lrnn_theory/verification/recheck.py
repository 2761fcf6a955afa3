"""`check`: prove the claim of a certificate again, with the standalone checker."""

from __future__ import annotations

import os
from typing import Any

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.lrnn import LRNN
from lrnn_theory.verification import checker
from lrnn_theory.verification.certificate import Certificate, describe
from lrnn_theory.verification.verdict import Proved, Refuted


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
    if isinstance(certificate, (str, os.PathLike)):
        certificate = Certificate.load(certificate)
    if isinstance(certificate, dict):
        certificate = Certificate(certificate)
    if not isinstance(certificate, Certificate):
        raise TypeError(
            f"Argument 'certificate' must be a Certificate, a dict or a path, "
            f"not {type(certificate).__name__}."
        )
    claim = checker.check(certificate.data)
    arithmetic = str(claim.arithmetic)
    if weights is not None and (
        list(weights.letters) != claim.letters
        or weights.kind != claim.kind
        or describe(weights, Arithmetic.parse(arithmetic)) != certificate.data["lrnn"]
    ):
        raise ValueError("The certificate is about other weights than those given.")
    if claim.claim == "refuted":
        answered, expected = claim.replay()
        statistics = {"length": len(claim.word)}
        return Refuted(arithmetic, statistics, tuple(claim.word), answered, expected, certificate)
    return Proved(arithmetic, {}, claim.method, certificate)
