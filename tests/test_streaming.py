"""One word in pieces: where it is cut never matters, and memory does not grow with it."""

import json
import os
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from itertools import chain
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import NATIVE, chains, counter, networks, random_words, same_bits, signed

from constructions import compile_dfa
from lrnn_theory import LRNN, Dense, Layer, Level, dispatch, languages, scan
from lrnn_theory.handover import from_bytes, to_bytes
from lrnn_theory.letterfile import LetterFile
from lrnn_theory.moves import Moves, moved, names_of
from lrnn_theory.packing import hash_table, pack
from lrnn_theory.scanning import Machine, UnsupportedError
from lrnn_theory.strategies import arithmetics
from lrnn_theory.streaming import MAX_PIECE, Reader, regrouped

CUTS = st.lists(st.integers(0, 30), max_size=5)


def assume_runs(lrnn, arithmetic):
    """Some arithmetics are of factors only."""
    try:
        Machine(lrnn, arithmetic)
    except ValueError as error:
        assume("factor" not in str(error))


def cut(word, cuts):
    """A word in pieces, some of them empty."""
    return np.split(word, sorted(cuts))


def assert_same_state(found, wanted):
    assert torch.equal(found.output, wanted.output)
    for x, y in zip(found.hidden, wanted.hidden, strict=True):
        assert type(x) is type(y)
        if isinstance(x, np.ndarray) and object in (x.dtype, y.dtype):
            assert _told(x) == _told(y)
        else:
            assert same_bits(x, y)


def _told(x):
    """Numbers by value; a NaN is one."""
    return [repr(v) if isinstance(v, float) else v for v in x.ravel().tolist()]


# -------------------------------------------------------------------- readers


@given(st.one_of(chains(), networks()), arithmetics(), CUTS, st.integers(1, 40), st.integers(0, 99))
def test_cuts_never_matter(lrnn, arithmetic, cuts, piece, seed):
    assume_runs(lrnn, arithmetic)
    (word,), _ = random_words(lrnn, seed, batch=1)
    wanted, state = scan(lrnn, word[None], arithmetic, return_state=True)
    reader = Reader(lrnn, arithmetic, piece=piece)
    assert reader.read(cut(word, cuts)) == wanted[0, -1]
    assert reader.letters == 30
    assert_same_state(reader.state, state)
    reader = Reader(lrnn, arithmetic, piece=piece)
    outputs = list(reader.outputs(cut(word, cuts)))
    assert np.concatenate(outputs).tolist() == wanted[0].tolist()
    assert all(len(x) == piece for x in outputs[:-1])
    assert_same_state(reader.state, state)


@given(chains(), st.sampled_from(NATIVE), CUTS, st.sampled_from(["compiled", "reference"]))
def test_all_backends_take_a_state_on(lrnn, arithmetic, cuts, backend):
    (word,), _ = random_words(lrnn, 0, batch=1)
    wanted, state = scan(lrnn, word[None], arithmetic, return_state=True, backend="reference")
    first = Reader(lrnn, arithmetic, piece=7, backend=backend)
    first.read(cut(word[:11], cuts))
    second = Reader(lrnn, arithmetic, initial=first.state, backend=backend)
    assert second.read([word[11:]]) == wanted[0, -1]
    assert_same_state(second.state, state)


@given(st.lists(st.lists(st.integers(0, 300), max_size=9), max_size=9), st.integers(1, 9))
def test_regrouped_pieces_are_the_same_letters(pieces, size):
    found = [x.tolist() for x in regrouped(pieces, size)]
    assert list(chain(*found)) == list(chain(*pieces))
    assert [len(x) for x in found[:-1]] == [size] * (len(found) - 1)
    assert all(found)


def test_pieces_of_any_kind():
    parts = (
        np.array([1, 0], np.uint16), torch.tensor([1]), [1, 1], np.array([], float),
        np.array([0, 1], np.int64), np.frombuffer(b"\0\1\1", np.uint8),
    )  # fmt: skip
    lrnn = compile_dfa("(0|10*1)*")
    assert [x.tolist() for x in regrouped(parts, 4)] == [[1, 0, 1, 1], [1, 0, 1, 0], [1, 1]]
    assert Reader(lrnn).read(parts) == Reader(lrnn).read([[1, 0, 1, 1, 1, 0, 1, 0, 1, 1]])
    assert Reader(lrnn).read([]) == 1


