"""Campaigns: the same bytes on any workers, and after a kill at any moment."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from campaign_checks import dies, not_plain, odd_ones_raise, roll, slow_roll
from hypothesis import given, settings
from hypothesis import strategies as st

from lrnn_theory import campaign
from lrnn_theory.campaign import Check, run

TESTS = Path(__file__).parent
CHECKS = [Check("die", roll, 700), Check("none", roll, 0), Check("raises", odd_ones_raise, 33)]


def written(path: Path, checks: list[Check] = CHECKS, **options: Any) -> bytes:
    run(checks, path=path, **({"workers": 1} | options))
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return written(tmp_path_factory.mktemp("whole") / "results.jsonl")


# -------------------------------------------------------------------- workers


def test_two_processes_write_the_same_bytes(tmp_path, whole):
    assert written(tmp_path / "two.jsonl", workers=2) == whole


def test_threads_write_the_same_bytes(tmp_path, whole):
    with ThreadPoolExecutor(3) as pool:
        assert written(tmp_path / "threads.jsonl", executor=pool, workers=3) == whole
        assert pool.submit(int, "7").result() == 7  # it is not ours to shut down


def test_a_dask_cluster_writes_the_same_bytes(tmp_path, whole):
    distributed = pytest.importorskip("distributed", reason="needs the extra 'dask'")
    assert written(tmp_path / "dask.jsonl", executor="dask", workers=2) == whole
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with cluster:
        address = cluster.scheduler_address.replace("tcp", "dask")
        assert written(tmp_path / "joined.jsonl", executor=address) == whole


def test_batches_change_nothing(tmp_path, whole, monkeypatch):
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(campaign, "BATCH_SECONDS", seconds)
        assert written(tmp_path / f"{seconds}.jsonl") == whole


def test_results_are_the_lines(tmp_path, whole):
    path = tmp_path / "results.jsonl"
    path.write_bytes(whole)
    kept, fresh = run(CHECKS, workers=1, path=path), run(CHECKS, workers=1)
    assert list(kept) == list(fresh) == [json.loads(x) for x in whole.splitlines()[1:]]
    assert (len(kept), kept[-1], kept[3:5]) == (733, fresh[732], fresh[3:5])
    assert [r["error"] for r in fresh[701:704:2]] == [
        f"ZeroDivisionError: index {i}" for i in (1, 3)
    ]
    assert "error" not in fresh[700]
    with pytest.raises(IndexError):
        kept[733]


def test_seeds_belong_to_the_check_and_its_index():
    alone = run([Check("die", roll, 50)], workers=1)
    later = run([Check("other", roll, 3), Check("die", roll, 80)], workers=1)
    assert list(alone) == list(later)[3:53]
    eyes = [[r["eyes"] for r in run([Check(k, roll, 50)], workers=1, seed=s)]
            for k, s in (("die", 0), ("die", 1), ("coin", 0))]  # fmt: skip
    assert len({tuple(e) for e in eyes}) == 3


class Counting(Executor):
    """Does nothing until a result is wanted, and counts what waits."""

    def __init__(self):
        self.waiting = self.most = 0

    def submit(self, function, /, *arguments, **_):
        executor = self
        executor.waiting += 1
        executor.most = max(executor.most, executor.waiting)

        class Late(Future):
            def result(self, *_):
                executor.waiting -= 1
                return function(*arguments)

        return Late()


def test_work_under_way_is_bounded(monkeypatch):
    monkeypatch.setattr(campaign, "MAX_BATCH", 5)
    pool = Counting()
    assert len(run([Check("die", roll, 1000)], executor=pool, workers=3)) == 1000
    assert pool.most == 3 * campaign.IN_FLIGHT


# -------------------------------------------------------------------- cuts


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_goes_on(tmp_path_factory, whole, data):
    path = tmp_path_factory.mktemp("cut") / "results.jsonl"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    lines = path.read_bytes().count(b"\n")
    seen = []
    assert written(path, progress=seen.append) == whole
    assert seen[0] == max(lines - 1, 0)
    assert seen[-1] == 733
    assert seen == sorted(seen)


def test_a_kill_half_way_loses_and_repeats_nothing(tmp_path):
    checks = "[Check('slow', slow_roll, 400), Check('die', roll, 200)]"
    program = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        "from campaign_checks import roll, slow_roll\n"
        "from lrnn_theory.campaign import Check, run\n"
        f"if __name__ == '__main__':\n    run({checks}, workers=2, path=sys.argv[1])\n"
    )
    script, path = tmp_path / "campaign.py", tmp_path / "results.jsonl"
    script.write_text(program)
    process = subprocess.Popen([sys.executable, script, path], start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.read_bytes().count(b"\n") > 20):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        process.wait()
        before = path.read_bytes()
        assert before.count(b"\n") < 600
        assert workers_end(process.pid)
    finally:
        if workers := alive(process.pid):
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
    after = written(path, [Check("slow", slow_roll, 400), Check("die", roll, 200)])
    assert after.startswith(before[: before.rfind(b"\n") + 1])
    assert after == written(
        tmp_path / "at_once.jsonl", [Check("slow", slow_roll, 400), Check("die", roll, 200)]
    )


def alive(session: int) -> list[int]:
    """Processes of a session, as Linux tells them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, belongs = stat.read_text().rpartition(") ")[2].split()[:4]
        except OSError:  # it has just ended
            continue
        if int(belongs) == session and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def workers_end(session: int) -> bool:
    for _ in range(200):
        if not alive(session):
            return True
        time.sleep(0.05)
    return False


