"""Compiled weights in a torch layer: the same states, and training keeps them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from constructions import compile_dfa
from lrnn_theory import languages
from lrnn_theory.learning import Architecture, Ensemble, Recipe, of_automaton, train
from lrnn_theory.learning.compiled import SCALE, compiled_start
from lrnn_theory.learning.examination import eigenvalues
from lrnn_theory.learning.tasks import moving_at_most

ONE = Architecture("deltanet", "[-1,1]", layers=1, width=16, heads=2, conv_size=0)
TWO = replace(ONE, name="deltaproduct", options={"factors": 2})
CASES = [
    (languages.parity(), ONE),
    (moving_at_most(3, 2), ONE),
    (languages.symmetric_group(3), TWO),
    (languages.alternating_group(5, "two"), replace(TWO, options={"factors": 4})),
]


@pytest.mark.parametrize(("automaton", "architecture"), CASES)
def test_states_are_those_of_the_compiled_layer(automaton, architecture) -> None:
    lrnn = compile_dfa(automaton, "permutation")
    ensemble = Ensemble(architecture, automaton.n_letters, automaton.n_states, (0,))
    for name, value in compiled_start(lrnn, architecture, automaton.n_states).items():
        ensemble.parameters[name].data.copy_(value.expand_as(ensemble.parameters[name]))
    model = ensemble.model(0)
    block, level = model.blocks[0], lrnn.levels[0]
    tokens = torch.randint(automaton.n_letters, (1, 60), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = block.layer.features(block.norm(model.embedding.weight[tokens]))
        states = block.layer.states(features)[0, :, 0].numpy()
    h0 = level.layer.h0.astype(float)
    h = h0.copy()
    n, d = h.shape
    for t, letter in enumerate(tokens[0].tolist()):
        action = int(level.action[lrnn.letter_class[letter]])
        h = level.layer.transition.matrix(action).astype(float) @ h
        # A value of v is stored as -SCALE (h0^T k): the state is in that unit.
        np.testing.assert_allclose(states[t, :n, :d] / SCALE, h - h0, atol=2e-3)
        assert (abs(states[t, n:]) < 1e-3).all()


def test_training_keeps_what_was_compiled() -> None:
    automaton = languages.parity()
    task = of_automaton(automaton, lengths=((1, 16), (16, 64)))
    start = compiled_start(compile_dfa(automaton, "permutation"), ONE, 2)
    recipe = Recipe(steps=60, batch=16, learning_rate=3e-3)
    trained = train(task, ONE, recipe, seeds=(0,), start=start)
    zero, one = eigenvalues(trained.ensemble.model(0))[:, 0].real
    assert zero.min() > 1 - 1e-4
    assert one.min() < -1 + 1e-3
    assert trained.log[-1]["loss"][0] < 0.5


def test_what_does_not_fit() -> None:
    s3 = compile_dfa(languages.symmetric_group(3), "permutation")
    with pytest.raises(ValueError, match="must have heads of 3, 2 factors and a width of 6, not"):
        compiled_start(s3, ONE, 6)
    for changed in ({"eigenvalue_range": "[0,1]"}, {"layers": 2}, {"conv_size": 4}):
        with pytest.raises(ValueError, match="one level of reflections without inputs"):
            compiled_start(s3, replace(TWO, **changed), 6)
    with pytest.raises(ValueError, match="one level of reflections without inputs"):
        compiled_start(compile_dfa("(a|b)*abb"), TWO, 2)
