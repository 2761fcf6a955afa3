"""`verify`: laws on random automata and random networks, then what every part of it promises."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from agreement import FORMATS, LIMIT, check_refutation, examine
from fraction_reference import Differs, Reference, RunsAway, Same, Truth, compare
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions import CONSTRUCTIONS, compile_dfa
from lrnn_theory import (
    LRNN,
    Automaton,
    Budget,
    Dense,
    Diagonal,
    Householder,
    Layer,
    Level,
    Proved,
    Refuted,
    Undecided,
    check,
    languages,
    scan,
    verify,
)
from lrnn_theory.strategies import automata

ARITHMETICS = ("exact", *FORMATS)


def truth_of(automaton: Automaton) -> Truth:
    """The automaton as automata-lib and plain lists have it."""
    delta, response = automaton.delta.tolist(), automaton.response
    answers = np.array(automaton.output_symbols, object)[response].tolist()
    letters = automaton.letters
    return Truth.of_table(automaton.kind, delta, letters, answers, automaton.initial)


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


# -------------------------------------------------------------------- laws on random networks


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Small layers of every kind of transition, with several slots and columns."""
    n, d = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    n_actions, size = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def weights(*shape: int) -> np.ndarray:
        some = st.sampled_from([0, 0, 1, 1, -1, 2, Fraction(1, 2)])
        count = math.prod(shape)
        values = draw(st.lists(some, min_size=count, max_size=count))
        return np.array([*values, None], object)[:-1].reshape(shape)

    kind = draw(st.sampled_from([Dense, Diagonal, Householder]))
    transition: Any
    if kind is Householder:
        counts = draw(st.lists(st.integers(0, 2), min_size=n_actions, max_size=n_actions))
        ptr = np.cumsum([0, *counts])
        transition = Householder(weights(int(ptr[-1]), n), weights(int(ptr[-1])), ptr)
    else:
        transition = kind(weights(n_actions, n, *([n] if kind is Dense else [])))
    cut = draw(st.integers(1, n))
    rows = [cut, n - cut] if cut < n else [n]
    words = tuple(weights(draw(st.integers(1, 2)), r, d) for r in rows)
    shape = (n_actions, math.prod(map(len, words)), 2)
    return Layer(
        transition,
        weights(n_actions, n, d),
        weights(n, d),
        words,
        draw(_indices(size, *shape)),
        size,
        draw(st.integers(0, size - 1)),
    )


@st.composite
def _indices(draw: st.DrawFn, bound: int, *shape: int) -> np.ndarray:
    count = math.prod(shape)
    values = draw(st.lists(st.integers(0, bound - 1), min_size=count, max_size=count))
    return np.array(values, np.int32).reshape(shape)


@st.composite
def networks(draw: st.DrawFn) -> LRNN:
    """Mealy networks of one or two heads of up to two levels over the letters a and b."""
    heads, finals = [], []
    for _ in range(draw(st.integers(1, 2))):
        contexts, levels = 2, []
        for _ in range(draw(st.integers(0, 2))):
            layer, below = draw(layers()), draw(st.integers(1, 3))
            action = draw(_indices(layer.n_actions, contexts))
            nxt = draw(_indices(below, contexts, layer.size))
            reads = draw(st.sampled_from(["previous", "current", "shifted"]))
            levels.append(Level(layer, action, nxt, reads))
            contexts = below
        heads.append(tuple(levels))
        finals.append(contexts)
    combine = () if len(heads) == 1 else (draw(_indices(4, *finals)),)
    return LRNN(
        letters=("a", "b"),
        letter_class=draw(_indices(2, 2)),
        heads=tuple(heads),
        combine=combine,
        output=draw(_indices(2, finals[0] if len(heads) == 1 else 4)),
        empty_output=-1,
        kind="mealy",
        output_symbols=("x", "y"),
    )


def extracted(lrnn: LRNN, limit: int = 60) -> tuple[list[list[int]], list[list[str]]] | None:
    """The Mealy machine of all reachable configurations, by the reference."""
    reference = Reference(lrnn)
    number, order = {reference.start: 0}, [reference.start]
    delta: list[list[int]] = [[] for _ in lrnn.letters]
    answers: list[list[str]] = [[] for _ in lrnn.letters]
    for configuration in order:
        for a, letter in enumerate(lrnn.letters):
            after, answer, _ = reference.step(configuration, letter)
            if number.setdefault(after, len(order)) == len(order):
                order.append(after)
            delta[a].append(number[after])
            answers[a].append(answer)
        if len(order) > limit:
            return None
    return delta, answers


