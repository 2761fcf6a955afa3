"""`extract`: what comes out is what went in, or what rounding made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from fraction_reference import Reference
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from mutants import MACHINES, machine
from networks import counter, networks

from constructions import compile_dfa
from lrnn_theory import LRNN, Automaton, Budget, Proved, Refuted, languages, verify
from lrnn_theory.strategies import automata
from lrnn_theory.verification import configurations
from lrnn_theory.verification.extraction import extract

LARGE = {"random_50", "tcp_server", "dtls_server"}
"""Cascades of 21 layers and more, with millions of configurations."""

FORMATS = [
    "exact", "float64", "float32", "tf32", "bfloat16", "float16", "float8_e5m2", "float8_e4m3",
    "fixed8.4",
]  # fmt: skip
SMALL = [
    "parity", "flip_flop", "mod_5", "mod_4_of_a", "tomita_2", "tomita_7", "contains_aabaa",
    "dyck_3_of_two_kinds", "s3", "d4", "t3", "random_10", "quoted_string", "tcp",
]  # fmt: skip

ARITHMETICS = ["exact", "float32", "bfloat16", "float16"]


def assert_same(found: Automaton, wanted: Automaton) -> None:
    assert found.kind == wanted.kind
    assert found.letters == wanted.letters
    assert found.output_symbols == wanted.output_symbols
    assert found.initial == wanted.initial
    assert found.delta.tolist() == wanted.delta.tolist()
    assert found.response.tolist() == wanted.response.tolist()


# -------------------------------------------------------------------- what was compiled


@pytest.mark.parametrize("name", [name for name in languages.BESTIARY if name not in LARGE])
def test_a_named_machine_comes_back(name: str) -> None:
    m = languages.BESTIARY[name]()
    assert_same(extract(compile_dfa(m), "bfloat16"), m.minimize())


def comes_back(name: str, arithmetic: str) -> None:
    """What is proved is extracted; what is refuted differs first where it is."""
    m = languages.BESTIARY[name]()
    lrnn, minimal = compile_dfa(m), m.minimize()
    verdict = verify(lrnn, minimal, arithmetic)
    found = extract(lrnn, arithmetic)
    if isinstance(verdict, Proved):
        assert_same(found, minimal)
    else:
        assert isinstance(verdict, Refuted)
        assert len(minimal.difference(found) or ()) == len(verdict.word)


@pytest.mark.parametrize("arithmetic", FORMATS)
@pytest.mark.parametrize("name", SMALL)
def test_a_small_machine_comes_back_in_every_format(name: str, arithmetic: str) -> None:
    comes_back(name, arithmetic)


@pytest.mark.slow
@pytest.mark.parametrize("arithmetic", FORMATS)
@pytest.mark.parametrize("name", languages.BESTIARY)
def test_every_machine_comes_back_in_every_format(name: str, arithmetic: str) -> None:
    comes_back(name, arithmetic)


@given(automata(max_states=6, max_letters=3), st.sampled_from(ARITHMETICS), st.booleans())
def test_an_automaton_comes_back(automaton: Automaton, arithmetic: str, shifted: bool) -> None:
    lrnn = compile_dfa(automaton, "input_shift" if shifted else None)
    assert_same(extract(lrnn, arithmetic), automaton.minimize())


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_comes_back_from_heads_and_tails(name: str) -> None:
    m = machine(name)
    assert_same(extract(m.lrnn, "exact"), m.automaton.minimize())


def test_letters_of_one_class_stay_apart_in_name() -> None:
    m = Automaton.from_regex("([ac]b|d)*", "dcba")
    lrnn = compile_dfa(m)
    assert len(set(lrnn.letter_class.tolist())) == 3
    assert_same(extract(lrnn), m)


def test_classes_need_not_be_in_the_order_of_the_letters() -> None:
    m = Automaton.from_regex("a(a|b)*")
    lrnn = compile_dfa(m)
    first = lrnn.levels[0]
    swapped = replace(first, action=first.action[::-1], next=first.next[::-1])
    other = replace(lrnn, letter_class=np.array([1, 0]), heads=((swapped, *lrnn.heads[0][1:]),))
    assert_same(extract(other), m)


# -------------------------------------------------------------------- any network


@settings(max_examples=20)
@given(networks())
def test_a_random_network_is_the_automaton_of_its_configurations(lrnn: LRNN) -> None:
    reference = Reference(lrnn)
    number, delta, outputs = {reference.start: 0}, [], []
    order = [reference.start]
    for configuration in order:
        steps = [reference.step(configuration, letter)[:2] for letter in lrnn.letters]
        order += [x for x in dict.fromkeys(after for after, _ in steps) if x not in number]
        number = {x: i for i, x in enumerate(order)}
        delta.append([number[after] for after, _ in steps])
        outputs.append([lrnn.output_symbols.index(answer) for _, answer in steps])
        assume(len(order) <= 100)
    wanted = Automaton.from_table(
        np.transpose(delta),
        outputs=np.transpose(outputs),
        letters=lrnn.letters,
        output_symbols=lrnn.output_symbols,
    )
    assert_same(extract(lrnn, "exact"), wanted.minimize())
    with patch.object(configurations, "_MERGE_LIMIT", 0):
        assert_same(extract(lrnn, "exact"), wanted.minimize())


@settings(max_examples=20)
@given(networks(), st.sampled_from(["bfloat16", "float8_e4m3", "float8_e5m2!sat"]))
def test_a_network_is_proved_to_be_what_was_extracted(lrnn: LRNN, arithmetic: str) -> None:
    """Whatever rounding does."""
    try:
        found = extract(lrnn, arithmetic, budget=2_000)
    except ValueError:
        reject()
    assert isinstance(verify(lrnn, found, arithmetic), Proved)
    assert_same(found, found.minimize())


# -------------------------------------------------------------------- what rounding makes


def test_a_counter_that_sticks_counts_to_where_it_sticks() -> None:
    """Adding 1 sticks at 2^8 in bfloat16."""
    six, never = extract(counter(6), "bfloat16"), extract(counter(300), "bfloat16")
    assert_same(six, Automaton.from_regex("a{6}a*"))
    assert_same(never, Automaton.from_table([[0]]))
    assert extract(counter(300), "float16").n_states == 301


def test_a_broken_rotation_is_another_automaton() -> None:
    """It differs from what was meant by the word that refutes it."""
    seven = languages.mod(7)
    lrnn = compile_dfa(seven, "rotation")
    assert_same(extract(lrnn, "exact"), seven)
    assert_same(extract(lrnn, "float32"), seven)
    for arithmetic, states in (("float8_e4m3", 316), ("float8_e5m2", 146)):
        found = extract(lrnn, arithmetic)
        assert found.n_states == states
        verdict = verify(lrnn, seven, arithmetic)
        assert isinstance(verdict, Refuted)
        assert verdict.word == seven.difference(found)


def test_the_empty_word_has_an_answer_of_its_own() -> None:
    """The initial state comes back with another output: a state more."""
    lrnn = replace(compile_dfa("(aa)*"), empty_output=0)
    assert_same(extract(lrnn), Automaton.from_regex("(aa)+"))
    moore = Automaton.from_table([[1, 0]], outputs=[2, 1], output_symbols="xyz")
    assert_same(extract(compile_dfa(moore)), moore)
    other = replace(compile_dfa(moore), empty_output=0)
    wanted = Automaton.from_table([[1, 2, 1]], outputs=[0, 1, 2], output_symbols="xyz")
    assert_same(extract(other), wanted)


# -------------------------------------------------------------------- budgets


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 100}, "^The LRNN in float32:each takes more than 100 configurations; raise"),
        ({"budget": Budget(seconds=1e-9)}, "takes more than 1e-09 s; raise"),
        ({"budget": 0}, "'configurations' must be positive"),
        ({"arithmetic": "float12"}, "float12"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        extract(counter(6), **arguments)
    assert "\n" not in str(caught.value)


def test_a_budget_that_is_just_enough() -> None:
    lrnn = compile_dfa(languages.mod(5), "cyclic")
    assert extract(lrnn, budget=5).n_states == 5
    with pytest.raises(ValueError, match="more than 4 configurations"):
        extract(lrnn, budget=4)
