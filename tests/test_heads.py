"""Parallel heads: an automaton as several smaller ones side by side."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from constructions import compile_dfa
from constructions.heads import HEADS
from lrnn_theory import Automaton, Proved, Refuted, languages, verify
from lrnn_theory.construction import core_of
from lrnn_theory.strategies import automata, group_automata
from lrnn_theory.subdirect import subdirect_factors


def check_factors(delta, factors):
    n = delta.shape[1]
    for labels in factors:
        blocks = [np.flatnonzero(labels == b) for b in range(labels.max() + 1)]
        for row in delta:
            assert all(len(set(labels[row[block]])) == 1 for block in blocks)
    for some in [factors, *([x for x in factors if x is not y] for y in factors)]:
        together = len({tuple(x) for x in np.array(some).reshape(len(some), n).T.tolist()})
        assert (together == n) == (some is factors)


@settings(deadline=None, max_examples=60)
@given(automata(max_states=7, max_letters=2))
def test_factors_tell_the_states_and_none_can_be_spared(automaton):
    core = core_of(automaton)[1]
    assume(core.n_states > 1)
    check_factors(core.delta, subdirect_factors(core.delta))


@settings(deadline=None, max_examples=30)
@given(group_automata(5))
def test_factors_of_groups(automaton):
    check_factors(automaton.delta, subdirect_factors(automaton.delta))


def side_by_side(x, y, kind, seed):
    """Both at once, with random answers."""
    rng = np.random.default_rng(seed)
    n, m = x.n_states, y.n_states
    rows = [
        (a[:, None] * m + b).ravel()
        for a, b in zip(x.delta, y.delta[np.arange(x.n_letters) % y.n_letters], strict=True)
    ]
    if kind == "dfa":
        return Automaton.from_table(rows, accepting=rng.integers(2, size=n * m).astype(bool))
    shape = (n * m,) if kind == "moore" else (len(rows), n * m)
    outputs = rng.integers(3, size=shape)
    return Automaton.from_table(rows, outputs=outputs, output_symbols=("x", "y", "z"))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    automata(max_states=3, max_letters=3), automata(max_states=3, max_letters=3),
    st.sampled_from(["dfa", "moore", "mealy"]), st.integers(0, 99),
)  # fmt: skip
def test_any_product(x, y, kind, seed):
    automaton = side_by_side(x, y, kind, seed)
    core = core_of(automaton)[1]
    assume(not HEADS.obstacles(core))
    lrnn = HEADS(automaton)
    assert len(lrnn.heads) >= 2
    for arithmetic in ("exact", "bfloat16", "float16@tree"):
        assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


@pytest.mark.parametrize(
    ("automaton", "widths", "factors"),
    [
        (languages.mod(6), (3, 1), 2),
        (languages.mod(12), (3, 2), 2),
        (languages.mod(60), (3, 2, 5), 4),
    ],
    ids=["6", "12", "60"],
)
def test_counting(automaton, widths, factors):
    lrnn = compile_dfa(automaton)
    assert (lrnn.construction, lrnn.n_layers, lrnn.max_factors) == ("heads", 1, factors)
    assert sorted(lrnn.widths) == sorted(widths)
    assert isinstance(verify(lrnn, automaton, "bfloat16"), Proved)


def test_fewer_layers_than_one_cascade():
    automaton = languages.BESTIARY["mqtt_broker"]()
    lrnn = compile_dfa(automaton)
    assert (lrnn.construction, lrnn.n_layers) == ("heads", 3)
    assert compile_dfa(automaton, "regular_language").n_layers == 8
    assert isinstance(verify(lrnn, automaton, "bfloat16"), Proved)


def test_a_wrong_combination_is_refuted():
    automaton = languages.mod(6, accept=1)
    lrnn = HEADS(automaton)
    broken = replace(lrnn, combine=(np.roll(lrnn.combine[0], 1, axis=1),))
    assert isinstance(verify(broken, automaton, "exact"), Refuted)


def test_what_is_no_product_is_refused():
    for automaton in (languages.mod(8), languages.full_transformation_monoid(3), languages.mod(1)):
        with pytest.raises(ValueError, match="no two smaller automata"):
            HEADS(automaton)
