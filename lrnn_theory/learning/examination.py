"""After training: a model of one layer becomes an `LRNN`, which can be verified and extracted.

The layer's input is then a letter's normalised embedding, so that it has one A and one B for every
letter.  These are taken as the rationals that the floats are.  The decoder of an LRNN is a table:
a state is taken for the nearest of some *codewords*, the mean states after random words that lead
to one state of the automaton, and what is answered there is what the model itself answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrnn_theory.arguments import check_type
from lrnn_theory.automaton import Automaton
from lrnn_theory.learning.layers import DeltaProduct, GatedDeltaNet, RecurrentLayer
from lrnn_theory.learning.layers.base import Features
from lrnn_theory.learning.model import Model
from lrnn_theory.lrnn import LRNN, Layer, Level
from lrnn_theory.transition import Dense, Diagonal, Householder, Transition
from lrnn_theory.verification import Horizon, Refuted, Undecided, Verdict, horizon, verify

LONGEST = 100_000
"""Letters of a word that a model is run on."""


@torch.no_grad()
def to_lrnn(
    model: Model, automaton: Automaton, *, words: int = 256, length: int = 40, seed: int = 0
) -> LRNN:
    """The LRNN of a trained model: its A and B exactly, its answers at codewords.

    Args:
        model: of one block, with a recurrent layer and no short convolution.
        automaton: what it was trained on, a DFA or a Moore machine; its responses number the
            answers.
        words: random words from which the codewords are taken.
        length: their length.
        seed: of the words.

    Raises:
        ValueError: if the model has more blocks, a baseline or a convolution, or does not fit the
            automaton.
    """
    block, layer = _only_layer(model)
    if automaton.kind == "mealy" or automaton.n_letters != model.embedding.num_embeddings:
        raise ValueError("Argument 'automaton' must be the DFA or Moore machine of the training.")
    embedded = model.embedding.weight[:, None]
    features = layer.features(block.norm(embedded))  # letters are the batch, of one step
    of_letter: Features = {name: x[:, 0] for name, x in features.items()}
    b = layer.input(of_letter).flatten(1, 2)  # heads one under the other
    rng = np.random.default_rng(seed)
    tokens = torch.from_numpy(rng.integers(automaton.n_letters, size=(words, length)))
    states, reached = _states(layer, of_letter, tokens), _run(automaton, tokens.numpy())
    known = np.unique(reached)
    codewords = torch.stack([states[torch.from_numpy(reached == q)].mean(0) for q in known])
    answers = _answers(model, block, layer, of_letter, codewords)
    k, letters = len(known), automaton.n_letters
    heads_under = codewords.flatten(1, 2)
    readout = np.arange(k)[None, :, None].repeat(letters, 0).repeat(2, 2)
    layer_ = Layer(
        _transition(layer, of_letter),
        b.numpy(),
        np.zeros(b.shape[1:], np.int64),
        (heads_under.numpy(),),
        readout,
        k,
        int(np.argmin(heads_under.square().flatten(1).sum(1).numpy())),
    )
    following = np.arange(letters * k).reshape(letters, k)
    return LRNN(
        automaton.letters,
        np.arange(letters),
        ((Level(layer_, np.arange(letters), following, "current"),),),
        answers.ravel(),
        int(np.asarray(automaton.response)[automaton.initial]),
        kind=automaton.kind,
        output_symbols=automaton.output_symbols,
        construction="trained",
    )


@dataclass(frozen=True)
class Examination:
    """What a trained model of one layer turns out to be.

    Attributes:
        lrnn: its LRNN.
        verdict: whether that tracks the automaton, in an arithmetic.
        collision: two words that lead to the same state although they need different answers, so
            that no readout can be right (`refute`); None if none were found.
        confirmed: a refuting word that the model itself answers wrongly; None without one.
        agreement: share of the prefixes of random words on which model and LRNN answer alike.
        horizon: where the LRNN first errs on random words.
        eigenvalues: of A, (letters, heads, n), complex.
    """

    lrnn: LRNN
    verdict: Verdict
    collision: Refuted | None
    confirmed: tuple[str, ...] | None
    agreement: float
    horizon: Horizon
    eigenvalues: NDArray[np.complex128]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON, without the LRNN."""
        verdict = self.verdict
        facts: dict[str, Any] = {"verdict": type(verdict).__name__.lower()}
        if isinstance(verdict, Refuted):
            facts["word"] = list(verdict.word)
        if isinstance(verdict, Undecided):
            facts["covered"] = verdict.covered
        if self.collision is not None:
            pair = (self.collision.word, self.collision.other or ())
            facts["collision"] = [list(w) if len(w) <= LONGEST else repr(w) for w in pair]
        magnitudes = np.abs(self.eigenvalues)
        return facts | {
            "arithmetic": verdict.arithmetic,
            "confirmed": self.confirmed and list(self.confirmed),
            "agreement": self.agreement,
            "horizon": self.horizon.minimum,
            "right up to": min(self.horizon.covered),
            "largest eigenvalue": float(magnitudes.max()),
            "least real part": float(self.eigenvalues.real.min()),
        }


