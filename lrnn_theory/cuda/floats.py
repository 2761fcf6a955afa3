"""Chains of layers that round, on a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import triton.language as tl
from numpy.typing import NDArray

from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cuda.float_kernels import read_floats
from lrnn_theory.cuda.launch import Words, read_words
from lrnn_theory.formats import FORMATS
from lrnn_theory.lrnn import LRNN, Level
from lrnn_theory.packing import follow_table
from lrnn_theory.scanning import UnsupportedError
from lrnn_theory.scanning.kernels import runs_natively
from lrnn_theory.scanning.rules import KEEP, Rule, rule
from lrnn_theory.scanning.stored import StoredFactors, StoredLayer, store
from lrnn_theory.transition import Dense

_MOST_NUMBERS = 64
"""Numbers of all states of a word that a lane keeps in registers."""
_MOST_TERMS = 600
"""Products of a step of all levels, which are all written out in the kernel."""
_FEW_TERMS = 64
"""Products of a step for which the loop over four letters is unrolled."""
_CAST = {"float32": tl.float32, "bfloat16": tl.bfloat16, "float16": tl.float16}


@dataclass
class _Arrays:
    """What grows level by level; all become one array each."""

    action: list[Any] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    betas: list[Any] = field(default_factory=list)
    b: list[Any] = field(default_factory=list)
    entries: list[Any] = field(default_factory=list)
    offsets: list[Any] = field(default_factory=list)
    follow: list[Any] = field(default_factory=list)

    def add(self, name: str, array: Any) -> int:
        """Where the array starts."""
        parts = getattr(self, name)
        start = sum(map(len, parts))
        parts.append(np.asarray(array).ravel())
        return start

    def joined(self, name: str) -> NDArray[Any]:
        """The whole array, of one number at least."""
        return np.concatenate([*getattr(self, name), np.zeros(1)])


class FloatScan:
    """A chain of layers in an arithmetic, on a device.

    Args:
        lrnn: a network of one head, without a tail.
        arithmetic: where it runs.
        device: a CUDA device, or the CPU under Triton's interpreter.

    Raises:
        UnsupportedError: if there is no kernel.
    """

    def __init__(self, lrnn: LRNN, arithmetic: Arithmetic, device: torch.device) -> None:
        levels = lrnn.levels
        if any(v.reads == "shifted" for v in levels):
            raise UnsupportedError("a layer that reads 'shifted'")
        if not (
            arithmetic.is_native
            and arithmetic.order == "sequential"
            and all(runs_natively(v.layer, arithmetic) for v in levels)
        ):
            raise UnsupportedError(f"kernels do not emulate '{arithmetic}'")
        if arithmetic.factored and any(isinstance(v.layer.transition, Dense) for v in levels):
            raise UnsupportedError("a dense layer in a factored arithmetic")
        self.device = device
        form, inner = arithmetic.format, arithmetic.inner or arithmetic.format
        assert form is not None
        assert inner is not None
        each = arithmetic.semantics == "each"
        rounds_itself = inner == FORMATS["float32"] and form in [FORMATS[x] for x in _CAST]
        plain = rounds_itself and not arithmetic.fma and arithmetic.semantics != "once"
        self.carrier = torch.float32 if plain else torch.float64
        self._arrays = _Arrays()
        self._numbers, self._terms = 0, 0
        initial: list[NDArray[Any]] = []
        after = [v.next for v in levels]
        after[-1] = lrnn.output[after[-1]]
        self._known = len(lrnn.letters)
        described = []
        for i, (level, below) in enumerate(zip(levels, after, strict=True)):
            classes = lrnn.letter_class if i == 0 else slice(None)
            stored = store(level.layer, arithmetic)
            initial.append(stored.h0.ravel())
            described.extend(self._describe(level, below, classes, stored))
        if self._numbers > _MOST_NUMBERS or self._terms > _MOST_TERMS:
            raise UnsupportedError(f"{self._numbers} numbers and {self._terms} products a step")
        self.first = torch.from_numpy(np.concatenate(initial)).to(self.carrier).to(device)[:, None]
        """The initial state, (numbers, 1)."""
        self._options: dict[str, Any] = {
            "LEVELS": tuple(described),
            "NUMBERS": self._numbers,
            "ONCE": arithmetic.semantics == "once",
            "FMA": arithmetic.fma,
            "ODD": arithmetic.fma or (arithmetic.keeps_weights and inner.name != "float64"),
            "INNER": tuple(rule(inner)),
            "FINAL": tuple(Rule(KEEP) if each else rule(form)),
            "FINAL_TYPE": _CAST[form.name] if plain else tl.float64,
        }
        weights = ["values", "betas", "b"]
        kinds = dict.fromkeys(weights, self.carrier)
        kinds |= {"entries": torch.float64, "offsets": torch.float64}
        self._tables = [
            torch.from_numpy(self._arrays.joined(name)).to(kinds.get(name, torch.int32)).to(device)
            for name in ("action", "values", "betas", "b", "entries", "offsets", "follow")
        ]

    def _describe(
        self, level: Level, below: NDArray[Any], classes: Any, stored: StoredLayer
    ) -> tuple[tuple[int, ...], ...]:
        """A level as `read_floats` takes it; its arrays are added to the others."""
        n, d = stored.h0.shape
        add = self._arrays.add
        factors, starts, first_beta = 0, (), 0
        if stored.factors is None:
            columns, starts, values = _dense(stored)
            self._terms += d * len(columns)
        else:
            columns, values, betas = _keys(stored.factors, n)
            factors = betas.shape[1]
            self._terms += 2 * d * len(columns)
            first_beta = add("betas", betas)
        slots: list[int] = []
        for rows, words, offsets in zip(stored.slots, stored.words, stored.offsets, strict=True):
            slots += [rows.start * d, words.shape[1], len(words)]
            slots += [add("entries", words), add("offsets", offsets)]
        follow = follow_table(level, below)[classes]
        first_state = self._numbers
        self._numbers += n * d
        numbers = (
            n, d, factors, len(stored.slots), follow.shape[1], first_state,
            add("action", level.action[classes]), add("values", values), first_beta,
            add("b", stored.b), add("follow", follow), int(stored.b.any()),
        )  # fmt: skip
        return numbers, columns, starts, tuple(slots)

    def start(self, batch: int) -> torch.Tensor:
        """The initial states, (numbers, batch)."""
        return self.first.expand(-1, batch).clone(memory_format=torch.contiguous_format)

    def run(self, words: Words) -> torch.Tensor:
        """Read words; their states are numbers, (numbers, batch), of dtype `carrier`.

        Returns:
            Which words met an infinity or a NaN, (batch,), as integers: their results are void.
        """
        marked = torch.empty(len(words.letters), dtype=torch.int8, device=self.device)
        read_words(
            read_floats,
            words,
            (marked, *self._tables, self._known),
            UNROLLED=self._terms <= _FEW_TERMS and len(self._options["LEVELS"]) == 4,
            enable_fp_fusion=False,
            **self._options,
        )
        return marked


def _dense(stored: StoredLayer) -> tuple[tuple[int, ...], tuple[int, ...], NDArray[Any]]:
    """Entries that some action fills: their columns, where rows start, and those of each action."""
    actions, n, _ = stored.columns.shape
    full = np.zeros((actions, n, n + 1))
    np.put_along_axis(full, stored.columns, stored.values, axis=2)
    filled = (full[:, :, :n] != 0).any(axis=0)
    starts = np.cumsum([0, *filled.sum(axis=1)])
    return tuple(np.nonzero(filled)[1].tolist()), tuple(starts.tolist()), full[:, :, :n][:, filled]


def _keys(factors: StoredFactors, n: int) -> tuple[tuple[int, ...], NDArray[Any], NDArray[Any]]:
    """Entries that some key has; keys (actions, factors, entries) and betas, first to act first.

    Actions with fewer factors end with identities.
    """
    keys = np.zeros((len(factors.betas) + 1, n + 1))
    np.put_along_axis(keys[:-1], factors.columns, factors.values, axis=1)
    entries = np.flatnonzero(keys[:, :n].any(axis=0))
    most = max(1, int(np.diff(factors.ptr).max(initial=0)))
    index = factors.ptr[1:, None] - 1 - np.arange(most)
    index = np.where(index >= factors.ptr[:-1, None], index, len(factors.betas))
    betas = np.append(factors.betas, 0.0)
    return tuple(entries.tolist()), keys[index][:, :, entries], betas[index]