@pytest.mark.parametrize("pieces", [[[[0, 1]]], [0], [[0.5]], [[True]], [["0"]], [[2]], [[-1]]])
def test_bad_pieces(pieces):
    with pytest.raises((ValueError, TypeError), match=r"shape|integers|0\.\.1"):
        Reader(compile_dfa("(0|10*1)*")).read(pieces)


@pytest.mark.parametrize("piece", [0, -1, MAX_PIECE + 1])
def test_bad_sizes(piece):
    with pytest.raises(ValueError, match="'piece'"):
        Reader(counter(3), piece=piece)


def test_a_state_of_several_words_is_refused():
    lrnn = counter(3)
    _, state = scan(lrnn, [[0], [0]], return_state=True)
    with pytest.raises(ValueError, match="'initial'"):
        Reader(lrnn, initial=state)


def test_memory_is_that_of_a_piece():
    """A word of 2^26 letters and all its outputs in the memory of 2^18 letters."""
    lrnn = compile_dfa(languages.symmetric_group(5))
    letters = np.arange(1 << 18) % 120
    for outputs in (False, True):
        reader = Reader(lrnn, "bfloat16", piece=1 << 18)
        reader.read([letters])  # compile first
        word = (letters for _ in range(1 << 8 if not outputs else 1 << 5))
        tracemalloc.start()
        if outputs:
            count = sum(len(x) for x in reader.outputs(word))
        else:
            count = (reader.read(word), reader.letters - len(letters))[1]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == (1 << 23 if outputs else 1 << 26)
        assert most < 10 * letters.nbytes


# -------------------------------------------------------------------- states as bytes


@given(st.one_of(chains(), networks()), arithmetics(), st.integers(0, 99))
def test_a_state_comes_back_from_bytes(lrnn, arithmetic, seed):
    assume_runs(lrnn, arithmetic)
    (word,), _ = random_words(lrnn, seed, batch=1, time=9)
    reader = Reader(lrnn, arithmetic)
    start = reader.state
    reader.read([word])
    found = from_bytes(to_bytes(reader.state), start)
    assert_same_state(found, reader.state)
    for x, y in zip(found.shifted, reader.state.shifted, strict=True):
        assert same_bits(x, y)
    word = word[None]
    wanted = scan(lrnn, word, arithmetic, initial=reader.state)
    assert torch.equal(scan(lrnn, word, arithmetic, initial=found), wanted)


@pytest.mark.parametrize(
    "name", ["exact", "{-1,-1/2,0,1/2,1}", "fixed70.30:each", "float16:cast", "float64:once"]
)
def test_exact_states_come_back_from_bytes(name):
    lrnn = compile_dfa(languages.mod(7, "ab"), construction="rotation")
    reader = Reader(lrnn, name)
    reader.read([[0, 1, 0, 0, 1]])
    state = from_bytes(to_bytes(reader.state), reader.state)
    assert_same_state(state, reader.state)
    assert not isinstance(state.hidden[0], torch.Tensor)


def test_numbers_of_many_digits_come_back():
    lrnn = counter(3)
    state = Reader(lrnn, "exact").state
    for number in (10**6000, Fraction(-1, 7**6000), float("inf"), float("-inf")):
        own = type(state)((np.array([[[number]]], object),), state.shifted, state.output)
        assert from_bytes(to_bytes(own), state).hidden[0].item() == number


# -------------------------------------------------------------------- summaries of stretches


def whole_state(lrnn, arithmetic, word, cuts, state, device="cpu"):
    """The state after a word by summaries of its stretches."""
    sums = dispatch.summaries(lrnn, arithmetic, device)
    for part in cut(word, cuts):
        if len(part):
            moves = sums.moves(torch.from_numpy(part)[None].to(device))
            state = moved(sums.level, Moves(*(x.cpu() for x in moves)), int(part[-1]), state)
    return state


