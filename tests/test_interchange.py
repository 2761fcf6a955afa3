"""Round trips through automata-lib, networkx and JSON, and what the readers refuse."""

import json
import time

import networkx as nx
import numpy as np
import pytest
from automata.fa.dfa import DFA
from automata.fa.nfa import NFA
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import interchange, textfile
from lrnn_theory.automaton import Automaton
from lrnn_theory.strategies import automata, words

NAMES = st.text(max_size=4) | st.sampled_from(["a b", '"', "\\", "/", "é", "ACK(V,V,0)", "a|b"])


def assert_same(left, right):
    """Equal states, letters and responses by name."""
    assert left.kind == right.kind
    assert left.letters == right.letters
    assert left.initial == right.initial
    assert np.array_equal(left.delta, right.delta)
    names = [np.array(m.output_symbols, object)[m.response] for m in (left, right)]
    assert np.array_equal(*names)


@st.composite
def partial_dfas(draw):
    """automata-lib DFAs with missing transitions and states of any kind."""
    states = draw(
        st.lists(st.integers() | st.text(max_size=2), min_size=1, max_size=6, unique=True)
    )
    letters = draw(st.lists(st.sampled_from(["a", "b", "go on"]), min_size=1, unique=True))
    target = st.none() | st.sampled_from(states)
    rows = {q: {a: draw(target) for a in letters} for q in states}
    return DFA(
        states=set(states),
        input_symbols=set(letters),
        transitions={q: {a: p for a, p in row.items() if p is not None} for q, row in rows.items()},
        initial_state=states[0],
        final_states=draw(st.sets(st.sampled_from(states))),
        allow_partial=True,
    )


@st.composite
def nfas(draw):
    n = draw(st.integers(1, 5))
    targets = st.sets(st.integers(0, n - 1), max_size=2)
    rows = {q: {a: draw(targets) for a in ("a", "b", "")} for q in range(n)}
    return NFA(
        states=set(range(n)),
        input_symbols={"a", "b"},
        transitions={q: {a: some for a, some in row.items() if some} for q, row in rows.items()},
        initial_state=0,
        final_states=draw(targets),
    )


def letter_from_the_end(k):
    """The NFA of the words whose k-th letter from the end is a: its DFA has 2^k states."""
    rows = {i: {"a": {i + 1}, "b": {i + 1}} for i in range(1, k)}
    return NFA(
        states=set(range(k + 1)),
        input_symbols={"a", "b"},
        transitions={0: {"a": {0, 1}, "b": {0}}, **rows},
        initial_state=0,
        final_states={k},
    )


class TestAutomataLib:
    @given(automata(kinds=["dfa"], names=NAMES))
    def test_round_trip(self, machine):
        assert Automaton.from_dfa(machine.to_dfa()).difference(machine) is None

    @given(automata(kinds=["dfa"]))
    def test_states_are_numbered_breadth_first(self, machine):
        assert_same(Automaton.from_dfa(machine.to_dfa()), machine.trim())

    @given(partial_dfas(), st.data())
    def test_a_partial_dfa_rejects_where_it_is_undefined(self, dfa, data):
        machine = Automaton.from_dfa(dfa)
        assert machine.letters == tuple(sorted(dfa.input_symbols))
        word = data.draw(words(machine))
        assert machine.accepts(word) == dfa.accepts_input(word)
        assert machine.minimize().n_states == len(dfa.minify().to_complete().states)

    @given(nfas(), st.data())
    def test_an_nfa_becomes_its_subset_automaton(self, nfa, data):
        machine = Automaton.from_nfa(nfa)
        word = data.draw(words(machine))
        assert machine.accepts(word) == nfa.accepts_input(word)
        assert machine.to_dfa() == DFA.from_nfa(nfa)

    def test_an_exploding_nfa_is_refused_soon(self):
        assert Automaton.from_nfa(letter_from_the_end(10)).n_states == 2**10
        start = time.perf_counter()
        with pytest.raises(ValueError, match=r"interchange\.MAX_SUBSET_STEPS for more"):
            Automaton.from_nfa(letter_from_the_end(40))
        assert time.perf_counter() - start < 20  # measured: 2 s

    def test_a_wide_nfa_is_refused_before_its_closures_are_built(self, monkeypatch):
        monkeypatch.setattr(interchange, "MAX_SUBSET_STEPS", 100)
        monkeypatch.setattr(interchange, "_closure", None)
        with pytest.raises(ValueError, match="more than 100 steps"):
            Automaton.from_nfa(letter_from_the_end(64))

    def test_only_a_dfa_becomes_a_dfa(self):
        with pytest.raises(ValueError, match="not a machine with outputs"):
            Automaton.from_table([[0]], outputs=[0]).to_dfa()

    def test_refuses_other_types_and_an_empty_alphabet(self):
        dfa = DFA(
            states={0}, input_symbols=set(), transitions={0: {}}, initial_state=0, final_states={0}
        )
        with pytest.raises(ValueError, match="at least one letter"):
            Automaton.from_dfa(dfa)
        with pytest.raises(TypeError, match="must be an automata-lib NFA, not DFA"):
            Automaton.from_nfa(dfa)
        with pytest.raises(TypeError, match="must be an automata-lib DFA, not str"):
            Automaton.from_dfa("a*")

    def test_symbols_need_distinct_names(self):
        dfa = DFA(
            states={0},
            input_symbols={0, "0"},
            transitions={0: {0: 0, "0": 0}},
            initial_state=0,
            final_states={0},
        )
        with pytest.raises(ValueError, match="with distinct names, not 0 0"):
            Automaton.from_dfa(dfa)


