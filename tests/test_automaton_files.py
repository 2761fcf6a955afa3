"""JFLAP and AT&T files: round trips, hand-written machines, and what is no automaton."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrnn_theory import Automaton
from lrnn_theory.att import parse_att
from lrnn_theory.jff import parse_jff
from lrnn_theory.strategies import automata

XML = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=5
) | st.sampled_from([" a", "a\n", "\r", "\t", "&amp;", "<b>", "]]>", "é", "\u00a0", "'\""])
PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs"]), max_size=4)


@given(automata(names=XML))
def test_jff_round_trips(automaton):
    table = parse_jff(automaton.to_jff())
    back = Automaton(*table)
    assert automaton.difference(back) is None
    assert back.letters == automaton.letters
    assert (back.delta == automaton.delta).all()
    assert back.initial == automaton.initial


@given(automata(names=PLAIN, kinds=["dfa", "mealy"]))
@example(Automaton.from_table([[0]]))
def test_att_round_trips(automaton):
    try:
        text = automaton.to_att()
    except ValueError as error:
        assert "cannot write the name" in str(error)  # noqa: PT017
        return
    back = Automaton(*parse_att(text))
    assert back.kind == automaton.kind
    assert back.letters == automaton.letters
    assert automaton.difference(back) is None


def test_a_file_that_jflap_wrote(tmp_path):
    path = tmp_path / "odd.jff"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?><!--Created with JFLAP 7.1.-->'
        "<structure>&#13;\n\t<type>fa</type>&#13;\n\t<automaton>&#13;\n"
        "\t\t<!--The list of states.-->&#13;\n"
        '\t\t<state id="0" name="q0">&#13;\n\t\t\t<x>90.0</x>&#13;\n\t\t\t<y>127.0</y>&#13;\n'
        "\t\t\t<initial/>&#13;\n\t\t</state>&#13;\n"
        '\t\t<state id="1" name="q1"><x>1.0</x><y>1.0</y><final/></state>\n'
        "\t\t<!--The list of transitions.-->&#13;\n"
        "<transition><from>0</from><to>1</to><read>1</read></transition>"
        "<transition><from>1</from><to>0</to><read>1</read></transition>"
        "<transition><from>0</from><to>0</to><read>0</read></transition>"
        "<transition><from>1</from><to>1</to><read>0</read></transition>"
        "\t</automaton>&#13;\n</structure>"
    )
    odd = Automaton.from_jff(path)
    assert odd.difference(Automaton.from_regex("0*10*(10*10*)*")) is None
    path.write_text(
        path.read_text().replace("<from>1</from><to>1</to>", "<from>1</from><to>2</to>")
    )
    with pytest.raises(ValueError, match=r"odd.jff.*'2', which is no state"):
        Automaton.from_jff(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<read>a</read>", "<read/>", "reads no letter"),
        ("<initial/>", "", "one initial state, not 0"),
        ("<type>fa", "<type>turing", "not <structure> of 'turing'"),
        ('id="1"', 'id="0"', "an id of its own"),
        ("</structure>", "", "Not an XML file"),
        ("<structure>", '<!DOCTYPE x [<!ENTITY a "b">]><structure>', "no document type"),
        ("<type>fa", "<type>moore", "has no final states"),
        ("<read>b</read>", "<read>a</read>", "two different transitions"),
    ],
)
def test_what_is_no_jff(old, new, message):
    text = Automaton.from_regex("(b|ab*a)*").to_jff()
    assert old in text
    with pytest.raises(ValueError, match=message):
        parse_jff(text.replace(old, new, 1))


def test_att_by_hand(tmp_path):
    path = tmp_path / "x.att"
    path.write_text("0 1 go x\r\n1\t0\tgo\ty\n0 0 stay x\n1 1 stay y\n")
    machine = Automaton.from_att(path)
    assert (machine.kind, machine.letters, machine.output_symbols) == (
        "mealy", ("go", "stay"), ("x", "y"),
    )  # fmt: skip
    path.write_text("0 1 a\n1\n")
    with pytest.raises(ValueError, match="must be total"):
        Automaton.from_att(path)
    assert Automaton.from_att(path, sink=True).difference(Automaton.from_regex("a")) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have transitions"),
        ("0 1 a b c d", "line 1: expected"),
        ("0 0 a x 0.5", "line 1: expected"),
        ("0 0 a\n0 0.5", "line 2: expected"),
        ("0 0 <eps>", "a move without a letter"),
        ("0 0 a x\n0 0 b", "must have an output, or none"),
        ("0 1 a x\n1 0 a x\n1", "all states must be final, or none; '0' is not"),
        ("0 0 a\n0 1 a\n1 1 a", "deterministic"),
    ],
)
def test_what_is_no_att(text, message):
    with pytest.raises(ValueError, match=message):
        parse_att(text)


def test_what_cannot_be_written():
    moore = Automaton.from_table([[0]], outputs=[0])
    with pytest.raises(ValueError, match="no Moore machines"):
        moore.to_att()
    with pytest.raises(ValueError, match="cannot write the name 'a b'"):
        Automaton.from_table([[0]], letters=["a b"]).to_att()
    with pytest.raises(ValueError, match="XML cannot write"):
        Automaton.from_table([[0]], letters=["\0"]).to_jff()


@pytest.mark.skipif(shutil.which("fstcompile") is None, reason="needs OpenFst")
def test_openfst_reads_it(tmp_path):
    path = tmp_path / "x.att"
    Automaton.from_regex("(ab)*").to_att(path)
    (tmp_path / "symbols").write_text("<eps> 0\na 1\nb 2\n")
    command = ["fstcompile", "--acceptor", f"--isymbols={tmp_path / 'symbols'}", str(path)]
    subprocess.run(command, check=True, capture_output=True)
