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
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lrnn_theory.export.readout import (
    Decoder,
    Pairs,
    check_pairs,
    fill_pairs,
    one_hot_index,
    set_weight,
    units_of,
)
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.transition import Dense, Diagonal, Householder, Transition
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
        words = read = int(np.prod([k for k, _ in shape["slots"]]))
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


# -------------------------------------------------------------------- from an LRNN


def to_torch(lrnn: LRNN, dtype: torch.dtype = torch.float32) -> TorchLRNN:
    """The `nn.Module` of an LRNN; see `LRNN.to_torch`."""
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"Argument 'dtype' must be a floating-point torch.dtype, not {dtype!r}.")
    lrnn = trimmed(lrnn)
    module = TorchLRNN(structure_of(lrnn)).to(dtype)
    fill(module, lrnn)
    for level, target in zip(lrnn.levels, module.levels(), strict=True):
        assert isinstance(target, TorchLevel)
        fill_cell(target.cell, level.layer)
        for parameter, words in zip(target.decoder.codewords, level.layer.codewords, strict=True):
            set_weight(parameter, floats(words).reshape(len(words), -1))
    return module


def fill(module: TorchLRNN, lrnn: LRNN) -> None:
    """Set all weights but those of recurrences and decoders from a trimmed LRNN."""
    set_weight(module.embedding.weight, np.eye(module.structure["classes"])[lrnn.letter_class])
    for level, target in zip(lrnn.levels, module.levels(), strict=True):
        set_weight(target.action.weight, np.eye(level.layer.n_actions)[level.action].T)
        fill_pairs(target.wiring, level.next if target.shifted else folded(level))
        if target.shifted:
            fill_pairs(target.coordinate, level.layer.readout[:, :, 1])
            target.get_buffer("initial")[level.layer.initial] = 1
    for table, target in zip(lrnn.combine, module.combine, strict=True):
        assert isinstance(target, Pairs)
        fill_pairs(target, table)
    set_weight(module.output.weight, np.eye(len(lrnn.output_symbols))[lrnn.output].T)


def structure_of(lrnn: LRNN) -> dict[str, Any]:
    """Names and sizes of a trimmed LRNN's module, as plain data."""
    combine = [
        [*table.shape, len(units_of(table)[1]), int(table.max()) + 1] for table in lrnn.combine
    ]
    for sizes in combine:
        check_pairs(*sizes)
    return {
        "letters": list(lrnn.letters),
        "output_symbols": list(lrnn.output_symbols),
        "kind": lrnn.kind,
        "empty_output": int(lrnn.empty_output),
        "classes": int(lrnn.letter_class.max()) + 1,
        "heads": [[level_shape(level) for level in head] for head in lrnn.heads],
        "combine": combine,
        "final": len(lrnn.output),
    }


def trimmed(lrnn: LRNN) -> LRNN:
    """The LRNN without contexts that its tables have but nothing leads to.

    Raises:
        ValueError: if the LRNN has an exclusion tail.
    """
    if lrnn.tail is not None:
        raise ValueError(
            "An LRNN with an exclusion tail computes its wiring instead of storing it, and cannot "
            "be exported as a module; compile it with construction 'dense'."
        )
    heads, finals = [], []
    for head in lrnn.heads:
        contexts, levels = int(lrnn.letter_class.max()) + 1, []
        for level in head:
            levels.append(
                replace(level, action=level.action[:contexts], next=level.next[:contexts])
            )
            contexts = int(level.next[:contexts].max()) + 1
        heads.append(tuple(levels))
        finals.append(contexts)
    final, combine = finals[0], []
    for table, contexts in zip(lrnn.combine, finals[1:], strict=True):
        combine.append(table[:final, :contexts])
        final = int(combine[-1].max()) + 1
    return replace(lrnn, heads=tuple(heads), combine=tuple(combine), output=lrnn.output[:final])


def level_shape(level: Level) -> dict[str, Any]:
    """The sizes of a level, as plain data."""
    layer, below = level.layer, int(level.next.max()) + 1
    match layer.transition:
        case Householder() as t:
            kind, factors = "householder", int(t.factors.max(initial=0))
        case Diagonal():
            kind, factors = "diagonal", 0
        case Dense():
            kind, factors = "dense", 0
    shape = {
        "contexts": len(level.action),
        "actions": layer.n_actions,
        "transition": kind,
        "factors": factors,
        "n": layer.n,
        "d": layer.d,
        "slots": [[len(w), w.shape[1] * w.shape[2]] for w in layer.codewords],
        "reads": level.reads,
        "below": below,
    }
    wiring = level.next if level.reads == "shifted" else folded(level)
    shape["units"] = len(units_of(wiring)[1])
    check_pairs(len(wiring), wiring.shape[1], shape["units"], below)
    if level.reads == "shifted":
        current = layer.readout[:, :, 1]
        shape["size"], shape["coordinate_units"] = layer.size, len(units_of(current)[1])
        check_pairs(len(current), current.shape[1], shape["coordinate_units"], layer.size)
    return shape


