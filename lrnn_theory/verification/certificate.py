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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.automaton import Automaton
from lrnn_theory.cyclotomic import Cyclotomic, cos_turn, cyclotomic_polynomial
from lrnn_theory.exclusion import elements
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.scanning.stored import StoredLayer, store
from lrnn_theory.tail import Tail
from lrnn_theory.textfile import read_text, write_atomically
from lrnn_theory.verification.checker import MAX_SIZE, unique

SCHEMA = "lrnn-theory/certificate"
VERSION = 2

Array = NDArray[Any]
Run = tuple[str, int]
"""A letter and how often it comes, in a word."""


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
    def coerce(cls, value: Any) -> Certificate:
        """From a certificate, its data, or the path of its file; a TypeError for anything else."""
        if isinstance(value, (str, os.PathLike)):
            return cls.load(value)
        if isinstance(value, dict):
            return cls(value)
        if not isinstance(value, cls):
            raise TypeError(
                f"Argument 'certificate' must be a Certificate, a dict or a path, "
                f"not {type(value).__name__}."
            )
        return value

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Certificate:
        """Read a certificate file, without checking its claim.

        Raises:
            ValueError: if it is no JSON object, or has more than `MAX_SIZE` bytes.
        """
        text = read_text(path, MAX_SIZE)
        try:
            data = json.loads(text, object_pairs_hook=unique)
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
    word: Sequence[str] = (),
    runs: Sequence[Run] | None = None,
    words: Sequence[Sequence[str] | Sequence[Run]] = (),
    **facts: Any,
) -> Certificate:
    """The certificate of a claim.

    Args:
        lrnn: the network.
        automaton: what it is compared with, over the same letters.
        arithmetic: where the network runs.
        claim: "proved", "refuted" or "confused".
        word: the letters of the word of a refutation.
        runs: that word as pairs (letter, count) instead.
        words: two words, as letters or as runs, that confuse the network.
        facts: of a proof: `method`, `bracketing`, and what docs/certificates.md lists for the
            method.
    """
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "claim": claim,
        "arithmetic": str(arithmetic),
        "automaton": _automaton(automaton),
        "lrnn": describe(lrnn, arithmetic),
    }
    if claim == "refuted":
        data["word"] = _runs(word if runs is None else runs)
    if claim == "confused":
        data["words"] = [_runs(w) for w in words]
    data |= {name: fact for name, fact in facts.items() if fact is not None}
    if arithmetic.order != "sequential" and "bracketing" not in facts:
        data |= {"states_digest": ""} if "states_digest" in data else {}
    data["digest"] = digest(data)
    return Certificate(data)


def certify_census(layer: Layer, arithmetic: Arithmetic, **facts: Any) -> Certificate:
    """The certificate of a census: the layer as the arithmetic stores it, and what was counted.

    Args:
        layer: the layer.
        arithmetic: where it runs.
        facts: `action`, `states`, `periods` and `overflow`, as docs/certificates.md has them.
    """
    actions = np.arange(layer.n_actions)
    level = Level(layer, actions, np.zeros((layer.n_actions, layer.size), int), "current")
    stored = store(layer, arithmetic)
    field = Field.of(list(_irrational(stored)))
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "claim": "census",
        "arithmetic": str(arithmetic),
        "layer": _level(level, stored, field),
    }
    if field is not None:
        data["field"] = field.data()
    data |= facts
    data["digest"] = digest(data)
    return Certificate(data)


def _runs(word: Sequence[str] | Sequence[Run]) -> list[list[Any]]:
    """A word as maximal runs [letter, count]."""
    pairs: list[Run] = [(x, 1) if isinstance(x, str) else x for x in word]
    return [[a, sum(int(n) for _, n in run)] for a, run in groupby(pairs, itemgetter(0))]


def _automaton(automaton: Automaton) -> dict[str, Any]:
    empty = {}
    if automaton.kind != "mealy":
        empty["empty"] = automaton.output_symbols[automaton.response[automaton.initial]]
    return empty | {
        "letters": list(automaton.letters),
        "delta": automaton.delta.tolist(),
        "initial": automaton.initial,
        "answers": _answers(automaton.delta, automaton.response, automaton.output_symbols),
    }


def _answers(delta: Array, response: Array, symbols: tuple[str, ...]) -> list[list[str]]:
    """The answer to every letter in every state before it."""
    table = response if response.ndim == 2 else response[delta]
    return [[symbols[i] for i in row] for row in table.tolist()]


def describe(lrnn: LRNN, arithmetic: Arithmetic) -> dict[str, Any]:
    """An LRNN as an arithmetic stores it, as plain data.

    Raises:
        ValueError: if a weight is not real.
    """
    layers = [[store(level.layer, arithmetic) for level in head] for head in lrnn.heads]
    field = Field.of([number for head in layers for layer in head for number in _irrational(layer)])
    data: dict[str, Any] = {} if field is None else {"field": field.data()}
    if lrnn.kind != "mealy":
        data["empty"] = lrnn.output_symbols[lrnn.empty_output]
    if lrnn.tail is not None:
        data["tail"] = _tail(lrnn.tail, lrnn.output_symbols)
    return data | {
        "letter_class": lrnn.letter_class.tolist(),
        "heads": [
            [_level(*pair, field) for pair in zip(head, stored, strict=True)]
            for head, stored in zip(lrnn.heads, layers, strict=True)
        ],
        "combine": [c.tolist() for c in lrnn.combine],
        "output": [lrnn.output_symbols[i] for i in lrnn.output.tolist()],
    }


