"""Certificates of one letter in the cast model: what the checker accepts is so, for all lengths."""

import json
from dataclasses import replace
from fractions import Fraction as Q

import numpy as np
import pytest
from cast_evaluation import cast
from cast_walk import walk
from hypothesis import given, settings
from hypothesis import strategies as st
from test_certificates import forged
from test_verify_cast import FORMATS, machine, scalar, vector

from lrnn_theory import LRNN, Automaton, Dense, Level, Proved, Refuted, check, verify
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.strategies import SPECTRAL_CLASSES, spectral_networks
from lrnn_theory.verification import checker
from lrnn_theory.verification.certificate import certify
from lrnn_theory.verification.recheck import refusal

EVENTUAL = checker.load("eventual")
HALF = Q(1, 2)


def proved(lrnn, name, preperiod, period, **options):
    """The certificate of what the network does, which is an automaton with these numbers."""
    answers = [x for _, x in walk(lrnn, [("1", preperiod + period)], name)]
    right = machine([lrnn.empty_output, *answers], preperiod, period)
    verdict = verify(lrnn, right, f"{name}:cast", **options)
    assert isinstance(verdict, Proved)
    assert verdict.method == "eventual"
    return verdict.certificate


CASES = {
    "a decay to 0": (scalar(Q(9, 10), 0, 5, (0, 3)), "fixed8.4", 20, 1),
    "a decay to 0, of floats": (scalar(Q(3, 4), 0, 5, (0, 3)), "float8_e4m3", 20, 1),
    "one that alternates": (scalar(Q(-9, 10), 0, 5, (-3, 3)), "fixed8.4", 60, 1),
    "a sum that comes to rest": (scalar(HALF, 1, 0, (0, 3)), "fixed8.4", 20, 1),
    "a sum that runs to the end": (scalar(1, Q(1, 4), 0, (0, 5)), "fixed8.4", 60, 1),
    "one that runs to the other end": (scalar(1, -Q(1, 4), 0, (0, -5)), "fixed8.4", 60, 1),
    "a power that runs to the end": (scalar(Q(11, 10), 0, 1, (0, 5)), "fixed8.4", 60, 1),
    "a midpoint from above": (vector([[1, 0], [1, HALF]], [0, 0], [Q(1, 4), 5],
                                     [[0, 0], [0, 1]]), "{0,1,2}", 20, 1),
    "a midpoint from below": (vector([[1, 0], [1, HALF]], [0, 0], [Q(1, 4), -5],
                                     [[0, 0], [0, 1]]), "{0,1,2}", 20, 1),
    "a turn that shrinks": (vector([[0, Q(9, 10)], [Q(-9, 10), 0]], [1, 0], [2, 1],
                                   [[0, 0], [1, 1]]), "fixed8.4", 60, 4),
    "a turn that stays": (vector([[0, 1], [-1, 0]], [Q(1, 4), 0], [2, 1],
                                 [[0, 0], [1, 1]]), "fixed8.4", 8, 4),
    "a Jordan block": (vector([[HALF, 1], [0, HALF]], [1, 1], [2, 1],
                              [[0, 0], [4, 1]]), "fixed8.4", 40, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("decoder", ["own", "any"])
def test_what_settles_is_proved_again(name, decoder):
    lrnn, form, preperiod, period = CASES[name]
    certificate = proved(lrnn, form, preperiod, period, decoder=decoder)
    again = check(certificate, lrnn)
    assert isinstance(again, Proved)
    assert again.method == "eventual"
    if decoder == "own":
        for i in range(1, period + 1):
            with pytest.raises(ValueError, match="answered wrongly"):
                check(forged(certificate, lambda d, i=i: flip(d["automaton"]["answers"][0], -i)))


def flip(answers, i):
    answers[i] = {"0": "1", "1": "0"}[answers[i]]


def test_levels_above_others():
    below = scalar(HALF, 1, 0, (0, 2), reads="shifted").levels[0]
    above = scalar(-1, 0, 1, (1, -1)).levels[0]
    above = replace(above, action=np.zeros(2, int), next=np.array([[0, 1]] * 2), reads="previous")
    lrnn = LRNN(("1",), np.zeros(1, int), ((below, above),), np.array([0, 1]), 0)
    certificate = proved(lrnn, "fixed8.4", 10, 2)
    assert isinstance(check(certificate, lrnn), Proved)


def action(data):
    return data["lrnn"]["heads"][0][0]["actions"][0]


LIES = {
    "too early": (lambda d: d.update(preperiod=3), "not (stay|come)|repeat"),
    "no period": (lambda d: d.update(period=0), "no period"),
    "too long": (lambda d: d.update(preperiod=10**6), "1000001 letters .* 5000; verify "),
    "a turn": (lambda d: action(d).update(a=[[[0, "-1"]]]), "wrongly|stay|come|repeat"),
    "a growth": (lambda d: action(d).update(a=[[[0, "2"]]]), "wrongly"),
    "a drift": (lambda d: action(d).update(b=["1/8"]), "wrongly"),
    "an answer": (lambda d: d["automaton"]["answers"][0].__setitem__(0, "0"), "answered wrongly"),
    "the empty word": (lambda d: d["lrnn"].update(empty="1"), "empty word"),
    "an irrational input": (
        lambda d: (
            d["lrnn"].update(field={"polynomial": ["-2", "0", "1"], "interval": ["1", "2"]}),
            action(d).update(b=["0 1/1000000"]),
        ),
        "irrational",
    ),
    "a decoder": (lambda d: d.update(decoder="some"), "one letter"),
    "another arithmetic": (lambda d: d.update(arithmetic="fixed8.4:each"), "one letter"),
    "an orbit": (lambda d: d.update(method="orbit"), "come back"),
    "a field": (lambda d: d.update(bound="1"), "unexpected keyword"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_forgeries_are_rejected(lie):
    """0.9^k, of which the answer is 1 as long as it is near to 5."""
    change, reason = LIES[lie]
    lrnn = scalar(Q(9, 10), 0, 5, (0, 3))
    certificate = proved(lrnn, "fixed8.4", 20, 1)
    with pytest.raises(ValueError, match=reason):
        check(forged(certificate, change))


def test_the_automaton_must_repeat_as_well():
    """The network says 0 from length 12 on; a walk of 51 does not see that 1 is wanted at 100."""
    lrnn = scalar(Q(9, 10), 0, 5, (0, 3))
    answers = [int(1 <= k <= 11) for k in range(102)]
    facts = {"method": "eventual", "preperiod": 50, "period": 1}
    arithmetic = Arithmetic.parse("fixed8.4:cast")
    assert isinstance(check(certify(lrnn, machine(answers, 101, 1), arithmetic, "proved",
                                    **facts | {"preperiod": 101})), Proved)  # fmt: skip
    for at in (100, 101):
        late = [*answers[:at], 1, *answers[at + 1 :]]
        with pytest.raises(ValueError, match="keep does not repeat"):
            check(certify(lrnn, machine(late, 101, 1), arithmetic, "proved", **facts))


def test_actions_count_from_where_they_repeat():
    """Eleven letters add 1 each, and then all decay: at length 20 they have not come to rest."""
    first = scalar(HALF, 0, Q(8, 5) * 2**11, (0, 3)).levels[0]
    layer = scalar(0, 0, 0, (0, 3)).levels[0].layer
    layer = replace(
        layer,
        transition=Dense(np.array([[[Q(9, 10)]], [[1]]])),
        b=np.array([[[0]], [[1]]]),
        readout=np.array([[[0, 0], [1, 1]]] * 2),
    )
    second = Level(layer, np.arange(2), np.array([[0, 1]] * 2), "current")
    lrnn = LRNN(("1",), np.zeros(1, int), ((first, second),), np.array([0, 1]), 0)
    answers = [0, *(x for _, x in walk(lrnn, [("1", 80)], "fixed8.4"))]
    assert (answers[20:22], answers[79:]) == ([1, 1], [0, 0])
    arithmetic = Arithmetic.parse("fixed8.4:cast")
    for preperiod in (20, 75):
        right = machine(answers, preperiod, 1)
        facts = {"method": "eventual", "preperiod": preperiod, "period": 1}
        certificate = certify(lrnn, right, arithmetic, "proved", **facts)
        if preperiod == 75:
            assert isinstance(check(certificate), Proved)
        else:
            with pytest.raises(ValueError, match=r"does not stay|come to rest"):
                check(certificate)


@pytest.mark.parametrize(
    ("lrnn", "answer", "turns"),
    [
        (scalar(Q(9, 10), 0, 5, (0, 3)), 1, 12),
        (scalar(Q(11, 10), 0, 1, (0, 5)), 0, 10),
        (scalar(Q(9, 10), Q(1, 2), 0, (0, 6)), 0, 10),
        (scalar(1, Q(1, 4), 0, (0, 5)), 0, 11),
    ],
    ids=["a decay", "a growth", "a sum of decays", "a drift"],
)
def test_what_has_not_settled_when_the_walk_ends(lrnn, answer, turns):
    """All that a walk of 6 letters sees is right, and later it is not."""
    answers = [x for _, x in walk(lrnn, [("1", 20)], "fixed8.4")]
    assert answers.index(1 - answer) == turns - 1
    facts = {"method": "eventual", "preperiod": 5, "period": 1}
    early = machine([lrnn.empty_output, answer], 1, 1)
    with pytest.raises(ValueError, match=r"does not stay|come to rest"):
        check(certify(lrnn, early, Arithmetic.parse("fixed8.4:cast"), "proved", **facts))


def test_one_that_alternates_about_a_limit_near_a_midpoint():
    """L + (-15/16)^k / 32 leaves the cell of L = 7/256 every other time, at first."""
    limit, factor = Q(7, 256), Q(15, 16)
    step, start = [[1, 0], [(1 + factor) * limit, -factor]], [1, limit + Q(1, 32)]
    lrnn = vector(step, [0, 0], start, [[1, 0], [1, Q(1, 16)]])
    answers = [x for _, x in walk(lrnn, [("1", 7)], "fixed8.4")]
    assert answers[4:] == [0, 1, 0]
    facts = {"method": "eventual", "preperiod": 5, "period": 1}
    arithmetic = Arithmetic.parse("fixed8.4:cast")
    certificate = certify(lrnn, machine([0, *answers], 5, 1), arithmetic, "proved", **facts)
    as_seen = {"answers": [list(map(str, answers[:6]))]}
    with pytest.raises(ValueError, match="does not stay"):
        check(forged(certificate, lambda d: d["automaton"].update(as_seen)))


def test_any_readout_has_no_last_letter_of_the_empty_word():
    lrnn = scalar(Q(9, 10), 0, 5, (0, 3))
    certificate = proved(lrnn, "fixed8.4", 20, 1, decoder="any")
    assert isinstance(check(forged(certificate, lambda d: d["lrnn"].update(empty="1"))), Proved)


@given(st.integers(0, 10**9))
@settings(max_examples=30)
def test_every_flipped_bit_is_noticed(place):
    text = bytearray(FLIPPED)
    place %= 8 * len(text)
    text[place // 8] ^= 1 << place % 8
    with pytest.raises(ValueError):  # noqa: PT011 - UTF-8, JSON or the digest
        check(json.loads(text.decode()))


FLIPPED = proved(scalar(Q(9, 10), 0, 5, (0, 3)), "fixed8.4", 20, 1).text().encode()


def test_what_is_right_and_out_of_reach_of_the_checker():
    """Two powers that grow, of which the larger one wins; and words that are too long."""
    lrnn = vector([[0, 1], [-6, 5]], [0, 0], [1, 4], [[0, 0], [7, 7]])
    certificate = proved(lrnn, "fixed8.4", 12, 1)
    with pytest.raises(ValueError, match="not seen to shrink"):
        check(certificate)
    lrnn = vector([[1, 1], [0, 1]], [0, 0], [1, 4], [[0, 0], [7, 7]])
    with pytest.raises(ValueError, match="a sequence that grows"):
        check(proved(lrnn, "fixed8.4", 12, 1))
    certificate = proved(scalar(Q(999, 1000), 0, 1, (0, 1)), "float32", 800, 1)
    with pytest.raises(ValueError, match=r"^\d+ letters .* followed for 5000; verify .* \("):
        check(certificate)
    assert "letters in the cast model" in refusal(certificate)
    assert not refusal(proved(scalar(HALF, 1, 0, (0, 3)), "fixed8.4", 20, 1))


def test_the_cost_of_the_cast_model_is_that_of_its_terms():
    """The k-th letter moves k of them; two words add up, and so do layers."""
    lrnn, said = scalar(HALF, 1, 0, (0, 3)), []
    later = forged(proved(lrnn, "fixed8.4", 20, 1), lambda d: d.update(preperiod=99))
    checker.check(later, said.append)
    assert said == ["proved: 5100 steps of layers, 10 to 500 microseconds each"]
    words = (("1",) * 30, ("1",) * 40)
    alike = certify(lrnn, Automaton.from_regex("1{40}1*"), Arithmetic.parse("fixed8.4:cast"),
                    "confused", words=words)  # fmt: skip
    checker.check(alike.data, said.append)
    assert said[1:] == ["confused: 1320 steps of layers, 10 to 500 microseconds each"]


@pytest.mark.parametrize(("claim", "rest"), [("refuted", ""), ("confused", "; lrnn check .*")])
def test_a_word_too_long_for_the_cast_model(claim, rest):
    """It is said before anything is replayed, and `check` knows what to do of two words."""
    lrnn, runs = scalar(HALF, 1, 0, (0, 3)), [("1", 5001)]
    certificate = certify(lrnn, Automaton.from_regex("1{5001}"), Arithmetic.parse("fixed8.4:cast"),
                          claim, runs=runs, words=[[("1", 5000)], runs])  # fmt: skip
    letters = 5001 if claim == "refuted" else 10_001
    reason = f"^{letters} letters in the cast model, which is followed for 5000{rest}$"
    with pytest.raises(ValueError, match=reason):
        checker.check(certificate.data, pytest.fail)
    if claim == "confused":
        assert isinstance(check(certificate, lrnn), Refuted)
    assert bool(refusal(certificate)) == (claim == "refuted")


# -------------------------------------------------------------------- laws


@settings(max_examples=8)
@given(
    spectral_networks(SPECTRAL_CLASSES, "1", 2, 2, 1),
    st.sampled_from(FORMATS[:8]),
    st.sampled_from([1, 2, 4, 12]),
    st.sampled_from([0, 1, 2, 5, 40]),
    st.sampled_from([1, 2, 3, 4, 12]),
)
def test_what_is_accepted_holds_by_the_formula(lrnn, name, period, early, other):
    """Whatever preperiod and period a certificate states: accepted, it is right far beyond."""
    steps = [x for _, x in walk(lrnn, [("1", 200)], name)]
    right = machine([lrnn.empty_output, *steps], 30, period)
    verdict = verify(lrnn, right, f"{name}:cast", budget=20_000)
    if not isinstance(verdict, Proved) or verdict.method != "eventual":
        return
    certificate = verdict.certificate
    if certificate.data["preperiod"] > 300:  # which takes the checker long
        return
    for change in ({}, {"preperiod": early, "period": other}):
        try:
            checker.check(forged(certificate, lambda d, change=change: d.update(change)))
        except ValueError:
            continue
        state = right.initial
        for answer in steps:
            state = right.delta[0, state]
            assert answer == right.accepting[state]


TERMS = st.fractions(-3, 3, max_denominator=8)
ROOTS = st.sampled_from([Q(0), Q(1), Q(-1), HALF, -HALF, Q(9, 10), Q(-9, 10), Q(3, 2), Q(1, 3)])


@given(
    st.lists(st.tuples(ROOTS, TERMS), min_size=1, max_size=4, unique_by=lambda x: x[0]), st.data()
)
def test_a_cast_that_is_said_to_stay_stays(modes, data):
    """Sums of powers, by their definition; every sequence that is accepted is followed for long."""
    form = checker.Arithmetic("fixed8.4:cast").form
    first = data.draw(st.integers(0, 80))

    def near(x):
        return cast(Q(x), "fixed8.4")

    u = [sum((w * root**k for root, w in modes), Q(0)) for k in range(first, first + 400)]
    try:
        stays = EVENTUAL.need_stays(u[: 2 * len(modes)], len(modes), near, form.ends)
    except ValueError:
        return
    assert {near(x) for x in u} == {stays}


@given(st.lists(TERMS, min_size=1, max_size=4), st.lists(TERMS, min_size=4, max_size=4))
def test_recurrences_are_found(c, first):
    u = [Q(x) for x in first]
    while len(u) < 12:
        u.append(sum((x * u[-1 - i] for i, x in enumerate(c)), Q(0)))
    found = EVENTUAL.recurrence(u)
    assert len(found) <= 4
    assert all(EVENTUAL.follow(found, u[:k]) == u[k] for k in range(len(found), 12))
