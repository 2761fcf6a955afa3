"""The command line: laws over random automata, every command, the process, progress."""

import contextlib
import io
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from command_line import lrnn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import turning
from test_verify_cast import scalar

from constructions import compile_dfa
from constructions.cli import demo, display
from constructions.cli import words as words_module
from constructions.cli.source import read_automaton
from lrnn_theory import languages
from lrnn_theory.automaton import Automaton
from lrnn_theory.lrnn import LRNN
from lrnn_theory.strategies import automata, words
from lrnn_theory.verification import Undecided

ROOT = Path(__file__).parents[1]
MODULE = [sys.executable, "-m", "constructions.cli"]
EVEN = "(0|10*1)*"


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of parity."""
    path = tmp_path_factory.mktemp("parity") / "parity.safetensors"
    compile_dfa(EVEN).save(path)
    return path


@pytest.fixture(scope="module")
def rotation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven by rotation: right in float32, wrong in bfloat16."""
    path = tmp_path_factory.mktemp("rotation") / "seven.safetensors"
    compile_dfa(languages.mod(7, "ab"), construction="rotation").save(path)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -------------------------------------------------------------------- laws


def expected_answer(automaton: Automaton, word: list[str]) -> str | None:
    if automaton.kind == "dfa":
        return "accepted" if automaton.accepts(word) else "rejected"
    if not word:
        start = int(automaton.response[..., automaton.initial].flat[0])
        return automaton.output_symbols[start] if automaton.kind == "moore" else None
    return automaton.output_symbols[automaton.transduce(automaton.encode(word))[-1]]


LETTERS = st.text("ab0(*|é", min_size=1, max_size=3)


@settings(max_examples=25)
@given(st.data(), automata(max_states=5, names=LETTERS), st.sampled_from([".json", ".dot"]))
def test_compile_run_verify_check_agree_with_the_automaton(
    data: st.DataObject, automaton: Automaton, suffix: str
) -> None:
    sample = data.draw(st.lists(words(automaton, 8), max_size=5))
    with tempfile.TemporaryDirectory() as name:
        machine, weights, proof = (f"{name}/{x}" for x in (f"m{suffix}", "w.safetensors", "c.json"))
        automaton.to_json(machine) if suffix == ".json" else automaton.to_dot(machine)
        assert lrnn("compile", machine, "-o", weights).code == 0
        lines = "".join(" ".join(word) + "\n" for word in sample)
        ran = lrnn("run", weights, "-", "--json", "-a", "bfloat16", stdin=lines)
        # A line of one-character letters may be meant as letters or as one name: encode decides.
        read = [[automaton.letters[a] for a in automaton.encode(" ".join(w))] for w in sample]
        assert ran.data()["answers"] == [expected_answer(automaton, word) for word in read]
        assert lrnn("verify", weights, machine, "--certificate", proof).code == 0
        assert lrnn("check", proof, "--weights", weights).code == 0


@given(automata(max_states=4, max_letters=3), st.data())
def test_batches_do_not_change_answers(automaton: Automaton, data: st.DataObject) -> None:
    sample = data.draw(st.lists(words(automaton, 6), max_size=12))
    batch = [words_module.Word("", automaton.encode(word)) for word in sample]
    network = compile_dfa(automaton)
    with mock.patch.object(words_module, "BATCH_LETTERS", data.draw(st.integers(0, 20))):
        answers = words_module.answer(network, batch, "float32", "cpu", lambda _: None)
    for word, outputs in zip(batch, answers, strict=True):
        assert outputs[0] == network.empty_output
        assert outputs[1:].tolist() == automaton.transduce(word.letters).tolist()


@given(st.lists(st.lists(st.sampled_from(["a", "bc", "\f"]), max_size=5), max_size=5))
@example([[], ["a"], []])
def test_word_files_are_read_back(sample: list[list[str]]) -> None:
    letters = ["a", "bc", "\f"]
    lines = ["".join(w) if "bc" not in w else " ".join(x for x in w if x != "\f") for w in sample]
    text = "".join(line + "\n" for line in lines).encode()
    with mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(text))):
        read = words_module.read_words("-", letters)
    wanted = [[x for x in w if x != "\f" or "bc" not in w] for w in sample]
    assert [[letters[a] for a in word.letters] for word in read] == wanted
    assert [word.text for word in read] == lines