class TestGraph:
    @given(automata(names=NAMES))
    def test_round_trip(self, machine):
        assert_same(Automaton.from_graph(machine.to_graph()), machine)

    def test_the_order_of_letters_survives_the_order_of_edges(self):
        machine = Automaton.from_table([[1, 0], [0, 0], [1, 0]])
        labels = [label for *_, label in machine.to_graph().edges(data="label")]
        assert labels[:3] == ["a", "c", "b"]
        assert Automaton.from_graph(machine.to_graph()).letters == ("a", "b", "c")

    def test_a_digraph_lists_several_letters_on_an_edge(self):
        g = nx.DiGraph(initial="even")
        g.add_node("even", accepting=True)
        g.add_edge("even", "odd", label=["a", "b"])
        g.add_edge("odd", "even", label="a")
        g.add_edge("odd", "odd", label="b")
        machine = Automaton.from_graph(g)
        assert machine.delta.tolist() == [[1, 0], [1, 1]]
        assert machine.accepts("aa")
        assert Automaton.from_graph(g, initial="odd", accepting=["odd"]).accepts("b")
        assert Automaton.from_graph(g, letters="ba").letters == ("b", "a")
        assert Automaton.from_graph(g, letters="abc", sink=True).n_states == 3

    def test_mealy_outputs_on_a_list_of_letters(self):
        g = nx.DiGraph()
        g.add_node(0, initial=True)
        g.add_edge(0, 0, label=[0, 1, 2], output=["x", "y", "x"])
        machine = Automaton.from_graph(g)
        assert machine.letters == ("0", "1", "2")
        assert machine.outputs.tolist() == [[0], [1], [0]]
        g.edges[0, 0]["output"] = "z"
        assert Automaton.from_graph(g).output_symbols == ("z",)

    @pytest.mark.parametrize(
        ("nodes", "edges", "message"),
        [
            ({}, [(0, 0, {"label": "a"})], "must have the attribute 'initial', or one node"),
            ({0: {"initial": 1}, 1: {"initial": 1}}, [], "or one node that has it, not 2"),
            ({0: {"initial": 1}}, [], "at least one letter"),
            ({0: {"initial": 1}}, [(0, 0, {})], "Edge 0 -> 0 must have the attribute 'label'"),
            ({0: {"initial": 1}}, [(0, 0, {"label": [("a",)]})], "must have the attribute 'label'"),
            ({0: {"initial": 1}}, [(0, 1, {"label": "a"})], "state '1' has no transition on let"),
            (
                {0: {"initial": 1}},
                [(0, 0, {"label": "a"}), (0, 1, {"label": "a"}), (1, 1, {"label": "a"})],
                "state '0' has two different transitions on letter 'a'",
            ),
            (
                {0: {"initial": 1, "output": "x"}},
                [(0, 1, {"label": "a"}), (1, 1, {"label": "a"})],
                "Every state must have an output, or none; 1 has none",
            ),
            (
                {0: {"initial": 1}},
                [(0, 1, {"label": "a", "output": 1}), (1, 1, {"label": "a"})],
                "that of state '1' on letter 'a' has none",
            ),
            (
                {0: {"initial": 1, "output": "x"}},
                [(0, 0, {"label": "a", "output": "x"})],
                "Outputs must be on the states",
            ),
            (
                {0: {"initial": 1}},
                [(0, 0, {"label": ["a", "b"], "output": ["x"]})],
                "one for each of its 2 letters, not 1",
            ),
        ],
    )
    def test_refuses(self, nodes, edges, message):
        g = nx.MultiDiGraph()
        g.add_nodes_from(nodes.items())
        g.add_edges_from(edges)
        with pytest.raises(ValueError, match=message) as caught:
            Automaton.from_graph(g)
        assert "\n" not in str(caught.value)

    def test_refuses_other_types_and_unknown_arguments(self):
        g = nx.DiGraph([(0, 0, {"label": "a"})])
        with pytest.raises(TypeError, match="must be a networkx graph, not dict"):
            Automaton.from_graph({})
        with pytest.raises(ValueError, match="must be a directed graph"):
            Automaton.from_graph(g.to_undirected())
        with pytest.raises(ValueError, match="has no node 1"):
            Automaton.from_graph(g, initial=1)
        with pytest.raises(ValueError, match="has no node 'x'"):
            Automaton.from_graph(g, initial=0, accepting=["x"])
        with pytest.raises(ValueError, match="Unknown letter 'a': expected one of b"):
            Automaton.from_graph(g, initial=0, letters="b")