def _tail(tail: Tail, symbols: tuple[str, ...]) -> dict[str, Any]:
    contexts = [[elements(x), a, elements(y)] for x, a, y in tail.contexts]
    delta = tail.exclusion.delta
    return {
        "initial": list(tail.initial),
        "contexts": contexts,
        "delta": delta.tolist(),
        "answers": _answers(delta, tail.response, symbols),
    }


def _irrational(stored: StoredLayer) -> Iterator[Cyclotomic]:
    arrays = [stored.values, stored.b, stored.h0, *stored.words]
    if stored.factors is not None:
        arrays += [stored.factors.values, stored.factors.betas]
    for array in arrays:
        if array.dtype == object:
            yield from (x for x in array.flat if isinstance(x, Cyclotomic))


def _level(level: Level, stored: StoredLayer, field: Field | None) -> dict[str, Any]:
    def vector(array: Array) -> list[str]:
        return [number(x, field) for x in array.ravel().tolist()]

    def sparse(columns: Array, values: Array) -> list[list[Any]]:
        pairs = zip(columns.tolist(), values.tolist(), strict=True)
        return [[c, number(x, field)] for c, x in pairs if c < level.layer.n]

    actions = []
    for a in range(level.layer.n_actions):
        action: dict[str, Any] = {"b": vector(stored.b[a])}
        if stored.factors is None:
            action["a"] = list(map(sparse, stored.columns[a], stored.values[a]))
        else:
            f, rows = stored.factors, range(stored.factors.ptr[a], stored.factors.ptr[a + 1])
            action["factors"] = [
                {"k": sparse(f.columns[i], f.values[i]), "beta": vector(f.betas[i : i + 1])[0]}
                for i in rows
            ]
        actions.append(action)
    return {
        "n": level.layer.n,
        "initial": level.layer.initial,
        "h0": vector(stored.h0),
        "codewords": [[vector(word) for word in words] for words in stored.words],
        "actions": actions,
        "readout": level.layer.readout.tolist(),
        "action": level.action.tolist(),
        "next": level.next.tolist(),
        "reads": level.reads,
    }


def number(x: Any, field: Field | None = None) -> str:
    """A weight as text: a fraction, inf, -inf, nan, or coefficients of powers of theta."""
    if isinstance(x, Cyclotomic):
        assert field is not None
        return field.text(x)
    if isinstance(x, float) and not math.isfinite(x):
        return str(x)
    return str(Fraction(x))


class Field:
    """Q(θ) with θ = 2 cos(2π/N), the real numbers of Q(ζ_N).

    With C_0 = 2, C_1 = θ and C_(k+1) = θ C_k - C_(k-1), ζ^k + ζ^-k = C_k.  So a real sum c_k ζ^k is
    half of sum c_k C_k, and the minimal polynomial of θ comes from Φ_N, which is palindromic.

    Attributes:
        order: N, at least 3.
        polynomial: the minimal polynomial of θ, monic, constant term first.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self.polynomial: list[int] = []
        phi = cyclotomic_polynomial(order)
        half = len(phi) // 2
        self.polynomial = self._sum_of_cosines(phi[half], phi[half + 1 :])

    @classmethod
    def of(cls, numbers: Sequence[Cyclotomic]) -> Field | None:
        """A field that holds all these numbers; None if there are none."""
        return cls(math.lcm(*(x.order for x in numbers))) if numbers else None

    def _sum_of_cosines(self, first: Any, rest: Sequence[Any]) -> list[Any]:
        """The polynomial first + sum rest[k - 1] C_k in θ, reduced (Clenshaw's recurrence)."""
        one: list[Any] = []
        two: list[Any] = []
        for c in reversed(rest):
            one, two = _add(self._times_theta(one), two, -1, c), one
        return _add(self._times_theta(one), two, -2, first)

    def _times_theta(self, c: list[Any]) -> list[Any]:
        c = [0, *c]
        if len(c) < len(self.polynomial) or not self.polynomial:
            return c
        lead = c.pop()
        return [a - lead * b for a, b in zip(c, self.polynomial, strict=False)]

    def text(self, x: Cyclotomic) -> str:
        """The coefficients of a real number of the field, constant term first.

        Raises:
            ValueError: if the number is not real.
        """
        if not x.is_real:
            raise ValueError(f"A weight must be real, not {x}.")
        first, *rest = (c / 2 for c in x.lift(self.order).coefficients)
        return " ".join(map(str, self._sum_of_cosines(2 * first, rest)))

    def data(self) -> dict[str, list[str]]:
        """The polynomial and an interval with θ as its only root, as texts."""
        bits = 64 + 4 * len(self.polynomial)  # of precision, so that θ is alone by far
        scale = 1 << bits
        near = round(2 * cos_turn(1, self.order).approximate(bits + 2) * scale)
        return {
            "polynomial": list(map(str, self.polynomial)),
            "interval": [str(Fraction(near + k, scale)) for k in (-1, 1)],
        }


def _add(x: list[Any], y: list[Any], factor: int, constant: Any) -> list[Any]:
    """The polynomial x + factor y + constant."""
    size = max(len(x), len(y), 1)
    x, y = x + [0] * (size - len(x)), y + [0] * (size - len(y))
    total = [a + factor * b for a, b in zip(x, y, strict=True)]
    total[0] += constant
    return total


def digest(data: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything but the digest."""
    rest = {k: v for k, v in data.items() if k != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
