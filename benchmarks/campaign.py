"""A campaign of a million checks: on one process, on two and killed half-way, on a Dask cluster.

    python benchmarks/campaign.py --machine "2 cores, AMD EPYC" --output benchmarks/campaign.md

Every run writes a file; the files must be the same byte for byte.  The check: a random permutation
is multiplied out from the transpositions that `householder.permutation` makes of it, as many as its
points less its cycles.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from lrnn_theory.campaign import Check, run
from lrnn_theory.householder import permutation


def transpositions(rng: np.random.Generator, index: int) -> dict[str, Any]:
    """Whether the factors of a random permutation give it back, and are n - #cycles."""
    n = 2 + index % 6
    p = rng.permutation(n).tolist()
    product = permutation(p)
    points = list(range(n))
    for key in product.keys[::-1].tolist():
        i, j = key.index(1), key.index(-1)
        points = [j if x == i else i if x == j else x for x in points]
    cycles, seen = 0, set()
    for start in range(n):
        cycles += start not in seen
        while start not in seen:
            seen.add(start)
            start = p[start]
    return {"holds": points == p and len(product) == n - cycles}


def campaign(path: Path, count: int, executor: str, workers: int) -> float:
    """Seconds that a campaign takes, or what is left of it."""
    start = time.perf_counter()
    run([Check("transpositions", transpositions, count)],
        executor=executor, workers=workers, path=path)  # fmt: skip
    return time.perf_counter() - start


def killed_half_way(path: Path, count: int) -> tuple[float, int]:
    """Start two processes elsewhere and kill their parent with half of the results written."""
    command = [sys.executable, __file__, "--count", str(count), "--only", str(path)]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    while not path.exists() or path.stat().st_size < count * BYTES / 2:
        if process.poll() is not None:
            raise SystemExit("the campaign ended before it could be killed")
        time.sleep(0.01)
    process.kill()  # signal 9
    process.wait()
    return time.perf_counter() - start, path.read_bytes().count(b"\n") - 1


BYTES = len('{"check": "transpositions", "index": 500000, "holds": true}\n')


def facts(path: Path, count: int) -> tuple[str, int]:
    """The digest of a file, and how many checks hold in it; every index must be there once."""
    lines = path.read_bytes().splitlines()[1:]
    assert [int(x.split(b": ")[2].split(b",")[0]) for x in lines] == list(range(count))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return digest, sum(b'"holds": true' in x for x in lines)


def main() -> None:
    """Run all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--machine", default="this machine")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", type=Path, help="two processes, this file, no table")
    options = parser.parse_args()
    count = options.count
    if options.only:
        campaign(options.only, count, "processes", 2)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, executor, workers in (
            ("1 process", "processes", 1), ("2 processes", "processes", 2),
            ("2 Dask workers", "dask", 2),
        ):  # fmt: skip
            path = Path(folder, f"{name}.jsonl")
            seconds = campaign(path, count, executor, workers)
            rows.append((name, seconds, count, *facts(path, count)))
        path = Path(folder, "killed.jsonl")
        seconds, kept = killed_half_way(path, count)
        rows.append(("2 processes, killed", seconds, kept, "", ""))
        seconds = campaign(path, count, "processes", 2)
        rows.append(("the same, gone on with", seconds, count - kept, *facts(path, count)))
    lines = [
        "# A million checks", "",
        f"`python benchmarks/campaign.py`: {count:,} checks; {options.machine}. The last column is",
        "the beginning of the SHA-256 of the file of results: equal files, byte for byte.", "",
        "| run | seconds | results written | a second | holds | file |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {seconds:.1f} | {done:,} | {done / seconds:,.0f} | "
            f"{f'{holds:,}' if digest else ''} | {digest} |"
            for name, seconds, done, digest, holds in rows
        ),
        "",
    ]  # fmt: skip
    text = "\n".join(lines)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    print(text)
    if len({digest for *_, digest, _ in rows if digest}) != 1:
        raise SystemExit("the files differ")


if __name__ == "__main__":
    main()
