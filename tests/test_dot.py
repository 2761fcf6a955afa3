"""Reading and writing Graphviz files: what model learners write, and what is no automaton."""

import html
import json
import subprocess
import sys
import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrnn_theory import textfile
from lrnn_theory.automaton import Automaton
from lrnn_theory.dot import parse_dot
from lrnn_theory.strategies import automata

ODD_NAMES = [
    *("a b", " a", "a ", '"', "\\", "\\n", "\n", "/", "a/b", " / ", "|", "{0}", "<b>", "é", "a,b"),
    *(
        "&#47;",
        "&amp;",
        "&",
        "A & B",
        "]",
        "->",
        "//",
        "#",
        "\u00a0",
        "\0",
        "push(a)",
        "a / pop(b)",
    ),
]
NAMES = st.text(max_size=5) | st.sampled_from(ODD_NAMES)

DFA = """
digraph contains_a {
s0 [label="s0"];
s1 [label="s1", shape=doublecircle];
s0 -> s1 [label="a"];
s0 -> s0 [label="b"];
s1 -> s1 [label="a"];
s1 -> s1 [label="b"];
__start0 [shape=none, label=""];
__start0 -> s0 [label=""];
}
"""

MOORE = """
digraph "last letter" {
s1 [label="s1|saw a", shape=record, style=rounded];
s0 [label="s0|-|-", shape="record", style=rounded];
s0 -> s1 [label="go a"];
s0 -> s0 [label=b];
s1 -> s1 [label="go a"];
s1 -> s0 [label=b];
__start0 -> s0;
}
"""

MEALY = """
digraph g {
    __start0 [label="" shape="none"]

    0 [shape="circle" label="s0"];
    1 [shape="circle" label="s1"];
    0 -> 1 [label="SYN(V,V,0)/SYN+ACK|DATA"];
    0 -> 0 [label="text/html/ok"];
    1 -> 0 [label="SYN(V,V,0)/"];
    1 -> 1 [label="text/ok"];
    __start0 -> 0;
}
"""


def read(text, sink=False):
    return Automaton(*parse_dot(text, sink=sink))


def graph(*statements):
    return "digraph {" + "\n".join(statements) + "}"


class TestRoundTrip:
    @given(automata(names=NAMES))
    def test_every_name_survives(self, machine):
        again = read(machine.to_dot())
        assert again.kind == machine.kind
        assert again.letters == machine.letters
        assert again.initial == machine.initial
        assert np.array_equal(again.delta, machine.delta)
        names = [np.array(m.output_symbols, object)[m.response] for m in (again, machine)]
        assert np.array_equal(*names)

    @given(automata(max_states=4))
    def test_networkx_writes_what_is_read(self, machine):
        # Through networkx and pydot: another writer, other quoting, attributes in another order.
        if machine.kind == "dfa":
            shapes = np.where(machine.accepting, "doublecircle", "circle").tolist()
            g = nx.MultiDiGraph()
            for q, shape in enumerate(shapes):
                g.add_node(q, color="red", shape=shape)
            for a, row in zip(machine.letters, machine.delta.tolist(), strict=True):
                for q, target in enumerate(row):
                    g.add_edge(q, target, weight="1", label=f'"{a} - x"')
            g.add_edge("__start0", machine.initial)
            again = read(nx.nx_pydot.to_pydot(g).to_string())
            renamed = Automaton.from_table(
                machine.delta,
                accepting=machine.accepting,
                initial=machine.initial,
                letters=[f"{a} - x" for a in machine.letters],
            )
            assert again.difference(renamed) is None

    def test_files(self, tmp_path):
        machine = read(MEALY)
        text = machine.to_dot(tmp_path / "m.dot")
        assert (tmp_path / "m.dot").read_text() == text
        assert Automaton.from_dot(tmp_path / "m.dot").difference(machine) is None
        (tmp_path / "m.dot").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        assert Automaton.from_dot(str(tmp_path / "m.dot")).difference(machine) is None