# -------------------------------------------------------------------- commands


def test_analyze() -> None:
    ran = lrnn("analyze", EVEN)
    assert (ran.code, ran.err) == (0, "")
    assert "Z2" in ran.out
    data = lrnn("analyze", "[^a]", "--alphabet", "abc", "--json").data()
    assert (data["kind"], data["letters"], data["minimal_states"]) == ("dfa", 3, 3)


def test_analyze_tells_the_algebra() -> None:
    text = lrnn("analyze", "@t4").out
    assert "4 D of which 4 regular" in text
    assert "1 x 1 S4, 6 x 4 S3, 7 x 6 Z2, 1 x 4 Z1" in text
    assert re.search(r"groups are solvable +yes, derived length 3\n", text)
    data = lrnn("analyze", "@t4", "--json").data()
    assert [box["group"]["name"] for box in data["green"]["boxes"]] == ["S4", "S3", "Z2", "Z1"]
    assert (data["minimal_ideal"], data["is_j_trivial"], data["groups_are_2_groups"]) == (
        4,
        False,
        False,
    )
    moore, mealy = (lrnn("analyze", name).out for name in ("@flip_flop", "@tcp"))
    assert "transition monoid" in moore
    assert re.search(r"not enumerated: more than \d+ elements", mealy)  # as many as a second allows


@pytest.mark.parametrize("name", ["parity", "tcp", "s3", "iso_date"])
def test_bestiary_by_name(name: str) -> None:
    assert read_automaton(f"@{name}").difference(languages.BESTIARY[name]()) is None


def test_families_take_arguments() -> None:
    assert read_automaton("@mod(3, ab, 1)").accepts("bab")
    assert read_automaton("@symmetric_group(3, two)").n_letters == 2
    assert read_automaton("@protocol(smtp)").kind == "mealy"
    assert read_automaton("@quaternion_group").n_states == 8
    assert read_automaton("[@]mod").accepts("@mod")