def folded(level: Level) -> NDArray[np.int32]:
    """The next context by context and codeword, (contexts, codewords)."""
    which = {"previous": 0, "current": 1}[level.reads]
    coordinate = level.layer.readout[level.action, :, which]
    return np.take_along_axis(level.next, coordinate.astype(np.int64), axis=1)


def floats(array: NDArray[Any]) -> NDArray[np.float64]:
    """Exact numbers as the nearest doubles."""
    return array.astype(np.float64) if array.dtype != object else np.vectorize(float)(array)


def fill_cell(cell: Cell, layer: Layer) -> None:
    """Set the weights of a recurrence."""
    match layer.transition:
        case Householder(keys=keys, betas=betas, ptr=ptr):
            keys, betas = floats(keys), floats(betas)
            with torch.no_grad():
                for a, (start, end) in enumerate(pairwise(ptr.tolist())):
                    set_weight(cell.keys[a, : end - start], keys[start:end])
                    set_weight(cell.betas[a, : end - start], betas[start:end])
        case Diagonal(diagonal=diagonal):
            set_weight(cell.diagonal, floats(diagonal))
        case Dense(matrices=matrices):
            set_weight(cell.matrices, floats(matrices))
    set_weight(cell.inputs, floats(layer.b))
    set_weight(cell.h0, floats(layer.h0))


# -------------------------------------------------------------------- and back


def from_torch(module: TorchLRNN) -> LRNN:
    """The LRNN of a module's weights, floats taken for the rationals that they are.

    Raises:
        ValueError: if wiring does not map one-hot vectors to one-hot vectors, as after training.
    """
    heads = tuple(tuple(_level(level) for level in head) for head in module.chains())
    output = one_hot_index("the output", module.output.weight.detach().T)
    return LRNN(
        letters=module.letters,
        letter_class=one_hot_index("the embedding", module.embedding.weight.detach()),
        heads=heads,
        output=output,
        empty_output=module.empty_output,
        combine=tuple(cast(Pairs, pairs).table() for pairs in module.combine),
        kind=module.kind,
        output_symbols=module.output_symbols,
        reason="read from an exported module",
    )


def _level(level: ExportedLevel) -> Level:
    if not isinstance(level, TorchLevel):
        raise ValueError(
            "A module of flash-linear-attention is not read back as an LRNN; try it on words."
        )
    cell, shape = level.cell, level.shape

    def numbers(x: Tensor) -> NDArray[np.float64]:
        return x.detach().cpu().double().numpy()

    transition: Transition
    if cell.kind == "householder":
        actions, factors, n = cell.keys.shape
        ptr = np.arange(actions + 1) * factors
        transition = Householder(
            numbers(cell.keys).reshape(-1, n), numbers(cell.betas).ravel(), ptr
        )
    elif cell.kind == "diagonal":
        transition = Diagonal(numbers(cell.diagonal))
    else:
        transition = Dense(numbers(cell.matrices))
    parts = zip(level.decoder.codewords, _rows(shape), strict=True)
    words = tuple(numbers(w).reshape(len(w), rows, shape["d"]) for w, rows in parts)
    count = int(np.prod([len(w) for w in words]))
    readout = np.zeros((cell.inputs.shape[0], count, 2), np.int64)
    size, initial = count, 0
    if level.shifted:
        readout[:, :, 1] = level.coordinate.table()
        size, initial = shape["size"], int(level.get_buffer("initial").argmax())
    else:
        readout += np.arange(count)[:, None]
    layer = Layer(transition, numbers(cell.inputs), numbers(cell.h0), words, readout, size, initial)
    action = one_hot_index("an action", level.action.weight.detach().T)
    reads = "shifted" if level.shifted else "current"
    return Level(layer, action, level.wiring.table(), reads)


def _rows(shape: dict[str, Any]) -> list[int]:
    return [m // shape["d"] for _, m in shape["slots"]]