@settings(max_examples=150)
@given(networks(), st.data())
def test_a_network_is_proved_to_be_what_it_is_and_nothing_else(
    lrnn: LRNN, data: st.DataObject
) -> None:
    machine = extracted(lrnn)
    assume(machine is not None)
    assert machine is not None
    delta, answers = machine
    truth, wanted = _mealy(delta, answers)
    outcome = compare(lrnn, truth, LIMIT)
    assert isinstance(outcome, Same)
    arithmetics = ARITHMETICS if outcome.small else ("exact",)
    for arithmetic in arithmetics:
        assert isinstance(examine("itself", lrnn, wanted, truth, outcome, arithmetic), Proved)
    # One answer changed: a shortest word to that state, and its letter, refute it.
    a = data.draw(st.integers(0, 1))
    q = data.draw(st.integers(0, len(delta[0]) - 1))
    answers[a][q] = "y" if answers[a][q] == "x" else "x"
    truth, wanted = _mealy(delta, answers)
    outcome = compare(lrnn, truth, LIMIT)
    for arithmetic in arithmetics:
        verdict = examine("another", lrnn, wanted, truth, outcome, arithmetic)
        assert isinstance(verdict, Refuted)


@settings(max_examples=150)
@given(networks(), automata(max_states=2, max_letters=2, kinds=["mealy"]))
def test_a_random_network_and_a_random_automaton(lrnn: LRNN, automaton: Automaton) -> None:
    """Networks whose states run away, too."""
    if automaton.n_letters == 1:
        automaton = replace(
            automaton,
            delta=np.repeat(automaton.delta, 2, 0),
            outputs=np.repeat(automaton.response, 2, 0),
            letters=("a", "b"),
        )
    automaton = replace(automaton, outputs=automaton.response % 2, output_symbols=("x", "y"))
    truth = truth_of(automaton)
    outcome = compare(lrnn, truth, LIMIT)
    examine("random", lrnn, automaton, truth, outcome, "exact")


def _mealy(delta: list[list[int]], answers: list[list[str]]) -> tuple[Truth, Automaton]:
    outputs = np.array([["xy".index(x) for x in row] for row in answers])
    automaton = Automaton.from_table(delta, letters="ab", outputs=outputs, output_symbols="xy")
    return Truth.of_table("mealy", delta, "ab", answers), automaton


# -------------------------------------------------------------------- constructions


