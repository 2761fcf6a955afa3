"""Every named machine compiles and is proved, in every format, within the times promised."""

import time

import pytest

from constructions import compile_dfa
from lrnn_theory import Proved, check, languages, scan, verify
from lrnn_theory.construction import core_of

LARGE = {"random_50", "tcp_server", "dtls_server"}
"""Each takes seconds; `benchmarks/verdicts.py` proves these in every format, too."""

ARITHMETICS = ("exact", "float32", "bfloat16", "float16")


def agrees(lrnn, automaton):
    tokens = [[(i * i + j) % automaton.n_letters for i in range(40)] for j in range(4)]
    return scan(lrnn, tokens, "bfloat16").tolist() == automaton.transduce(tokens).tolist()


@pytest.mark.parametrize("name", [name for name in languages.BESTIARY if name not in LARGE])
def test_a_named_machine_is_proved(name):
    automaton = languages.BESTIARY[name]()
    lrnn = compile_dfa(automaton)
    assert lrnn.n_layers <= max(core_of(automaton)[1].n_states - 1, 1)
    for arithmetic in ARITHMETICS:
        verdict = verify(lrnn, automaton, arithmetic)
        assert isinstance(verdict, Proved)
        assert isinstance(check(verdict.certificate, lrnn), Proved)
    assert agrees(lrnn, automaton)


def test_ipv4_is_proved_in_five_seconds():
    start = time.process_time()
    pattern = languages.REGEXES["ipv4"][0]
    lrnn = compile_dfa(pattern)
    for arithmetic in ARITHMETICS:
        assert isinstance(verify(lrnn, pattern, arithmetic), Proved)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", sorted(LARGE))
def test_large_machines_compile_in_ten_seconds_and_are_proved_in_sixty(name):
    automaton = languages.BESTIARY[name]()
    start = time.process_time()
    lrnn = compile_dfa(automaton)
    compiled = time.process_time()
    assert isinstance(verify(lrnn, automaton, "float16"), Proved)
    proved = time.process_time()
    assert lrnn.n_layers <= core_of(automaton)[1].n_states - 1
    assert agrees(lrnn, automaton)
    assert compiled - start < 10
    assert proved - compiled < 60
