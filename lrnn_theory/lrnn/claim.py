"""What a weight file says of its network: verdicts, to be believed only when checked again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Claim:
    """A verdict on an LRNN, as it is written into its file.

    A claim is what somebody found, not a proof: `verify` finds it again, and a certificate proves
    it to others.

    Attributes:
        verdict: "proved", "refuted" or "undecided".
        arithmetic: where, written out.
        source: what the LRNN should answer like, as it was named: a regex, "@s5", a file.
        automaton: the SHA-256 of the JSON of the minimal automaton, see `digest_of`.
        detail: the method of a proof, the word of a refutation, or why nothing was decided.
    """

    verdict: str
    arithmetic: str
    source: str
    automaton: str
    detail: str

    @classmethod
    def from_dict(cls, data: Any) -> Claim:
        """Read what `dataclasses.asdict` gives.

        Raises:
            TypeError: if it is something else.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(data, dict) or sorted(data) != sorted(names):
            raise TypeError(f"a claim must have the members {', '.join(names)}")
        if not all(isinstance(value, str) for value in data.values()):
            raise TypeError("the members of a claim must be texts")
        if data["verdict"] not in ("proved", "refuted", "undecided"):
            raise TypeError(f"a claim must not be {data['verdict']!r:.40}")
        return cls(**data)
