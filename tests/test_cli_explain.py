"""`lrnn compile --explain`: the table says what `explain` knows, at 80 columns."""

import os
from pathlib import Path

import pytest
from command_line import lrnn
from hypothesis import given, settings

from constructions import ALL, compile_dfa, explain
from constructions.cli.explanation import candidate_facts, table
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.strategies import automata


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@settings(max_examples=25, deadline=None)
@given(automata(max_states=4))
def test_the_table_leaves_nothing_out(automaton: Automaton) -> None:
    candidates = explain(automaton)
    text = table(candidates)
    flat = " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("  picked\n") == 1
    for c in candidates:
        said = c.obstacles or (c.reason, c.construction.statement, c.construction.citation)
        assert all(" ".join(part.split()) in flat for part in said)
        (row,) = (x.split() for x in text.splitlines() if x.startswith(f"{c.construction.key} "))
        facts = candidate_facts(c)
        if c.lrnn:
            factors = "dense" if facts["factors"] is None else str(facts["factors"])
            bits = "none" if c.bits is None else str(c.bits)
            numbers = [str(facts["layers"]), str(facts["state"]), factors, bits]
            assert row[1:] == numbers + ["picked"] * c.picked


def test_explain_alone_writes_nothing(here: Path) -> None:
    ran = lrnn("compile", "@mod(12)", "--explain")
    assert (ran.code, ran.err) == (0, "")
    assert "heads                    1       5        2     1  picked\n" in ran.out
    assert "cyclic                   1       7        5     1\n" in ran.out
    assert "rotation                 1       2        2  none\n" in ran.out
    assert "parity              the minimal automaton has 12 states, not 2\n" in ran.out
    assert "written" not in ran.out
    assert os.listdir(here) == []


def test_explain_and_write(here: Path) -> None:
    ran = lrnn("compile", "@d4", "--explain", "-o", "d.safetensors")
    size = (here / "d.safetensors").stat().st_size
    assert ran.out.endswith(f"written to  d.safetensors ({size:,} bytes)\n")
    written, compiled = LRNN.load("d.safetensors"), compile_dfa(languages.BESTIARY["d4"]())
    assert (written.construction, written.reason) == (compiled.construction, compiled.reason)


@pytest.mark.usefixtures("here")
def test_json() -> None:
    data = lrnn("compile", "@s5", "--explain", "--json", "--objective", "exact-in:fixed8.0").data()
    assert set(data) == {"automaton", "lrnn", "candidates"}
    assert [c["construction"] for c in data["candidates"]] == [c.key for c in ALL]
    (picked,) = (c for c in data["candidates"] if c["picked"])
    assert (picked["construction"], picked["bits"], picked["factors"]) == ("permutation", 2, 4)
    assert picked["remark"] is None
    dense = data["candidates"][-1]
    assert (dense["automatic"], dense["factors"], dense["obstacles"]) == (False, None, [])
    assert dense["remark"] == dense["reason"]
    data = lrnn("compile", "@s5", "--explain", "--json", "-o", "s.safetensors").data()
    assert set(data) == {"automaton", "lrnn", "candidates", "file", "bytes"}


@pytest.mark.usefixtures("here")
def test_what_is_not_built_has_dashes() -> None:
    ran = lrnn("compile", "@mod(600)", "--explain")
    assert "rotation                 -       -        -     -\n" in ran.out
    assert "than 512" in " ".join(ran.out.split())
