"""Many checks on many workers: the same results whatever the workers, and after a kill.

Every single check has a seed of its own, made from the seed of the campaign, its name and its
index.  Results are written in the order of the checks, one line of JSON each, so that the file is
the same, byte for byte, for one process, many, or a Dask cluster, and a file that was cut short is
a beginning of the whole.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import IO, Any

import numpy as np

from lrnn_theory.arguments import positive

BATCH_SECONDS = 0.2
"""How long a batch of checks should take: long against the cost of sending it."""

MAX_BATCH = 4096
"""Most checks in a batch."""

IN_FLIGHT = 4
"""Batches under way for every worker."""

CONNECT_SECONDS = 10
"""How long a Dask scheduler may take to answer."""

_FORMAT = 1
"""Version of the files."""


@dataclass(frozen=True)
class Check:
    """A check that can be made many times.

    Attributes:
        key: its name, unique in a campaign.
        function: makes the check of an index, with random numbers of its own, and returns plain
            data.  Workers import it, so it is defined at the top level of a module.
        count: how many times it is made; the indices are 0, ..., count - 1.
    """

    key: str
    function: Callable[[np.random.Generator, int], Mapping[str, Any]]
    count: int


class Results(Sequence[dict[str, Any]]):
    """The results of a campaign in order: `{"check": key, "index": i, ...}`.

    A check that raised has `"error"`, the exception in words.

    Attributes:
        path: the file that holds them, or None.
    """

    def __init__(self, lines: list[str], path: Path | None, count: int) -> None:
        self._lines, self.path, self._count = lines, path, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self.path is None:
            yield from (json.loads(line) for text in self._lines for line in text.splitlines())
            return
        with self.path.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in itertools.islice(file, 1, 1 + self._count))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        at = range(self._count)[index]
        return next(itertools.islice(self, at, None))


def generator(seed: int, key: str, index: int) -> np.random.Generator:
    """The random numbers of one check: a child of the seed's `SeedSequence`.

    Example:
        >>> a, b = (generator(0, "norm", 7).integers(10**9) for _ in range(2))
        >>> bool(a == b), bool(a == generator(0, "norm", 8).integers(10**9))
        (True, False)
    """
    key_number = zlib.crc32(key.encode())
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key_number, index)))


def run(
    checks: Sequence[Check],
    *,
    executor: Executor | str = "processes",
    workers: int | None = None,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Results:
    """Make many checks.

    Args:
        checks: what to check, and how often.
        executor: any `concurrent.futures.Executor`; or "processes", "dask" (a cluster on this
            machine) or "dask://HOST:PORT" (the scheduler of a cluster).
        workers: how many; by default the processors of this machine.  With "processes" and one
            worker everything runs in this process.
        seed: of all random numbers.
        path: a file to write results to, one line of JSON each.  If it exists and was cut short,
            the campaign goes on after its last whole line.
        progress: called with the number of checks done.

    Returns:
        The results, in the order of the checks and their indices.

    Raises:
        ValueError: if an argument is wrong, or the file is of another campaign.
        RuntimeError: if a worker died; the results before are kept.
        KeyboardInterrupt: likewise.

    Example:
        >>> def roll(rng, index):
        ...     return {"eyes": int(rng.integers(1, 7))}
        >>> rolls = run([Check("die", roll, 3)], workers=1)
        >>> rolls[2] == {"check": "die", "index": 2, "eyes": rolls[2]["eyes"]}
        True
    """
    checks = _checked(checks)
    workers = positive("workers", workers if workers is not None else os.cpu_count() or 1)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"Argument 'seed' must be a non-negative integer, not {seed!r}.")
    total = sum(check.count for check in checks)
    progress = progress or (lambda _: None)
    head = {"campaign": _FORMAT, "seed": seed, "checks": [[c.key, c.count] for c in checks]}
    target = None if path is None else Path(path)
    lines: list[str] = []
    with _opened(target, head, checks) as (file, done):
        progress(done)
        if done < total:
            with executor_of(executor, workers) as pool:
                for text, count in _batches(checks, seed, done, pool, IN_FLIGHT * workers):
                    if file is None:
                        lines.append(text)
                    else:
                        file.write(text.encode())
                        file.flush()
                    done += count
                    progress(done)
        if file is not None:
            os.fsync(file.fileno())
    return Results(lines, target, total)


def _checked(checks: Sequence[Check]) -> list[Check]:
    checks = list(checks)
    keys = [check.key for check in checks]
    if len(set(keys)) < len(keys):
        raise ValueError(f"Argument 'checks' must have distinct keys, not {', '.join(keys)}.")
    for check in checks:
        if isinstance(check.count, bool) or not isinstance(check.count, int) or check.count < 0:
            raise ValueError(
                f"The count of check '{check.key}' must be a non-negative integer, "
                f"not {check.count!r}."
            )
    return checks


# -------------------------------------------------------------------- batches


def _batches(
    checks: Sequence[Check], seed: int, done: int, pool: Executor | None, in_flight: int
) -> Iterator[tuple[str, int]]:
    """Lines of results and how many, in order, from check number `done` on."""
    waiting: deque[tuple[Future[tuple[str, float]], str, int]] = deque()
    sizes: dict[str, int] = {}  # of the next batch, by check

    def finish() -> tuple[str, int]:
        future, key, count = waiting.popleft()
        try:
            text, seconds = future.result()
        except BrokenExecutor as error:
            raise RuntimeError(f"A worker died, perhaps for want of memory: {error}") from error
        fitting = int(BATCH_SECONDS * count / max(seconds, 1e-9))
        sizes[key] = max(1, min(fitting, 4 * sizes[key], MAX_BATCH))
        return text, count

    try:
        for check in checks:
            at, done = min(done, check.count), max(done - check.count, 0)
            sizes[check.key] = 1
            while at < check.count:
                count = min(sizes[check.key], check.count - at)
                call = (check.key, check.function, seed, at, count)
                waiting.append((_submit(pool, call), check.key, count))
                at += count
                if pool is None or len(waiting) >= in_flight:
                    yield finish()
        while waiting:
            yield finish()
    finally:
        for future, _, _ in waiting:
            future.cancel()


def _submit(pool: Executor | None, call: Any) -> Future[tuple[str, float]]:
    if pool is not None:
        return pool.submit(_batch, *call)
    future: Future[tuple[str, float]] = Future()
    future.set_result(_batch(*call))
    return future


def _batch(key: str, function: Any, seed: int, first: int, count: int) -> tuple[str, float]:
    """The lines of some checks, and the seconds that they took."""
    start, lines = time.perf_counter(), []
    for index in range(first, first + count):
        result: dict[str, Any] = {"check": key, "index": index}
        try:
            made = {**function(generator(seed, key, index), index), **result}
            line = json.dumps(result | made, allow_nan=False)
        except Exception as error:  # a check that cannot be made has failed; the others go on
            line = json.dumps(result | {"error": f"{type(error).__name__}: {error}"})
        lines.append(f"{line}\n")
    return "".join(lines), time.perf_counter() - start


# -------------------------------------------------------------------- executors


@contextmanager
def executor_of(executor: Executor | str, workers: int) -> Iterator[Executor | None]:
    """The executor of a name, for `run`; None stands for this process.

    Raises:
        ValueError: if the name is unknown, or Dask is wanted and not installed.
    """
    if isinstance(executor, Executor):
        yield executor
    elif executor == "processes":
        if workers == 1:
            yield None
            return
        # Not forked: a child of a process with threads may start with a lock held.
        spawn = get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start_worker) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    elif executor == "dask" or executor.startswith("dask://"):
        with _dask(executor.removeprefix("dask").removeprefix("://"), workers) as pool:
            yield pool
    else:
        raise ValueError(
            f"Argument 'executor' must be an Executor, 'processes', 'dask' or 'dask://HOST:PORT', "
            f"not {executor!r}."
        )


@contextmanager
def _dask(address: str, workers: int) -> Iterator[Executor]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ValueError(
            "Executor 'dask' needs the package distributed: pip install 'lrnn-theory[dask]'."
        ) from None
    if address:
        try:
            client = Client(f"tcp://{address}", timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise ValueError(f"No Dask scheduler answers at {address!r}: {error}") from None
        with client:
            yield client.get_executor()
        return
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


def _start_worker() -> None:
    """One thread a worker; the parent alone hears Ctrl-C; no worker outlives its parent."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# -------------------------------------------------------------------- files


