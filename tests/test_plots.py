"""Pictures: the same bytes every time, valid SVG, what they show, and the command."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from io import BytesIO
from itertools import combinations
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import numpy as np
import pytest
from command_line import lrnn as command
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d.proj3d import proj_transform

from constructions import compile_dfa
from constructions.cli.pictures import KINDS
from lrnn_theory import Automaton, horizon, languages
from lrnn_theory.cascade import decompose
from lrnn_theory.householder import GHProduct, orthogonal
from lrnn_theory.learning.curves import Curve
from lrnn_theory.plots import (
    plot_automaton,
    plot_cascade,
    plot_curves,
    plot_errors,
    plot_horizons,
    plot_orbit,
    plot_reflections,
    plot_spectrum,
    plot_training,
    plot_trajectory,
)
from lrnn_theory.plots.automata import letter_runs
from lrnn_theory.plots.cascades import reachable
from lrnn_theory.plots.style import INK, Picture, picture

ROOT = Path(__file__).parents[1]
needs_dot = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz (its program dot) is not installed"
)
SVG = "{http://www.w3.org/2000/svg}"
SEVEN = languages.mod(7)


@pytest.fixture(scope="module")
def rotation():
    return compile_dfa(SEVEN, "rotation")


@pytest.fixture(scope="module")
def drawn(rotation):
    return [rendered(p) for p in pictures(rotation)]


def rendered(p):
    svg = p.render()
    return Picture(p.title, lambda _: svg)


def pictures(rotation):
    found = [horizon(rotation, SEVEN, a) for a in ("bfloat16:once", "float16")]
    return [
        plot_cascade(languages.contains("abc")),
        plot_spectrum(rotation),
        plot_trajectory(rotation, "aaaa", "bfloat16"),
        plot_orbit(rotation, "bfloat16:once", length=50),
        plot_reflections(orthogonal([[0, 0, 1], [1, 0, 0], [0, 1, 0]])),
        plot_horizons(found),
        plot_errors(rotation, ["bfloat16:once", "float16"], found, length=50),
    ]


def test_same_data_same_bytes(rotation, drawn, monkeypatch):
    import matplotlib as mpl

    first = [p.render() for p in drawn]
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):  # a user's own style
        again = [p.render() for p in pictures(rotation)]
    assert first == again
    assert not any(re.search(rb"\d{4}-\d\d-\d\dT|matplotlib\.org/ v", svg) for svg in first)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    one = plot_spectrum(rotation)
    pdf = one.render("pdf")
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert one.render("pdf") == pdf


def test_inline_elements_are_valid_and_of_the_page(drawn):
    for i, p in enumerate(drawn):
        root = ElementTree.fromstring(p.inline(f"p{i}"))
        assert root.tag == f"{SVG}svg"
        assert root.get("aria-label") == p.title
        assert root.get("fill") == "currentColor"  # what has no colour of its own, too
        ids = [e.get("id") for e in root.iter() if e.get("id")]
        assert ids
        assert all(x.startswith(f"p{i}-") for x in ids)
        links = re.findall(r'(?:href="#|url\(#)([^")]*)', p.inline(f"p{i}"))
        assert set(links) <= set(ids)
        text = p.inline("x")
        assert INK.lower() not in text.lower()
        assert "currentColor" in text
        assert "<style" not in text


def test_title_is_escaped():
    hostile = Picture('<script>"&', lambda _: b'<?xml?><svg xmlns="http://www.w3.org/2000/svg"/>')
    assert ElementTree.fromstring(hostile.inline("a")).get("aria-label") == '<script>"&'


def test_suffixes(tmp_path, rotation):
    one = plot_spectrum(rotation)
    for suffix, magic in {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}.items():
        one.save(tmp_path / f"a.{suffix}")
        assert (tmp_path / f"a.{suffix}").read_bytes().startswith(magic)
    with pytest.raises(ValueError, match="svg"):
        one.save(tmp_path / "a.gif")
    with pytest.raises(ValueError, match="svg"):
        one.render("gif")
    with pytest.raises(ValueError, match="Cannot write"):
        one.save(tmp_path / "nowhere" / "a.svg")


# -------------------------------------------------------------------- automata


@needs_dot
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
        min_size=1, max_size=4, unique=True,
    )
)  # fmt: skip
@settings(max_examples=15)
def test_any_letter_can_be_drawn(letters):
    automaton = Automaton.from_table([[1, 0]] * len(letters), accepting=[1], letters=letters)
    root = ElementTree.fromstring(plot_automaton(automaton).inline("a"))
    ids = {e.get("id") for e in root.iter()}
    assert {"a-state_0", "a-state_1", "a-arrow_0_1", "a-arrow_1_0"} <= ids


@needs_dot
def test_labels_survive_dot_and_html():
    names = ["<b>&amp;", '"\\N', "\\n", " ", "a|b"]
    automaton = Automaton.from_table([[0, 0]] * 5, accepting=[0], letters=names)
    root = ElementTree.fromstring(plot_automaton(automaton).render())
    text = " ".join(e.text or "" for e in root.iter(f"{SVG}text"))
    for name in ("<b>&amp;", '"\\N', "\\n", "␣", "a|b"):
        assert name in text


@needs_dot
@pytest.mark.parametrize("name", ["parity", "flip_flop", "tls", "iso_date", "dyck_10"])
def test_every_state_is_drawn(name):
    automaton = languages.BESTIARY[name]()
    p = plot_automaton(automaton)
    ids = set(re.findall(r'id="state_(\d+)"', p.render().decode()))
    left_out = re.findall(r"state (\d+), a rejecting sink", p.title)
    assert len(left_out) == (name in ("iso_date", "dyck_10"))
    assert ids == {str(q) for q in range(automaton.n_states)} - set(left_out)
    whole = plot_automaton(automaton, sink=True).render().decode()
    assert set(re.findall(r'id="state_(\d+)"', whole)) == set(map(str, range(automaton.n_states)))


def boxes_of_labels(automaton):
    """Where Graphviz puts the letters of arrows: centres and half sizes, in inches."""
    text = plot_automaton(automaton).draw.text
    run = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        if line.startswith("edge") and line.count('"') == 2:
            label, (x, y, *_) = line.split('"')[1], line.rpartition('"')[2].split()
            lines = label.split("\\n")
            yield float(x), float(y), 0.035 * max(map(len, lines)), 0.07 * len(lines)


@needs_dot
@pytest.mark.parametrize("name", ["mqtt_broker", "tls", "email", "iso_datetime"])
def test_letters_of_arrows_do_not_overlap(name):
    for (x, y, w, h), (u, v, a, b) in combinations(boxes_of_labels(languages.BESTIARY[name]()), 2):
        assert abs(x - u) > w + a or abs(y - v) > h + b


@needs_dot
def test_letters_of_loops_are_above_all_arrows():
    p = plot_automaton(languages.BESTIARY["email"]())
    arrows = re.findall(r'id="arrow_(\d+)_(\d+)"', p.render().decode())
    loops = [q == target for q, target in arrows]
    assert True in loops
    assert loops == sorted(loops)
    assert "paint-order: stroke" in p.render().decode()
    assert "<style>" not in p.inline("a")  # a page has its own


@needs_dot
def test_png_has_white_paper_whoever_draws():
    for p in (plot_automaton(SEVEN), plot_cascade(SEVEN)):
        corner = imread(BytesIO(p.render("png")))[0, 0]
        assert corner[:3].tolist() == [1, 1, 1]
        assert len(corner) == 3 or corner[3] == 1


@needs_dot
def test_graphviz_files_have_no_date():
    p = plot_automaton(languages.parity())
    assert b"(D:20000101000000" in p.render("pdf")
    assert p.render("png").startswith(b"\x89PNG")


def test_letter_runs():
    assert letter_runs(list("abcd") + list("0189") + ["-"]) == ["0", "1", "8", "9", "a–d", "-"]
    assert letter_runs(["2", "0", "1"]) == ["0–2"]
    assert letter_runs(["x" * 50]) == ["x" * 13 + "…"]


def test_too_large_or_no_graphviz(monkeypatch):
    with pytest.raises(ValueError, match="325 arrows"):
        plot_automaton(languages.modular_arithmetic(5))
    with pytest.raises(ValueError, match="1000 states"):
        plot_automaton(languages.mod(1000))
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(ValueError, match="'dot' is not installed"):
        plot_automaton(languages.parity()).render()


# -------------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("name", ["t4", "tomita_7", "iso_date", "s3", "mod_1"])
def test_cascade_leaves_stand_for_all_states(name):
    automaton = languages.BESTIARY[name]()
    cascade = decompose(automaton.minimize().merge_letters()[1])
    leaves = reachable(cascade)
    assert {cascade.decode(leaf) for leaf in leaves} == set(range(cascade.automaton.n_states))
    assert plot_cascade(automaton).render().startswith(b"<?xml")


def test_larger_cascades_are_refused():
    with pytest.raises(ValueError, match="reachable coordinates"):
        plot_cascade(languages.nth_from_last(7))
    with pytest.raises(ValueError, match="33 levels"):
        plot_cascade(languages.protocol("dtls_server"))


def points(p):
    """All coordinates of markers (uses) of an SVG, by the colour of the marker."""
    return re.findall(r'<use [^>]*x="([-\d.]+)" y="([-\d.]+)"', p.render().decode())


def test_spectrum_of_a_rotation_is_the_roots_of_unity(rotation):
    drawn = len(points(plot_spectrum(rotation)))
    other = len(points(plot_spectrum(compile_dfa(languages.mod(11), "rotation"))))
    # The left disc has two eigenvalues; the right one those of 1 to 8 turns: all 7th roots of
    # unity but none is left out, and 16 of the 11th, less those that come twice.
    left, ticks_and_legend = 2, drawn - 2 - 7
    powers = {k * s % 11 for k in range(1, 9) for s in (1, -1)}
    assert other == left + len(powers) + ticks_and_legend


def test_trajectory_answers(rotation):
    p = plot_trajectory(rotation, "a" * 7, "float32")
    assert p.title == "State after every letter of a a a a a a a, in float32:each"
    zero = re.compile("#f7f7f7", re.I)  # nothing of the colour that 0 would have
    assert not zero.search(plot_trajectory(compile_dfa(SEVEN), "a" * 7).render().decode())
    for word, message in [("b", "letter 'b'"), ("a" * 65, "65 letters")]:
        with pytest.raises(ValueError, match=message):
            plot_trajectory(rotation, word)
    with pytest.raises(ValueError, match="0 numbers"):
        plot_trajectory(compile_dfa("a*"), "a")


def test_a_letter_that_the_font_lacks_is_drawn_as_a_box():
    even = compile_dfa(Automaton.from_table([[1, 0]], accepting=[0], letters=["\N{WOMAN}"]))
    assert plot_trajectory(even, ["\N{WOMAN}"]).render().startswith(b"<?xml")


def test_orbit_counts_states(rotation):
    exact = plot_orbit(compile_dfa("(a{4})*", "rotation"), "float32", length=40)
    assert exact.title.startswith("4 states after up to 40 letters a")
    drifting = plot_orbit(rotation, "float8_e4m3", length=1000)  # overflows: NaN is no state
    assert 7 < int(drifting.title.split()[0]) < 1000
    for options, message in [({"letter": "z"}, "'z'"), ({"length": 0}, "length")]:
        with pytest.raises(ValueError, match=message):
            plot_orbit(rotation, **options)
    with pytest.raises(ValueError, match="'rotation'"):
        plot_orbit(compile_dfa(SEVEN))


def test_errors_have_the_horizon_marked(rotation):
    found = [horizon(rotation, SEVEN, a) for a in ("bfloat16:once", "float16")]
    names = ["bfloat16:once", "float16"]
    near = plot_errors(rotation, names, found, length=100).render()
    far = plot_errors(rotation, names, found, length=400).render()
    assert found[0].minimum == 287  # a dot, and a line down to the axis
    assert far.count(b"stroke-dasharray") == near.count(b"stroke-dasharray") + 1
    with pytest.raises(ValueError, match="as many"):
        plot_errors(rotation, names, found[:1])
    with pytest.raises(ValueError, match="length"):
        plot_errors(rotation, names, found, length=10**9)


def test_where_nothing_is_rounded_there_is_no_error_to_draw():
    seven, names = compile_dfa(SEVEN), ["bfloat16", "float16"]
    found = [horizon(seven, SEVEN, a) for a in names]
    with pytest.raises(ValueError, match="up to length 9 every state is exact in bfloat16, float"):
        plot_errors(seven, names, found, length=9)


def test_mirrors():
    assert plot_reflections(GHProduct(np.array([[1, 1]]), np.array([0.5]))).title.endswith(
        "factor, with eigenvalue 0"
    )
    with pytest.raises(ValueError, match="dimension 2 or 3"):
        plot_reflections(orthogonal(-np.eye(4, dtype=int)))
    with pytest.raises(ValueError, match="'start'"):
        plot_reflections(orthogonal([[0, -1], [1, 0]]), [1, 2, 3])


MIRRORS = [
    orthogonal([[0, -1], [1, 0]]),
    orthogonal([[0, -1, 0], [1, 0, 0], [0, 0, -1]]),  # the first factor's mirror holds h_1
    GHProduct(np.array([[1, 0], [0.9, 0.1], [0.6, 0.8], [0, 1]]), np.array([1, 1, 2, 0.5])),
    GHProduct(
        np.array([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0], [0, 0.6, 0.8], [1, 1, 1], [0, 0, 1]]),
        np.array([2, 2, 2, 1, 2 / 3, 2]),
    ),
    GHProduct(np.array([[1, 0], [0, 1]]), np.array([1, 1])),  # ends in 0
]


@pytest.mark.parametrize("product", MIRRORS, ids=repr)
def test_names_of_vectors_do_not_overlap(product):
    with mock.patch.object(Figure, "savefig", autospec=True) as save:
        plot_reflections(product).render()
    figure = save.call_args.args[0]
    figure.draw_without_rendering()
    (axes,) = figure.axes
    texts = [text for text in axes.texts if text.get_text()]
    names = "".join(text.get_text() for text in texts)
    assert all(f"h_{i}" in names for i in range(len(product) + 1))
    boxes = [box_of(axes, text) for text in texts]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert figure.bbox.containsx(box.x0)
        assert figure.bbox.containsx(box.x1)
        for legend in (axes.get_legend(), *figure.legends):
            assert legend is None or not box.overlaps(legend.get_window_extent())


def box_of(axes, text):
    """Where a name stands, in pixels, in the plane or in space."""
    size = text.get_window_extent()
    place = text.get_position()
    if axes.name == "3d":
        place = proj_transform(*text.get_position_3d(), axes.get_proj())[:2]
    x, y = axes.transData.transform(place)
    return Bbox.from_bounds(x - size.width / 2, y - size.height / 2, size.width, size.height)


LOG = """{"task": "parity", "seeds": [0, 1]}
{"step": 10, "loss": [0.7, 0.5], "accuracy": [0.5, 0.75]}

