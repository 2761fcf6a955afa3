"""Compile, prove and check machines of every kind; a table with times and peak memory.

    python benchmarks/verdicts.py [--write benchmarks/verdicts.md]

Each machine runs in a process of its own, on one thread.  The proof is made for every word, in each
arithmetic; the checker re-proves the bfloat16 certificate.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time

ARITHMETICS = ("exact", "float32", "bfloat16", "float16")
RANDOM = [(n, seed) for n in (10, 20, 50) for seed in range(5)]


def machine(name):
    """The automaton of a row."""
    from lrnn_theory import languages

    kind, _, argument = name.partition(":")
    if kind == "random":
        n, seed = map(int, argument.split(","))
        return languages.random_automaton(n, seed=seed)
    return languages.BESTIARY[argument]()


def measure(name):
    """One row, as a dictionary."""
    import torch

    torch.set_num_threads(1)
    from constructions import compile_dfa
    from lrnn_theory import check, verify
    from lrnn_theory.construction import core_of

    automaton = machine(name)
    core = core_of(automaton)[1]
    clock = time.perf_counter
    start = clock()
    lrnn = compile_dfa(automaton)
    row = {
        "machine": name,
        "states": core.n_states,
        "letters": automaton.n_letters,
        "construction": lrnn.construction,
        "layers": lrnn.n_layers,
        "sizes": sum(level.layer.size for level in lrnn.levels)
        + sum(lrnn.tail.sizes if lrnn.tail else ()),
        "rows": lrnn.state_size,
        "contexts": sum(len(level.action) for level in lrnn.levels),
        "tail": len(lrnn.tail.sizes) if lrnn.tail else 0,
        "compile_s": clock() - start,
    }
    for arithmetic in ARITHMETICS:
        start = clock()
        verdict = verify(lrnn, automaton, arithmetic)
        row[arithmetic] = type(verdict).__name__
        row["prove_s"] = max(row.get("prove_s", 0), clock() - start)
        if arithmetic == "bfloat16" and row[arithmetic] == "Proved":
            start = clock()
            check(verdict.certificate, lrnn)
            row["check_s"] = clock() - start
    row["memory_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return row


def main():
    """All rows, or with --one a single row as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one")
    parser.add_argument("--write")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    from lrnn_theory import languages

    names = [f"bestiary:{name}" for name in languages.BESTIARY]
    names += [f"random:{n},{seed}" for n, seed in RANDOM]
    columns = [
        *("machine", "states", "letters", "construction", "layers", "sizes", "rows", "contexts"),
        *("tail", "compile_s", "prove_s", "check_s", "memory_MB", "verdicts"),
    ]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    print("\n".join(lines), flush=True)
    for name in names:
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout)
        outcomes = [row[a] for a in ARITHMETICS]
        row["verdicts"] = "all Proved" if set(outcomes) == {"Proved"} else ", ".join(outcomes)
        cells = [row.get(c, "") for c in columns]
        shown = [f"{x:.2f}" if isinstance(x, float) else str(x) for x in cells]
        lines.append("| " + " | ".join(shown) + " |")
        print(lines[-1], flush=True)
    if arguments.write:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            models = {line.partition(": ")[2].strip() for line in file if "model name" in line}
        where = f"{', '.join(models)}, one thread, Python {platform.python_version()}"
        text = [
            "# Verdicts",
            "",
            f"Made by `python benchmarks/verdicts.py --write {arguments.write}` on {where}.",
            "Verdicts in exact, float32, bfloat16 and float16; prove_s is the slowest of the four.",
            "",
            *lines,
            "",
        ]
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write("\n".join(text))


if __name__ == "__main__":
    main()
