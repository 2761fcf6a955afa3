"""Checking many theorems within a budget of time, on several workers."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait

from constructions.theorems import check_slice
from lrnn_theory.campaign import executor_of
from lrnn_theory.theorem import Report

LONGEST_SLICE = 5.0
"""Seconds after which a worker reports, at most."""


class CheckInterrupted(KeyboardInterrupt):
    """Ctrl-C.

    Attributes:
        reports: what was done.
    """

    def __init__(self, reports: dict[str, Report]) -> None:
        super().__init__()
        self.reports = reports


def check_all(
    keys: Sequence[str],
    budget: float,
    seed: int = 0,
    *,
    executor: Executor | str = "processes",
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Report]:
    """Check theorems for a while.

    Each is tried on one instance, then all are given equal slices of time in turn until the budget
    ends.  How many instances are tried depends on the machine; what is found in each does not.

    Args:
        keys: the theorems.
        budget: seconds.
        seed: of the random instances.
        executor: as for `lrnn_theory.campaign.run`.
        workers: likewise.
        progress: called with the number of instances done.

    Returns:
        A report for every key.

    Raises:
        CheckInterrupted: on Ctrl-C, with what was done.
        RuntimeError: if a worker died.
    """
    workers = workers or os.cpu_count() or 1
    slice_of = min(budget * workers / max(len(keys), 1) / 2, LONGEST_SLICE)
    reports = {key: Report(key) for key in keys}
    turns = deque(keys)
    running: dict[Future[Report], str] = {}
    try:
        with executor_of(executor, workers) as pool:
            deadline = time.monotonic() + budget
            while turns or running:
                while turns and len(running) < (workers if pool else 1):
                    key = turns.popleft()
                    left = min(slice_of, deadline - time.monotonic())
                    if not reports[key].seen:
                        left = 0.0
                    elif left <= 0:
                        continue
                    call = (key, left, seed, reports[key].seen)
                    running[_submit(pool, call)] = key
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    key = running.pop(future)
                    try:
                        reports[key] += future.result()
                    except BrokenExecutor as error:
                        raise RuntimeError(f"A worker died checking '{key}': {error}") from error
                    turns.append(key)
                    if progress:
                        progress(sum(report.seen for report in reports.values()))
    except KeyboardInterrupt:
        raise CheckInterrupted(reports) from None
    return reports


def _submit(pool: Executor | None, call: tuple[str, float, int, int]) -> Future[Report]:
    if pool is not None:
        return pool.submit(check_slice, *call)
    future: Future[Report] = Future()
    future.set_result(check_slice(*call))
    return future