{"step": 20, "loss": [0.1, NaN], "accuracy": [1, 0.5], "rate": 0.001}
"""


def test_training(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(LOG)
    p = plot_training(path)
    assert p.title == "Training of parity: 2 seeds, 20 updates"
    assert p.render() == p.render()
    path.write_text('{"step": 1, "loss": 0.5, "accuracy": 1}')
    assert plot_training(path).title == "Training of training: 1 seed, 1 update"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("{}", "no line with a 'step'"),
        ('{"step": 1', "Line 1 of log"),
        ("[1]", "must be one JSON object"),
        ('{"step": 1, "loss": "x", "accuracy": 1}', "Line 1 of log .* must give 'loss' as numbers"),
        ('{"step": 1, "loss": []}', "must give 'loss'"),
        (LOG + '{"step": 30, "loss": [1], "accuracy": [1, 1]}', "different numbers of seeds"),
    ],
)
def test_logs_that_are_none(tmp_path, text, message):
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        plot_training(path)
    ran = command("plot", "training", path, "-o", tmp_path / "a.svg")
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_paint_is_called_for_every_rendering():
    calls = []
    one = picture("t", (1, 1), calls.append)
    assert calls == []
    one.render()
    one.render("pdf")
    assert len(calls) == 2


# -------------------------------------------------------------------- the command


@needs_dot
@pytest.mark.parametrize(
    "arguments",
    [
        ["automaton", "@iso_date"],
        ["cascade", "(ab)*"],
        ["spectrum", "@parity", "--layer", 1],
        ["trajectory", "(ab)*", "--word", "a b", "-a", "bfloat16"],
        ["reflections", "@mod(5)", "--construction", "rotation", "--letter", "a"],
        ["orbit", "@mod(5)", "--construction", "rotation", "--length", 30, "-a", "float16"],
        ["error", "@mod(5)", "--construction", "rotation", "--length", 30, "-a", "float16"],
        ["horizon", "@mod(5)", "--construction", "rotation", "--length", 30, "-a", "float16"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_command(tmp_path, arguments):
    out = tmp_path / "a.svg"
    ran = command("plot", *arguments, "-o", out, "--json")
    facts = ran.data()
    assert ran.code == 0
    assert facts["kind"] == arguments[0]
    assert ElementTree.parse(out).getroot().tag == f"{SVG}svg"


@pytest.mark.parametrize("kind", ["automaton", "cascade"])
def test_a_picture_of_an_automaton_needs_no_torch(tmp_path, kind):
    program = (
        "import sys; from constructions.cli import main; "
        f"code = main(['plot', {kind!r}, '(ab)*', '-o', {str(tmp_path / 'a.svg')!r}]); "
        "print(code, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ran.stdout.splitlines()[-1], ran.stderr) == ("0 False", "")


def test_command_knows_every_kind():
    assert set(KINDS) == {
        "automaton", "cascade", "spectrum", "trajectory", "reflections", "orbit", "error",
        "horizon", "training",
    }  # fmt: skip


def test_command_draws_weight_files(tmp_path):
    weights = tmp_path / "w.safetensors"
    compile_dfa("(ab)*").save(weights)
    assert command("plot", "spectrum", weights, "-o", tmp_path / "a.svg").code == 0
    assert (tmp_path / "a.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch", "a*"], "'KIND' must be one of automaton"),
        (["automaton", "a*", "--word", "a"], "'--word' is not for a picture of kind 'automaton'"),
        (["trajectory", "a*"], "needs the option '--word'"),
        (["trajectory", "(aa)*", "--word", "a", "-a", "exact", "-a", "float32"], "takes one"),
        (["spectrum", "a*"], "without layers"),
        (["spectrum", "(aa)*", "--layer", "2"], "must be in 1..1"),
        (["reflections", "(aa)*", "--letter", "b"], "letter of the network"),
        (["reflections", "@iso_date", "--layer", "6"], "must be in 1..5"),
        (["spectrum", "w.safetensors", "--construction", "dense"], "not for a weight file"),
        (["spectrum", "(aa)*", "-o", "a.txt"], "must end in .svg"),
    ],
)
def test_command_misuse(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    ran = command("plot", *arguments, *([] if "-o" in arguments else ["-o", "a.svg"]))
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert not list(tmp_path.iterdir())


PAGE = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")


@needs_dot
@pytest.mark.parametrize("line", re.findall(r"    (lrnn plot .*)", PAGE))
def test_commands_of_the_page(tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text(LOG)
    ran = command(*shlex.split(line)[1:])
    assert (ran.code, ran.err) == (0, "")
    assert len(list(tmp_path.glob("*.svg"))) == 1
    for kind in KINDS:
        assert f"    lrnn plot {kind} " in PAGE


def test_curves_of_several_tasks_are_told_apart() -> None:
    def curve(task: str) -> Curve:
        return Curve(task, "lstm", (3, 40), (40, 41), (0, 1), ((1, 1), (0.5, 0)), 9, 1.0, "")

    one = plot_curves([curve("parity")])
    two = plot_curves([curve("parity"), curve("s3")])
    assert one.title == "parity: trained up to length 40"
    assert two.title == "parity, s3: trained up to length 40"
    assert "<!-- lstm -->" in one.render().decode()
    assert "<!-- s3, lstm -->" in two.render().decode()
    with pytest.raises(ValueError, match="must not be empty"):
        plot_curves([])