@contextmanager
def _opened(
    path: Path | None, head: dict[str, Any], checks: Sequence[Check]
) -> Iterator[tuple[IO[bytes] | None, int]]:
    """The file to append to, with how many results it has already."""
    if path is None:
        yield None, 0
        return
    if path.exists() and not path.is_file():
        raise ValueError(f"Cannot write '{path}': it is there, and no regular file.")
    with path.open("a+b") as file:
        _lock(file, path)
        done = _kept(file, path, head, checks)
        yield file, done


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ValueError(f"Another campaign is writing to '{path}'.") from None


def _kept(file: IO[bytes], path: Path, head: dict[str, Any], checks: Sequence[Check]) -> int:
    """How many results a file has; a torn last line is cut off, and a new file gets its head."""
    file.seek(0)
    first = file.readline()
    if not first.endswith(b"\n"):
        written = json.dumps(head).encode() + b"\n"
        if not written.startswith(first):
            raise ValueError(f"'{path}' is not the file of a campaign.")
        file.truncate(0)
        file.write(written)
        file.flush()
        return 0
    _compare(path, first, head)
    whole, done = len(first), 0
    wanted = ((check.key, index) for check in checks for index in range(check.count))
    for line in file:
        if not line.endswith(b"\n"):
            break
        expected = next(wanted, None)
        if _name(line) != expected:
            place = f"result {expected[1]} of '{expected[0]}'" if expected else "the end"
            raise ValueError(f"Line {done + 2} of '{path}' must be {place}.")
        whole, done = whole + len(line), done + 1
    file.truncate(whole)
    return done


def _name(line: bytes) -> tuple[str, int] | None:
    try:
        result = json.loads(line)
        return result["check"], result["index"]
    except (ValueError, KeyError, TypeError):
        return None


def _compare(path: Path, first: bytes, head: dict[str, Any]) -> None:
    try:
        found = json.loads(first)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.keys() != head.keys():
        raise ValueError(f"'{path}' is not the file of a campaign.")
    for name, value in head.items():
        if found[name] != value:
            what = "version" if name == "campaign" else name
            raise ValueError(f"'{path}' was written with other {what}; choose another file.")