@torch.no_grad()
def examine(
    model: Model,
    automaton: Automaton,
    arithmetic: str = "float32",
    *,
    budget: int = 20_000,
    words: int = 256,
    length: int = 256,
) -> Examination:
    """Verify a trained model of one layer, and compare it with its LRNN.

    Args:
        model: see `to_lrnn`.
        automaton: what it was trained on.
        arithmetic: number format and rounding.
        budget: configurations to examine.
        words: random words on which model and LRNN are compared.
        length: their length.
    """
    from lrnn_theory.dispatch import scan

    lrnn = to_lrnn(model, automaton)
    verdict = verify(lrnn, automaton, arithmetic, budget=budget)
    rng = np.random.default_rng(1)
    tokens = torch.from_numpy(rng.integers(automaton.n_letters, size=(words, length)))
    same = model(tokens).argmax(-1) == scan(lrnn, tokens, arithmetic)
    collision = _collision(lrnn, automaton, arithmetic)
    found = [verdict.word] if isinstance(verdict, Refuted) else []
    if collision is not None:
        found += [collision.word, collision.other or ()]
    short = [tuple(word) for word in found if 0 < len(word) <= LONGEST]
    wrong = [word for word in short if not answers_right(model, automaton, word)]
    confirmed = min(wrong, key=len, default=None)
    first = horizon(lrnn, automaton, arithmetic, "random", length=1000, count=10)
    share = float(same.float().mean())
    values = eigenvalues(model)
    return Examination(lrnn, verdict, collision, confirmed, share, first, values)


def _collision(lrnn: LRNN, automaton: Automaton, arithmetic: str) -> Refuted | None:
    """Words that no readout tells apart: of the refuter, or else short powers of a letter."""
    try:
        refute = import_module("lrnn_theory.impossibility").refute
    except ImportError:
        refute = None
    if refute is not None:
        return refute(lrnn, automaton, arithmetic)
    for i, letter in enumerate(lrnn.letters):
        alone = replace(lrnn, letters=(letter,), letter_class=lrnn.letter_class[[i]])
        wanted = replace(automaton, letters=(letter,), delta=automaton.delta[[i]])
        verdict = verify(alone, wanted, arithmetic, decoder="any", budget=2000)
        if isinstance(verdict, Refuted):
            return verdict
    return None


@torch.no_grad()
def answers_right(model: Model, automaton: Automaton, word: Any) -> bool:
    """Whether a model answers a nonempty word like the automaton.

    Args:
        model: any model.
        automaton: a DFA or a Moore machine.
        word: names of letters.
    """
    letters = automaton.encode(word)
    tokens = torch.from_numpy(np.asarray(letters, np.int64))[None]
    expected = np.asarray(automaton.response)[automaton.run(word)]
    return int(model(tokens)[0, -1].argmax()) == int(expected)


@torch.no_grad()
def eigenvalues(model: Model) -> NDArray[np.complex128]:
    """Eigenvalues of A of every letter: (letters, heads, n).

    Raises:
        ValueError: if the model has more blocks, a baseline or a convolution.
    """
    block, layer = _only_layer(model)
    features = layer.features(block.norm(model.embedding.weight[:, None]))
    return np.linalg.eigvals(layer.transition(features)[:, 0].double().numpy()).astype(complex)


def _only_layer(model: Model) -> tuple[Any, RecurrentLayer]:
    check_type("model", model, Model)
    block: Any = model.blocks[0]
    layer = block.layer
    if len(model.blocks) != 1 or not isinstance(layer, RecurrentLayer) or layer.conv_size:
        raise ValueError(
            "Argument 'model' must have one recurrent layer and no convolution "
            "(layers=1, conv_size=0)."
        )
    return block, layer


def _transition(layer: RecurrentLayer, x: Features) -> Transition:
    """A of every letter, heads one under the other; factors stay factors."""
    heads, n = layer.heads, layer.n
    if isinstance(layer, DeltaProduct) and not isinstance(layer, GatedDeltaNet):
        keys = x["k"].flip(1).flatten(1, 2).numpy()  # (letters, factors * heads, n); first is left
        betas = x["β"].flip(1).flatten(1, 2).numpy()
        padded = np.zeros((*keys.shape[:2], heads, n), keys.dtype)
        index = np.arange(keys.shape[1])
        padded[:, index, index % heads] = keys
        ptr = np.arange(len(keys) + 1) * keys.shape[1]
        return Householder(padded.reshape(-1, heads * n), betas.ravel(), ptr)
    a = layer.transition(x)
    if not (a - torch.diag_embed(torch.diagonal(a, dim1=-2, dim2=-1))).any():
        return Diagonal(torch.diagonal(a, dim1=-2, dim2=-1).flatten(1).numpy())
    dense = np.zeros((len(a), heads, n, heads, n), np.float32)
    for head in range(heads):
        dense[:, head, :, head] = a[:, head].numpy()
    return Dense(dense.reshape(len(a), heads * n, heads * n))


def _states(layer: RecurrentLayer, x: Features, tokens: Tensor) -> Tensor:
    """States after every prefix: (words, length, heads, n, d)."""
    return layer.states({name: feature[tokens] for name, feature in x.items()})


def _run(automaton: Automaton, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """The automaton's state after every prefix: (words, length)."""
    q, reached = np.full(len(tokens), automaton.initial), []
    for letter in tokens.T:
        q = automaton.delta[letter, q]
        reached.append(q)
    return np.stack(reached, 1)


def _answers(
    model: Model, block: Any, layer: RecurrentLayer, x: Features, codewords: Tensor
) -> NDArray[np.int64]:
    """What the model answers at every codeword after every letter: (letters, codewords)."""
    k = len(codewords)
    repeated = {
        name: feature[:, None].expand(-1, k, *feature.shape[1:]) for name, feature in x.items()
    }
    letters = len(model.embedding.weight)
    states = codewords.expand(letters, *codewords.shape)
    y = layer.readout(states, repeated)
    embedded = model.embedding.weight[:, None].expand(-1, k, -1)
    return model.head(model.norm(block.after(embedded, y))).argmax(-1).numpy()
