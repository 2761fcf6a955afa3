"""Certificates: a verdict with all that is needed to prove it again, as JSON.

A certificate embeds the automaton and the weights as the arithmetic stores them, and says what is
claimed and by which method.  `lrnn_theory/verification/checker.py`, which imports the standard
library only, proves the claim again from that alone.  docs/certificates.md gives the schema.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.cyclotomic import Cyclotomic
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.scanning.stored import store
from lrnn_theory.tail import Tail
from lrnn_theory.textfile import write_atomically
from lrnn_theory.verification.checker import unique

SCHEMA = "lrnn-theory/certificate"
VERSION = 1


@dataclass(frozen=True)
class Certificate:
    """A certificate as plain data (`data`), ready for JSON."""

    data: dict[str, Any]

    def text(self) -> str:
        """The JSON text."""
        return json.dumps(self.data, separators=(",", ":")) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the certificate; the file appears whole or not at all."""
        write_atomically(path, self.text().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Certificate:
        """Read a certificate file, without checking its claim.

        Raises:
            ValueError: if it is no JSON object.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=unique)
        except OSError as error:
            reason = error.strerror or error
            raise ValueError(f"Cannot read certificate '{path}': {reason}.") from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Certificate '{path}' is not valid JSON: {error}.") from None
        if not isinstance(data, dict):
            raise ValueError(f"Certificate '{path}' must hold a JSON object.")
        return cls(data)


def certify(
    lrnn: LRNN,
    automaton: Automaton,
    arithmetic: Arithmetic,
    claim: str,
    *,
    method: str = "replay",
    word: tuple[str, ...] = (),
) -> Certificate:
    """The certificate of a claim ("proved" or "refuted" by `word`)."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "claim": claim,
        "method": method,
        "arithmetic": str(arithmetic),
        "automaton": {
            "kind": automaton.kind,
            "letters": list(automaton.letters),
            "delta": automaton.delta.tolist(),
            "initial": automaton.initial,
            "response": automaton.response.tolist(),
            "output_symbols": list(automaton.output_symbols),
        },
        "lrnn": describe(lrnn, arithmetic),
    }
    if claim == "refuted":
        data["word"] = list(word)
    data["digest"] = digest(data)
    return Certificate(data)


def describe(lrnn: LRNN, arithmetic: Arithmetic) -> dict[str, Any]:
    """An LRNN as an arithmetic stores it, as plain data."""
    field = {"field": _field(lrnn)} if arithmetic.is_exact else {}
    tail = {} if lrnn.tail is None else {"tail": _tail(lrnn.tail)}
    return (
        field
        | tail
        | {
            "letter_class": lrnn.letter_class.tolist(),
            "heads": [[_level(level, arithmetic) for level in head] for head in lrnn.heads],
            "combine": [c.tolist() for c in lrnn.combine],
            "output": lrnn.output.tolist(),
            "empty_output": max(lrnn.empty_output, 0),
            "output_symbols": list(lrnn.output_symbols),
        }
    )


def _tail(tail: Tail) -> dict[str, Any]:
    return {
        "initial": list(tail.initial),
        "contexts": [[f"{x:x}", a, f"{y:x}"] for x, a, y in tail.contexts],
        "delta": tail.exclusion.delta.tolist(),
        "response": tail.response.tolist(),
    }


def _field(lrnn: LRNN) -> int:
    """The order of a cyclotomic field that holds every weight."""
    layers = [level.layer for level in lrnn.levels]
    arrays = [a for v in layers for a in (*v.transition.arrays, v.b, v.h0, *v.codewords)]
    numbers = (x for a in arrays if a.dtype == object for x in a.flat)
    return math.lcm(1, *(x.order for x in numbers if isinstance(x, Cyclotomic)))


def _level(level: Level, arithmetic: Arithmetic) -> dict[str, Any]:
    layer, stored = level.layer, store(level.layer, arithmetic)
    actions = []
    for a in range(layer.n_actions):
        r, j = np.nonzero(stored.columns[a] < layer.n)
        places, weights = stored.columns[a, r, j].tolist(), stored.values[a, r, j].tolist()
        entries = zip(r.tolist(), places, weights, strict=True)
        i, k = np.nonzero(stored.b[a] != 0)
        inputs = zip(i.tolist(), k.tolist(), stored.b[a, i, k].tolist(), strict=True)
        actions.append(
            {
                "a": [[r, c, number(x)] for r, c, x in entries],
                "b": [[r, c, number(x)] for r, c, x in inputs],
            }
        )
    return {
        "n": layer.n,
        "d": layer.d,
        "size": layer.size,
        "initial": layer.initial,
        "h0": [number(x) for x in stored.h0.ravel().tolist()],
        "slots": [s.stop - s.start for s in stored.slots],
        "codewords": [[[number(x) for x in w] for w in c.tolist()] for c in stored.words],
        "actions": actions,
        "readout": layer.readout.tolist(),
        "action": level.action.tolist(),
        "next": level.next.tolist(),
        "reads": level.reads,
    }


def number(x: Any) -> str:
    """A weight as text: an integer, a hexadecimal float, or an exact number."""
    if isinstance(x, float) and math.isfinite(x):
        return str(int(x)) if x.is_integer() and abs(x) < 2**53 else x.hex()
    return str(x)


def digest(data: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything but the digest."""
    rest = {k: v for k, v in data.items() if k != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
