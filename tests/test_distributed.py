"""Scans by several processes: the bits of one, its errors, and the command under torchrun."""

import contextvars
import faulthandler
import itertools
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import NATIVE, chains, random_words, same_bits, signed, weighing

from constructions import compile_dfa
from lrnn_theory import Dense, distributed, languages, scan
from lrnn_theory.distributed import processes, scan_batch, scan_word
from lrnn_theory.ranks import Ranks
from lrnn_theory.strategies import automata

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0
_LIMIT = 600
"""Seconds after which processes that wait for each other are ended."""
TWO_GPUS = pytest.mark.skipif(GPUS < 2, reason=f"needs 2 CUDA devices, there are {GPUS}")

# name, construction, arithmetic, whether stretches are read at once
CASES = [
    ("s5", None, "float32", True),
    ("s5", None, "exact", True),
    ("flip_flop", None, "bfloat16", True),
    ("parity", None, "float8_e4m3:each", True),
    ("iso_date", None, "bfloat16", False),
    ("mod_7", "rotation", "float32:each+factored", False),
    ("mod_7", "rotation", "exact", False),
    ("parity", None, "float16:cast", False),
    ("parity", None, "float32@chunk:5", False),
    ("parity", None, "fixed70.30", True),
    ("mod_7", "rotation", "fixed70.30", False),
    ("tcp", None, "float64@tree", False),
]


def network(name, construction):
    automaton = languages.mod(7, "ab") if name == "mod_7" else languages.BESTIARY[name]()
    return compile_dfa(automaton, construction=construction)


def as_text(state):
    """All numbers of a state, to be compared between processes."""
    return [
        [np.asarray(x.cpu() if isinstance(x, torch.Tensor) else x).tolist() for x in part]
        for part in (state.hidden, (state.output,))
    ]


def uneven(word, ranks):
    """This process's stretch of a word; where it is cut has nothing to do with shares."""
    edges = [0, *(min(len(word), 5 + 11 * r * r) for r in range(ranks.size - 1)), len(word)]
    return word[edges[ranks.rank] : edges[ranks.rank + 1]]


def check_words(ranks, device):
    """One long word, of any length, with and without all outputs, from any state."""
    for name, construction, arithmetic, at_once in CASES:
        lrnn = network(name, construction)
        _, start = scan(lrnn, [[0, 1, 0]], arithmetic, device=device, return_state=True)
        for length in (0, 4, 61):
            (word,), _ = random_words(lrnn, length, batch=1, time=length)
            for initial in (start,) if length else (None, start):
                options = {"initial": initial, "device": device}
                outputs, state = scan(
                    lrnn, word[None], arithmetic, return_state=True, backend="reference", **options
                )
                mine = uneven(word, ranks)
                stretch = lambda mine=mine: [mine[:3], mine[3:]]  # noqa: E731
                last = scan_word(lrnn, stretch, arithmetic, piece=7, **options)
                found, done = {}, []
                every = scan_word(
                    lrnn, stretch, arithmetic, piece=8, each=found.__setitem__,
                    progress=done.append, **options,
                )  # fmt: skip
                for whole in (last, every):
                    assert whole.output == int(state.output), (name, arithmetic, length)
                    assert as_text(whole.state) == as_text(state), (name, arithmetic, length)
                    assert whole.letters == length
                    assert whole.order == ("parallel" if at_once else "sequential")
                    assert bool(whole.reason) != at_once
                own = slice(every.first, every.first + len(mine))
                assert list(found) == list(range(own.start, own.stop, 8))
                read = [x for part in found.values() for x in part.tolist()]
                assert read == outputs[0, own].tolist(), (name, arithmetic, length)
                assert done == sorted(done) or at_once
                assert not len(mine) or done[-1] == len(mine)
                if isinstance(whole.state.hidden[0], torch.Tensor):
                    pairs = zip(whole.state.hidden, state.hidden, strict=True)
                    assert all(same_bits(x.cpu(), y.cpu()) for x, y in pairs)


