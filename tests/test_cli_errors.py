"""Bad input to the command line: one line on standard error, exit code 2, nothing half-written."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from command_line import Ran, lrnn

from constructions import compile_dfa
from lrnn_theory import textfile
from lrnn_theory.verification import certificate

EVEN = "(0|10*1)*"
ROOT = Path(__file__).parents[1]

FILES = {
    "words.txt": "01\n0x1\n",
    "twice.dot": "digraph { s -> s [label=a]; s -> t [label=a]; t -> s [label=a] }",
    "stack.dot": 'digraph { s -> s [label="a / push(b)"] }',
    "start.dot": 'digraph { __start0 -> t; s -> s [label="a"] }',
    "empty.dot": "",
    "broken.json": '{"letters": [',
    "mealy.dot": 'digraph { s -> s [label="0/x"]; s -> s [label="1/y"] }',
    "latin.txt": b"\xe9\n",
}

BAD: list[tuple[str, tuple[str, ...]]] = [
    ("run parity.safetensors words.txt", ("Line 2", "words.txt", "'0x1'")),
    ("run parity.safetensors missing.txt", ("missing.txt", "No such file")),
    ("run parity.safetensors latin.txt", ("latin.txt", "UTF-8")),
    ("run missing.safetensors words.txt", ("missing.safetensors", "No such file")),
    ("run parity.safetensors - --arithmetic float31", ("'float31'",)),
    ("run parity.safetensors - --device tpu", ("--device", "cpu", "'tpu'")),
    ("stream parity.safetensors words.txt", ("'\\n' at offset 2", "words.txt", "0 1")),
    ("stream parity.safetensors missing.txt", ("missing.txt", "No such file")),
    ("stream parity.safetensors latin.txt", ("0xe9", "offset 0", "latin.txt")),
    ("stream parity.safetensors words.txt -o no/bits", ("no/bits",)),
    ("stream parity.safetensors words.txt -o bits", ("offset 2",)),
    ("stream parity.safetensors words.txt --device tpu", ("--device", "cpu", "'tpu'")),
    ("stream parity.safetensors words.txt -a float31", ("'float31'",)),
    ("stream parity.safetensors .", ("'.'", "directory")),
    ("analyze a --alphabet=", ("alphabet",)),
    ("analyze @parity --alphabet ab", ("--alphabet", "'@parity'")),
    ("analyze (a", ("'(a'",)),
    ("analyze a{2,1}", ("'a{2,1}'",)),
    (r"analyze (a)\1", ("backreference",)),
    ("analyze twice.dot", ("twice.dot", "'a'")),
    ("analyze stack.dot", ("stack.dot", "pushdown")),
    ("analyze start.dot", ("start.dot", "'t'", "not a declared state")),
    ("analyze empty.dot", ("empty.dot",)),
    ("analyze missing.dot", ("missing.dot", "No such file")),
    ("analyze missing.json", ("missing.json", "No such file")),
    ("analyze broken.json", ("JSON",)),
    ("analyze a --sink", ("--sink", "'a'")),
    ("analyze parity.safetensors", ("SOURCE", "weight file")),
    ("analyze @pairty", ("SOURCE", "@parity", "'@pairty'")),
    ("analyze @", ("SOURCE", "'@'")),
    ("analyze @mod(", ("SOURCE", "'@mod('")),
    ("analyze @mod", ("SOURCE", "'m'")),
    ("analyze @mod(1,2,3,4)", ("SOURCE", "too many")),
    ("analyze @mod(x)", ("'m'", "integer", "'x'")),
    ("analyze @mod(0)", ("'m'", "at least 1", "0")),
    ("analyze @mod(1000000000)", ("1000000000", "raise")),
    ("compile a -o no/such/place.safetensors", ("no/such/place.safetensors",)),
    ("compile a -o .", ("'.'",)),
    ("compile a -o x --construction parrot", ("'construction'", "parity", "'parrot'")),
    ("compile a -o x --construction parity", ("parity", "does not apply")),
    ("compile a -o x --objective speed", ("'objective'", "layers", "'speed'")),
    ("compile a -o x --objective exact-in:float31", ("'objective'", "'float31'")),
    ("compile a -o x --objective exact-in:{-1,0,1}", ("{-1,0,1}:once", "regular_language")),
    ("compile a", ("--output", "--explain")),
    ("compile a --explain --construction dense", ("--explain", "--construction")),
    ("compile a --explain --objective speed", ("'objective'", "exact-in:FORMAT", "'speed'")),
    ("compile a --explain -o no/such/place.safetensors", ("no/such/place.safetensors",)),
    ("compile (a --explain", ("'(a'",)),
    ("verify parity.safetensors a*", ("'a*'",)),
    ("verify parity.safetensors @tomita_1 -a float32:both", ("float32:both",)),
    ("verify parity.safetensors @contains_abc", ("0 1", "a b c")),
    ("verify parity.safetensors mealy.dot", ("dfa", "mealy")),
    ("verify parity.safetensors a --budget 0", ("--budget",)),
    ("verify parity.safetensors a --budget many", ("--budget", "many")),
    ("verify parity.safetensors a --seconds 0", ("--seconds", "0")),
    (
        "verify parity.safetensors 0* -a exact -a float32 --certificate c.json",
        ("--certificate", "2"),
    ),
    ("verify parity.safetensors @parity --certificate no/c.json", ("no/c.json",)),
    ("check missing.json", ("missing.json", "No such file")),
    ("check broken.json", ("broken.json", "JSON")),
    ("check mealy.dot", ("mealy.dot", "JSON")),
    ("verify parity.safetensors @parity --certificate .", ("--certificate", "no regular file")),
    ("refute parity.safetensors --language a --certificate no/c", ("--certificate", "no/c")),
    ("census parity.safetensors --certificate no/c", ("--certificate", "no/c")),
    ("census parity.safetensors --letter 2", ("--letter", "'2'")),
    ("horizon parity.safetensors @parity --plot no/p.svg", ("--plot", "no/p.svg")),
    ("horizon parity.safetensors @parity --plot p.txt", ("--plot", ".svg", "p.txt")),
    ("horizon parity.safetensors @parity --length 1e9", ("--length", "positive", "'1e9'")),
    ("horizon parity.safetensors @parity --count 0", ("--count", "positive", "'0'")),
    ("horizon parity.safetensors @parity --seed -1", ("--seed", "non-negative", "'-1'")),
    (f"horizon parity.safetensors @parity --seed {'9' * 19}", ("--seed", "18 digits", "'999")),
    ("extract parity.safetensors -o no/x.json", ("--output", "no/x.json")),
    ("extract parity.safetensors -o x.txt", ("--output", ".json", "x.txt")),
    ("export parity.safetensors -o no/x", ("no/x",)),
    ("plot automaton a -o no/x.svg", ("--output", "no/x.svg")),
    ("plot spectrum a* -o x.svg --layer 3", ("--layer", "1..0", "3")),
    ("report a -o x.html --seconds 0", ("--seconds", "positive", "'0'")),
    ("explore --port x", ("--port", "non-negative", "'x'")),
    ("explore --port 65536", ("--port", "65536")),
    ("learn parity --log no/log", ("--log", "no/log")),
    ("learn parity --plot no/p.svg", ("--plot", "no/p.svg")),
    ("learn parity --plot p", ("--plot", ".svg", "'p'")),
    ("learn parity --checkpoint no/c", ("--checkpoint", "no/c")),
    ("learn parity --rate nan", ("--rate", "number", "'nan'")),
    ("learn parity --rate 0", ("learning_rate", "positive", "0")),
    ("learn parity --decay -1", ("weight_decay", "negative", "-1")),
    ("learn parity --seeds 0", ("--seeds", "positive", "'0'")),
    (f"learn parity --seeds {'9' * 18}", ("width^2", "at most")),
    (f"learn parity --layers {'9' * 18}", ("width^2", "at most")),
    ("learn parity --checkpoint words.txt", ("words.txt",)),
    *(
        (f"theorems check norm --instances 1 --workers 1 -o {place}", (place, problem))
        for place, problem in (
            ("/dev/full", "no regular file"),
            (".", "no regular file"),
            ("no/x", "No such file"),
            ("words.txt", "not the file of a campaign"),
        )
    ),
    ("check .", ("'.'", "directory")),
    ("check /dev/zero", ("/dev/zero", "more than")),
    ("run . words.txt", ("'.'", "no regular file")),
    ("compose", ("'compose'",)),
    ("analyze", ("SOURCE",)),
    ("analyze a b", ("b",)),
    ("analyze a --colour", ("--colour",)),
    ("demo --device tpu", ("tpu",)),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with `FILES` and the weights of parity."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    compile_dfa(EVEN).save("parity.safetensors")
    return tmp_path


@pytest.fixture(autouse=True)
def _small_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "MAX_SIZE", 1_000_000)


def fails(ran: Ran, *parts: str) -> None:
    """Exit code 2, nothing on standard output, one line that says all of `parts`."""
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("lrnn: ")
    assert ran.err.count("\n") == 1
    assert all(part in ran.err for part in parts), ran.err


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("line", "parts"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_line(
    line: str, parts: tuple[str, ...], as_json: bool, here: Path
) -> None:
    before = sorted(os.listdir(here))
    fails(lrnn(*line.split(), *["--json"] * as_json), *parts)
    assert sorted(os.listdir(here)) == before  # nothing half-written is left


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_written_files_obey_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        textfile.write_text("a", tmp_path / "new")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("a")
    path.chmod(0o640)
    textfile.write_text("b", path)
    assert path.read_text() == "b"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["old"]


@pytest.mark.usefixtures("here")
def test_names_of_any_length_that_a_folder_takes() -> None:
    before = set(os.listdir())
    for name in "x" * 255, "é" * 127:
        assert lrnn("compile", "a", "-o", name).code == 0
        before.add(name)
    fails(lrnn("compile", "a", "-o", "x" * 256), "Cannot write", "too long")
    fails(lrnn("compile", "a", "-o", "words.txt/x"), "words.txt/x", "Not a directory")
    fails(lrnn("compile", "a", "-o", "x\0"), "null")
    assert set(os.listdir()) == before


@pytest.mark.usefixtures("here")
def test_an_interrupt_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(os.listdir())
    for name in "os.close", "shutil.copymode":  # just made, and about to move
        with monkeypatch.context() as patch:
            patch.setattr(name, mock.Mock(side_effect=KeyboardInterrupt))
            assert lrnn("compile", "a", "-o", "parity.safetensors") == (130, "", "")
        assert sorted(os.listdir()) == before
        assert not textfile.unfinished


COMMAND = (sys.executable, "-m", "constructions.cli")
WORKING = {
    "stream": ("stream", "parity.safetensors", "-", "--device", "cpu", "-o", "out"),
    "report": ("report", "@random_automaton(50, ab, 3)", "--seconds", "600", "-o", "out.html"),
}


def unheeding() -> None:
    """Forget which signals are ignored: tests may run in the background, or under nohup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def working(name: str, *prefix: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that has a file half written."""
    command, before = [*prefix, *COMMAND, *WORKING[name]], set(os.listdir())
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=unheeding
    ) as run:
        while not (set(os.listdir()) - before or run.poll() is not None):
            time.sleep(0.01)
        assert set(os.listdir()) - before
        yield run


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("here")
def test_a_signal_leaves_nothing_behind(name: str, number: signal.Signals) -> None:
    before = sorted(os.listdir())
    with working(name) as run:
        run.send_signal(number)
        out, err = run.communicate(timeout=60)
    assert (out, err) == (b"", b"")
    assert run.returncode == (130 if number == signal.SIGINT else -number)
    assert sorted(os.listdir()) == before


@pytest.mark.skipif(shutil.which("nohup") is None, reason="needs nohup")
@pytest.mark.usefixtures("here")
def test_a_signal_that_is_ignored_stays_so() -> None:
    with working("stream", "nohup") as run:
        run.send_signal(signal.SIGHUP)
        run.communicate(b"0110", timeout=60)
    assert run.returncode == 0
    assert Path("out").read_bytes() == bytes([0b1101])


@pytest.mark.parametrize("line", ["compile a", "stream parity.safetensors word"])
def test_only_regular_files_are_replaced(line: str, here: Path) -> None:
    (here / "word").write_bytes(b"01")
    os.mkfifo("pipe")
    os.symlink("pipe", "link")
    for name in ".", "pipe", "link":
        fails(lrnn(*line.split(), "-o", name), f"'{name}'", "no regular file")
    assert stat.S_ISFIFO(os.lstat("pipe").st_mode)
    os.unlink("pipe")
    (here / "pipe").write_bytes(b"old")
    assert lrnn(*line.split(), "-o", "link").code == 0
    assert os.path.islink("link")
    assert (here / "pipe").read_bytes() != b"old"


@pytest.mark.parametrize("command", ["run", "stream"])
@pytest.mark.usefixtures("here")
def test_standard_input_that_is_closed_or_no_text(command: str) -> None:
    fails(lrnn(command, "parity.safetensors", "-", stdin=b"01\xff"), "standard input")
    fails(lrnn(command, "parity.safetensors", "-", stdin=None), "standard input", "closed")


@pytest.mark.usefixtures("here")
def test_standard_input_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textfile, "MAX_BYTES", 2)
    assert lrnn("run", "parity.safetensors", "-", stdin="01").code == 0
    fails(lrnn("run", "parity.safetensors", "-", stdin="011"), "standard input", "more than 2")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("redirection", "source", "code", "message"),
    [
        (">/dev/full", "a", 2, "lrnn: No space left on device.\n"),
        (">/dev/full", "(", 2, "lrnn: Regex '(' has an unbalanced '(' at position 0.\n"),
        (">&-", "a", 2, "lrnn: Cannot write to standard output: it is closed.\n"),
        ("2>&-", "a", 0, ""),
        ("2>&-", "(", 2, ""),
        ("2>/dev/full", "(", 2, ""),
        (">&- 2>&-", "a", 2, ""),
    ],
)
def test_outputs_that_are_full_or_closed(
    redirection: str, source: str, code: int, message: str
) -> None:
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, "analyze", source]
    run = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (code, message)
    assert bool(run.stdout) == (code == 0)


@pytest.mark.parametrize("pattern", ["ab{999999999}", "((a{100}){100}){100}"])
def test_large_regex_is_refused_at_once(pattern: str) -> None:
    start = time.process_time()
    fails(lrnn("analyze", pattern), "positions", "raise")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: x[: len(x) // 2],
        lambda x: x[:-1] + bytes([x[-1] ^ 1]),
        lambda _: b"",
        lambda x: x * 2,
    ],
    ids=["truncated", "edited", "empty", "doubled"],
)
@pytest.mark.usefixtures("here")
def test_spoilt_files_are_rejected(spoil: Callable[[bytes], bytes]) -> None:
    Path("w.safetensors").write_bytes(spoil(Path("parity.safetensors").read_bytes()))
    fails(lrnn("run", "w.safetensors", "-"), "w.safetensors")
    lrnn("verify", "parity.safetensors", EVEN, "--certificate", "c.json")
    sound = Path("c.json").read_bytes()
    Path("c.json").write_bytes(spoil(sound.rstrip()))
    fails(lrnn("check", "c.json"), "c.json")


@pytest.mark.usefixtures("here")
def test_edited_certificate_is_rejected() -> None:
    lrnn("verify", "parity.safetensors", EVEN, "--certificate", "c.json")
    text = Path("c.json").read_text()
    Path("d.json").write_text(text.replace('"claim":"proved"', '"claim":"refuted"'))
    fails(lrnn("check", "d.json"), "'d.json' is rejected", "digest")
    lrnn("compile", "(11)*", "-o", "other.safetensors")
    fails(lrnn("check", "c.json", "--weights", "other.safetensors"), "other weights")
    Path("deep.json").write_text("[" * 100_000)
    fails(lrnn("check", "deep.json"))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            MemoryError("Unable to allocate 8 TiB"),
            2,
            "lrnn: Out of memory: Unable to allocate 8 TiB.\n",
        ),
        (OSError(28, "No space left on device"), 2, "lrnn: No space left on device.\n"),
        (RuntimeError("no\n  luck"), 2, "lrnn: no luck\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_interruptions(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("constructions.compile_dfa", mock.Mock(side_effect=error))
    assert lrnn("compile", "a", "-o", "x") == (code, "", message)