@settings(max_examples=25)  # a loop is compiled for every size
@given(signed(), st.sampled_from(["float32", "bfloat16:once", "exact"]), CUTS, st.integers(0, 99))
def test_summaries_give_the_bits_of_a_scan(lrnn, arithmetic, cuts, seed):
    (before, word), _ = random_words(lrnn, seed, batch=2)
    _, start = scan(lrnn, before[None, :3], arithmetic, return_state=True)
    _, wanted = scan(lrnn, word[None], arithmetic, initial=start, return_state=True)
    with patch("lrnn_theory.compiled.stretches.SHORTEST", 3):
        assert_same_state(whole_state(lrnn, arithmetic, word, cuts, start), wanted)


@pytest.mark.parametrize("b", [1, 2, 5])
def test_summaries_of_a_layer_that_negates_and_adds(b):
    """From (0, 0), letters take (x, y) to (b - x, y), (y, x) or (x, 0): v is larger than H_0."""
    matrices = np.array([[[-1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 0], [0, 0]]])
    inputs = np.array([[b, 0], [0, 0], [0, 0]])[:, :, None]
    codewords = np.array([[0, 0], [b, 0], [0, b], [b, b]])[:, :, None]
    readout = np.tile(np.arange(4)[:, None], (3, 1, 2))
    layer = Layer(Dense(matrices), inputs, np.zeros((2, 1), int), (codewords,), readout, 4, 0)
    level = Level(layer, np.arange(3), np.tile([0, 1, 0, 1], (3, 1)), "current")
    lrnn = LRNN(("a", "b", "c"), np.arange(3), ((level,),), np.arange(2), 0)
    _, start = scan(lrnn, np.zeros((1, 0), int), return_state=True)
    for seed in range(5):
        (word,), _ = random_words(lrnn, seed, batch=1)
        _, wanted = scan(lrnn, word[None], return_state=True, backend="reference")
        assert_same_state(whole_state(lrnn, "float32", word, [3, 4, 17], start), wanted)


@settings(max_examples=25)
@given(signed(), st.integers(0, 99))
def test_summaries_compose_in_any_bracketing(lrnn, seed):
    words, _ = random_words(lrnn, seed, batch=7, time=4)
    sums = dispatch.summaries(lrnn, "float32")
    rows = sums.moves(torch.from_numpy(words))
    whole = sums.moves(torch.from_numpy(words.reshape(1, -1)))
    assert torch.equal(rows.joined().names, whole.names[0])
    assert torch.equal(rows.joined().added, whole.added[0])
    one = Moves.nothing(rows.names.shape[1])
    for k in range(7):
        one = one.then(Moves(rows.names[k], rows.added[k]))
    assert torch.equal(one.names, whole.names[0])
    assert torch.equal(one.added, whole.added[0])


def test_summaries_say_what_every_state_becomes():
    """The affine map of a word, from the matrices of its letters."""
    lrnn = compile_dfa(languages.BESTIARY["flip_flop"]())
    (level,) = lrnn.levels
    words, _ = random_words(lrnn, 0, batch=20, time=5)
    moves = dispatch.summaries(lrnn, "float32").moves(torch.from_numpy(words))
    n = level.layer.n
    for word, names, added in zip(words, moves.names.numpy(), moves.added.numpy(), strict=True):
        matrix, v = np.eye(n, dtype=int), np.zeros(n, int)
        for a in level.action[lrnn.letter_class[word]]:
            own = level.layer.transition.matrix(a).astype(int)
            matrix, v = own @ matrix, own @ v + level.layer.b[a, :, 0].astype(int)
        read = np.zeros((n, n), int)
        place = np.flatnonzero(names)
        read[place, abs(names[place]) - 1] = np.sign(names[place])
        assert (read == matrix).all()
        assert (added == v).all()


@pytest.mark.parametrize("bits", [32, 64])
def test_names_are_not_looked_up(bits):
    """A kernel looks for a codeword at the end of a stretch, whose word is none of the layer's."""
    (level,) = pack(compile_dfa(languages.BESTIARY["flip_flop"]()), "bfloat16").levels
    table, multiplier, _ = hash_table(names_of(level).level, bits)
    assert (table.tolist(), multiplier) == ([0], 0)


