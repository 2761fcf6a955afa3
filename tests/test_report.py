"""Reports: self-contained, escaped, the same every time, honest about what was not decided."""

import html.parser
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from command_line import lrnn as command

from constructions import CONSTRUCTIONS, compile_dfa
from constructions.cli.report import FORMATS, facts, page, study
from constructions.cli.report.page import least_width
from constructions.cli.report.weights import weight_facts
from lrnn_theory import Automaton, languages, verify
from lrnn_theory.verification import Undecided

ROOT = Path(__file__).parents[1]
NEEDS_FLA = pytest.mark.skipif(
    importlib.util.find_spec("fla") is None, reason="needs the extra fla"
)
VOID = {"meta", "br", "hr", "img", "input", "link"}
SECTIONS = ["automaton", "profile", "architectures", "construction", "weights", "verdicts"]


class Outline(html.parser.HTMLParser):
    """Checks that tags nest, and collects ids, links, tags and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.text = [], [], [], set(), []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.note(tag, attrs)

    def handle_startendtag(self, tag, attrs):
        self.note(tag, attrs)

    def note(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name == "id":
                self.ids.append(value)
            if name.removeprefix("xlink:") in ("href", "src", "action"):
                self.links.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def report(source, automaton=None, **options):
    return study(automaton or Automaton.coerce(source), source, **options)


def check_page(text):
    outline = Outline(text)
    assert len(outline.ids) == len(set(outline.ids))
    assert set(SECTIONS) <= set(outline.ids)
    for link in outline.links:  # nothing but places on this page
        assert link.startswith("#"), link[:80]
        assert link[1:] in outline.ids
    assert not outline.tags & {"script", "img", "link", "iframe", "object", "image", "form"}
    assert "default-src 'none'" in text
    assert not re.search(r"url\((?!#)|@import", text)
    return outline


@pytest.mark.parametrize("name", ["parity", "tls", "flip_flop", "mod_1", "t4", "d4"])
def test_page_is_self_contained(name):
    found = report(f"@{name}", languages.BESTIARY[name]())
    outline = check_page(page(found))
    text = " ".join(outline.text)
    assert f"@{name}" in text
    for c in found.candidates:
        assert c.construction.key in text
    for format_name in FORMATS:
        assert format_name in text
    json.dumps(found.facts)


@pytest.mark.parametrize("name", ["parity", "mod_1", "z6", "q8", "t5", "random_10", "smtp", "uuid"])
def test_facts(name):
    """The slow test below draws the pages of all machines."""
    automaton = languages.BESTIARY[name]()
    found = report(f"@{name}", automaton, arithmetics=["bfloat16"], seconds=2)
    assert found.facts["verdicts"][0]["verdict"] in ("proved", "undecided")
    made = found.facts["construction"]
    claims = made["claims"]
    assert made["layers"] <= claims["layers"]
    assert claims["factors"] is None or made["factors"] <= claims["factors"]
    assert [x["n"] * x["d"] for x in found.facts["weights"]] == made["widths"]
    assert len(json.dumps(found.facts)) < 300_000


def test_facts_are_documented():
    """Every key is named in the table of docs/report.md; a proof tells how it was found."""
    table = (ROOT / "docs/report.md").read_text().split("## As JSON")[1]
    named = re.findall(r"`(\w[\w ]*)`", table)
    found = report("(11)*", arithmetics=["bfloat16"]).facts
    for row in (found, found["construction"], *found["verdicts"], *found["weights"]):
        assert set(row) <= set(named), set(row) - set(named)
    verdict = found["verdicts"][0]
    assert verdict["method"] == "compositional"
    assert set(verdict["statistics"]) <= set(named)
    assert verdict["statistics"]["layer states"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(languages.BESTIARY))
def test_page_of_every_machine(name):
    found = report(f"@{name}", languages.BESTIARY[name]())
    text = page(found)
    check_page(text)
    assert len(text) < 2_500_000


@pytest.mark.parametrize(
    "letters",
    [["<script>alert(1)</script>", "</style>", "a\"'&"], ["</svg><b>", "{{7*7}}", "\x00"]],
)
def test_hostile_names_are_escaped(letters):
    automaton = Automaton.from_table([[1, 0], [0, 0], [1, 1]], accepting=[1], letters=letters)
    text = page(report("<img src=x onerror=alert(1)>{{7*7}}", automaton))
    outline = check_page(text)
    assert "b" not in outline.tags
    assert "<img" not in text
    assert "49" not in " ".join(outline.text[:40])
    assert text.count("<style") == 1


def test_wide_pictures_shrink_while_their_text_is_legible():
    outlines, text = "<svg width='1'", "<text font-size='1'"
    assert least_width(outlines.replace("'1'", '"900pt"')) == "525"  # 5.25 of 9 points
    graph = (outlines + text).replace("width='1'", 'width="1000.00pt"')
    assert least_width(graph.replace("size='1'", 'size="10.50"')) == "500"


@pytest.mark.parametrize("to", [None, "torch", pytest.param("fla", marks=NEEDS_FLA)])
def test_a_weight_file_is_reported(tmp_path, to):
    """About the automaton that it implements, whatever it was made for."""
    path, out = tmp_path / "w.safetensors", tmp_path / "r.html"
    compile_dfa("(11)*").save(path)
    if to:
        again = tmp_path / "m.safetensors"
        assert command("export", str(path), "-o", str(again), "--to", to, "--no-trial").code == 0
        path = again
    ran = command("report", str(path), "-o", str(out), "-a", "bfloat16", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["automaton"]["minimal_states"] == 2
    assert found["verdicts"][0]["verdict"] == "proved"
    assert found["construction"]["construction"] == ("" if to else "parity")
    assert (found["construction"]["claims"] is None) == bool(to)
    assert found["contrast"] is None
    text = out.read_text()
    check_page(text)
    assert ("nothing is claimed of them" in text) == bool(to)
    lines = [shlex.split(line)[1:] for line in found["commands"]]
    assert all(str(path) in line or "automaton.json" in line for line in lines)
    for line in lines[:4]:
        line = [str(tmp_path / x) if x == "automaton.json" else x for x in line]
        assert command(*line).code == 0, line


def test_a_file_that_names_a_construction_is_not_believed(tmp_path):
    path = tmp_path / "w.safetensors"
    replace(compile_dfa("(111)*"), construction="parity").save(path)
    ran = command("report", str(path), "--json", "-a", "bfloat16")
    assert json.loads(ran.out)["construction"]["claims"] is None


def test_weight_files_that_are_none_are_one_line(tmp_path):
    path, out = tmp_path / "w.safetensors", str(tmp_path / "r.html")
    assert "No such file" in command("report", str(path), "-o", out).err
    compile_dfa("(11)*").save(path)
    assert "are for automata" in command("report", str(path), "-o", out, "--sink").err
    path.write_bytes(path.read_bytes()[:200])
    ran = command("report", str(path), "-o", out)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no whole safetensors file" in ran.err


def test_a_network_that_drifts_in_fractions_is_left_in_time(tmp_path):
    """Rounded turns never come back exactly, and their fractions grow with every letter."""
    path, module = str(tmp_path / "w.safetensors"), str(tmp_path / "m.safetensors")
    compile_dfa(languages.mod(60), "rotation").save(path)
    assert command("export", path, "-o", module, "--no-trial").code == 0
    ran = command("report", module, "--json", "--seconds", "1")
    assert ran.code == 2
    assert "takes more than 1 s" in ran.err


def test_same_page_every_time():
    def timeless(text):
        return re.sub(r"\d+\.\d+ s", "", text)

    first, again = (page(report("(ab)*")) for _ in range(2))
    assert timeless(first) == timeless(again)


def test_verdicts_are_those_of_verify(monkeypatch):
    monkeypatch.setattr(facts, "VERDICT_SECONDS", 60.0)  # a busy machine decides as much
    seven = languages.mod(7)
    found = report("@mod(7)", seven, seconds=600)
    assert found.contrast is not None
    assert found.contrast.lrnn.construction == "rotation"
    rotation = compile_dfa(seven, "rotation")
    drifting = found.facts["contrast"]
    assert [v["arithmetic"] for v in drifting["verdicts"]] == [
        v["arithmetic"] for v in found.facts["verdicts"][1:]
    ]
    for v in drifting["verdicts"]:
        expected = verify(rotation, seven, v["arithmetic"])
        assert v["verdict"] == type(expected).__name__.lower()
        if v["verdict"] == "refuted":
            assert v["length"] == len(expected.word)
    horizons = {h["arithmetic"]: h for h in drifting["horizons"]}
    bfloat16 = horizons["bfloat16:wide+acc=float32"]
    assert bfloat16["first"] == [287]
    assert horizons["float32:each"]["never"]
    text = page(found)
    assert "287 letters" in text
    assert 'id="counterexamples"' in text


def test_a_wrong_network_has_its_counterexample_drawn():
    found = report("(a{7})*", construction="rotation", arithmetics=["float8_e4m3"])
    assert found.contrast is None
    assert found.facts["verdicts"][0]["verdict"] == "refuted"
    text = page(found)
    assert "State after every letter of " + " ".join("a" * 21) in text


def test_what_there_was_no_time_for_is_undecided():
    found = report("(ab)*", seconds=1e-9)
    assert all(isinstance(v, Undecided) for v in found.trial.verdicts)
    assert found.trial.horizons == ()
    text = page(found)
    assert "the time of the report was spent before" in text
    assert "Undecided means" in text
    assert "proved</span> in" not in text


def test_long_words_are_short_in_facts():
    word = ("a",) * 1000 + ("b",)
    short = facts._short({"word": word})
    assert short == {"length": 1001, "word": {"runs": [("a", 1000), ("b", 1)], "complete": True}}
    mixed = facts._short({"word": ("a", "b") * 500})
    assert not mixed["word"]["complete"]
    assert facts._short({"word": ("a",)}) == {"word": ("a",), "length": 1}


@pytest.mark.parametrize("key", ["rotation", "cyclic", "regular_language", "star_free", "dense"])
def test_weights_are_those_of_the_network(key):
    lrnn = compile_dfa(languages.mod(5) if key in ("rotation", "cyclic") else "(ab)*", key)
    facts = weight_facts(lrnn)
    for layer, level in zip(facts, lrnn.levels, strict=True):
        for a, matrix in enumerate(layer["matrices"]):
            exact = level.layer.transition.matrix(a)
            for row, exact_row in zip(matrix, exact, strict=True):
                for x, y in zip(row, exact_row, strict=True):
                    if x.startswith("~"):
                        assert abs(float(x[1:]) - float(y)) < 1e-4
                        assert not layer["exact"]
                    else:
                        assert eval_fraction(x) == y


def eval_fraction(text):
    from fractions import Fraction

    return Fraction(text)


def test_large_weights_are_summarised():
    facts = weight_facts(compile_dfa(languages.protocol("tls")))
    assert facts[0]["matrices"] is None
    assert facts[0]["actions"] > 6
    assert facts[1]["matrices"] is not None
    tail = weight_facts(compile_dfa(languages.protocol("tcp_server")))[-1]
    assert tail["kind"] == "tail"


# -------------------------------------------------------------------- the command


def test_command(tmp_path):
    out = tmp_path / "report.html"
    ran = command("report", "(11)*", "-o", out, "--json", "-a", "bfloat16")
    found = ran.data()
    assert ran.code == 0
    assert found["file"] == str(out)
    check_page(out.read_text(encoding="utf-8"))
    assert {"source", "versions", "automaton", "profile", "construction", "candidates", "verdicts",
            "horizons", "contrast", "weights", "commands", "file"} == set(found)  # fmt: skip
    assert found["construction"]["construction"] in CONSTRUCTIONS


def test_what_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "folder.html").mkdir()
    for place, message in (("nowhere/r.html", "No such file"), ("folder.html", "no regular file")):
        with mock.patch("constructions.cli.report.study", side_effect=AssertionError):
            ran = command("report", "(11)*", "-o", tmp_path / place)
        assert ran.code == 2
        assert ran.err.count("\n") == 1
        assert message in ran.err


def test_a_report_that_fails_leaves_what_was_there(tmp_path):
    out = tmp_path / "report.html"
    out.write_text("before")
    assert command("report", "(11)*", "-o", out, "-a", "float99").code == 2
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_what_an_ordinary_report_does_not_need_is_not_loaded(tmp_path):
    """Each takes as long to import as all the work, and so does the seeking of garbage."""
    program = (
        "import atexit, gc, sys; from constructions.cli import main; sought = []; "
        "atexit.register(lambda: print(len(sought), len(gc.get_objects()) < 1000)); "
        "gc.callbacks.append(lambda phase, _: sought.append(phase)); code = main(); "
        "heavy = {'automata', 'mpmath', 'networkx', 'numba', 'rich', 'scipy', 'sympy'}; "
        "print(code, (heavy | {'matplotlib.pyplot', 'torch._dynamo'}) & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, "report", "(11)*", "-o", tmp_path / "r.html"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (ran.stdout.splitlines()[1:], ran.stderr) == (["0 set()", "0 True"], "")


def test_documented_commands_run(tmp_path, monkeypatch):
    """What a report tells to type can be typed, also for a source that begins with a dash."""
    monkeypatch.chdir(tmp_path)
    for source in ("-(ab)*", "@mod(5)"):
        ran = command("report", "--json", "-a", "bfloat16", "--", source)
        for line in ran.data()["commands"]:
            again = command(*shlex.split(line)[1:])
            assert (again.code, again.err) == (0, ""), line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["(11)*"], "'--output' is required"),
        (["(11)*", "-o", "a.pdf"], "must end in .html"),
        (["(11)*", "--json", "-a", "float33"], "float33"),
        (["(11)*", "--json", "--construction", "nosuch"], "must be one of"),
        (["(ab)*", "--json", "--construction", "parity"], "does not apply"),
        (["(a", "--json"], "Regex"),
        (["a{99999999}", "--json"], "positions"),
        (["(11)*", "--json", "--seconds", "0"], "--seconds"),
    ],
)
def test_command_misuse(arguments, message):
    ran = command("report", *arguments)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert message in ran.err
