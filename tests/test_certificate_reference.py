"""The reference that judges forged certificates: it confirms true claims, and no false ones."""

import copy
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from mutants import machine, mutants
from networks import counter, weighing

from constructions import compile_dfa
from lrnn_theory import Automaton, Diagonal, Proved, Refuted, verify
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.verification.certificate import certify

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # behind: it has a `mutants`, too

reference = import_module("certificate_reference")
confirmed, UnjudgedError = reference.confirmed, reference.UnjudgedError

PROVED = [
    ("parity", "bfloat16@tree"),
    ("parity, diagonal", "float32:each+factored@chunk:2"),
    ("mod 3 by rotation", "exact"),
    ("S3", "float32:each+factored"),
    ("T3, Mealy", "fixed8.4@chunk:3"),
    ("last letter and parity of ab", "float8_e4m3:each+fma"),
    ("ends in abb, input shift", "{-1,0,1}:cast"),
    ("two heads", "float16"),
    ("Tomita 7, tail", "float64"),
]


def proof(*question, **options):
    """The data of a proof's certificate, to be changed."""
    verdict = verify(*question, **options)
    assert isinstance(verdict, Proved)
    return copy.deepcopy(verdict.certificate.data)


@pytest.mark.parametrize(("name", "arithmetic"), PROVED)
def test_proofs(name, arithmetic):
    """They are confirmed, and not if any answer of the automaton is another one."""
    data = proof(machine(name).lrnn, machine(name).automaton, arithmetic)
    assert confirmed(data)
    rows = data["automaton"]["answers"]
    for a, row in enumerate(rows):
        for q in range(len(row)):
            lie = copy.deepcopy(data)
            lie["automaton"]["answers"][a][q] += "?"
            assert not confirmed(lie)
    assert not confirmed(data | {"automaton": data["automaton"] | {"empty": "?"}})


@pytest.mark.parametrize("arithmetic", ["exact", "bfloat16:each@chunk:2", "{-2,0,1,2}:cast"])
@pytest.mark.parametrize("name", ["S3", "ends in abb", "random 12, Mealy, tail"])
def test_refutations(name, arithmetic):
    """A shortest wrong word is confirmed; without its last letter it is answered rightly."""
    found = 0
    for _, lrnn in mutants(name, 12):
        verdict = verify(lrnn, machine(name).automaton, arithmetic, budget=1000)
        if isinstance(verdict, Refuted):
            data = verdict.certificate.data
            assert confirmed(data)
            if verdict.word:
                found += 1
                assert not confirmed(data | {"word": [[a, 1] for a in verdict.word[:-1]]})
        elif isinstance(verdict, Proved):
            assert confirmed(verdict.certificate.data)
            assert not confirmed(verdict.certificate.data | {"claim": "refuted", "word": []})
    assert found


def test_any_readout():
    """Parity is lost on a state that stands still, and is none of the rotation's answers."""
    parity = Automaton.from_regex("(b|ab*a)*")
    still = certify(
        counter(9, "ab", (0, 0)), parity, Arithmetic.parse("exact"), "proved",
        method="closure", decoder="any",
    )  # fmt: skip
    assert not confirmed(still.data)
    other = Automaton.from_regex("b*a(b|ab*a)*")
    data = proof(compile_dfa(parity), other, "float16", decoder="any")
    assert confirmed(data)
    assert not confirmed(data | {"decoder": "own"})


def test_two_words_that_no_readout_tells_apart():
    automaton, arithmetic = Automaton.from_regex("a{300}a*"), Arithmetic.parse("bfloat16:each")
    for first, true in ((256, True), (255, False), (299, True), (300, False)):
        words = (("a",) * first, ("a",) * 300)
        certificate = certify(counter(300), automaton, arithmetic, "confused", words=words)
        assert confirmed(certificate.data) is true
    refuted = certify(counter(300), automaton, arithmetic, "refuted", runs=[("a", 300)])
    assert confirmed(refuted.data)


def test_all_orders_are_replayed():
    """The state is 0 letter after letter, and inf 0 once a tree has multiplied 128 letters."""
    automaton = Automaton.from_regex("a*")
    lrnn = weighing([0], [[2], [1]], Diagonal(np.array([[2]])))
    for order, true in (("", True), ("@chunk:100", True), ("@chunk:128", False), ("@tree", False)):
        arithmetic = Arithmetic.parse("float32" + order)
        certificate = certify(
            lrnn, automaton, arithmetic, "proved", method="compositional", bracketing="order-free"
        )
        assert confirmed(certificate.data) is true


def test_what_is_not_judged():
    lrnn, automaton = counter(3), Automaton.from_regex("aaaa*")
    long = certify(lrnn, automaton, Arithmetic.parse("exact"), "refuted", runs=[("a", 20_001)])
    with pytest.raises(UnjudgedError, match="letters"):
        confirmed(long.data)
    data = proof(lrnn, automaton, "bfloat16:each")
    layer = data["lrnn"]["heads"][0][0]
    for weight in ("nan", "1/3"):
        layer["h0"] = [weight]
        with pytest.raises(UnjudgedError, match="no number"):
            confirmed(data)
    layer["h0"] = ["inf"]
    assert not confirmed(data)
    rotation = machine("mod 3 by rotation")
    data = proof(rotation.lrnn, rotation.automaton, "exact")
    data["lrnn"]["field"]["polynomial"][0] = "-5"
    with pytest.raises(UnjudgedError, match="theta"):
        confirmed(data)
