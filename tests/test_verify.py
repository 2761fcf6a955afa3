"""`verify`: laws on random automata, then what every part of it promises."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from agreement import ARITHMETICS, check_refutation, forged, truth_of
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import counter, turning, weighing

from constructions import CONSTRUCTIONS, compile_dfa
from lrnn_theory import (
    Automaton,
    Budget,
    Dense,
    Proved,
    Refuted,
    Undecided,
    check,
    extract,
    languages,
    scan,
    verify,
)
from lrnn_theory.strategies import automata

# -------------------------------------------------------------------- laws on random automata


@given(automata(max_states=8, max_letters=3))
def test_a_compiled_automaton_is_proved_in_every_arithmetic(automaton: Automaton) -> None:
    lrnn = compile_dfa(automaton)
    for arithmetic in ARITHMETICS:
        assert isinstance(verify(lrnn, automaton, arithmetic), Proved)


@settings(max_examples=12)
@given(automata(max_states=8, max_letters=3), st.data())
def test_the_scan_agrees_with_automata_lib_on_long_words(
    automaton: Automaton, data: st.DataObject
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    tokens = rng.integers(0, automaton.n_letters, (4, 2_000))
    lengths = np.array([2_000, *rng.integers(0, 2_001, 3)])
    arithmetic = data.draw(st.sampled_from(ARITHMETICS))
    outputs = scan(compile_dfa(automaton), tokens, arithmetic, lengths=lengths)
    truth = truth_of(automaton)
    for word, length, row in zip(tokens.tolist(), lengths.tolist(), outputs.tolist(), strict=True):
        state, answers = truth.start, []
        for a in word[:length]:
            state, answer = truth.step(state, automaton.letters[a])
            answers.append(answer)
        assert [automaton.output_symbols[i] for i in row[:length]] == answers
        assert set(row[length:]) <= {-1}


@given(automata(max_states=6, max_letters=2), st.data())
def test_a_network_is_compared_with_another_automaton(
    automaton: Automaton, data: st.DataObject
) -> None:
    """One changed entry of the automaton: the verdict is that of a search by other means."""
    response, delta = automaton.response.copy(), automaton.delta.copy()
    table = data.draw(st.sampled_from([delta, response]))
    n = len(automaton.output_symbols) if table is response else automaton.n_states
    table.flat[data.draw(st.integers(0, table.size - 1))] = data.draw(st.integers(0, n - 1))
    if automaton.kind == "dfa":
        other = replace(automaton, delta=delta, accepting=response == 1)
    else:
        other = replace(automaton, delta=delta, outputs=response)
    arithmetic = data.draw(st.sampled_from(ARITHMETICS))
    verdict = verify(compile_dfa(automaton), other, arithmetic)
    word = automaton.difference(other)
    if word is None:
        assert isinstance(verdict, Proved)
    else:
        assert isinstance(verdict, Refuted)
        assert len(verdict.word) == len(word)
        assert verdict.answered == truth_of(automaton).answer(verdict.word)
        assert verdict.expected == truth_of(other).answer(verdict.word)


# -------------------------------------------------------------------- constructions


FITTING = {
    "parity": languages.parity(),
    "cyclic": languages.mod(6),
    "permutation": languages.symmetric_group(3),
    "signed_permutation": languages.symmetric_group(4, "two"),
    "star_free": languages.tomita(2),
    "star_free_shift": languages.tomita(2),
    "regular_language": languages.tomita(4),
    "input_shift": languages.tomita(7),
    "offset_register": languages.last_letter_and_parity_of_ab(),
    "blocks": languages.last_letter_and_parity_of_ab(),
    "heads": languages.mod(6),
    "signed_diagonal": languages.quaternion_group(),
    "one_factor": languages.tomita(7),
    "dense": languages.flip_flop(),
}


@pytest.mark.parametrize("arithmetic", [*ARITHMETICS, "float64", "float8_e4m3", "float8_e5m2"])
@pytest.mark.parametrize("construction", FITTING)
def test_every_exact_construction_is_proved_in_every_format(
    construction: str, arithmetic: str
) -> None:
    automaton = FITTING[construction]
    lrnn = compile_dfa(automaton, construction)
    verdict = verify(lrnn, automaton, arithmetic)
    assert isinstance(verdict, Proved)
    assert verdict.arithmetic.startswith(arithmetic)
    assert isinstance(check(verdict.certificate, lrnn), Proved)


def test_no_construction_is_left_out() -> None:
    assert {*FITTING, "rotation", "reflections", "orthogonal", "complex_diagonal"} == set(
        CONSTRUCTIONS
    )


@pytest.mark.parametrize(("m", "states"), [(3, 3), (5, 34), (7, 153)])
def test_a_rotation_locks_onto_a_cycle_in_float32(m: int, states: int) -> None:
    """The numbers of states are those of an independent enumeration in exact rationals."""
    automaton = languages.mod(m)
    lrnn = compile_dfa(automaton, "rotation")
    assert isinstance(verify(lrnn, automaton, "exact"), Proved)
    verdict = verify(lrnn, automaton, "float32")
    assert isinstance(verdict, Proved)
    assert verdict.statistics["layer states"] == states
    assert isinstance(check(verdict.certificate, lrnn), Proved)


def test_a_rotation_is_refuted_where_rounding_breaks_it() -> None:
    seven = languages.mod(7)
    lrnn = compile_dfa(seven, "rotation")
    verdict = verify(lrnn, seven, "bfloat16")
    assert isinstance(verdict, Refuted)
    outputs = scan(lrnn, [[0] * len(verdict.word)], "bfloat16")[0].tolist()
    wanted = [int(t % 7 == 0) for t in range(1, len(outputs) + 1)]
    assert outputs[:-1] == wanted[:-1]  # it is a shortest word
    assert outputs[-1] != wanted[-1]
    assert check(verdict.certificate, lrnn) == verdict


# -------------------------------------------------------------------- budgets


def test_a_budget_in_seconds() -> None:
    verdict = verify(counter(6), "a{6}a*", "exact", budget=Budget(seconds=1e-9))
    assert isinstance(verdict, Undecided)
    assert verdict.covered == 0
    assert " s;" in verdict.reason
    assert isinstance(verify(counter(6), "a{6}a*", "bfloat16", budget=Budget(seconds=60)), Proved)


def test_time_ends_also_where_fractions_grow() -> None:
    """A layer by itself would take minutes, and one length of a closure may."""
    begun = time.monotonic()
    verdict = verify(turning(), "a*", "exact", budget=Budget(seconds=0.5))
    assert isinstance(verdict, Undecided)
    reason = "more than 0.5 s; raise the budget (--seconds, Budget(seconds=...)) to go on"
    assert verdict.reason == reason
    any_readout = verify(turning(), "a*", "exact", budget=Budget(seconds=0.5), decoder="any")
    assert isinstance(any_readout, Undecided)
    assert any_readout.covered > 100
    with pytest.raises(ValueError, match=r"takes more than 0\.5 s; raise"):
        extract(turning(), "exact", budget=Budget(seconds=0.5))
    assert time.monotonic() - begun < 10


def test_time_ends_on_orbits_and_in_the_cast_model() -> None:
    never = replace(counter(2**60), output=np.array([1, 1]), empty_output=1)
    verdict = verify(never, "a*", "float64", budget=Budget(seconds=2))
    assert isinstance(verdict, Undecided)
    assert verdict.reason.startswith("more than 2 s; ")
    assert verdict.covered >= 10_000
    decay = weighing([5], [[100], [0]], Dense(np.array([[[Fraction(9, 10)]]])))
    proved = verify(decay, "a*", "float8_e4m3:cast", decoder="any")
    assert isinstance(proved, Proved)
    assert proved.method == "eventual"
    late = verify(decay, "a*", "float8_e4m3:cast", decoder="any", budget=Budget(seconds=1e-9))
    assert isinstance(late, Undecided)
    assert late.reason.startswith("more than 1e-09 s; ")


def test_a_layer_that_runs_away_on_its_own_is_given_up() -> None:
    """A reflection stretched to -2 is right for ever, and its exact states never repeat."""
    lrnn = compile_dfa("(0|10*1)*")
    level = lrnn.levels[0]
    transition = replace(level.layer.transition, betas=np.array([3]))
    layer = replace(level.layer, transition=transition)
    lrnn = replace(lrnn, heads=((replace(level, layer=layer),),))
    verdict = verify(lrnn, "(0|10*1)*", "exact", budget=200)
    assert isinstance(verdict, Undecided)
    assert verdict.covered == 199
    assert "200 states" in verdict.statistics["not compositional"]
    assert isinstance(verify(lrnn, "(0|10*1)*", "float16"), Proved)  # they end at infinity there


def test_progress_is_told() -> None:
    told: list[int] = []
    verify(counter(6), "a{6}a*", "exact", budget=100, progress=told.append)
    assert told == sorted(told)
    assert told[-1] <= 101


def test_a_budget_must_be_positive() -> None:
    with pytest.raises(ValueError, match="'configurations' must be positive, not 0"):
        Budget(configurations=0)
    with pytest.raises(ValueError, match="'seconds' must be positive, not 0"):
        Budget(seconds=0)
    with pytest.raises(ValueError, match="must be positive, not -1"):
        verify(counter(6), "a{6}a*", budget=-1)


# -------------------------------------------------------------------- words, outputs, letters


def test_the_empty_word() -> None:
    lrnn = compile_dfa("(aa)*")
    for arithmetic in ARITHMETICS:
        verdict = verify(replace(lrnn, empty_output=0), "(aa)*", arithmetic)
        assert isinstance(verdict, Refuted)
        assert (verdict.word, verdict.answered, verdict.expected) == ((), "0", "1")
        check_refutation(
            verdict, replace(lrnn, empty_output=0), truth_of(Automaton.from_regex("(aa)*"))
        )
    assert isinstance(verify(compile_dfa("(aa)+"), "(aa)*"), Refuted)


def test_a_mealy_machine_does_not_answer_the_empty_word() -> None:
    """Its initial state may be unlike any other, and still no empty word refutes it."""
    machine = Automaton.from_table([[1, 1], [1, 1]], outputs=[[0, 1], [0, 1]], letters="ab")
    lrnn = compile_dfa(machine)
    assert isinstance(verify(lrnn, machine), Proved)
    other = replace(machine, outputs=np.array([[1, 1], [0, 1]], np.int32))
    verdict = verify(lrnn, other)
    assert isinstance(verdict, Refuted)
    assert (verdict.word, verdict.answered, verdict.expected) == (("a",), "0", "1")


def test_outputs_are_compared_by_name() -> None:
    """The same machine with its symbols listed in another order, and with symbols never used."""
    moore = Automaton.from_table(
        [[1, 0], [0, 1]], outputs=[0, 1], output_symbols=("on", "off"), letters="ab"
    )
    same = Automaton.from_table(
        [[1, 0], [0, 1]], outputs=[3, 1], output_symbols=("red", "off", "blue", "on"), letters="ab"
    )
    wrong = replace(same, output_symbols=("red", "off", "on", "blue"))
    lrnn = compile_dfa(moore)
    for arithmetic in ARITHMETICS:
        assert isinstance(verify(lrnn, same, arithmetic), Proved)
        verdict = verify(lrnn, wrong, arithmetic)
        assert isinstance(verdict, Refuted)
        assert (verdict.word, verdict.answered, verdict.expected) == ((), "on", "blue")
        assert check(verdict.certificate, lrnn).certificate is verdict.certificate


def test_output_names_that_repeat_are_refused() -> None:
    """With two outputs of one name an index says less than it seems."""
    with pytest.raises(ValueError, match="output_symbols"):
        replace(compile_dfa("(aa)*"), output_symbols=("0", "0", "1"))


@given(automata(max_states=5, max_letters=3), st.randoms())
def test_letters_in_another_order(automaton: Automaton, rng: Any) -> None:
    letters = list(automaton.letters)
    rng.shuffle(letters)
    lrnn = compile_dfa(automaton)
    assert isinstance(verify(lrnn, automaton.with_letters(letters), "bfloat16"), Proved)
    assert isinstance(verify(compile_dfa(automaton.with_letters(letters)), automaton), Proved)


def test_a_network_that_merges_too_many_letters_is_refuted_by_one_of_them() -> None:
    lrnn = compile_dfa(Automaton.from_regex("[ab]*c[abc]*", "abc"))
    merged = replace(lrnn, letter_class=np.zeros(3, np.int32))
    verdict = verify(merged, Automaton.from_regex("[ab]*c[abc]*", "abc"))
    assert isinstance(verdict, Refuted)
    assert verdict.word == ("c",)


def test_a_network_may_tell_more_letters_apart_than_the_automaton() -> None:
    lrnn = compile_dfa(Automaton.from_regex("[ab]*c[abc]*", "abc"))
    level = lrnn.levels[0]
    assert lrnn.letter_class.tolist() == [0, 0, 1]
    for classes, rows in (([0, 2, 1], [0, 1, 0]), ([5, 2, 1], [0, 1, 0, 0, 0, 0])):
        fine = replace(level, action=level.action[rows], next=level.next[rows])
        other = replace(
            lrnn,
            letter_class=np.array(classes, np.int32),
            heads=((fine, *lrnn.heads[0][1:]),),
        )
        verdict = verify(other, Automaton.from_regex("[ab]*c[abc]*", "abc"))
        assert isinstance(verdict, Proved)
        assert isinstance(check(verdict.certificate, other), Proved)


def test_many_letters_of_one_class() -> None:
    wanted = Automaton.from_regex(r"(\d\d)*")
    verdict = verify(compile_dfa(wanted), wanted)
    assert isinstance(verdict, Proved)
    wrong = verify(compile_dfa(wanted), Automaton.from_regex(r"([0-8]\d)*", "0123456789"))
    assert isinstance(wrong, Refuted)
    assert len(wrong.word) == 2
    assert wrong.word[0] == "9"


# -------------------------------------------------------------------- refusals


def test_a_verdict_has_no_truth_value() -> None:
    lrnn = compile_dfa("(aa)*")
    verdicts = [
        verify(lrnn, "(aa)*"),
        verify(lrnn, "a*"),
        verify(counter(6), "a{6}a*", "exact", budget=2),
    ]
    assert [type(v) for v in verdicts] == [Proved, Refuted, Undecided]
    for verdict in verdicts:
        with pytest.raises(TypeError, match="isinstance"):
            bool(verdict)


def test_an_automaton_is_given_in_any_form() -> None:
    automaton = Automaton.from_regex("(aa)*b", "ab")
    lrnn = compile_dfa(automaton)
    for form in (automaton, "(aa)*b", automaton.to_dfa(), automaton.to_graph()):
        assert isinstance(verify(lrnn, form), Proved)
    assert isinstance(verify(compile_dfa(Automaton.from_regex("a*", "ab")), "a*"), Proved)


@pytest.mark.parametrize(
    ("automaton", "message"),
    [
        (Automaton.from_regex("(aa)*", "abc"), "reads the letters a b, but .* reads a b c"),
        (Automaton.from_regex("(ac)*"), "reads the letters a b, but .* reads a c"),
        (Automaton.from_table([[0], [0]], outputs=[0]), "answers like a dfa, but .* a moore"),
        (
            Automaton.from_table([[0], [0]], outputs=[[0], [0]]),
            "answers like a dfa, but .* a mealy",
        ),
        ("(ac)*", "'c'"),
    ],
)
def test_other_letters_and_other_kinds_are_refused(automaton: Any, message: str) -> None:
    lrnn = compile_dfa(Automaton.from_regex("(aa)*", "ab"))
    with pytest.raises(ValueError, match=message) as error:
        verify(lrnn, automaton)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lrnn": "(aa)*"}, TypeError, "'lrnn' must be an LRNN, not str"),
        ({"automaton": 3}, TypeError, "Cannot make an automaton of 3"),
        ({"arithmetic": 32}, TypeError, "'arithmetic' must be a string, not int"),
        ({"arithmetic": "float12"}, ValueError, "'arithmetic'"),
        ({"budget": "much"}, TypeError, "'budget'"),
        ({"budget": 1.5}, TypeError, "'budget'"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        verify(**{"lrnn": compile_dfa("(aa)*"), "automaton": "(aa)*", **arguments})
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------- certificates


Forgery = Callable[[dict[str, Any]], None]
FORGERIES: dict[str, Forgery] = {
    "no network": lambda d: d["lrnn"].update(heads=[]),
    "no network, any language": lambda d: (
        d["lrnn"].update(heads=[]),
        d["automaton"].update(response=[0, 1, 1, 1]),
    )[0],
    "unknown reads": lambda d: d["lrnn"]["heads"][0][0].update(reads="gossip"),
    "input out of range": lambda d: d["lrnn"]["heads"][0][0]["actions"][0].update(b=[[0, 9, "5"]]),
    "letters in a text": lambda d: d["automaton"].update(letters="ab"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_certificate_of_something_that_is_no_network_is_rejected(name: str) -> None:
    verdict = verify(compile_dfa("(a|b)*abb", "input_shift"), "(a|b)*abb")
    assert isinstance(verdict, Proved)
    data = deepcopy(verdict.certificate.data)
    FORGERIES[name](data)
    with pytest.raises(ValueError, match=r"."):
        check(forged(verdict.certificate, **data))