def test_compile_tells_what_and_why(here: Path) -> None:
    ran = lrnn("compile", EVEN, "-o", "p.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert "parity: 1 layer, n = 1, at most 1 factor" in ran.out
    assert "cheapest" in ran.out
    assert LRNN.load("p.safetensors").letters == ("0", "1")
    data = lrnn("compile", EVEN, "-o", "p.safetensors", "--construction", "dense", "--json").data()
    assert data["lrnn"]["construction"] == "dense"
    assert data["lrnn"]["factors"] is None
    assert data["bytes"] == (here / "p.safetensors").stat().st_size
    assert os.listdir(here) == ["p.safetensors"]


@pytest.mark.usefixtures("here")
def test_compile_by_objective() -> None:
    data = lrnn("compile", "@z6", "-o", "z.safetensors", "--objective", "factors", "--json").data()
    assert "factors, then" in data["lrnn"]["reason"]


@pytest.mark.usefixtures("here")
def test_run_reads_every_form_of_word(parity: Path) -> None:
    Path("words.txt").write_bytes("\ufeff011\r\n1 0\n\n1".encode())
    ran = lrnn("run", parity, "words.txt")
    assert ran.out == "accepted\t011\nrejected\t1 0\naccepted\t\nrejected\t1\n"
    data = lrnn("run", parity, "words.txt", "--steps", "--json", "--arithmetic", "exact").data()
    assert data["arithmetic"] == "exact"
    assert data["answers"][:3] == [["accepted", "rejected", "accepted"], ["rejected"] * 2, []]
    Path("none.txt").touch()
    assert lrnn("run", parity, "none.txt").out == ""
    assert lrnn("run", parity, "none.txt", "--json").data()["answers"] == []


@pytest.mark.usefixtures("here")
def test_run_answers_like_a_mealy_machine() -> None:
    lrnn("compile", "@tcp", "-o", "tcp.safetensors")
    ran = lrnn("run", "tcp.safetensors", "-", "--steps", stdin="PASSIVE_OPEN SYN\n\n")
    first, second = ran.out.splitlines()
    assert first.endswith("SYN+ACK\tPASSIVE_OPEN SYN")
    assert second == "\t"
    data = lrnn("run", "tcp.safetensors", "-", "--json", stdin="PASSIVE_OPEN SYN\n\n").data()
    assert data["answers"] == ["SYN+ACK", None]


@pytest.mark.usefixtures("here")
def test_verify_and_check_mirror_the_verdict(rotation: Path) -> None:
    seven = "@mod(7, ab)"
    ran = lrnn("verify", rotation, seven, "--certificate", "proof.json")
    assert ran.code == 0
    assert "float32:each: proved for every input length" in ran.out
    ran = lrnn("verify", rotation, seven, "-a", "bfloat16", "--certificate", "no.json")
    assert ran.code == 1
    assert re.search(r"refuted by the word 'a{40}'\.\.\. \(\d+ letters\): it answers", ran.out)
    assert lrnn("check", "proof.json", "--weights", rotation).code == 0
    data = lrnn("check", "no.json", "--json")
    assert data.code == 1
    assert data.data()["verdict"] == "refuted"


@pytest.mark.usefixtures("here")
def test_a_certificate_that_is_too_long_for_the_checker() -> None:
    """It is said when it is written, and again when it is checked."""
    scalar(Fraction(9999, 10_000), 0, 1, (1, 0), outputs=[1, 0]).save("slow.safetensors")
    for language, code in (("1*", 1), ("1{0,6931}", 0)):
        command = ("verify", "slow.safetensors", language, "-a", "float32:cast")
        ran = lrnn(*command, "--certificate", "c.json")
        assert ran.code == code
        said = re.search(r"written to c.json; lrnn check rejects it: (\d+ letters .*)\n", ran.out)
        assert said
        ran = lrnn("check", "c.json")
        assert ran.code == 2
        assert said[1] in ran.err


@pytest.mark.usefixtures("here")
def test_verify_and_extract_end_in_time() -> None:
    turning().save("t.safetensors")
    ran = lrnn("verify", "t.safetensors", "a*", "-a", "exact", "--seconds", "1")
    assert ran.code == 3
    assert "more than 1 s; raise the budget (--seconds, " in ran.out
    ran = lrnn("extract", "t.safetensors", "-a", "exact", "--seconds", "1")
    assert ran.code == 2
    assert "takes more than 1 s; raise the budget (--seconds, " in ran.err


def test_verify_several_arithmetics_takes_the_worst(rotation: Path, here: Path) -> None:
    command = ("verify", rotation, "@mod(7, ab)", "--budget", "200", "-a", "bfloat16")
    ran = lrnn(*command, "-a", "float8_e5m2", "-a", "float32", "--json")
    assert ran.code == 1
    undecided, refuted, proved = ran.data()["verdicts"]
    assert undecided["verdict"] == "undecided"
    assert 0 < undecided["covered"] < 200
    assert refuted["verdict"] == "refuted"
    machine = languages.mod(7, "ab")
    assert refuted["expected"] == str(int(machine.accepts(refuted["word"]))) != refuted["answered"]
    assert proved["verdict"] == "proved"
    assert lrnn(*command, "-a", "float32").code == 3
    ran = lrnn(*command, "--certificate", "c.json")
    assert ran.code == 3
    assert "no certificate" in ran.out
    assert os.listdir(here) == []


@pytest.mark.usefixtures("here")
def test_verify_reads_a_regex_over_the_letters_of_the_weights() -> None:
    lrnn("compile", "[ab]*", "--alphabet", "abc", "-o", "w.safetensors")
    assert lrnn("verify", "w.safetensors", "[^c]*").code == 0
    ran = lrnn("verify", "w.safetensors", "[ab]*c?")
    assert ran.code == 1
    assert "the word 'c'" in ran.out


@pytest.mark.usefixtures("here")
def test_sink_completes_a_dot_file() -> None:
    Path("p.dot").write_text(
        "digraph { s [shape=doublecircle]; s -> t [label=a]; t -> s [label=b] }"
    )
    assert lrnn("analyze", "p.dot").code == 2
    assert lrnn("analyze", "p.dot", "--sink", "--json").data()["states"] == 3


# -------------------------------------------------------------------- demo


def test_demo_proves_its_machines() -> None:
    data = lrnn("demo", "--json").data()
    assert data["proved"]
    assert [m["name"] for m in data["machines"]] == ["parity", "ISO date", "S5", "TLS server"]
    for machine in data["machines"]:
        assert [v["verdict"] for v in machine["verdicts"]] == ["proved"] * 3
        assert machine["scan"]["agrees"]
        assert machine["check_seconds"] is not None
    assert data["machines"][2]["automaton"]["letters"] == 120


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "MACHINES", (demo.MACHINES[0],))
    monkeypatch.setattr(demo, "WORDS", 8)