class TestConventions:
    def test_dfa(self):
        machine = read(DFA)
        assert (machine.kind, machine.letters, machine.initial) == ("dfa", ("a", "b"), 0)
        assert machine.delta.tolist() == [[1, 1], [0, 1]]
        assert machine.accepting.tolist() == [False, True]

    def test_moore(self):
        machine = read(MOORE)
        assert (machine.kind, machine.letters, machine.initial) == ("moore", ("go a", "b"), 1)
        assert [machine.output_symbols[i] for i in machine.outputs] == ["saw a", "-|-"]

    def test_mealy(self):
        machine = read(MEALY)
        assert machine.letters == ("SYN(V,V,0)", "text")
        assert machine.output_symbols == ("SYN+ACK|DATA", "html/ok", "", "ok")
        assert machine.outputs.tolist() == [[0, 2], [1, 3]]

    def test_slashes_with_spaces_separate_if_every_label_has_one(self):
        machine = read(graph('a -> a [label="text/html / 200"]', 'a -> a [label="x / 4/4"]'))
        assert machine.letters == ("text/html", "x")
        assert machine.output_symbols == ("200", "4/4")
        machine = read(graph('a -> a [label="x/1 / 2"]', 'a -> a [label="y/1"]'))
        assert machine.letters == ("x", "y")
        assert machine.output_symbols == ("1 / 2", "1")

    def test_a_slash_alone_is_a_letter(self):
        machine = read(graph('a -> a [label="/"]', 'a -> a [label="+"]', "a [peripheries=2]"))
        assert (machine.kind, machine.letters) == ("dfa", ("/", "+"))
        assert machine.accepts("")

    def test_the_initial_state_is_the_first_listed_without_a_start_edge(self):
        edges = ("b -> a [label=x]", "a -> a [label=x]")
        assert read(graph("a", "b [shape=doublecircle]", *edges)).initial == 0
        machine = read(graph(*edges, "a [shape=doublecircle]"))
        assert not machine.accepts("")  # b is mentioned first
        assert read(graph("p [shape=point]", *edges, "p -> a")).initial == 1

    def test_a_record_may_be_drawn_top_to_bottom(self):
        states = ['a [label="{a|0}"]', 'b [label="{b|}"]', 'c [label="{|}|}"]']
        machine = read(graph(*states, "a -> b -> c -> a [label=x]"))
        assert machine.output_symbols == ("0", "", "}|")

    def test_a_bar_after_a_backslash_separates_nothing(self):
        machine = read(graph(r'a [label="a\|b|\{0\|1\}"]', "a -> a [label=x]"))
        assert machine.output_symbols == ("{0|1}",)

    def test_several_letters_on_lines_of_their_own(self):
        machine = read(graph(r'a -> a [label="x/0\ny/1\l"]'))
        assert machine.letters == ("x", "y")
        assert machine.output_symbols == ("0", "1")

    def test_the_same_edge_twice_is_one_transition(self):
        assert read(graph("a -> a [label=x]", "a -> a [label=x]")).n_states == 1

    def test_entities_and_escapes_are_read_as_in_graphviz(self):
        machine = read(graph(r'a -> a [label=" \"\\&lt;&#38;&#x41;&nosuch; "]'))
        assert machine.letters == ('"\\<&A&nosuch;',)


class TestSyntax:
    def test_comments_defaults_chains_ports_subgraphs_and_odd_layout(self):
        machine = read(
            """
# a comment of the preprocessor
            /* a digraph { in } a comment */ STRICT DiGraph "two { words" {
              rankdir = LR size="8,5" graph [ratio=fill] edge [label=a]; // and another
              node [shape = doublecircle]; "q 1":n
              node [shape = circle];
              subgraph cluster_0 { node [shape=doublecircle]; color=blue; -.5 }
              q3 -> "q 1":s:w -> -.5
              "node" [label = "a keyword in quotes", shape=circle];
              -.5 -> "node" "node" -> q3 [color=red; weight=2][label="\
a"]
              __start0 [shape=none] __start0 -> q3
            }
            """
        )
        assert machine.letters == ("a",)
        assert machine.accepting.tolist() == [True, True, False, False]
        order = [machine.run("a" * k) for k in range(5)]
        assert order == [2, 0, 1, 3, 2]

    def test_a_name_may_go_on_in_the_next_line(self):
        assert read(graph('a -> a [label="tw\\\no"]')).letters == ("two",)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", r"line 1: not a DOT file: expected 'digraph', at the end"),
            ("hello", "not a DOT file: expected 'digraph', at 'hello'"),
            ("graph { a -- a [label=x] }", "needs a directed graph, not a 'graph'"),
            (graph("a -- b"), "needs directed edges, not '--'"),
            (graph("a -> {b c}"), "expected a name, at '{'"),
            (graph("a -> subgraph s {b}"), "expected a name, at 'subgraph'"),
            (graph("a;", "-> b"), "line 2: expected a name, at '->'"),
            (graph("a [label=<b>]"), "HTML labels are not supported, at '<'"),
            (graph("a [label]"), "expected '=', at ']'"),
            (graph("a", 'b [label="x]'), "line 2: a quoted name does not end"),
            (graph("/* a"), "this is not DOT, at '/'"),
            (graph("a \0"), r"this is not DOT, at '\\x00'"),
            (graph("a -> a [label=x]") + " digraph {}", "expected one graph, and nothing after"),
        ],
    )
    def test_refuses(self, text, message):
        with pytest.raises(ValueError, match=message) as caught:
            parse_dot(text)
        assert "\n" not in str(caught.value)

    @given(st.sampled_from([DFA, MOORE, MEALY]), st.data())
    def test_a_truncated_file_is_refused_in_one_line(self, text, data):
        text = text.strip()
        with pytest.raises(ValueError, match=r"^line \d+: [^\n]*$"):
            parse_dot(text[: data.draw(st.integers(0, len(text) - 1))])

    @given(st.text() | st.text('digraph {}[]->"\\=;:a/|\n'))
    def test_other_text_is_refused_in_one_line(self, text):
        for candidate in (text, graph(text)):
            try:
                parse_dot(candidate, sink=True)
            except ValueError as error:
                assert "\n" not in str(error)  # noqa: PT017

    def test_a_file_of_an_edge_a_line_takes_linear_time(self):
        edges = [f's{i} -> s{7 * i % 1000} [label="a{j}"];' for i in range(1000) for j in range(10)]
        start = time.perf_counter()
        assert read(graph(*edges)).n_letters == 10
        assert time.perf_counter() - start < 3  # measured: 0.1 s

    def test_pydot_reads_the_same_labels(self):
        n = len(ODD_NAMES)
        machine = Automaton.from_table([[0]] * n, letters=ODD_NAMES, accepting=[0])
        # In a process of its own: pydot's parser warns of deprecated calls when imported.
        code = (
            "import json, pydot, sys; graph = pydot.graph_from_dot_data(sys.stdin.read())[0]; "
            "print(json.dumps([edge.get_label()[1:-1] for edge in graph.get_edges()]))"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            input=machine.to_dot().encode(),
            capture_output=True,
            check=True,
        )
        labels = [html.unescape(label) for label in json.loads(done.stdout)]
        expected = [a.replace("\0", "\ufffd") for a in ODD_NAMES]  # HTML has no zero character
        assert sorted(labels) == sorted(["", *expected])


