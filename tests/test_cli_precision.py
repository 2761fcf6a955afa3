"""The commands about finite precision: horizon, extract, census, and any decoder."""

import pytest
from command_line import lrnn

from constructions import compile_dfa
from lrnn_theory import Automaton, languages


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    """Counting modulo 7 by rotation, over one letter."""
    path = tmp_path_factory.mktemp("seven") / "seven.safetensors"
    compile_dfa(languages.mod(7, "a"), construction="rotation").save(path)
    return path


def test_horizon(seven, tmp_path):
    picture = tmp_path / "h.svg"
    ran = lrnn(
        "horizon", seven, "(a{7})*", "-a", "bfloat16:once", "-a", "float32", "--plot", picture
    )
    assert ran.code == 0
    assert "bfloat16:once, one letter repeated: first wrong at length 287" in ran.out
    assert "float32:each, one letter repeated: never wrong, at any length (proved)" in ran.out
    assert picture.read_text().startswith("<?xml")
    data = lrnn("horizon", seven, "(a{7})*", "-a", "bfloat16:once", "--json").data()
    assert data["horizons"][0]["first"] == [287]


def test_horizon_of_given_and_random_words(seven, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("a" * 300 + "\naaa\n")
    arguments = ("horizon", seven, "(a{7})*", "-a", "bfloat16:once", "--json", "--words")
    assert lrnn(*arguments, words).data()["horizons"][0]["first"] == [287, None]
    found = lrnn(*arguments, "random", "--count", 3, "--length", 400).data()["horizons"][0]
    assert found["first"] == [287] * 3


def test_extract(seven, tmp_path):
    out = tmp_path / "machine.json"
    ran = lrnn("extract", seven, "-a", "float32", "-o", out)
    assert (ran.code, "7 states" in ran.out) == (0, True)
    assert Automaton.from_json(out).difference(Automaton.from_regex("(a{7})*")) is None
    assert len(lrnn("extract", seven, "--json").data()["table"]["delta"][0]) == 7


def test_census(seven):
    data = lrnn("census", seven, "-a", "float8_e5m2", "--json").data()
    assert data["states"] == 61_009 == sum(data["periods"].values()) + data["overflow"]
    for period, cycle in data["cycles"].items():
        assert len(cycle) == int(period)
    assert "61,009 states" in lrnn("census", seven).out


def test_a_census_of_fractions(tmp_path):
    path = tmp_path / "parity.safetensors"
    compile_dfa("(0|10*1)*").save(path)
    ran = lrnn("census", path, "-a", "{-1/2,0,1/2}", "--letter", "1")
    assert (ran.code, ran.err) == (0, "")
    assert "2 end in period 2, such as (-0.5) -> (0.5)" in ran.out


def test_a_census_is_checked_again(seven, tmp_path):
    out = tmp_path / "c.json"
    ran = lrnn("census", seven, "-a", "fixed4.2", "--certificate", out)
    assert (ran.code, f"certificate written to {out}" in ran.out) == (0, True)
    again = lrnn("check", out, "--weights", seven)
    assert again.code == 0
    assert "of 256 states" in again.out
    assert "every input length" not in again.out
    compile_dfa("(0|10*1)*").save(other := tmp_path / "parity.safetensors")
    assert lrnn("check", out, "--weights", other).code == 2


def test_any_decoder(tmp_path):
    """A state that never moves tells nothing; two words show it."""
    path = tmp_path / "parity.safetensors"
    compile_dfa("(0|10*1)*").save(path)
    assert lrnn("verify", path, "(0|10*1)*", "--any-decoder").code == 0
    ran = lrnn("verify", path, "1(0|1)*|0*", "--any-decoder")
    assert ran.code == 1
    assert "no decoder can be right" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("horizon", "{}", "(a{7})*", "--letter", "z"), "letter"),
        (("horizon", "{}", "(a{7})*", "--plot", "h.gif"), "svg"),
        (("extract", "{}", "-o", "machine.txt"), ".json or .dot"),
        (("extract", "{}", "-a", "float12"), "float12"),
        (("census", "{}", "--letter", "z"), "letter"),
        (("census", "{}", "-a", "float32"), "65536"),
    ],
)
def test_misuse_is_one_line(seven, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    ran = lrnn(*(str(seven) if x == "{}" else x for x in arguments))
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_census_needs_one_layer(tmp_path):
    path = tmp_path / "date.safetensors"
    compile_dfa(languages.BESTIARY["iso_date"]()).save(path)
    ran = lrnn("census", path)
    assert (ran.code, "one layer" in ran.err) == (2, True)