class TestJson:
    @given(automata(names=NAMES))
    def test_round_trip(self, machine):
        text = machine.to_json()
        again = Automaton.from_json(text)
        assert_same(again, machine)
        assert again.output_symbols == machine.output_symbols
        assert_same(Automaton.from_json(json.loads(text)), machine)

    def test_files(self, tmp_path):
        machine = Automaton.from_regex("é*b", alphabet="bé")
        text = machine.to_json(tmp_path / "m.json")
        assert (tmp_path / "m.json").read_text() == text
        assert_same(Automaton.from_json(tmp_path / "m.json"), machine)
        assert_same(Automaton.from_json(str(tmp_path / "m.json")), machine)

    def test_the_format_does_not_drift(self):
        dfa = Automaton.from_table([[1, 0], [1, 1]], accepting=[1], letters=["x", "yy"])
        assert json.loads(dfa.to_json()) == {
            "format": "lrnn-theory automaton",
            "version": 1,
            "letters": ["x", "yy"],
            "initial": 0,
            "delta": [[1, 0], [1, 1]],
            "accepting": [1],
        }
        mealy = Automaton.from_table([[0]], outputs=[[1]], output_symbols=["no", "yes"])
        assert json.loads(mealy.to_json())["outputs"] == [[1]]
        assert json.loads(mealy.to_json())["output_symbols"] == ["no", "yes"]

    @given(automata(max_states=3), st.data())
    def test_a_truncated_text_is_refused_in_one_line(self, machine, data):
        text = machine.to_json().rstrip()
        with pytest.raises(ValueError, match=r"^[^\n]*$"):
            Automaton.from_json(text[: data.draw(st.integers(1, len(text) - 1))])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"format": "x"}, "member 'format' must be 'lrnn-theory automaton'"),
            ({"version": 2}, "version 1: member 'version' is 2"),
            ({"accepting": None}, "Member 'accepting' of a JSON automaton must hold integers"),
            ({"accepting": [2]}, "'accepting' must hold states in 0..1, not 2"),
            ({"accepting": [True]}, "Member 'accepting' .* must hold integers"),
            ({"accepting": [-1]}, "'accepting' must hold states in 0..1, not -1"),
            ({"extra": 1}, "must have the members accepting delta format .* not accepting delta"),
            ({"outputs": [0]}, "must have the members"),
            ({"letters": "ab"}, "Member 'letters' .* must hold strings"),
            ({"letters": ["a", 1]}, "Member 'letters' .* must hold strings"),
            ({"letters": ["a", "a"]}, "'letters' must hold distinct strings"),
            ({"letters": ["a"]}, "'letters' must hold 2 non-empty names"),
            ({"letters": ["a", ""]}, "'letters' must hold 2 non-empty names"),
            ({"initial": 2}, "'initial' must be a state in 0..1, not 2"),
            ({"initial": 0.0}, "Member 'initial' .* must hold integers"),
            ({"delta": [[0, 1], 3]}, "Member 'delta' .* must hold lists of integers"),
            ({"delta": [[0, 1], [0, True]]}, "Member 'delta' .* must hold integers"),
            ({"delta": [[0, 1], [0, 1.0]]}, "Member 'delta' .* must hold integers"),
            ({"delta": [[0, 1], [0]]}, "'delta' must be a rectangular array"),
            ({"delta": [[0, 1], [0, 2]]}, "'delta' must hold indices in 0..1, not 2"),
            ({"delta": [[0, 1], [0, -1]]}, "state '1' has no transition on letter 'b'"),
            ({"delta": [[0, 1], [0, 2**80]]}, "'delta' must hold integers"),
            ({"delta": []}, "'delta' must have shape"),
            ({"delta": [[], []]}, "'delta' must have shape"),
        ],
    )
    def test_refuses_an_edited_dfa(self, change, message):
        document = json.loads(Automaton.from_table([[0, 1], [1, 0]]).to_json()) | change
        for source in (document, json.dumps(document)):
            with pytest.raises(ValueError, match=message) as caught:
                Automaton.from_json(source)
            assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"outputs": None}, "Member 'outputs' .* must hold integers"),
            ({"outputs": [0, [0]]}, "Member 'outputs' .* must hold integers"),
            ({"outputs": [0, 1, 0]}, "'outputs' must have shape"),
            ({"outputs": [0, 2]}, "'outputs' must hold indices in 0..1, not 2"),
            ({"outputs": [[0, -1]]}, "'outputs' must hold indices in 0..1, not -1"),
            ({"outputs": [0, "1"]}, "Member 'outputs' .* must hold integers"),
            ({"output_symbols": ["x", "x"]}, "'output_symbols' must hold distinct strings"),
            ({"output_symbols": [1]}, "Member 'output_symbols' .* must hold strings"),
            ({"accepting": []}, "must have the members accepting"),
        ],
    )
    def test_refuses_an_edited_moore_machine(self, change, message):
        document = json.loads(Automaton.from_table([[0, 1]], outputs=[0, 1]).to_json()) | change
        with pytest.raises(ValueError, match=message):
            Automaton.from_json(document)

    @pytest.mark.parametrize(
        "text",
        ["{", "{}", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a":' + "[" * 10**5, '{"a":' + "9" * 9999],
    )
    def test_refuses_other_text(self, text, tmp_path):
        (tmp_path / "m.json").write_text(text)
        path = tmp_path / "m.json"
        for source, begin in ((text, "^"), (path, f"^Cannot read '{path}': ")):
            with pytest.raises(ValueError, match=begin + r"Not a JSON automaton: [^\n]*\.$"):
                Automaton.from_json(source)

    def test_refuses_a_repeated_member(self):
        text = Automaton.from_table([[0, 1]]).to_json()
        with pytest.raises(ValueError, match="Not a JSON automaton: an object repeats a member"):
            Automaton.from_json(text.replace('"initial"', '"initial": 1, "initial"'))

    def test_refuses_files_that_are_no_text(self, tmp_path, monkeypatch):
        (tmp_path / "m.json").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match=r"m\.json': not a UTF-8 text file"):
            Automaton.from_json(tmp_path / "m.json")
        with pytest.raises(ValueError, match=r"gone\.json': No such file or directory"):
            Automaton.from_json(tmp_path / "gone.json")
        with pytest.raises(ValueError, match="Is a directory"):
            Automaton.from_json(tmp_path)
        monkeypatch.setattr(textfile, "MAX_BYTES", 2)
        with pytest.raises(ValueError, match=r"more than 2 bytes .*textfile\.MAX_BYTES"):
            Automaton.from_json(tmp_path / "m.json")
        with pytest.raises(ValueError, match=r"Cannot write .*No such file or directory"):
            Automaton.from_table([[0]]).to_json(tmp_path / "gone" / "m.json")
