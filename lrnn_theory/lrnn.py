"""Linear RNNs with exact weights: layers, wiring, readout.

Glossary (code: symbol of eq. (1) in Grazzi, Siems et al., arXiv 2411.12537):

    Layer.transition.matrix(a)  A(x_t), the transition matrix of action a; in a product
                                C_1 ... C_k of generalized Householder factors C_k acts first
    Layer.b[a]                  B(x_t)
    Layer.h0                    H_0, of shape (n, d)
    Layer.codewords, .readout   dec(H_t, x_t); it sees the state AFTER the update
    Level.action, Level.next    how x_t of a layer depends on the token and on the layers above

An *action* is a distinct pair (A, B) of a layer.  A *context* is everything above a level that its
layer may depend on: the letter, and what the levels above have read out.  One letter runs through
a chain of levels as

    c = letter_class[letter]
    for level in levels:
        a = level.action[c]
        H = A_a H + B_a
        coordinate = readout of H        (previous or current coordinate, see `Level.reads`)
        c = level.next[c, coordinate]
    output = output[c]

Weights are exact: integers, fractions, or cyclotomic numbers.  Rounding belongs to an `Arithmetic`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrnn_theory import storage
from lrnn_theory.tail import Tail
from lrnn_theory.transition import (
    Array,
    Dense,
    Diagonal,
    Householder,
    Transition,
    exact_array,
    index_array,
)

Reads = Literal["previous", "current", "shifted"]


@dataclass(frozen=True, eq=False)
class Layer:
    """H <- A_a H + B_a with H of shape (n, d), and a decoder.

    The rows of H are split into consecutive *slots*.  A slot is decoded to the nearest of its
    codewords: with s_j = sum_i c_ji h_i - |c_j|^2 / 2 over the nonzero c_ji, the largest s_j
    wins, ties to the lowest index (a NaN counts as -infinity); in a float arithmetic the scores
    are computed in float64, in index order.  The index of a codeword of several slots is that of a
    row-major array.

    Attributes:
        transition: the matrices A_a.
        b: (actions, n, d).
        h0: (n, d), the initial state.
        codewords: for every slot, (codewords of the slot, rows of the slot, d).
        readout: (actions, codewords, 2), the coordinates (previous, current) that a codeword
            stands for after an action.
        size: the number of coordinates.
        initial: the coordinate before the first letter.

    Raises:
        ValueError: if shapes disagree or an index is out of range.
    """

    transition: Transition
    b: Array
    h0: Array
    codewords: tuple[Array, ...]
    readout: NDArray[Any]
    size: int
    initial: int

    def __post_init__(self) -> None:
        a, n = self.transition.n_actions, self.transition.n
        b, h0 = exact_array("b", self.b), exact_array("h0", self.h0)
        if h0.ndim != 2 or h0.shape[0] != n or 0 in h0.shape:
            raise ValueError(f"Argument 'h0' must have shape ({n}, d), not {h0.shape}.")
        if b.shape != (a, *h0.shape):
            raise ValueError(f"Argument 'b' must have shape {(a, *h0.shape)}, not {b.shape}.")
        words = tuple(exact_array("codewords", c) for c in self.codewords)
        rows = [c.shape[1] for c in words if c.ndim == 3 and c.size and c.shape[2] == h0.shape[1]]
        if len(rows) != len(words) or not words or sum(rows) != n:
            raise ValueError(
                f"Argument 'codewords' must split {n} rows into slots of shape (codewords, rows, "
                f"{h0.shape[1]}), not {[c.shape for c in words]}."
            )
        n_words = int(np.prod([len(c) for c in words]))
        readout = index_array("readout", self.readout, 3, self.size)
        if readout.shape != (a, n_words, 2):
            raise ValueError(
                f"Argument 'readout' must have shape {(a, n_words, 2)}, not {readout.shape}."
            )
        if not 0 <= self.initial < self.size:
            raise ValueError(
                f"Argument 'initial' must be in 0..{self.size - 1}, not {self.initial}."
            )
        for name, value in (("b", b), ("h0", h0), ("codewords", words), ("readout", readout)):
            object.__setattr__(self, name, value)

    @property
    def n(self) -> int:
        """Rows of the state."""
        return self.h0.shape[0]

    @property
    def d(self) -> int:
        """Columns of the state."""
        return self.h0.shape[1]

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return self.transition.n_actions


@dataclass(frozen=True, eq=False)
class Level:
    """A layer with its wiring.

    Attributes:
        layer: the layer.
        action: (contexts,), the action taken in every context.
        next: (contexts, size), the context of the next level given the coordinate read.
        reads: which coordinate is passed on: "previous" (of the state before the letter,
            recovered from the state after it), "current" (of the state after it), or "shifted"
            (the coordinate read one step earlier, as a short convolution delivers it; the initial
            coordinate at the first step).
    """

    layer: Layer
    action: NDArray[Any]
    next: NDArray[Any]
    reads: Reads

    def __post_init__(self) -> None:
        if self.reads not in ("previous", "current", "shifted"):
            raise ValueError(
                f"Argument 'reads' must be 'previous', 'current' or 'shifted', not {self.reads!r}."
            )
        action = index_array("action", self.action, 1, self.layer.n_actions)
        nxt = index_array("next", self.next, 2, np.iinfo(np.int32).max)
        if nxt.shape != (len(action), self.layer.size):
            raise ValueError(
                f"Argument 'next' must have shape {(len(action), self.layer.size)}, "
                f"not {nxt.shape}."
            )
        object.__setattr__(self, "action", action)
        object.__setattr__(self, "next", nxt)


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

    # ---------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the exact weights to a safetensors file; see docs/files.md."""
        tensors: storage.Tensors = {"letter_class": self.letter_class, "output": self.output}
        header = {
            "letters": list(self.letters),
            "kind": self.kind,
            "empty_output": self.empty_output,
            "output_symbols": list(self.output_symbols),
            "construction": self.construction,
            "reason": self.reason,
            "heads": [
                [_put_level(tensors, f"head{i}.level{j}.", level) for j, level in enumerate(head)]
                for i, head in enumerate(self.heads)
            ],
        }
        tensors |= {f"combine{i}": table for i, table in enumerate(self.combine)}
        if self.tail is not None:
            tensors |= {f"tail.{name}": array for name, array in self.tail.arrays().items()}
        storage.write(path, header, tensors)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LRNN:
        """Read a file that `save` wrote.

        Raises:
            ValueError: if the file is missing, truncated, edited, of a later version, or no LRNN.
        """
        header, tensors = storage.read(path)
        tail = {k.removeprefix("tail."): v for k, v in tensors.items() if k.startswith("tail.")}
        try:
            return cls(
                letters=tuple(header["letters"]),
                letter_class=tensors["letter_class"],
                heads=tuple(
                    tuple(_get_level(tensors, f"head{i}.level{j}.", v) for j, v in enumerate(head))
                    for i, head in enumerate(header["heads"])
                ),
                output=tensors["output"],
                empty_output=header["empty_output"],
                combine=tuple(tensors[f"combine{i}"] for i in range(len(header["heads"]) - 1)),
                kind=header["kind"],
                output_symbols=tuple(header["output_symbols"]),
                construction=header["construction"],
                reason=header["reason"],
                tail=Tail.from_arrays(tail) if tail else None,
            )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"Weight file '{path}' is malformed: {error!r}.") from None

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