FITTING = {
    "parity": languages.parity(),
    "cyclic": languages.mod(6),
    "permutation": languages.symmetric_group(3),
    "regular_language": languages.tomita(4),
    "input_shift": languages.tomita(7),
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
    assert {*FITTING, "rotation"} == set(CONSTRUCTIONS)


def test_a_rotation_is_proved_exactly_and_refuted_where_rounding_breaks_it() -> None:
    three, many = languages.mod(3), languages.mod(100)
    assert isinstance(verify(compile_dfa(three, "rotation"), three, "exact"), Proved)
    lrnn = compile_dfa(many, "rotation")
    verdict = verify(lrnn, many, "float8_e4m3")
    assert isinstance(verdict, Refuted)
    answered = scan(lrnn, [[0] * len(verdict.word)], "float8_e4m3", outputs="last")
    assert lrnn.output_symbols[answered[0]] == verdict.answered != verdict.expected
    assert check(verdict.certificate, lrnn) == replace(verdict, certificate=verdict.certificate)


# -------------------------------------------------------------------- counters that run away


def counter(threshold: int, letters: str = "a", steps: tuple[int, ...] = (1,)) -> LRNN:
    """H <- H + step, accepting once H is nearer to 2 * threshold - 1 than to 0.

    That is from `threshold` on, where the arithmetic can count so far.
    """
    layer = Layer(
        Diagonal(np.ones((len(steps), 1), int)),
        np.array(steps).reshape(-1, 1, 1),
        np.zeros((1, 1), int),
        (np.array([0, 2 * threshold - 1]).reshape(2, 1, 1),),
        np.tile(np.array([[0, 0], [0, 1]], np.int32), (len(steps), 1, 1)),
        2,
        0,
    )
    every = np.arange(len(letters), dtype=np.int32)
    level = Level(layer, every, np.tile(np.array([0, 1], np.int32), (len(letters), 1)), "current")
    return LRNN(tuple(letters), every, ((level,),), np.array([0, 1], np.int32), 0)


def test_the_arithmetic_decides_whether_states_run_away() -> None:
    """Adding 1 sticks at 2^8 in bfloat16 and at 2^11 in float16; an exact counter goes on."""
    lrnn, wanted = counter(6), "a{6}a*"
    for arithmetic, states in (("bfloat16", 257), ("float16", 2049)):
        verdict = verify(lrnn, wanted, arithmetic)
        assert isinstance(verdict, Proved)
        assert verdict.method == "closure"
        assert verdict.statistics["layer states"] == states
        assert isinstance(check(verdict.certificate, lrnn), Proved)
    for arithmetic in ("exact", "float32"):
        verdict = verify(lrnn, wanted, arithmetic, budget=1_000)
        assert isinstance(verdict, Undecided)
        assert verdict.covered == 999


def test_the_arithmetic_decides_the_language() -> None:
    """300 is out of bfloat16's reach, so there the counter rejects everything."""
    lrnn, nothing = counter(300), Automaton.from_table([[0]])
    for arithmetic in ("exact", "float32", "float16"):
        verdict = verify(lrnn, nothing, arithmetic)
        assert isinstance(verdict, Refuted)
        assert verdict.word == ("a",) * 300
        assert (verdict.answered, verdict.expected) == ("1", "0")
        assert isinstance(check(verdict.certificate, lrnn), Refuted)
    assert isinstance(verify(lrnn, nothing, "bfloat16"), Proved)


@pytest.mark.parametrize("budget", [1, 2, 10, 30, 100])
def test_all_words_that_an_undecided_verdict_covers_are_right(budget: int) -> None:
    """Up and down counts: a word is wrong only where it is 8 ahead."""
    lrnn, nothing = counter(8, "ab", (1, -1)), Automaton.from_table([[0], [0]])
    verdict = verify(lrnn, nothing, "exact", budget=budget)
    if budget >= 30:
        assert isinstance(verdict, Refuted)
        assert verdict.word == ("a",) * 8
        return
    assert isinstance(verdict, Undecided)
    assert str(budget) in verdict.reason
    assert verdict.covered == (budget - 1) // 2  # from -n to n in n letters
    for length in range(1, verdict.covered + 1):
        words = list(product(range(2), repeat=length))
        assert not scan(lrnn, words, "exact", outputs="last").any()
    truth = Truth.of_table("dfa", [[0], [0]], "ab", ["0"])
    assert compare(lrnn, truth, budget) == RunsAway(verdict.covered)


# -------------------------------------------------------------------- budgets


def test_a_budget_in_seconds() -> None:
    verdict = verify(counter(6), "a{6}a*", "exact", budget=Budget(seconds=1e-9))
    assert isinstance(verdict, Undecided)
    assert "seconds" in verdict.reason
    assert isinstance(verify(counter(6), "a{6}a*", "bfloat16", budget=Budget(seconds=60)), Proved)


def test_the_budget_also_binds_a_layer_that_runs_away_on_its_own() -> None:
    """A reflection stretched to -2 is right for ever, and its exact states never repeat.

    100,000 of them would take minutes and a gigabyte.
    """
    lrnn = compile_dfa("(0|10*1)*")
    level = lrnn.levels[0]
    transition = replace(level.layer.transition, betas=np.array([3]))
    layer = replace(level.layer, transition=transition)
    lrnn = replace(lrnn, heads=((replace(level, layer=layer),),))
    verdict = verify(lrnn, "(0|10*1)*", "exact", budget=Budget(configurations=200, seconds=5))
    assert isinstance(verdict, Undecided)
    assert verdict.covered >= 100
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


# -------------------------------------------------------------------- exactness


def weighing(h0: Any, codewords: Any, transition: Any = None) -> LRNN:
    """One letter, one action, no input: the answer is 1 if the last codeword is nearest."""
    h0, words = np.array(h0, object), np.array(codewords, object)
    n = len(h0)
    readout = np.zeros((1, len(words), 2), np.int32)
    readout[0, -1, 1] = 1
    layer = Layer(
        transition or Dense(np.eye(n, dtype=int)[None]),
        np.zeros((1, n, 1), int),
        h0.reshape(n, 1),
        (words.reshape(len(words), n, 1),),
        readout,
        2,
        1,
    )
    one = np.zeros(1, np.int32)
    level = Level(layer, one, np.array([[0, 1]], np.int32), "current")
    return LRNN(("a",), one, ((level,),), np.array([0, 1], np.int32), 1)


BIG = 2**63


@pytest.mark.parametrize(
    "lrnn",
    [
        weighing([2**61, 0, 0, 0], [[0, 0, 0, 0], [8, 0, 0, 0]]),
        weighing([BIG], [[0], [BIG]]),
        weighing([BIG + 1], [[BIG], [BIG + 1]]),
        weighing([-BIG], [[0], [-BIG]]),
        weighing(
            [1], [[1], [-1]], Householder(np.array([[2**32]]), np.array([1]), np.array([0, 1]))
        ),
        weighing(
            [1, 0],
            [[0, 0], [2**80, 0]],
            Householder(np.array([[2**20, 2**20], [2**20, 1]]), np.array([1, 1]), np.array([0, 2])),
        ),
    ],
    ids=["decode", "h0", "codeword", "negative", "factor", "product"],
)
def test_exact_means_exact_past_64_bits(lrnn: LRNN) -> None:
    """What is nearest after one letter, by the reference, and by all of ours."""
    truth = Reference(lrnn).answer(("a",))
    assert scan(lrnn, [[0]], "exact").item() == int(truth or "0")
    word = verify(lrnn, Automaton.from_table([[0]], accepting=[0]), "exact", budget=2)
    if truth == "1":
        assert not isinstance(word, Refuted)
    else:
        assert isinstance(word, Refuted)
        assert word.word == ("a",)


def test_a_state_that_is_not_a_number_is_proved_and_checked() -> None:
    """inf - inf: the checker, too, must see that the state comes back."""
    doubling = Dense(np.array([[[2, 0], [2, -2]]]))
    lrnn = weighing([1, 1], [[0, 0]], doubling)
    for arithmetic in ("float16", "float8_e4m3", "bfloat16!nan"):
        verdict = verify(lrnn, "a*", arithmetic)
        assert isinstance(verdict, Proved)
        assert isinstance(check(verdict.certificate, lrnn), Proved)


def test_exact_irrational_scores_are_compared() -> None:
    """A rotation started off the codewords: some of the scores are rational, some are not."""
    six = Automaton.from_table([[1, 2, 3, 4, 5, 0], [0, 1, 2, 3, 4, 5]], accepting=[0])
    lrnn = compile_dfa(six, "rotation")
    level = lrnn.levels[0]
    for start in ([[1], [1]], [[-2], [-2]], [[2], [0]]):
        layer = replace(level.layer, h0=np.array(start))
        moved = replace(lrnn, heads=((replace(level, layer=layer),),))
        truth = truth_of(six)
        outcome = compare(moved, truth, LIMIT)
        assert isinstance(outcome, Same if start == [[2], [0]] else Differs)
        examine(f"start {start}", moved, six, truth, outcome, "exact")


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
        (Automaton.from_regex("(aa)*", "abc"), "letters 'a', 'b'.* reads 'a', 'b', 'c'|letters"),
        (Automaton.from_regex("(ac)*"), "letters"),
        (Automaton.from_table([[0], [0]], outputs=[0]), "answers like a dfa, but .* moore"),
        (Automaton.from_table([[0], [0]], outputs=[[0], [0]]), "answers like a dfa, but .* mealy"),
        ("(ac)*", "c"),
    ],
)
def test_other_letters_and_other_kinds_are_refused(automaton: Any, message: str) -> None:
    lrnn = compile_dfa(Automaton.from_regex("(aa)*", "ab"))
    with pytest.raises(ValueError, match=message) as error:
        verify(lrnn, automaton)
    assert "\n" not in str(error.value)


def test_arguments_of_the_wrong_type_are_refused() -> None:
    lrnn = compile_dfa("(aa)*")
    with pytest.raises(TypeError, match="'lrnn' must be an LRNN, not str"):
        verify("(aa)*", "(aa)*")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="int"):
        verify(lrnn, 3)
    with pytest.raises(TypeError, match="'arithmetic'"):
        verify(lrnn, "(aa)*", 32)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'arithmetic'"):
        verify(lrnn, "(aa)*", "float12")
    with pytest.raises(TypeError, match="budget"):
        verify(lrnn, "(aa)*", budget="much")  # type: ignore[arg-type]
