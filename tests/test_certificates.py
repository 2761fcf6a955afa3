"""Certificates are re-proved by a program that shares no code, and forgeries are rejected."""

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import counter, weighing

from constructions import compile_dfa
from lrnn_theory import (
    Automaton,
    Certificate,
    Dense,
    Householder,
    Layer,
    Level,
    Proved,
    Refuted,
    check,
    languages,
    verify,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.cascade import Budget, decompose
from lrnn_theory.strategies import automata
from lrnn_theory.verification import checker
from lrnn_theory.verification.certificate import certify, digest
from lrnn_theory.wiring import wire

CHECKER = Path(checker.__file__)
FILES = sorted(CHECKER.parent.glob("checker*.py"))
ARITHMETICS = ["exact", "float32", "bfloat16", "float16", "float8_e4m3!sat", "float64:each"]


def forged(certificate, change):
    """The certificate with a change and a digest that matches again."""
    data = copy.deepcopy(certificate.data)
    change(data)
    data["digest"] = digest(data)
    return data


def closure_only():
    """Parity by two layers of which the second is right only because the first alternates.

    It adds 1 and -1 in turn; by itself, adding twice in a row would leave its codewords 0 and 1.
    """
    lrnn = compile_dfa("(aa)*")
    first = replace(lrnn.levels[0], reads="previous", next=np.array([[0, 1]]))
    scalar = np.array([[[0]], [[1]]])
    layer = Layer(
        Householder(np.zeros((0, 1), int), np.zeros(0, int), np.zeros(3, int)),
        b=np.array([[[1]], [[-1]]]),
        h0=np.array([[0]]),
        codewords=(scalar,),
        readout=np.array([[[1, 0], [0, 1]]] * 2),
        size=2,
        initial=0,
    )
    second = Level(layer, np.array([0, 1]), np.array([[1, 0]] * 2), "current")
    return replace(lrnn, heads=((first, second),)), Automaton.from_regex("(aa)*")


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_all_methods_are_re_proved(arithmetic):
    lrnn, automaton = closure_only()
    verdict = verify(lrnn, automaton, arithmetic)
    assert isinstance(verdict, Proved)
    assert verdict.method == "closure"
    wrong = verify(lrnn, "(aaa)*", arithmetic)
    assert isinstance(wrong, Refuted)
    assert wrong.word == ("a", "a")
    composed = verify(compile_dfa("a*b(a|b)*"), "a*b(a|b)*", arithmetic)
    for v in (verdict, wrong, composed):
        again = check(v.certificate)
        assert type(again) is type(v)
        assert again.arithmetic == v.arithmetic
    assert check(wrong.certificate).word == wrong.word
    assert (check(wrong.certificate).answered, check(wrong.certificate).expected) == ("1", "0")


@given(automata(max_states=6), st.sampled_from(ARITHMETICS), st.sampled_from([0, 10, 10**6]))
def test_random_certificates_hold_and_lies_do_not(automaton, arithmetic, contexts):
    core = automaton.minimize().merge_letters()[1]
    lrnn = wire(decompose(core, budget=Budget(contexts=contexts)), shifted=False)
    verdict = verify(lrnn, core, arithmetic)
    assert isinstance(verdict, Proved)
    assert isinstance(check(verdict.certificate, lrnn), Proved)

    def lie(data):
        """Claim another answer to a letter in a state; a minimal automaton has no idle ones."""
        data["automaton"]["answers"][0][0] = "lie"

    with pytest.raises(ValueError, match=r"answer|tail|word|proved"):
        check(forged(verdict.certificate, lie))


def test_exact_irrational_weights():
    for m in (3, 5, 8):
        rotation = compile_dfa(languages.mod(m), construction="rotation")
        right = verify(rotation, languages.mod(m), "exact")
        wrong = verify(rotation, languages.mod(m + 1), "exact")
        assert isinstance(check(right.certificate, rotation), Proved)
        assert isinstance(check(wrong.certificate, rotation), Refuted)


def test_nearest_irrational_codeword_needs_real_order():
    """A rotation by 2 pi / 8 read out with the codewords of Z3 is mostly off every codeword."""
    three = compile_dfa(languages.mod(3), construction="rotation")
    eight = compile_dfa(languages.mod(8), construction="rotation")
    layer = replace(three.levels[0].layer, transition=eight.levels[0].layer.transition)
    mixed = replace(three, heads=((replace(three.levels[0], layer=layer),),))
    verdict = verify(mixed, languages.mod(3), "exact")
    assert isinstance(verdict, Refuted)
    # An angle of 45 degrees is still nearest to 0, of 90 degrees to 120.
    assert len(verdict.word) == 1
    assert verdict.answered == "1"
    assert check(verdict.certificate).word == verdict.word
    longer = verify(replace(mixed, output=1 - mixed.output), languages.mod(3), "exact")
    assert check(longer.certificate).word == longer.word


def test_other_weights_are_refused():
    verdict = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16")
    with pytest.raises(ValueError, match="other weights"):
        check(verdict.certificate, compile_dfa("0*1(0|1)*"))


def level(data):
    return data["lrnn"]["heads"][0][0]


LIES = {
    "claim": lambda d: d.update(claim="refuted", word=[["1", 1]]),
    "no claim": lambda d: d.update(claim="true"),
    "confused": lambda d: d.update(claim="confused", words=[[["1", 1]], [["1", 3]]]),
    "method": lambda d: d.update(method="trust me"),
    "another method": lambda d: d.update(method="orbit", preperiod=0, period=2),
    "version": lambda d: d.update(version=1),
    "schema": lambda d: d.update(schema="other"),
    "arithmetic": lambda d: d.update(arithmetic="float12:each"),
    "no arithmetic": lambda d: d.update(arithmetic="exact:exact"),
    "an unknown overflow": lambda d: d.update(arithmetic="bfloat16!wrap:each"),
    "an overflow of other formats": lambda d: d.update(arithmetic="fixed16.8!inf:each"),
    "a wrapping set": lambda d: d.update(arithmetic="{-1,0,1}!wrap:each"),
    "a set in other brackets": lambda d: d.update(arithmetic="[-1,0,1]:each"),
    "a bare format": lambda d: d.update(arithmetic="bfloat16"),
    "an accumulator too many": lambda d: d.update(arithmetic="bfloat16:each+acc=float32"),
    "an accumulator too few": lambda d: d.update(arithmetic="bfloat16:wide"),
    "a narrow accumulator": lambda d: d.update(arithmetic="float64:wide+acc=float32"),
    "states of layers": lambda d: d.update(layers=[{"states": 3}]),
    "too few layers": lambda d: d.update(layers=[]),
    "a bracketing": lambda d: d.update(bracketing="none"),
    "weight off the grid": lambda d: level(d)["actions"][1]["a"][0][0].__setitem__(1, "-257/256"),
    "weight": lambda d: level(d)["actions"][1]["a"][0][0].__setitem__(1, "1"),
    "h0": lambda d: level(d).update(h0=["-1"]),
    "wiring": lambda d: level(d).update(action=[1, 1]),
    "negative index": lambda d: level(d).update(action=[-2, -1]),
    "boolean index": lambda d: level(d).update(action=[False, True]),
    "reads": lambda d: level(d).update(reads="future"),
    "missing": lambda d: d.pop("automaton"),
    "type": lambda d: d.update(lrnn=[]),
    "empty output": lambda d: d["lrnn"].update(empty="0"),
    "letters": lambda d: d["automaton"].update(letters=["0", "0"]),
    "letters of another type": lambda d: d["automaton"].update(letters=[["0"], ["1"]]),
    "initial": lambda d: d["automaton"].update(initial=1),
    "transition": lambda d: d["automaton"]["delta"][0].__setitem__(0, 1),
    "answer": lambda d: d["automaton"]["answers"][0].__setitem__(0, "0"),
    "a state out of range": lambda d: d["automaton"]["delta"][0].__setitem__(0, 2),
    "too many digits": lambda d: level(d).update(h0=["1" + "0" * 5000]),
    "a foreign digit": lambda d: level(d).update(h0=["\u0661"]),
    "a huge layer": lambda d: level(d).update(n=10**14),
    "an empty layer": lambda d: level(d).update(n=0),
    "a longer b": lambda d: level(d)["actions"][0].update(b=["0", "0"]),
    "longer codewords": lambda d: level(d).update(codewords=[[["1", "0"], ["-1", "0"]]]),
    "uneven codewords": lambda d: level(d).update(codewords=[[["1"], ["-1", "0"]]]),
    "entries twice": lambda d: level(d)["actions"][1]["a"].__setitem__(0, [[0, "-1"], [0, "0"]]),
    "a second matrix": lambda d: level(d)["actions"][1].update(
        factors=[{"k": [[0, "1"]], "beta": "0"}]
    ),
    "a matrix and factors": lambda d: (
        d.update(arithmetic="bfloat16:each+factored"),
        level(d)["actions"][1].update(factors=[{"k": [[0, "1"]], "beta": "2"}]),
    ),
    "the cast model in chunks": lambda d: d.update(arithmetic="{-1,0,1}:cast@chunk:2"),
    "no letters": lambda d: d["automaton"].update(letters=[], delta=[], answers=[]),
}


@pytest.mark.parametrize("name", LIES)
def test_forgeries_are_rejected(name):
    verdict = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16")
    with pytest.raises(ValueError) as error:  # noqa: PT011 - every line names another reason
        check(forged(verdict.certificate, LIES[name]))
    assert "\n" not in str(error.value)
    changed = copy.deepcopy(verdict.certificate.data)
    LIES[name](changed)
    with pytest.raises(ValueError, match=r"digest|version"):
        check(changed)


@pytest.mark.parametrize("name", LIES)
def test_the_checker_needs_no_other_reader_to_reject_a_forgery(name):
    """`check` reads the arithmetic once more, with the engine's parser; the lone file does not."""
    verdict = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16")
    with pytest.raises(ValueError):  # noqa: PT011 - every line names another reason
        checker.check(forged(verdict.certificate, LIES[name]))


@pytest.mark.parametrize("lie", [{"initial": 1}, {"delta": [[0], [1]]}, {"delta": [[1], [0]]}])
def test_states_that_are_none_are_rejected_also_where_no_layer_reads_them(lie):
    verdict = verify(compile_dfa("(a|b)*"), "(a|b)*", "float32")
    assert not verdict.certificate.data["lrnn"]["heads"][0]
    with pytest.raises(ValueError, match="malformed tables"):
        checker.check(forged(verdict.certificate, lambda d: d["automaton"].update(lie)))


def test_factors_take_whole_columns():
    """Of n rows and n d numbers; what is left over would stay where it is."""
    parity = compile_dfa("(0|10*1)*")
    data = verify(parity, "(0|10*1)*", "bfloat16:each+factored").certificate
    assert isinstance(check(data, parity), Proved)

    def lie(data):
        liar = level(data)
        liar["n"], liar["h0"] = 2, ["1", "0", "1"]
        liar["codewords"] = [[[x, "0", "1"] for (x,) in liar["codewords"][0]]]
        for action in liar["actions"]:
            action["b"] = []

    with pytest.raises(ValueError, match="no matrix of this arithmetic"):
        checker.check(forged(data, lie))


# -------------------------------------------------------------------- methods and claims


def test_a_closure_states_its_configurations():
    lrnn, automaton = closure_only()
    for arithmetic in ("bfloat16", "float32:once", "float16:each+fma+factored", "fixed8.2"):
        data = verify(lrnn, automaton, arithmetic).certificate.data
        assert data["method"] == "closure"
        assert data["states"] == 2
        assert len(data["states_digest"]) == 64
        check(data)
        for lie in ({"states": 3}, {"states_digest": "0" * 64}, {"states_digest": "x"}):
            with pytest.raises(ValueError, match="other states"):
                check(forged(Certificate(data), lambda d, lie=lie: d.update(lie)))


@pytest.mark.parametrize("arithmetic", ["float16", "float8_e5m2:each+fma", "float32:once"])
def test_a_score_that_is_no_number_is_minus_infinity(arithmetic):
    """At (inf, -inf) the first codeword scores NaN and the second -inf: the first wins the tie."""
    lrnn = weighing([1, 1], [[1, 1], [-1, 0]], Dense(np.array([[[4, 0], [0, -4]]])))
    only_empty = Automaton.from_regex("a{0}", "a")
    verdict = verify(lrnn, only_empty, arithmetic)
    assert isinstance(verdict, Proved)
    assert isinstance(check(verdict.certificate, lrnn), Proved)


def test_an_orbit_comes_back():
    """A counter to 2^8 in bfloat16 stays there; "at least 3 letters" is right for ever."""
    lrnn, automaton = counter(3), Automaton.from_regex("aaaa*")
    certificate = certify(lrnn, automaton, Arithmetic.parse("bfloat16:each"), "proved",
                          method="orbit", preperiod=256, period=1)  # fmt: skip
    assert isinstance(check(certificate, lrnn), Proved)
    for preperiod, period in ((256, 0), (255, 1), (0, 1), (300, 7)):
        change = forged(certificate, lambda d: d.update(preperiod=preperiod, period=period))  # noqa: B023
        if (preperiod, period) == (300, 7):
            check(change)  # no shortest way round, but one
        else:
            with pytest.raises(ValueError, match="come back"):
                check(change)
    wrong = forged(certificate, lambda d: d["automaton"]["answers"][0].__setitem__(2, "0"))
    with pytest.raises(ValueError, match="wrongly"):
        check(wrong)


def test_a_long_word_is_written_in_runs():
    """From 2^8 on a counter in bfloat16 stands still: 300 letters look like 256."""
    lrnn, automaton = counter(300), Automaton.from_regex("a{300}a*")
    certificate = certify(
        lrnn, automaton, Arithmetic.parse("bfloat16:each"), "refuted", runs=[("a", 300)]
    )
    assert certificate.data["word"] == [["a", 300]]
    verdict = check(certificate)
    assert (verdict.answered, verdict.expected, len(verdict.word)) == ("0", "1", 300)
    for wrong in ([["a", 299]], [["a", 0], ["a", 300]], [["b", 300]], ["a"], [["a", -1]]):
        with pytest.raises(
            ValueError, match=r"correctly|does not come|malformed|index|in list|unpack"
        ):
            check(forged(certificate, lambda d, wrong=wrong: d.update(word=wrong)))
    with pytest.raises(ValueError, match="more than"):
        check(forged(certificate, lambda d: d.update(word=[["a", 10**12]])))
    same = [["a", 100], ["a", 200]]
    assert check(forged(certificate, lambda d: d.update(word=same))).word == ("a",) * 300


def test_two_words_that_no_readout_tells_apart():
    lrnn, automaton = counter(300), Automaton.from_regex("a{300}a*")
    arithmetic = Arithmetic.parse("bfloat16:each")
    words = (("a",) * 256, ("a",) * 300)
    certificate = certify(lrnn, automaton, arithmetic, "confused", words=words)
    verdict = check(certificate)
    assert isinstance(verdict, Refuted)
    assert (verdict.word, verdict.other) == (words[1], words[0])  # the first is answered wrongly
    for words in ([["a", 255]], [["a", 300]]), ([["a", 256]], [["a", 257]]), ([], [["a", 300]]):
        with pytest.raises(ValueError, match="look alike"):
            check(forged(certificate, lambda d: d.update(words=list(words))))  # noqa: B023
    found = verify(lrnn, automaton, arithmetic, decoder="any")
    assert isinstance(check(found.certificate), Refuted)


def test_a_readout_may_ask_for_the_letter():
    """ "Ends in a" needs no state at all."""
    lrnn, automaton = counter(9, "ab", (0, 0)), Automaton.from_regex("(a|b)*a")
    words = (("a",), ("b",))
    certificate = certify(lrnn, automaton, Arithmetic.parse("exact"), "confused", words=words)
    with pytest.raises(ValueError, match="look alike"):
        check(certificate)
    assert isinstance(check(verify(lrnn, automaton, "exact", decoder="any").certificate), Proved)


def test_any_decoder():
    """Wrong answers do not matter where some readout would be right."""
    lrnn = compile_dfa("(0|10*1)*")
    wrong = replace(lrnn, output=1 - lrnn.output)
    verdict = verify(wrong, "(0|10*1)*", "float16", decoder="any")
    assert isinstance(check(verdict.certificate, wrong), Proved)
    for lie in ({"decoder": "own"}, {"method": "compositional"}):
        with pytest.raises(ValueError, match=r"decoder|states"):
            check(forged(verdict.certificate, lambda d, lie=lie: d.update(lie)))


@given(st.integers(0, 10**9))
def test_every_flipped_bit_is_noticed(place):
    """In the text of any certificate; what is no JSON any more is no certificate either."""
    lrnn = compile_dfa("(0|10*1)*")
    text = bytearray(verify(lrnn, "(0|10*1)*", "bfloat16").certificate.text().encode())
    place %= 8 * len(text)
    text[place // 8] ^= 1 << place % 8
    with pytest.raises(ValueError):  # noqa: PT011 - UTF-8, JSON or the digest
        check(json.loads(text.decode()))


PLACES = {
    "the top": ("float16", lambda d: d),
    "the automaton": ("float16", lambda d: d["automaton"]),
    "the network": ("float16", lambda d: d["lrnn"]),
    "a level": ("float16", level),
    "an action": ("float16", lambda d: level(d)["actions"][0]),
    "an action in factors": ("float16:each+factored", lambda d: level(d)["actions"][1]),
    "a factor": ("float16:each+factored", lambda d: level(d)["actions"][1]["factors"][0]),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_field_that_nobody_knows_is_rejected(place):
    """It might say more than was proved."""
    arithmetic, find = PLACES[place]
    certificate = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", arithmetic).certificate
    with pytest.raises(ValueError, match="unexpected keyword argument 'note'"):
        checker.check(forged(certificate, lambda d: find(d).update(note="true")))


@pytest.mark.parametrize("fact", ["word", "states", "period", "decoder", "words", "preperiod"])
def test_a_fact_of_another_claim_is_rejected(fact):
    certificate = verify(compile_dfa("(0|10*1)*"), "(0|10*1)*", "bfloat16").certificate
    facts = {"word": [["1", 1]], "words": [[["1", 1]], [["0", 1]]], "decoder": "any"}
    with pytest.raises(ValueError, match="unexpected keyword argument"):
        checker.check(forged(certificate, lambda d: d.update({fact: facts.get(fact, 1)})))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_checker_is_small_and_alone(path):
    lines = path.read_text().splitlines()
    assert len(lines) < 400
    assert max(map(len, lines)) <= 100
    imports = [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
    assert set(imports) <= sys.stdlib_module_names
