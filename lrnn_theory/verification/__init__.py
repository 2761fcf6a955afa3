"""Verdicts for all input lengths, and their certificates."""

from lrnn_theory.verification.certificate import Certificate
from lrnn_theory.verification.closure import Budget
from lrnn_theory.verification.equivalence import verify
from lrnn_theory.verification.recheck import check
from lrnn_theory.verification.verdict import Proved, Refuted, Undecided, Verdict

__all__ = ["Budget", "Certificate", "Proved", "Refuted", "Undecided", "Verdict", "check", "verify"]
