"""Analyse every named machine, and random ones of 50 states; a table with times.

    python benchmarks/analysis.py [--write benchmarks/analysis.md]

Times are the best of three on one thread, without the imports.
"""

import argparse
import platform
import resource
import time
from functools import partial

from lrnn_theory import Automaton, analyze, languages


def order_preserving(n):
    """Generators of all maps of n points that keep their order: C(2n-1, n) of them."""
    up = [[q + (q == i) for q in range(n)] for i in range(n - 1)]
    down = [[q - (q == i) for q in range(n)] for i in range(1, n)]
    return Automaton.from_table(up + down, accepting=[0])


MACHINES = {
    **languages.BESTIARY,
    "order-preserving maps of 10 points": partial(order_preserving, 10),
    **{
        f"random_automaton(50, seed={seed})": partial(languages.random_automaton, 50, seed=seed)
        for seed in range(10)
    },
}


def answer(value):
    """A fact as a word."""
    return {None: "?", True: "yes", False: "no"}[value]


def known(number):
    """A number, if it is known."""
    return "?" if number is None else number


def row(name):
    """The facts of a machine, as cells of a table."""
    automaton = MACHINES[name]()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        profile = analyze(automaton)
        times.append(time.perf_counter() - start)
    green, groups = profile.green, profile.groups
    return [
        name,
        profile.minimal_states,
        profile.monoid_size or f"> {profile.monoid_enumerated}",
        known(profile.idempotents),
        f"{green.d_classes} ({green.regular_d_classes})" if green else "?",
        ", ".join(g.name or f"order {g.order}" for g in groups) if groups else "?",
        answer(profile.is_j_trivial),
        answer(profile.is_aperiodic),
        answer(profile.groups_are_2_groups),
        answer(profile.is_solvable),
        "-" if profile.is_solvable is False else known(profile.derived_length),
        f"{min(times):.3f}",
    ]


def main():
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write")
    arguments = parser.parse_args()
    analyze("(00)*")  # imports
    columns = (
        "machine", "states", "monoid", "idempotents", "D-classes (regular)", "maximal subgroups",
        "J-trivial", "aperiodic", "2-groups", "solvable", "derived length", "seconds",
    )  # fmt: skip
    rows = [row(name) for name in MACHINES]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (columns, *rows)]
    lines.insert(1, "|---" * len(columns) + "|")
    text = (
        "# Analyses\n\n"
        "Made by `python benchmarks/analysis.py --write benchmarks/analysis.md` on 2 cores, AMD\n"
        f"EPYC, one thread, Python {platform.python_version()}; peak memory {memory} MB. "
        "What the columns mean:\n[docs/analysis.md](../docs/analysis.md).\n\n"
        + "\n".join(lines)
        + "\n"
    )
    print(text)
    if arguments.write:
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
