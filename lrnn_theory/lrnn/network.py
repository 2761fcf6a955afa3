"""The whole network: parallel heads, each a chain of levels, and a final readout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrnn_theory.lrnn.claim import Claim
from lrnn_theory.lrnn.layer import Layer, Level
from lrnn_theory.tail import Tail
from lrnn_theory.transition import (
    Dense,
    Diagonal,
    Householder,
    Transition,
    exact_array,
    index_array,
)

if TYPE_CHECKING:
    import torch

    from lrnn_theory.arithmetic import Arithmetic
    from lrnn_theory.export.torch_module import TorchLRNN
    from lrnn_theory.scanning import ScanState
    from lrnn_theory.tracing import Trace
    from lrnn_theory.words import Word


@dataclass(frozen=True, eq=False)
class LRNN:
    """A linear RNN: parallel heads, each a chain of levels, and a final readout.

    Attributes:
        letters: names of the letters.
        letter_class: (letters,), letters of one class act alike; a class is a context of the
            first level of every head.
        heads: the chains of levels.
        combine: for every head after the first, an array (contexts so far, final contexts of that
            head) that gives the joint context.
        output: (final contexts,), indices into `output_symbols`.
        empty_output: the output for the empty word; -1 for a Mealy machine, which has none.
        kind: the kind of automaton that it answers like: "dfa", "moore" or "mealy".
        output_symbols: names of the outputs ("0" and "1" for a DFA).
        construction: key of the construction that made it, if any.
        reason: why that construction was picked.
        tail: levels after those of the only head whose wiring is computed; `output` is then empty.
        claims: verdicts that its file holds (`lrnn_theory.verification.with_claim`).

    Example:
        >>> from constructions import compile_dfa
        >>> compile_dfa("(0|10*1)*")
        <LRNN parity: 1 layer, n = 1, at most 1 factor>
    """

    letters: tuple[str, ...]
    letter_class: NDArray[Any]
    heads: tuple[tuple[Level, ...], ...]
    output: NDArray[Any]
    empty_output: int
    combine: tuple[NDArray[Any], ...] = ()
    kind: Literal["dfa", "moore", "mealy"] = "dfa"
    output_symbols: tuple[str, ...] = ("0", "1")
    construction: str = ""
    reason: str = field(default="", repr=False)
    tail: Tail | None = None
    claims: tuple[Claim, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        letters = tuple(self.letters)
        if not letters or len(set(letters)) != len(letters):
            raise ValueError(f"Argument 'letters' must be distinct and not empty, not {letters!r}.")
        n_classes = int(np.max(self.letter_class, initial=-1)) + 1
        classes = index_array("letter_class", self.letter_class, 1, max(n_classes, 1))
        if len(classes) != len(letters):
            raise ValueError(f"Argument 'letter_class' must have {len(letters)} entries.")
        symbols = tuple(self.output_symbols)
        if not symbols or len(set(symbols)) != len(symbols):
            raise ValueError(f"Argument 'output_symbols' must be distinct, not {symbols!r}.")
        if self.kind == "dfa" and symbols != ("0", "1"):
            raise ValueError(
                f"Argument 'output_symbols' of a dfa must be '0', '1', not {symbols!r}."
            )
        if not self.heads or len(self.combine) != len(self.heads) - 1:
            raise ValueError("Argument 'combine' must have one array for every head but the first.")
        for name, value in (("letters", letters), ("letter_class", classes)):
            object.__setattr__(self, name, value)
        final = [self._check_chain(levels, n_classes) for levels in self.heads]
        contexts, combine = final[0], []
        for table, head_contexts in zip(self.combine, final[1:], strict=True):
            joint = index_array("combine", table, 2, np.iinfo(np.int32).max)
            if joint.shape[0] < contexts or joint.shape[1] < head_contexts:
                raise ValueError(
                    f"Argument 'combine' must cover {contexts} x {head_contexts} contexts, "
                    f"not {joint.shape}."
                )
            contexts = int(joint.max()) + 1
            combine.append(joint)
        object.__setattr__(self, "combine", tuple(combine))
        output = index_array("output", self.output, 1, len(self.output_symbols))
        if self.tail is not None:
            self._check_tail(self.tail, contexts, n_classes)
        elif len(output) < contexts:
            raise ValueError(
                f"Argument 'output' must cover {contexts} contexts, not {len(output)}."
            )
        object.__setattr__(self, "output", output)
        lowest = -1 if self.kind == "mealy" else 0
        if self.kind not in ("dfa", "moore", "mealy"):
            raise ValueError(
                f"Argument 'kind' must be 'dfa', 'moore' or 'mealy', not {self.kind!r}."
            )
        if not lowest <= self.empty_output < len(self.output_symbols):
            raise ValueError(f"Argument 'empty_output' is out of range: {self.empty_output}.")

    def _check_tail(self, tail: Tail, contexts: int, n_classes: int) -> None:
        if len(self.heads) > 1 or len(self.output):
            raise ValueError("An LRNN with a tail has one head, and no outputs but the tail's.")
        if len(tail.contexts) < contexts:
            raise ValueError(f"The tail must cover {contexts} contexts, not {len(tail.contexts)}.")
        if len(tail.exclusion.delta) != n_classes:
            raise ValueError(f"The tail must be over the {n_classes} letter classes.")
        if (tail.response.ndim == 2) != (self.kind == "mealy") or not (
            0 <= tail.response.min() <= tail.response.max() < len(self.output_symbols)
        ):
            raise ValueError("The response of the tail does not fit the outputs.")

    @staticmethod
    def _check_chain(levels: Sequence[Level], contexts: int) -> int:
        for i, level in enumerate(levels):
            if len(level.action) < contexts:
                raise ValueError(
                    f"Level {i} must have an action for {contexts} contexts, "
                    f"not {len(level.action)}."
                )
            contexts = int(level.next.max()) + 1
        return contexts

    @classmethod
    def from_layer(
        cls,
        transition: Transition,
        inputs: ArrayLike,
        initial: ArrayLike,
        letters: Sequence[str],
    ) -> LRNN:
        """A layer of your own without a readout: it always answers "0".

        It is what `refute` asks for, whose answer holds for every readout.

        Args:
            transition: a matrix for every letter.
            inputs: B, (letters, n, d) or (letters, n).
            initial: H_0, (n, d) or (n,).
            letters: names of the letters.

        Raises:
            ValueError: if shapes disagree.
        """
        b, h0 = exact_array("inputs", inputs), exact_array("initial", initial)
        if len(letters) != transition.n_actions:
            raise ValueError(
                f"Argument 'letters' must name {transition.n_actions} letters, not {len(letters)}."
            )
        b, h0 = (x[..., None] if h0.ndim == 1 else x for x in (b, h0))
        blank = np.zeros((1, *h0.shape), np.int64)
        readout = np.zeros((transition.n_actions, 1, 2), np.int32)
        layer = Layer(transition, b, h0, (blank,), readout, 1, 0)
        every = np.arange(len(letters))
        level = Level(layer, every, np.zeros((len(letters), 1), np.int32), "current")
        return cls(tuple(letters), every, ((level,),), np.zeros(1, np.int32), 0)

    # ---------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the exact weights to a safetensors file; see docs/files.md."""
        from lrnn_theory.lrnn.files import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LRNN:
        """Read a file that `save` wrote, or the weights of a layer after the template.

        docs/files.md gives the template: names and shapes for a layer of your own.

        Raises:
            ValueError: if the file is missing, truncated, edited, of a later version, or neither.
        """
        from lrnn_theory.lrnn.files import load

        return load(path)

    def to_torch(self, dtype: torch.dtype | None = None) -> TorchLRNN:
        """A plain `torch.nn.Module` with the weights as named parameters; see docs/export.md.

        Args:
            dtype: of the parameters; torch.float32 if not given.

        Raises:
            ValueError: if the wiring is too large for a ReLU network, or computed by a tail.

        Example:
            >>> from constructions import compile_dfa
            >>> module = compile_dfa("(0|10*1)*").to_torch()
            >>> outputs, state = module(module.encode(["1", "0"]))
            >>> module.decode(outputs).tolist()
            [[0], [1]]
        """
        import torch

        from lrnn_theory.export.torch_weights import to_torch

        return to_torch(self, dtype or torch.float32)

    def head(self, i: int) -> LRNN:
        """Head i by itself: a Mealy machine that answers with the context that the head ends in.

        Example:
            >>> from constructions import compile_dfa
            >>> from lrnn_theory import languages
            >>> compile_dfa(languages.mod(6)).head(1)
            <LRNN custom: 1 layer, n = 3, at most 2 factors>
        """
        head = self.heads[i]
        contexts = int((head[-1].next if head else self.letter_class).max()) + 1
        return LRNN(
            self.letters, self.letter_class, (head,), np.arange(contexts), -1, kind="mealy",
            output_symbols=tuple(map(str, range(contexts))),
        )  # fmt: skip

    # ---------------------------------------------------------------- handles

    def encode(self, state: int, arithmetic: str | Arithmetic = "float32") -> ScanState:
        """The hidden state of a state, for `scan(..., initial=...)`.

        Args:
            state: of the minimal automaton that the LRNN implements, as `extract` numbers them.
            arithmetic: where.

        Raises:
            ValueError: if there is no such state.
        """
        from lrnn_theory.export import handles

        return handles.encode(self, state, arithmetic)

    def decode(
        self, hidden: ScanState, arithmetic: str | Arithmetic = "float32"
    ) -> NDArray[np.int64]:
        """The states of hidden states, (batch,): those that answer all words alike from there on.

        -1 where there is none, as there may be where no word leads.

        Example:
            >>> from constructions import compile_dfa
            >>> lrnn = compile_dfa("(0|10*1)*")
            >>> lrnn.decode(lrnn.encode(1)).tolist()
            [1]
        """
        from lrnn_theory.export import handles

        return handles.decode(self, hidden, arithmetic)

    def trace(self, word: Word, arithmetic: str | Arithmetic = "float32") -> Trace:
        """All hidden states and outputs while a word is read: `trace` of this LRNN.

        Example:
            >>> from constructions import compile_dfa
            >>> compile_dfa("(0|10*1)*").trace("101")
            letter  layer 1  output
                    1        1
            1       -1       0
            0       -1       0
            1       1        1
        """
        from lrnn_theory.tracing import trace

        return trace(self, word, arithmetic)

    def _repr_html_(self) -> str:
        from lrnn_theory.export import handles

        return handles.html(self)

    # ---------------------------------------------------------------- facts

    @property
    def levels(self) -> tuple[Level, ...]:
        """All levels of all heads."""
        return tuple(level for head in self.heads for level in head)

    @property
    def n_layers(self) -> int:
        """Depth: the length of the longest head."""
        return max(len(head) for head in self.heads) + len(self.tail.sizes if self.tail else ())

    @property
    def state_size(self) -> int:
        """Numbers in the state of all layers together."""
        return sum(self.widths)

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers in the state of every layer, those of the tail included."""
        stored = tuple(level.layer.n * level.layer.d for level in self.levels)
        return (*stored, *(2 * size for size in (self.tail.sizes if self.tail else ())))

    @property
    def max_factors(self) -> int | None:
        """Most generalized Householder factors in a transition matrix; None if one is dense."""
        counts = [2 * size for size in (self.tail.sizes if self.tail else (0,))]
        for level in self.levels:
            match level.layer.transition:
                case Householder() as t:
                    counts.append(int(t.factors.max(initial=0)))
                case Diagonal() as t:
                    counts.append(int((t.diagonal != 1).sum(axis=1).max(initial=0)))
                case Dense():
                    return None
        return max(counts)

    def __repr__(self) -> str:
        def count(k: int | None, unit: str) -> str:
            return f"{k} {unit}" if k == 1 else f"{k} {unit}s"

        widths = " + ".join(map(str, self.widths)) or "0"
        factors = (
            "dense" if self.max_factors is None else f"at most {count(self.max_factors, 'factor')}"
        )
        return (
            f"<LRNN {self.construction or 'custom'}: {count(self.n_layers, 'layer')}, "
            f"n = {widths}, {factors}>"
        )
