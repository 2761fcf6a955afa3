"""Tasks: what is asked has the right answer, by other means."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory import languages
from lrnn_theory.learning.tasks import (
    TASKS,
    UNASKED,
    ArithmeticTask,
    AutomatonTask,
    BracketsTask,
    Task,
    moving_at_most,
    of_automaton,
)
from lrnn_theory.strategies import automata


def draw(task: Task, words: int, lengths: tuple[int, int], seed: int = 0):
    return task.sample(words, lengths, torch.Generator().manual_seed(seed))


def value(text: str, modulus: int) -> int:
    assert re.fullmatch(r"[-+*()\d]+", text)
    return eval(text, {"__builtins__": {}}) % modulus


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=5)
@given(low=st.integers(1, 12), more=st.integers(0, 12), seed=st.integers(0, 2**31))
def test_shapes_and_ranges(name: str, low: int, more: int, seed: int) -> None:
    task, lengths = TASKS[name](), (low, low + more)
    tokens, labels = draw(task, 7, lengths, seed)
    again = draw(task, 7, lengths, seed)
    assert all(torch.equal(a, b) for a, b in zip((tokens, labels), again, strict=True))
    assert tokens.shape == labels.shape == (7, low + more)
    assert tokens.dtype == labels.dtype == torch.int64
    assert 0 <= tokens.min() <= tokens.max() < len(task.letters)
    asked = labels != UNASKED
    assert not asked[:, : low - 1].any()
    if asked.any():
        assert 0 <= labels[asked].min() <= labels[asked].max() < task.classes


@given(automaton=automata(), seed=st.integers(0, 1000), states=st.booleans())
def test_an_automaton_answers(automaton, seed: int, states: bool) -> None:
    task = of_automaton(automaton, states=states)
    tokens, labels = draw(task, 3, (1, 9), seed)
    for word, said in zip(tokens.numpy(), labels.tolist(), strict=True):
        if states:
            expected = [automaton.run(word[: i + 1]) for i in range(9)]
        elif automaton.kind == "dfa":
            expected = [int(automaton.accepts(word[: i + 1])) for i in range(9)]
        else:
            expected = np.asarray(automaton.transduce(word)).tolist()
        assert said == expected


@given(m=st.integers(2, 10), seed=st.integers(0, 1000))
def test_arithmetic(m: int, seed: int) -> None:
    task = ArithmeticTask.modulo(m)
    tokens, labels = draw(task, 5, (3, 21), seed)
    for word, said in zip(tokens, labels.tolist(), strict=True):
        text = "".join(task.letters[i] for i in word)
        for t, label in enumerate(said):
            if t % 2 or t < 2:
                assert label == UNASKED
            else:
                assert label == value(text[: t + 1], m)


@given(m=st.integers(2, 10), low=st.integers(1, 12), seed=st.integers(0, 1000))
def test_brackets(m: int, low: int, seed: int) -> None:
    task = BracketsTask.modulo(m)
    tokens, labels = draw(task, 20, (low, 30), seed)
    for word, said in zip(tokens, labels, strict=True):
        asked = (said != UNASKED).nonzero()[:, 0].tolist()
        assert len(asked) == 1
        text = "".join(task.letters[i] for i in word)
        assert low <= asked[0] + 1 <= 30
        expression, rest = text[: asked[0] + 1], text[asked[0] + 1 :]
        assert set(rest) <= {"_"}
        # Two operands in a bracket of their own bind as written, so Python reads it alike.
        assert said[asked[0]] == value(expression, m)


def test_brackets_have_every_length() -> None:
    _, labels = draw(BracketsTask.modulo(5), 2000, (3, 12))
    lengths = (labels != UNASKED).nonzero()[:, 1] + 1
    assert sorted(set(lengths.tolist())) == list(range(3, 13))


@pytest.mark.parametrize(("points", "letters"), [(2, 11), (3, 31), (4, 76), (5, 120)])
def test_letters_of_s5(points: int, letters: int) -> None:
    group = moving_at_most(5, points)
    assert (group.n_states, group.n_letters) == (120, letters)


def test_four_tokens_a_permutation() -> None:
    task = TASKS["s5_4_tokens"]()
    tokens, labels = draw(task, 3, (1, 32))
    blank = len(task.letters) - 1
    assert (tokens.view(3, 8, 4)[..., 1:] == blank).all()
    assert (tokens.view(3, 8, 4)[..., 0] != blank).all()
    assert (labels.view(3, 8, 4)[..., :3] == UNASKED).all()
    assert isinstance(task, AutomatonTask)
    group = languages.symmetric_group(5)
    for word, said in zip(tokens.numpy(), labels.tolist(), strict=True):
        assert said[31] == group.run(word[::4])


def test_words_are_uniform() -> None:
    """A chi-squared test that a right sampler fails once in a million seeds; this one does not."""
    tokens, _ = draw(TASKS["s3"](), 2000, (1, 30))
    counts = torch.bincount(tokens.flatten(), minlength=6).double()
    expected = counts.sum() / 6
    assert float(((counts - expected) ** 2 / expected).sum()) < 37


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="'modulus' must be between 2 and 10, not 11"):
        ArithmeticTask.modulo(11)
    with pytest.raises(ValueError, match="'train' must be rising lengths"):
        of_automaton(languages.parity(), lengths=((3, 2), (4, 5)))