@pytest.mark.usefixtures("small_demo")
def test_demo_explains_parity() -> None:
    ran = lrnn("demo", "--device", "cpu")
    assert (ran.code, ran.err) == (0, "")
    assert "A(0) = 1   A(1) = -1" in ran.out
    assert "H = 1, 1, -1, 1, -1" in ran.out
    assert ran.out.count("proved") == 4  # three verdicts, and all together
    assert "all answers are the automaton's" in ran.out


@pytest.mark.usefixtures("small_demo")
@pytest.mark.parametrize(
    ("part", "fake", "said"),
    [
        ("verify", lambda *_: Undecided("bfloat16", {}, 3, "no more budget"), "undecided"),
        ("scan", lambda _, tokens, __: 0 * tokens + 7, "parity: answers differ"),
        ("compile_dfa", lambda _: compile_dfa("0(1|0)*|1?"), "refuted"),
    ],
)
def test_demo_fails_unless_all_is_well(
    part: str, fake: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "introduction", lambda _: "")
    monkeypatch.setattr(demo, part, fake)
    ran = lrnn("demo")
    assert ran.code == 1
    assert said in ran.out
    assert "Not everything was proved" in ran.out


# -------------------------------------------------------------------- the process


def test_help_is_fast_and_loads_nothing_heavy() -> None:
    def cpu_seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = used.ru_utime + used.ru_stime
        subprocess.run([*MODULE, "--help"], cwd=ROOT, capture_output=True, check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime - start

    assert min(cpu_seconds() for _ in range(3)) < 1
    program = (
        "import sys; from constructions.cli import main; main(['--help']); "
        "sys.exit(bool({'torch', 'sympy', 'automata', 'networkx'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)


def test_help_names_every_command() -> None:
    ran = lrnn("--help")
    assert (ran.code, ran.err) == (0, "")
    for command in ("analyze", "compile", "run", "verify", "check", "demo"):
        assert command in ran.out
        assert lrnn(command, "-h").code == 0
    ran = lrnn()
    assert ran.code == 2
    assert "Usage" in ran.out
    assert lrnn("--version").out.startswith("lrnn-theory ")


@pytest.mark.parametrize(
    ("line", "completion"),
    [
        ("lrnn an", "analyze"),
        ("lrnn analyze @par", "@parity"),
        ("lrnn compile a --construction reg", "regular_language"),
        ("lrnn compile a --objective la", "layers"),
        ("lrnn compile a --objective exact-in:bf", "exact-in:bfloat16"),
        ("lrnn run f w --arithmetic bf", "bfloat16"),
        ("lrnn export f --to hug", "huggingface"),
        ("lrnn export f --target GatedDeltaP", "GatedDeltaProduct"),
        ("lrnn export f --mode ch", "chunk"),
        ("lrnn export f --dtype bf", "bfloat16"),
    ],
)
def test_shell_completion(line: str, completion: str) -> None:
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    environment = os.environ | {"_LRNN_COMPLETE": "complete_bash"} | typed
    run = subprocess.run(MODULE, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.stdout.split() == [completion]
    assert run.stderr == ""


def test_closed_pipe_is_quiet() -> None:
    process = subprocess.Popen(
        [*MODULE, "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == -signal.SIGPIPE


# -------------------------------------------------------------------- progress


@pytest.fixture
def stderr_of_progress(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What progress writes when some work begins and takes a third of a second."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)

    def work() -> str:
        stream = io.StringIO()
        with contextlib.redirect_stderr(stream), display.progress("counting", "word") as update:
            update(3)
            time.sleep(0.3)
        return stream.getvalue()

    return work


def test_progress_is_for_terminals_and_long_work(
    stderr_of_progress: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "DELAY", 0.0)
    assert stderr_of_progress() == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "counting: 3 words" in stderr_of_progress()
    monkeypatch.setattr(display, "DELAY", 60.0)
    assert "counting" not in stderr_of_progress()