def check_batches(ranks, device):
    """Shares of any size, none among them."""
    for name, arithmetic in (("s5", "float32"), ("iso_date", "bfloat16"), ("tcp", "exact")):
        lrnn = network(name, None)
        for batch in (0, 1, ranks.size - 1, 7, 2 * ranks.size):
            tokens, lengths = random_words(lrnn, batch, batch=batch, time=13)
            for outputs in ("all", "last"):
                for ends in (None, lengths):
                    options = {"lengths": ends, "outputs": outputs, "device": device}
                    found = scan_batch(lrnn, tokens, arithmetic, **options)
                    wanted = scan(lrnn, tokens, arithmetic, **options)
                    assert found.dtype == wanted.dtype
                    assert found.device == wanted.device
                    assert torch.equal(found, wanted)


def check_errors(ranks, device):
    """What is wrong in one process is an error in all, and all go on together."""
    parity, cascade = network("parity", None), network("iso_date", None)
    last = ranks.size - 1

    def broken():
        yield [0]
        raise OSError("no disk")

    for lrnn in (parity, network("s5", None), cascade):
        for kind in (torch.int64, torch.uint8):
            mine = torch.tensor([0, 1 if ranks.rank < last else 200], dtype=kind)
            with pytest.raises(ValueError, match="letter indices"):
                scan_word(lrnn, lambda mine=mine: [mine], device=device)
        with pytest.raises((RuntimeError, OSError), match="no disk"):
            scan_word(lrnn, lambda: broken() if ranks.rank == last else [[0]], device=device)
    with pytest.raises(ValueError, match="'outputs'"):
        scan_batch(parity, [[0], [0]], outputs="first", device=device)
    with pytest.raises(ValueError, match="2 integers"):
        scan_batch(parity, [[0], [0]], lengths=[1, 1, 1], device=device)
    with pytest.raises(ValueError, match="letter indices"):
        scan_batch(parity, [[0], [1], [99]], device=device)

    def refuse(*_):
        if ranks.rank == last:
            raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        scan_word(parity, lambda: [[0, 1]], each=refuse, device=device)
    assert scan_word(parity, lambda: [[1]], device=device).output == ranks.size % 2


def check_gathering(ranks, _):
    """Bytes of any lengths, more than fit into one message among them."""
    for lengths in ((0, 0, 0), (1023, 1024, 7), (1024, 1024, 1024), (3, 1025, 5000), (9999, 0, 1)):
        own = [bytes([65 + r]) * k for r, k in enumerate(lengths[: ranks.size])]
        assert ranks.gather(lambda own=own: own[ranks.rank]) == own


def check_strange_states(ranks, device):
    """A state that the layer is never in has no summary."""
    lrnn = network("s5", None)
    _, state = scan(lrnn, [[0]], device=device, return_state=True)
    strange = type(state)((state.hidden[0] * 2,), state.shifted, state.output)
    word = np.arange(30)
    wanted, after = scan(
        lrnn, word[None], initial=strange, outputs="last", device=device, return_state=True
    )
    whole = scan_word(lrnn, lambda: [uneven(word, ranks)], initial=strange, device=device)
    assert (whole.order, whole.output) == ("sequential", int(wanted))
    assert "never in" in whole.reason
    assert as_text(whole.state) == as_text(after)


