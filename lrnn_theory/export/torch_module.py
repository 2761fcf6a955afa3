"""An LRNN as a plain `torch.nn.Module`: explicit named parameters, differentiable, compilable.

    embedding          letters to letter classes, one-hot
    heads.I.J.action   context to action, one-hot
    heads.I.J.cell     keys, betas (or diagonal, matrices), inputs, h0 of every action
    heads.I.J.decoder  codewords
    heads.I.J.wiring   context and codeword to the context of the next level
    combine.I          contexts of two heads to their joint context
    output             final context to the output, one-hot

Everything but the recurrence selects: a one-hot vector picks a row of weights, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from lrnn_theory.export.readout import Decoder, Pairs
from lrnn_theory.words import Word, encode_word

Kind = Literal["dfa", "moore", "mealy"]
State = tuple[Tensor, ...]
"""Per level its state, (batch, n, d), and if it reads "shifted" the coordinate read last."""


class Cell(nn.Module):
    """H <- A H + B for one-hot actions.

    Args:
        kind: "householder", "diagonal" or "dense".
        actions: the number of actions.
        n: rows of the state.
        d: columns of the state.
        factors: most Householder factors of an action; others are padded with beta = 0.
    """

    def __init__(self, kind: str, actions: int, n: int, d: int, factors: int) -> None:
        super().__init__()
        self.kind = kind
        if kind == "householder":
            self.keys = nn.Parameter(torch.zeros(actions, factors, n))
            self.betas = nn.Parameter(torch.zeros(actions, factors))
        elif kind == "diagonal":
            self.diagonal = nn.Parameter(torch.zeros(actions, n))
        else:
            self.matrices = nn.Parameter(torch.zeros(actions, n, n))
        self.inputs = nn.Parameter(torch.zeros(actions, n, d))
        self.h0 = nn.Parameter(torch.zeros(n, d))

    def select(self, action: Tensor) -> tuple[Tensor, ...]:
        """The weights that one-hot actions pick, (..., actions) to (..., shape) for each."""
        names = {
            "householder": ("keys", "betas"),
            "diagonal": ("diagonal",),
            "dense": ("matrices",),
        }
        weights = [getattr(self, name) for name in (*names[self.kind], "inputs")]
        return tuple((action @ w.flatten(1)).unflatten(-1, w.shape[1:]) for w in weights)

    def step(self, h: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """One letter, (batch, n, d); of the factors the last one acts first."""
        if self.kind == "householder":
            keys, betas, inputs = weights
            for j in reversed(range(keys.shape[1])):
                k = keys[:, j, :, None]
                h = h - k * (betas[:, j, None, None] * (k * h).sum(1, keepdim=True))
        elif self.kind == "diagonal":
            diagonal, inputs = weights
            h = diagonal[:, :, None] * h
        else:
            matrices, inputs = weights
            h = (matrices[:, :, :, None] * h[:, None]).sum(2)
        return h + inputs


class ExportedLevel(nn.Module):
    """One level: picks an action, moves the state, decodes it, and finds the next context.

    Subclasses set `parts`, the number of tensors in their state, and define `start` and `read`.

    Args:
        shape: the sizes, as `level_shape` gives them.
    """

    parts: int

    def __init__(self, shape: dict[str, Any]) -> None:
        super().__init__()
        self.shape = dict(shape)
        contexts, actions = shape["contexts"], shape["actions"]
        self.action = nn.Linear(contexts, actions, bias=False)
        words = read = prod(k for k, _ in shape["slots"])
        self.shifted = shape["reads"] == "shifted"
        if self.shifted:
            read = shape["size"]
            self.coordinate = Pairs(actions, words, shape["coordinate_units"], read)
            self.register_buffer("initial", torch.zeros(read))
        self.wiring = Pairs(contexts, read, shape["units"], shape["below"])

    def start(self, batch: int) -> State:
        """The state of the recurrence before the first letter."""
        raise NotImplementedError

    def read(self, action: Tensor, state: State) -> tuple[Tensor, State]:
        """One-hot actions (batch, time, actions) to codewords, and the state reached."""
        raise NotImplementedError

    def bytes_a_letter(self) -> int:
        """Bytes that the weights picked for a letter take, roughly."""
        shape = self.shape
        rows = shape["n"] if shape["transition"] == "dense" else max(1, shape["factors"])
        numbers = shape["n"] * (rows + shape["d"]) + shape["units"]
        return numbers * self.action.weight.element_size()

    def initial_state(self, batch: int) -> State:
        """The state before the first letter."""
        if not self.shifted:
            return self.start(batch)
        initial = self.get_buffer("initial").to(self.action.weight.dtype)
        return (*self.start(batch), initial.expand(batch, -1))

    def forward(self, context: Tensor, state: State) -> tuple[Tensor, State]:
        """One-hot contexts (batch, time, contexts) to those below, and the state reached."""
        action = self.action(context)
        read, after = self.read(action, state[: self.parts])
        if not self.shifted:
            return self.wiring(context, read), after
        read = torch.cat([state[-1][:, None], self.coordinate(action, read)], 1)
        return self.wiring(context, read[:, :-1]), (*after, read[:, -1])


class TorchLevel(ExportedLevel):
    """A level whose recurrence is plain torch, letter by letter."""

    parts = 1

    def __init__(self, shape: dict[str, Any]) -> None:
        super().__init__(shape)
        sizes = (shape["actions"], shape["n"], shape["d"], shape["factors"])
        self.cell = Cell(shape["transition"], *sizes)
        self.decoder = Decoder([(k, m) for k, m in shape["slots"]])

    def start(self, batch: int) -> State:
        """The state of the recurrence before the first letter."""
        return (self.cell.h0.expand(batch, -1, -1),)

    def read(self, action: Tensor, state: State) -> tuple[Tensor, State]:
        """One-hot actions (batch, time, actions) to codewords, and the state reached."""
        weights = self.cell.select(action)
        h, words = state[0], []
        for t in range(action.shape[1]):
            h = self.cell.step(h, [w[:, t] for w in weights])
            words.append(self.decoder(h))
        return torch.stack(words, 1), (h,)


class TorchLRNN(nn.Module):
    """The module that `LRNN.to_torch` returns; see docs/export.md.

    Args:
        structure: names and sizes, as `structure_of` gives them; the weights are zero.

    Attributes:
        letters: names of the letters; a token is an index into them.
        output_symbols: names of the outputs.
        kind: "dfa", "moore" or "mealy".
        empty_output: the output for the empty word; -1 for a Mealy machine.
    """

    def __init__(self, structure: dict[str, Any]) -> None:
        super().__init__()
        self.structure = structure
        self.letters = tuple(structure["letters"])
        self.output_symbols = tuple(structure["output_symbols"])
        self.kind: Kind = structure["kind"]
        self.empty_output: int = structure["empty_output"]
        self.embedding = nn.Embedding(len(self.letters), structure["classes"])
        self.heads = nn.ModuleList(
            nn.ModuleList(self.make_level(shape) for shape in head) for head in structure["heads"]
        )
        self.combine = nn.ModuleList(Pairs(*sizes) for sizes in structure["combine"])
        self.output = nn.Linear(structure["final"], len(self.output_symbols), bias=False)

    def make_level(self, shape: dict[str, Any]) -> ExportedLevel:
        """An empty level of these sizes."""
        return TorchLevel(shape)

    def chains(self) -> list[list[ExportedLevel]]:
        """The levels of every head."""
        return [list(cast(Any, head)) for head in self.heads]

    def levels(self) -> list[ExportedLevel]:
        """All levels of all heads."""
        return [level for head in self.chains() for level in head]

    def initial_state(self, batch: int) -> State:
        """The state before the first letter of `batch` words."""
        return tuple(x for level in self.levels() for x in level.initial_state(batch))

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read words.

        Args:
            tokens: letter indices, (batch, time).
            state: where to continue; the initial state if not given.

        Returns:
            The outputs one-hot, (batch, time, output symbols), and the state reached.
        """
        token = self.embedding(tokens)
        rest = list(self.initial_state(len(tokens)) if state is None else state)
        joint, after = token, []
        for i, head in enumerate(self.chains()):
            context = token
            for level in head:
                own = tuple(rest.pop(0) for _ in range(level.parts + level.shifted))
                context, own = level(context, own)
                after += own
            joint = context if i == 0 else self.combine[i - 1](joint, context)
        return self.output(joint), tuple(after)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one letter of every word, (batch,): outputs (batch, symbols), and the state.

        The bits are those of `forward` on the same letters.
        """
        outputs, state = self(tokens[:, None], state)
        return outputs[:, 0], state

    def decode(self, outputs: Tensor) -> Tensor:
        """Output indices, (..., symbols) to (...): acceptance 0/1, or into `output_symbols`."""
        return outputs.argmax(-1)

    @torch.no_grad()
    def answers(self, tokens: Tensor, memory: float = 1e9) -> Tensor:
        """Output indices after every letter, (batch, time), some words at a time.

        Args:
            tokens: letter indices, (batch, time).
            memory: bytes that the largest level may take, roughly.
        """
        each = max([1, *(level.bytes_a_letter() for level in self.levels())])
        count = max(1, int(memory / (each * max(1, tokens.shape[1]))))
        return torch.cat([self.decode(self(part)[0]) for part in tokens.split(count)])

    def encode(self, words: Iterable[Word]) -> Tensor:
        """Letter indices of words of one length, (batch, time).

        Raises:
            ValueError: if a letter is unknown, or lengths differ.
        """
        index = {a: i for i, a in enumerate(self.letters)}
        rows = [encode_word(word, index) for word in words]
        if len({len(row) for row in rows}) > 1:
            raise ValueError("Argument 'words' must have one length, or come one by one.")
        return torch.as_tensor(np.array(rows, np.int64))