def _put_level(tensors: storage.Tensors, prefix: str, level: Level) -> dict[str, Any]:
    layer = level.layer
    tensors[prefix + "action"], tensors[prefix + "next"] = level.action, level.next
    tensors[prefix + "readout"] = layer.readout
    match layer.transition:
        case Householder(keys=keys, betas=betas, ptr=ptr):
            kind = "householder"
            tensors[prefix + "keys"], tensors[prefix + "betas"] = keys, betas
            tensors[prefix + "ptr"] = ptr
        case Diagonal(diagonal=diagonal):
            kind = "diagonal"
            tensors[prefix + "diagonal"] = diagonal
        case Dense(matrices=matrices):
            kind = "dense"
            tensors[prefix + "matrices"] = matrices
    tensors[prefix + "b"], tensors[prefix + "h0"] = layer.b, layer.h0
    tensors |= {f"{prefix}codewords{i}": words for i, words in enumerate(layer.codewords)}
    return {
        "transition": kind,
        "reads": level.reads,
        "size": layer.size,
        "initial": layer.initial,
        "slots": len(layer.codewords),
    }


def _get_level(tensors: storage.Tensors, prefix: str, header: dict[str, Any]) -> Level:
    transition: Transition
    if header["transition"] == "householder":
        parts = [tensors[prefix + name] for name in ("keys", "betas", "ptr")]
        transition = Householder(*parts)
    elif header["transition"] == "diagonal":
        transition = Diagonal(tensors[prefix + "diagonal"])
    else:
        transition = Dense(tensors[prefix + "matrices"])
    layer = Layer(
        transition,
        tensors[prefix + "b"],
        tensors[prefix + "h0"],
        tuple(tensors[f"{prefix}codewords{i}"] for i in range(header["slots"])),
        tensors[prefix + "readout"],
        header["size"],
        header["initial"],
    )
    return Level(layer, tensors[prefix + "action"], tensors[prefix + "next"], header["reads"])