def work(rank, size, port, device):
    """All checks, in one of several processes."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    torch.set_num_threads(1)
    start = time.monotonic()
    faulthandler.dump_traceback_later(_LIMIT, exit=True)  # where it waits for the others
    with processes(device) as place:
        ranks = Ranks()
        assert (ranks.rank, ranks.size) == (rank, size)
        for check in (
            check_gathering, check_words, check_batches, check_errors, check_strange_states,
        ):  # fmt: skip
            check(ranks, place)
            sys.stderr.write(f"{rank}: {check.__name__}, {time.monotonic() - start:.0f} s\n")


def free_port():
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Together:
    """Several ranks in one process: threads, of which one runs at a time."""

    def __init__(self, size):
        self.size, self.running = size, threading.Lock()
        self.meeting, self.parts = threading.Barrier(size, timeout=60), [b""] * size

    def run(self, work):
        """What the work of every rank returns."""
        with patch.object(distributed, "Ranks", lambda _: ranks.get()):
            ranks = contextvars.ContextVar("ranks")

            def one(rank):
                ranks.set(_Thread(rank, self))
                with self.running:
                    try:
                        return work(rank)
                    except BaseException:
                        self.meeting.abort()
                        raise

            with ThreadPoolExecutor(self.size) as pool:
                return list(pool.map(one, range(self.size)))


class _Thread(Ranks):
    def __init__(self, rank, together):
        self.rank, self.size, self._together = rank, together.size, together

    def _all_gather(self, own):
        all_ranks = self._together
        all_ranks.parts[self.rank] = own
        all_ranks.running.release()
        try:
            all_ranks.meeting.wait()
            parts = list(all_ranks.parts)
            all_ranks.meeting.wait()
        finally:
            all_ranks.running.acquire()
        return parts


def assert_stretches_do_not_matter(lrnn, arithmetic, cuts, seed, at_once):
    (word,), _ = random_words(lrnn, seed, batch=1)
    outputs, state = scan(lrnn, word[None], arithmetic, return_state=True)
    stretches = np.split(word, sorted(cuts))

    def work(rank):
        last = scan_word(lrnn, lambda: [stretches[rank]], arithmetic, piece=4)
        own = []
        scan_word(
            lrnn, lambda: [stretches[rank]], arithmetic, piece=4,
            each=lambda _, x: own.extend(x.tolist()),
        )  # fmt: skip
        return last, own

    found = Together(len(stretches)).run(work)
    assert list(itertools.chain(*(own for _, own in found))) == outputs[0].tolist()
    for rank, (whole, _) in enumerate(found):
        assert whole.first == sum(map(len, stretches[:rank]))
        assert whole.output == int(state.output)
        assert as_text(whole.state) == as_text(state)
        if at_once is not None:
            assert whole.order == ("parallel" if at_once else "sequential"), whole.reason


CUTS = st.lists(st.integers(0, 30), max_size=4)


@settings(max_examples=25)  # a loop is compiled for every size
@given(signed(), st.sampled_from(["float32", "exact"]), CUTS, st.integers(0, 99))
def test_stretches_of_one_layer_may_be_any(lrnn, arithmetic, cuts, seed):
    assert_stretches_do_not_matter(lrnn, arithmetic, cuts, seed, at_once=True)


@settings(max_examples=25)
@given(chains(), st.sampled_from(NATIVE), CUTS, st.integers(0, 99))
def test_stretches_of_chains_that_round_may_be_any(lrnn, arithmetic, cuts, seed):
    assert_stretches_do_not_matter(lrnn, arithmetic, cuts, seed, at_once=None)


@settings(max_examples=25)
@given(automata(max_states=5), CUTS, st.integers(0, 99))
def test_stretches_of_automata_may_be_any(automaton, cuts, seed):
    lrnn = compile_dfa(automaton)
    assert_stretches_do_not_matter(lrnn, "bfloat16", cuts, seed, at_once=None)


def test_infinities_and_nans_are_handed_over():
    lrnn = weighing([1, 0], [[0, 0], [1, 1]], Dense(np.array([[[2, -2], [2, 2]]])))
    word = np.zeros(300, int)
    for arithmetic in ("float32", "bfloat16:once", "fixed70.30"):
        _, state = scan(lrnn, word[None], arithmetic, return_state=True)

        def work(rank, arithmetic=arithmetic):
            return scan_word(lrnn, lambda: [np.split(word, [140, 290])[rank]], arithmetic)

        for whole in Together(3).run(work):
            for x, y in zip(whole.state.hidden, state.hidden, strict=True):
                assert str(np.asarray(x)) == str(np.asarray(y))


def test_processes_on_cpus():
    mp.spawn(work, (3, free_port(), "cpu"), nprocs=3)


@TWO_GPUS
@pytest.mark.gpu
def test_processes_on_gpus():
    mp.spawn(work, (2, free_port(), "cuda"), nprocs=2)


def test_one_process_needs_no_group():
    with processes("cpu") as place:
        ranks = Ranks()
        assert (ranks.rank, ranks.size) == (0, 1)
        check_batches(ranks, place)
        check_errors(ranks, place)