@pytest.mark.parametrize(
    ("lrnn", "arithmetic", "reason"),
    [
        (compile_dfa(languages.BESTIARY["iso_date"]()), "bfloat16", "layers"),
        (compile_dfa(languages.mod(7), construction="rotation"), "float32", "round"),
        (compile_dfa("(0|10*1)*"), "float32@tree", "order"),
        (compile_dfa("(0|10*1)*"), "float16:cast", "round"),
    ],
)
def test_what_has_no_summary_says_why(lrnn, arithmetic, reason):
    with pytest.raises(UnsupportedError, match=reason):
        dispatch.summaries(lrnn, arithmetic)


# -------------------------------------------------------------------- files


@given(st.text("ab\n ", max_size=20), st.sampled_from(["", "\n", "\r\n"]), st.data())
def test_a_file_is_read_back(tmp_path_factory, text, end, data):
    path = tmp_path_factory.getbasetemp() / "word"
    letters = "b\na " if "\n" in text or data.draw(st.booleans()) else "ba "
    path.write_bytes((text + end).encode())
    word = text + end if "\n" in letters else text
    if "\r" in word:
        return
    file = LetterFile(str(path), letters)
    assert file.size == len(word)
    first = data.draw(st.integers(0, len(word)))
    last = data.draw(st.integers(first, len(word)))
    piece = data.draw(st.integers(1, 30))
    parts = list(file.pieces(first, last, piece=piece))
    assert "".join(letters[a] for x in parts for a in x) == word[first:last]
    assert all(len(x) <= piece for x in parts)
    with path.open("rb") as source, patch("sys.stdin", new_callable=lambda: _Standard(source)):
        parts = list(LetterFile("-", letters).pieces(piece=piece))
    assert "".join(letters[a] for x in parts for a in x) == word
    assert all(len(x) <= piece + 2 for x in parts)


class _Standard:
    def __init__(self, buffer):
        self.buffer = buffer


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"0" * 9 + b"x01", r"'x' at offset 9 of .*word'.* 0 1"),
        (b"01\n01\n", r"'\\n' at offset 2"),
        (b"01\n\n", r"'\\n' at offset 2"),
        (b"01\xc3\xa9", "the byte 0xc3 at offset 2"),
        (b"01\r", r"'\\r' at offset 2"),
    ],
)
def test_what_is_no_letter_is_named(tmp_path, content, said):
    (tmp_path / "word").write_bytes(content)
    for piece in (2, 100):
        with pytest.raises(ValueError, match=said):
            list(LetterFile(str(tmp_path / "word"), ["0", "1"]).pieces(piece=piece))


def test_a_file_that_shrinks_is_noticed(tmp_path):
    path = tmp_path / "word"
    path.write_bytes(b"0101")
    file = LetterFile(str(path), ["0", "1"])
    path.write_bytes(b"01")
    with pytest.raises(ValueError, match="shorter"):
        list(file.pieces())


@pytest.mark.parametrize("letters", [["0", "01"], ["é", "0"]])
def test_letters_of_more_than_a_byte_are_refused(letters):
    with pytest.raises(ValueError, match="one ASCII character"):
        LetterFile("-", letters)


def test_a_word_larger_than_memory(tmp_path):
    """A sparse file of 2^28 letters takes hardly more than one of 2^8."""
    compile_dfa(languages.mod(2, "\0a")).save(tmp_path / "parity.safetensors")
    program = (
        "import resource, sys\n"
        "from constructions.cli import main\n"
        "main(['stream', 'parity.safetensors', sys.argv[1], '--json', '--device', 'cpu'])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    most = {}
    for size in (1 << 8, 1 << 28):
        with (tmp_path / str(size)).open("wb") as file:
            file.truncate(size)
        command = [sys.executable, "-c", program, str(size)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        run = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
        )
        facts, kilobytes = run.stdout.splitlines()
        assert json.loads(facts)["letters"] == size
        most[size] = 1024 * int(kilobytes)
    assert most[1 << 28] - most[1 << 8] < 1 << 27
