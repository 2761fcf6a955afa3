"""The long mutant campaign: thousands of single changes, each with the verdict the truth demands.

    OMP_NUM_THREADS=1 python benchmarks/mutants.py [--factor 12] [--write benchmarks/mutants.md]

It runs what `tests/test_mutants.py` runs, on more mutants and in every format.  The truth is
decided by `tests/fraction_reference.py`, which shares no code with the verifier; one wrong verdict
ends the run with an error.
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

test_mutants = import_module("test_mutants")


def examine(factor, name):
    """All mutants of one machine; how many are wrong, right and running away."""
    count = factor * test_mutants.COUNTS[name]
    test_mutants.campaign(name, count, formats=3)
    outcomes = test_mutants.mutants_and_truth(name, count)
    return name, Counter(type(outcome).__name__ for _, _, outcome in outcomes)


def main():
    """A table of outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factor", type=int, default=12)
    parser.add_argument("--write")
    arguments = parser.parse_args()
    columns = ("Differs", "Same", "RunsAway")
    lines = ["| machine | refuted | proved | run away |", "|---|---|---|---|"]
    total = Counter()
    start = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        work = partial(examine, arguments.factor)
        for name, outcomes in pool.map(work, test_mutants.MACHINES):
            total += outcomes
            lines.append(f"| {name} | " + " | ".join(str(outcomes[c]) for c in columns) + " |")
            print(lines[-1], flush=True)
    lines.append(f"| all, {total.total()} | " + " | ".join(str(total[c]) for c in columns) + " |")
    print(lines[-1])
    if arguments.write:
        text = [
            "# Mutants",
            "",
            f"Made by `python benchmarks/mutants.py --factor {arguments.factor} --write "
            f"{arguments.write}` in {time.perf_counter() - start:.0f} s on 2 cores.",
            "Every mutant is a compiled network with one weight or one wiring entry changed.",
            "All verdicts agree with the independent reference: in exact arithmetic, and in",
            "float32, bfloat16 and float16 where the mutant's numbers stay small integers.",
            "Refuting words are shortest ones. The states of a mutant that runs away never",
            "close in exact arithmetic.",
            "",
            *lines,
            "",
        ]
        Path(arguments.write).write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