class TestRefusals:
    LOOP = "a -> a [label=x]"

    @pytest.mark.parametrize(
        ("statements", "message"),
        [
            (["a"], "must have transitions; the graph has none"),
            (["a -> a"], "The edge from 'a' to 'a' has no letter"),
            (['a -> a [label=" "]'], "The edge from 'a' to 'a' has no letter"),
            ([LOOP, "b -> b [label=x]", "a -> b [label=x]"], "state 'a' has two different tra"),
            (['a -> a [label="x/0"]', 'a -> a [label="x/1"]'], "state 'a' has two different tra"),
            ([LOOP, "a -> a [label=y]", "b -> a [label=x]"], "state 'b' has no transition on let"),
            ([LOOP, "__start0 -> b"], "The start edge leads to 'b', which is not a declared"),
            ([LOOP, "__start0 -> a", "__start1 -> b"], "must have one initial state, not 2"),
            (['a -> b [label="x/0"]', "b -> a [label=x]"], "that from 'b' to 'a' with label 'x'"),
            (['a [label="a|0"]', "a -> b [label=x]", "b -> a [label=x]"], "output, or none; 'b'"),
            (['a [label="a|0"]', 'a -> a [label="x/0"]'], "Outputs must be on the states"),
            (["a [shape=doublecircle]", 'a -> a [label="x/0"]'], "cannot be mixed; 'a' is acc"),
            (['a [shape=doublecircle, label="a|0"]', LOOP], "cannot be mixed; 'a' is accepting"),
            ([LOOP, "a -> __start0 [label=y]", "__start0 -> a"], "'__start0' to 'a' has no letter"),
        ],
    )
    def test_what_is_no_automaton(self, statements, message):
        for sink in (False, "no transition" not in message):
            with pytest.raises(ValueError, match=message) as caught:
                parse_dot(graph(*statements), sink=sink)
            assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "labels", [["( / push(()", ") / pop(()"], ["(", ") / pop(()"], ["a", "b / ('q0', 'a')"]]
    )
    def test_a_pushdown_automaton(self, labels):
        edges = [f'q -> q [label="{label}"]' for label in labels]
        with pytest.raises(ValueError, match="moves a stack: a pushdown automaton, not finite"):
            parse_dot(graph("q [shape=doublecircle]", *edges), sink=True)

    def test_a_partial_machine_is_completed_on_request(self):
        text = graph("q [shape=doublecircle]", "q -> p [label=x]", "p -> q [label=y]")
        machine = read(text, sink=True)
        assert machine.n_states == 3
        assert [machine.accepts(word) for word in ("", "xy", "xx", "y", "yxy")] == [
            True, True, False, False, False
        ]  # fmt: skip
        mealy = read(graph('q -> p [label="x/0"]', 'p -> q [label="y/1"]'), sink=True)
        outputs = mealy.transduce(mealy.encode("xyyx"))
        assert [mealy.output_symbols[i] for i in outputs] == ["0", "1", "undefined", "undefined"]

    def test_files_that_cannot_be_read(self, tmp_path, monkeypatch):
        path = tmp_path / "m.dot"
        with pytest.raises(ValueError, match=r"Cannot read '.*m\.dot': No such file or directory"):
            Automaton.from_dot(path)
        path.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
        with pytest.raises(ValueError, match=r"m\.dot': not a UTF-8 text file"):
            Automaton.from_dot(path)
        path.write_bytes(b"\0" * 100)
        with pytest.raises(ValueError, match=r"m\.dot': line 1: this is not DOT, at '\\x00'"):
            Automaton.from_dot(path)
        path.write_text(MEALY)
        monkeypatch.setattr(textfile, "MAX_BYTES", 200)
        with pytest.raises(ValueError, match=r"more than 200 bytes \(raise lrnn_theory\.textfile"):
            Automaton.from_dot(path)
