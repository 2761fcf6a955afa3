"""Verdicts for all input lengths, and their certificates."""

from lrnn_theory.verification.census import Census, census
from lrnn_theory.verification.certificate import Certificate
from lrnn_theory.verification.claims import digest_of, with_claim
from lrnn_theory.verification.closure import Budget
from lrnn_theory.verification.equivalence import verify
from lrnn_theory.verification.extraction import extract
from lrnn_theory.verification.horizon import Horizon, horizon
from lrnn_theory.verification.recheck import check
from lrnn_theory.verification.verdict import Proved, Refuted, Runs, Undecided, Verdict

__all__ = [
    "Budget",
    "Census",
    "Certificate",
    "Horizon",
    "Proved",
    "Refuted",
    "Runs",
    "Undecided",
    "Verdict",
    "census",
    "check",
    "digest_of",
    "extract",
    "horizon",
    "verify",
    "with_claim",
]
