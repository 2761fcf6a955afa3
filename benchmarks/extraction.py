"""What was compiled comes back: `extract` over all named machines and formats, checked and timed.

    python benchmarks/extraction.py [--machines ...] [--formats ...] [--write FILE]

Where `verify` says Proved, the extracted automaton must be the minimal one; where it says Refuted,
it must differ from that first on a word as long as the one that refutes.
"""

import argparse
import os
import platform
import sys
import time

import torch

from constructions import compile_dfa
from lrnn_theory import Proved, Refuted, extract, languages, verify

FORMATS = (
    "exact", "float64", "float32", "tf32", "bfloat16", "float16", "float8_e5m2", "float8_e4m3",
    "fixed8.4",
)  # fmt: skip
clock = time.perf_counter


def processor():
    """The machine, as its kernel names it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores, {model}"


def examine(lrnn, minimal, arithmetic):
    """The verdict, seconds of `extract`, and whether it found what the verdict says."""
    verdict = verify(lrnn, minimal, arithmetic)
    start = clock()
    try:
        found = extract(lrnn, arithmetic)
    except ValueError as reason:
        return verdict, clock() - start, not isinstance(verdict, Proved), str(reason)
    seconds = clock() - start
    if isinstance(verdict, Proved):
        same = (
            found.letters == minimal.letters
            and found.output_symbols == minimal.output_symbols
            and found.delta.tolist() == minimal.delta.tolist()
            and found.response.tolist() == minimal.response.tolist()
        )
    elif isinstance(verdict, Refuted):
        same = len(minimal.difference(found) or ()) == len(verdict.word)
    else:
        same = True  # nothing is claimed
    return verdict, seconds, same, f"{found.n_states} states"


def main():
    """Print the table; the exit code is 1 if an automaton is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--machines", default=",".join(languages.BESTIARY))
    parser.add_argument("--write")
    arguments = parser.parse_args()
    formats = arguments.formats.split(",")
    torch.set_num_threads(1)
    rows, proved, wrong, total = [], 0, [], 0.0
    for name in arguments.machines.split(","):
        automaton = languages.BESTIARY[name]()
        lrnn, minimal = compile_dfa(automaton), automaton.minimize()
        cells = []
        for arithmetic in formats:
            verdict, seconds, same, found = examine(lrnn, minimal, arithmetic)
            proved += isinstance(verdict, Proved)
            total += seconds
            if not same:
                wrong.append(f"{name} in {arithmetic}: {type(verdict).__name__}, {found}")
            claim = "" if isinstance(verdict, Proved) else type(verdict).__name__.lower() + ", "
            cells.append(f"{claim}{seconds:.2f}" + ("" if same else " WRONG"))
        rows.append(f"| {name} | {minimal.kind} | {minimal.n_states} | " + " | ".join(cells) + " |")
        print(rows[-1], flush=True)
    count = len(rows) * len(formats)
    lines = [
        "# What was compiled comes back",
        "",
        "Made by `python benchmarks/extraction.py --write benchmarks/extraction.md` on",
        f"{processor()}, one thread.",
        "",
        "A cell has the seconds of `extract(compile_dfa(machine), format)`. It says so if `verify`",
        "did not prove that the network answers like the machine. Where it did, what is extracted",
        "is the minimal automaton, state for state; else the cell is marked WRONG.",
        "",
        f"Proved: {proved} of {count}; wrong: {len(wrong)}; {total:.0f} s in all.",
        "",
        "| machine | kind | states | " + " | ".join(formats) + " |",
        "|---" * (len(formats) + 3) + "|",
        *rows,
    ]
    print("\n".join([lines[9], *wrong]))
    if arguments.write:
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
