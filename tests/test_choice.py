"""The choice among constructions: the table is the choice, over random and named automata."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from constructions import ALL, CONSTRUCTIONS, OBJECTIVES, Candidate, choice, compile_dfa, explain
from lrnn_theory import Automaton, Proved, languages, verify
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.construction import core_of
from lrnn_theory.exactness import computes_exactly, exact_bits
from lrnn_theory.lrnn import LRNN
from lrnn_theory.strategies import FORMAT_NAMES, automata, group_automata

OBJECTIVE = st.sampled_from([*OBJECTIVES, None, "exact-in:bfloat16", "exact-in:exact"])


def cost(lrnn: LRNN, objective: str | None = None) -> list[float]:
    """Written anew: the numbers in the order of the documentation."""
    factors = float("inf") if lrnn.max_factors is None else lrnn.max_factors
    numbers = {"layers": lrnn.n_layers, "state": lrnn.state_size, "factors": factors}
    first = objective if objective in ("state", "factors") else "layers"
    return [numbers.pop(first), *numbers.values()]


def digest(lrnn: LRNN, folder: Path) -> str:
    """Of everything in a network, its reason included."""
    lrnn.save(folder / "x.safetensors")
    with safe_open(folder / "x.safetensors", "np") as file:
        return file.metadata()["digest"]


def winner(candidates: list[Candidate]) -> LRNN:
    """The network that a table picks."""
    (lrnn,) = (c.lrnn for c in candidates if c.picked)
    assert lrnn
    return lrnn


def competes(c: Candidate, objective: str | None = None) -> bool:
    """Whether it may be picked."""
    return c.construction.automatic or (objective or "layers") in c.construction.automatic_for


def check_table(automaton: Automaton, objective: str | None) -> None:
    """What the documentation says of a table."""
    candidates = explain(automaton, objective)
    assert [c.construction for c in candidates] == list(ALL)
    core = core_of(automaton)[1]
    best = winner(candidates)
    assert best.construction == compile_dfa(automaton, objective=objective).construction
    assert best.reason == compile_dfa(automaton, objective=objective).reason
    arithmetic = objective.partition("exact-in:")[2] if objective else ""
    for c in candidates:
        assert list(c.obstacles) == c.construction.obstacles(core)
        assert c.reason
        assert (c.lrnn is None) == bool(c.obstacles)
        if not c.lrnn:
            assert (c.bits, c.reason) == (None, "does not apply")
            continue
        assert c.lrnn.construction == c.construction.key
        assert c.bits == exact_bits(c.lrnn)
        exact = not arithmetic or computes_exactly(c.lrnn, Arithmetic.parse(arithmetic))
        if not competes(c, objective):
            assert (c.picked, c.reason) == (False, c.construction.remark)
        elif not exact:
            assert not c.picked
            assert c.reason == f"not exact in {Arithmetic.parse(arithmetic)}"
        else:  # also the cascade of a group, which compile_dfa does not even build
            assert cost(best, objective) <= cost(c.lrnn, objective)


@settings(max_examples=40, deadline=None)
@given(automata(max_states=5), OBJECTIVE)
def test_the_table_is_the_choice(automaton: Automaton, objective: str | None) -> None:
    check_table(automaton, objective)


@settings(max_examples=40, deadline=None)
@given(group_automata(max_points=4), OBJECTIVE)
def test_the_table_of_a_group_is_the_choice(automaton: Automaton, objective: str | None) -> None:
    check_table(automaton, objective)


@pytest.mark.parametrize("name", languages.BESTIARY)
def test_the_winner_is_what_compile_dfa_returns(name: str, tmp_path: Path) -> None:
    automaton = languages.BESTIARY[name]()
    picked, compiled = winner(explain(automaton)), compile_dfa(automaton)
    assert digest(picked, tmp_path) == digest(compiled, tmp_path)
    assert digest(replace(picked, reason=""), tmp_path) != digest(compiled, tmp_path)


@settings(max_examples=40, deadline=None)
@given(st.one_of(automata(max_states=4), group_automata(4)), st.sampled_from(FORMAT_NAMES))
def test_exact_in_a_format_is_proved_there(automaton: Automaton, name: str) -> None:
    arithmetic = Arithmetic.parse(name)
    table = explain(automaton)
    free = [c.lrnn for c in table if competes(c) and c.lrnn]
    if not any(computes_exactly(x, arithmetic) for x in free):
        with pytest.raises(ValueError, match=re.escape(f"not exact in {arithmetic}")):
            compile_dfa(automaton, objective=f"exact-in:{name}")
        return
    lrnn = compile_dfa(automaton, objective=f"exact-in:{name}")
    assert computes_exactly(lrnn, arithmetic)
    assert isinstance(verify(lrnn, automaton, arithmetic), Proved)
    assert all(cost(lrnn) <= cost(x) for x in free if computes_exactly(x, arithmetic))


def test_a_small_format_changes_the_choice() -> None:
    """The codewords of S5 on five points need a precision of 2 bits, so numbers up to 4."""
    s5 = languages.symmetric_group(5)
    assert compile_dfa(s5).construction == "permutation"
    small = compile_dfa(s5, objective="exact-in:{-2,-1,0,1,2}")
    assert (small.construction, small.state_size) == ("heads", 21)
    assert "permutation (not exact in {-2,-1,0,1,2}:once)" in small.reason
    assert compile_dfa(s5, objective="exact-in:float8_e5m2").construction == "permutation"


def test_reasons() -> None:
    said = {c.construction.key: c.reason for c in explain(languages.dihedral_group(4))}
    assert said["signed_permutation"] == "cheapest by layers, then state, then factors"
    assert said["permutation"] == "signed_permutation is cheaper: state 2, not 4"
    assert said["regular_language"].startswith("a cascade of one layer is never cheaper than")
    assert said["dense"] == CONSTRUCTIONS["dense"].remark
    assert said["cyclic"] == "does not apply"
    said = {c.construction.key: c.reason for c in explain("a{3}a*|b[ab]*", "factors")}
    assert said["blocks"] == "cheapest by factors, then layers, then state"
    assert said["regular_language"] == "blocks is cheaper: factors 2, not 4"
    said = {c.construction.key: c.reason for c in explain("(a{3})*")}
    assert said["permutation"] == "cyclic costs the same and comes first"


def test_large_machines_are_built_only_where_they_compete() -> None:
    table = {c.construction.key: c for c in explain(languages.mod(600))}
    assert table["cyclic"].picked
    assert table["permutation"].lrnn
    for key in ("regular_language", "rotation", "input_shift"):
        assert table[key].lrnn is None
        assert table[key].reason.endswith("not built: the minimal automaton has 600 states, "
                                          "more than 512")  # fmt: skip


def test_many_letters_are_built_only_where_they_compete(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = languages.symmetric_group(3)  # all six elements are letters, on six states
    monkeypatch.setattr(choice, "MAX_ENTRIES", 216)
    assert {c.construction.key for c in explain(s3) if c.lrnn} >= {"permutation", "dense"}
    monkeypatch.setattr(choice, "MAX_ENTRIES", 215)
    table = {c.construction.key: c for c in explain(s3)}
    assert table["permutation"].lrnn
    assert table["dense"].lrnn is None
    assert table["dense"].reason.endswith("has 216 entries in all, more than 215")


@pytest.mark.parametrize("key", ["cyclic", "rotation", "regular_language"])
def test_a_refusal_leaves_a_row(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> LRNN:
        raise ValueError("It is too hard.")

    stubborn = [replace(c, build=refuse) if c.key == key else c for c in ALL]
    monkeypatch.setattr(choice, "ALL", tuple(stubborn))
    five = languages.mod(5)
    table = {c.construction.key: c for c in explain(five)}
    assert table[key].lrnn is None
    assert table[key].reason.endswith("not built: It is too hard")
    picked = "permutation" if key == "cyclic" else "cyclic"
    assert table[picked].picked
    assert compile_dfa(five).construction == picked
    assert ("cyclic (not built: It is too hard)" in compile_dfa(five).reason) == (key == "cyclic")


@pytest.mark.parametrize(
    ("objective", "parts"),
    [
        ("speed", ("must be one of layers, state, factors or exact-in:FORMAT", "'speed'")),
        ("exact-in", ("exact-in:FORMAT", "'exact-in'")),
        ("exact-in:", ("exact-in:FORMAT", "''")),
        ("exact-in:float31", ("'objective'", "'float31'")),
        ("exact-in:{-1,0,1}", ("not exact in {-1,0,1}:once", "cyclic", "regular_language")),
        ("exact-in:bfloat16:each+factored", ("not exact in bfloat16:each+factored",)),
        ("exact-in:bfloat16:cast", ("not exact in bfloat16:cast",)),
    ],
)
def test_bad_objectives(objective: str, parts: tuple[str, ...]) -> None:
    for function in (explain, lambda a, o: compile_dfa(a, objective=o)):
        with pytest.raises(ValueError, match=r"^(Argument|No construction)") as error:
            function("(a{5})*", objective)
        assert all(part in str(error.value) for part in parts), error.value


def test_bad_types() -> None:
    with pytest.raises(TypeError, match="'objective' must be a string, not int"):
        explain("a", 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        explain(3)
