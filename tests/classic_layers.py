"""Torch layers of the classic range that are refuted on parity, and the words that confuse them.

A layer without a convolution has one A and one B for every letter, and steps H <- A H + B.  If A is
diagonal, torch rounds what the arithmetic "float32" rounds, in whatever order it adds the zeros of
a row.  The A of a DeltaNet is a product of factors in the LRNN, and rounded factor by factor in
torch; `multiplied` is the LRNN of the matrices as torch holds them.  Rows of 4 are multiplied and
added from left to right, so that it again takes the steps that torch takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from lrnn_theory import LRNN, Dense, Diagonal, Refuted, check, languages, refute
from lrnn_theory.learning import Architecture, Ensemble, Model, Recipe, of_automaton, train
from lrnn_theory.learning.examination import to_lrnn

SHARES = {"deltanet": 25, "mamba": 25, "mamba2": 15, "gla": 15, "mlstm": 10, "rwkv6": 10}
"""A hundred layers."""
TRAINED = 5
"""Of every architecture; the others are as they are drawn."""
SHORT = 20_000
"""Longest words of the cast model that are run."""
PARITY = languages.parity()


def models(name: str, count: int, trained: int) -> Iterator[Model]:
    """So many models of one classic layer with heads of 4 rows; the last ones are trained."""
    options = {"state_size": 4, "expand": 1} if name.startswith("mamba") else {}
    shape = Architecture(name, "[0,1]", layers=1, width=8, heads=2, conv_size=0, options=options)
    drawn = Ensemble(shape, 2, 2, range(count - trained))
    yield from map(drawn.model, range(count - trained))
    if not trained:
        return
    task = of_automaton(PARITY, "parity", lengths=((3, 20), (20, 40)))
    recipe = Recipe(steps=60, batch=32, learning_rate=1e-2)
    learnt = train(task, shape, recipe, seeds=tuple(range(count - trained, count)))
    yield from map(learnt.ensemble.model, range(trained))


def letters_of(model: Model) -> dict[str, torch.Tensor]:
    """What the layer computes from each letter."""
    block: Any = model.blocks[0]
    features = block.layer.features(block.norm(model.embedding.weight[:, None]))
    return {name: x[:, 0] for name, x in features.items()}


def multiplied(lrnn: LRNN, model: Model) -> LRNN:
    """The LRNN with the matrices that torch multiplies by, rounded as they are there."""
    if isinstance(lrnn.levels[0].layer.transition, Diagonal):
        return lrnn
    block: Any = model.blocks[0]
    a = block.layer.transition(letters_of(model))
    letters, heads, n = a.shape[:3]
    whole = torch.zeros(letters, heads, n, heads, n)
    for head in range(heads):
        whole[:, head, :, head] = a[:, head]
    level = lrnn.levels[0]
    layer = replace(level.layer, transition=Dense(whole.reshape(letters, heads * n, -1).numpy()))
    return replace(lrnn, heads=((replace(level, layer=layer),),))


def end(model: Model, word: Any) -> torch.Tensor:
    """The state that the layer reaches, step by step."""
    block: Any = model.blocks[0]
    word = torch.tensor([[int(letter) for letter in word]])
    return block.layer.states({name: x[word] for name, x in letters_of(model).items()})[0, -1]


def end_and_error(lrnn: LRNN, word: Any) -> tuple[np.ndarray, float]:
    """The state in exact arithmetic, nearly, and how far from it float32 can come.

    |A| <= 1, so errors of steps add up.  An entry of A has three roundings, a row of the product
    and the sum n + 1: a step errs by at most (n + 4) u (sqrt(n) |H| + |B|), Frobenius norms, with a
    little more for products of roundings.  float64 stands for exact arithmetic: its error is 2^-29
    of that.
    """
    layer = lrnn.levels[0].layer
    a = [layer.transition.matrix(i).astype(float) for i in range(2)]
    b, h, largest = layer.b.astype(float), layer.h0.astype(float), 0.0
    for letter in word:
        h = a[int(letter)] @ h + b[int(letter)]
        largest = max(largest, float(np.linalg.norm(h)))
    n, norm = layer.n, max(map(np.linalg.norm, b))
    step = 1.01 * (n + 4) * 2.0**-24 * (n**0.5 * largest + float(norm))
    return h, len(word) * step


@dataclass(frozen=True)
class Outcome:
    """What became of a layer.

    Attributes:
        theorem: what says that the words are confused, in float32.
        length: of the longer word.
        same: whether the layer's states after the two words have the same bits.
        difference: between the states after the words of the LRNN of factors, over the largest
            entry; for diagonal A that is the same LRNN.
        allowed: what rounding can add to the difference of the exact states, likewise.
        alike: whether the whole model, run by its parallel scan, gives one answer to both words.
        cast: the theorem in the cast model.
        cast_length: of the longer word there.
        cast_same: whether the layer's states after these words have the same bits; None if they
            are longer than `SHORT`.
    """

    theorem: str
    length: int
    same: bool
    difference: float
    allowed: float
    alike: bool
    cast: str
    cast_length: int
    cast_same: bool | None


@torch.no_grad()
def outcome(model: Model) -> Outcome:
    """Refute a model, and run the words through its layer.

    Raises:
        AssertionError: if it is not refuted, or a word is not what the refutation says.
    """
    lrnn = to_lrnn(model, PARITY, words=64, length=20)
    own = multiplied(lrnn, model)
    pairs = []
    for network, arithmetic in ((own, "float32"), (lrnn, "float32"), (lrnn, "float32:cast")):
        found = refute(network, PARITY, arithmetic)
        assert found is not None
        assert found.other is not None
        assert {found.answered, found.expected} == {"0", "1"}
        pairs.append((found.other, found.word, found.statistics))
    again = check(found.certificate, lrnn)  # in the cast model
    assert isinstance(again, Refuted)
    assert again.expected == found.expected
    (one, other, facts), (short, long, _), (*cast, cast_facts) = pairs
    for first, second in ((one, other), (short, long)):
        assert PARITY.accepts(first) != PARITY.accepts(second)
    states = [end(model, word) for word in (short, long)]
    (h, error), (g, more) = (end_and_error(lrnn, word) for word in (short, long))
    scale = float(states[0].abs().max())
    fits = cast_facts["length"] <= SHORT
    answers = [model(torch.tensor([[int(x) for x in w]]))[0, -1].argmax() for w in (one, other)]
    return Outcome(
        facts["theorem"],
        facts["length"],
        torch.equal(end(model, one), end(model, other)),
        float((states[0] - states[1]).norm()) / scale,
        (float(np.linalg.norm(h - g)) + error + more) / scale,
        bool(answers[0] == answers[1]),
        cast_facts["theorem"],
        cast_facts["length"],
        torch.equal(*(end(model, word) for word in cast)) if fits else None,
    )