def test_a_worker_that_dies_is_told(tmp_path):
    path = tmp_path / "results.jsonl"
    with pytest.raises(RuntimeError, match="A worker died"):
        run([Check("dies", dies, 100)], workers=2, path=path)
    kept = path.read_bytes().splitlines()[1:]
    assert [json.loads(x)["index"] for x in kept] == list(range(len(kept)))
    assert len(kept) <= 40


# -------------------------------------------------------------------- misuse


def test_results_that_are_no_plain_data_are_errors():
    (result,) = run([Check("bad", not_plain, 1)], workers=1)
    assert result["error"].startswith("TypeError: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [b'{"campaign": 1}', *lines[1:]], "is not the file of a campaign"),
        (lambda _: [b"hello"], "is not the file of a campaign"),
        (lambda lines: [lines[0], lines[2], *lines[2:]], "Line 2 of .* result 0 of 'die'"),
        (lambda lines: [*lines[:5], b"nonsense", *lines[6:]], "Line 6 of"),
        (lambda lines: [*lines, lines[-1]], "must be the end"),
    ],
)
def test_files_that_are_something_else_are_left_alone(tmp_path, whole, change, message):
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"\n".join(change(whole.splitlines())) + b"\n")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        written(path)
    assert path.read_bytes() == before


def test_another_campaign_is_refused(tmp_path, whole):
    path = tmp_path / "results.jsonl"
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="written with other seed"):
        written(path, seed=1)
    with pytest.raises(ValueError, match="written with other checks"):
        written(path, CHECKS[:1])
    path.write_bytes(b"my notes")  # no line end: neither a torn head
    with pytest.raises(ValueError, match="is not the file of a campaign"):
        written(path)
    assert path.read_bytes() == b"my notes"


def test_a_file_is_written_by_one_campaign(tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="no such locks here")
    path = tmp_path / "results.jsonl"
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="Another campaign is writing"):
            written(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "carrier pigeons"}, "Argument 'executor' must be .* 'carrier pigeons'"),
        ({"executor": "dask://127.0.0.1:1"}, "No Dask scheduler answers at '127.0.0.1:1'"),
        ({"workers": 0}, "Argument 'workers' must be positive, not 0"),
        ({"seed": -1}, "Argument 'seed' must be a non-negative integer, not -1"),
        ({"checks": [CHECKS[0], CHECKS[0]]}, "must have distinct keys"),
        ({"checks": [Check("die", roll, -1)]}, "count of check 'die' must be"),
    ],
)
def test_misuse(options, message, monkeypatch):
    monkeypatch.setattr(campaign, "CONNECT_SECONDS", 0.3)
    if str(options.get("executor", "")).startswith("dask"):
        pytest.importorskip("distributed", reason="needs the extra 'dask'")
    with pytest.raises(ValueError, match=message):
        run(**({"checks": CHECKS, "workers": 2} | options))
