"""What rounding does: horizons, closed state sets, orders, limit cycles; tables with times.

    python benchmarks/precision.py [--quick] [--write benchmarks/precision.md]

Machines count modulo m by rotations of the plane and answer the residue, so that every slip shows.
"""

import argparse
import platform
import time
from fractions import Fraction
from statistics import median

import numpy as np
import torch

from constructions import compile_dfa
from lrnn_theory import (
    Automaton,
    Budget,
    Dense,
    Householder,
    Layer,
    Proved,
    Refuted,
    census,
    horizon,
    languages,
    verify,
)
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import CompiledLayer, Follower
from lrnn_theory.cyclotomic import cos_turn
from lrnn_theory.lrnn import LRNN, Level

UNARY = [
    "float32:each", "float32:each+factored", "float32:each+fma+factored", "float16:each",
    "bfloat16:each", "bfloat16:once", "bfloat16:wide+acc=float32", "bfloat16:each+factored",
]  # fmt: skip
clock = time.perf_counter


def counter(m, steps=(1,)):
    """A Moore machine that answers the residue; letter i adds steps[i]."""
    delta = [[(q + s) % m for q in range(m)] for s in steps]
    names = [str(q) for q in range(m)]
    return Automaton.from_table(delta, outputs=list(range(m)), output_symbols=names)


def orbit(m, arithmetic, limit):
    """What becomes of one letter repeated."""
    automaton = counter(m)
    lrnn = compile_dfa(automaton, "rotation")
    core = automaton.minimize()
    order = [int(x) for x in core.outputs]  # output symbols are residues in both
    follower = Follower(
        lrnn, core.delta, core.initial, order, np.zeros(1, int), Arithmetic.parse(arithmetic)
    )
    return lrnn, follower.orbit(0, limit)


def unrounded_decoder(lrnn, m, arithmetic, limit):
    """The first length at which the nearest *exact* root of unity is another than it should be."""
    layer = CompiledLayer(lrnn.levels[0].layer, Arithmetic.parse(arithmetic))
    word = lrnn.levels[0].action[np.zeros(min(limit, 2_000_000), int)]
    h = layer.run(layer.start(), word)[:, :, 0]
    turn = np.rint(np.arctan2(h[:, 1], h[:, 0]) * m / (2 * np.pi)).astype(int) % m
    slips = np.flatnonzero(turn != np.arange(1, len(turn) + 1) % m)
    return f"{slips[0] + 1:,}" if len(slips) else "-"


def unary_table(quick):
    """Rows of the first table."""
    moduli = [3, 5, 7, 60] if quick else [3, 5, 7, 60, 1000]
    limit = 2 * 10**7 if quick else 2 * 10**8
    yield ["arithmetic", *(f"m = {m}" for m in moduli)]
    for arithmetic in UNARY:
        cells = []
        for m in moduli:
            lrnn, found = orbit(m, arithmetic, limit)
            if found.outcome == "cycle":
                cells.append(f"never ({found.steps:,} states)")
            elif found.outcome == "wrong":
                other = unrounded_decoder(lrnn, m, arithmetic, found.steps + 1000)
                cells.append(f"{found.steps:,}" + (f" ({other})" if other != "-" else ""))
            else:
                cells.append(f"right up to {found.steps:,}")
        yield [arithmetic, *cells]


def random_table(quick):
    """Horizons on random words over {1, -1}."""
    yield ["arithmetic", "m", "seeds", "least", "median"]
    for arithmetic, m in [("bfloat16:each", 60), ("float16:each", 60), ("bfloat16:each", 7),
                          ("bfloat16:once", 60), ("float32:each", 1000)]:  # fmt: skip
        automaton = counter(m, (1, m - 1))
        lrnn = compile_dfa(automaton, "rotation")
        length = 100_000 if quick else 1_000_000
        count = 25 if quick else 101
        found = horizon(lrnn, automaton, arithmetic, "random", count=count, length=length)
        first = [x if x is not None else np.inf for x in found.first]
        middle = median(first)
        shown = [f"{x:,.0f}" if x < np.inf else f"> {length:,}" for x in (min(first), middle)]
        yield [arithmetic, str(m), str(count), *shown]


def described(verdict, seconds):
    """A verdict in a cell."""
    if isinstance(verdict, Proved):
        states = verdict.statistics.get("configurations", verdict.statistics.get("layer states"))
        return f"proved, {states:,} states ({verdict.method}, {seconds:.1f} s)"
    if isinstance(verdict, Refuted):
        return f"wrong at length {len(verdict.word):,} ({seconds:.1f} s)"
    states = verdict.statistics["configurations"]
    return f"open: right up to length {verdict.covered:,}, {states:,} states ({seconds:.0f} s)"


def decide(lrnn, automaton, arithmetic, budget=500_000):
    """A verdict and its time, in a cell."""
    start = clock()
    verdict = verify(lrnn, automaton, arithmetic, budget=Budget(budget))
    return described(verdict, clock() - start)


def alphabet_table(quick):
    """Both directions as letters."""
    yield ["machine", "arithmetic", "verdict"]
    cases = [(3, "float32:each"), (5, "float16:each"), (3, "bfloat16:each"), (7, "bfloat16:each"),
             (60, "float16:each"), (7, "float32:each")]  # fmt: skip
    for m, arithmetic in cases:
        automaton = counter(m, (1, m - 1))
        lrnn = compile_dfa(automaton, "rotation")
        budget = 200_000 if quick else 10_000_000
        yield [
            f"m = {m}, letters 1 and -1",
            arithmetic,
            decide(lrnn, automaton, arithmetic, budget),
        ]


def normalised(lrnn):
    """The same permutations by unit keys k / sqrt 2 and beta = 2."""
    level = lrnn.levels[0]
    t = level.layer.transition
    half = cos_turn(1, 8)
    keys = np.array([[int(x) * half for x in row] for row in t.keys.tolist()], object)
    new = Householder(keys.reshape(t.keys.shape), 2 * t.betas, t.ptr)
    layer = level.layer
    layer = Layer(new, layer.b, layer.h0, layer.codewords, layer.readout, layer.size, layer.initial)
    head = (Level(layer, level.action, level.next, level.reads),)
    return LRNN(lrnn.letters, lrnn.letter_class, (head,), lrnn.output, lrnn.empty_output,
                kind=lrnn.kind, output_symbols=lrnn.output_symbols)  # fmt: skip


def permutation_table(quick):
    """S5 and Z60 by reflections."""
    yield ["machine", "arithmetic", "verdict"]
    s5, z60 = languages.symmetric_group(5), languages.mod(60)
    for arithmetic in ("float8_e5m2", "float8_e4m3", "bfloat16", "float32", "fixed8.0"):
        yield ["S5, integer keys", arithmetic, decide(compile_dfa(s5), s5, arithmetic)]
        yield ["Z60, integer keys", arithmetic, decide(compile_dfa(z60), z60, arithmetic)]
    unit = normalised(compile_dfa(s5))
    for arithmetic in ("float16:each+factored", "bfloat16:each+factored", "bfloat16:each",
                       "float8_e4m3:each+factored", "float32:each+factored"):  # fmt: skip
        budget = 100_000 if quick else 1_000_000
        yield ["S5, keys of length 1", arithmetic, decide(unit, s5, arithmetic, budget)]


def order_table(quick):
    """One rotation, three orders."""
    yield ["machine", "arithmetic", "verdict"]
    automaton = Automaton.from_regex("(111)*")
    lrnn = compile_dfa(automaton, "rotation")
    for arithmetic in ("bfloat16:each", "bfloat16:each@chunk:64", "bfloat16:each@tree",
                       "bfloat16@tree", "float32@tree"):  # fmt: skip
        if not (quick and "chunk" in arithmetic):
            yield ["(111)*", arithmetic, decide(lrnn, automaton, arithmetic)]
    s5 = languages.symmetric_group(5)
    for arithmetic in ("float8_e4m3@tree", "bfloat16@chunk:64"):
        yield ["S5, integer keys", arithmetic, decide(compile_dfa(s5), s5, arithmetic)]


def cycle_table(_):
    """All states of eight bits under A = [[3, 1], [1, 3]] / 4 and two factors."""
    yield ["matrix, input", "arithmetic", "states", "periods: states that end there"]
    quarters = [[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]
    factors = [[Fraction(5, 16), Fraction(-5, 16)], [Fraction(1, 16), Fraction(-1, 16)]]
    zero = np.zeros((2, 1), int)
    for name, a, b, arithmetics in (
        ("[[3, 1], [1, 3]] / 4, 0", quarters, [0, 0],
         ["float8_e5m2:each", "float8_e4m3:each", "float8_e5m2:once", "fixed8.0:each"]),
        ("[[5, -5], [1, -1]] / 16, (0, 17/32)", factors, [0, Fraction(17, 32)],
         ["fixed8.0:once", "float8_e5m2:once", "float8_e4m3:once"]),
    ):  # fmt: skip
        b = np.array(b, object).reshape(1, 2, 1)
        readout = np.zeros((1, 1, 2), int)
        layer = Layer(Dense(np.array([a], object)), b, zero, (zero[None],), readout, 1, 0)
        for arithmetic in arithmetics:
            found = census(layer, 0, arithmetic)
            periods = ", ".join(f"{p}: {n:,}" for p, n in found.periods.items())
            yield [name, arithmetic, f"{found.states:,}", periods]


TABLES = [
    ("One letter repeated: the first length answered wrongly", unary_table,
     "In brackets: where a decoder would err that compares with exact, unrounded roots of unity."),
    ("Random words over two letters, 1 and -1", random_table, ""),
    ("All words over two letters", alphabet_table, ""),
    ("Permutations by reflections", permutation_table, ""),
    ("Orders of evaluation", order_table, ""),
    ("Every state, one letter repeated", cycle_table,
     "All eigenvalues are nonnegative; rounding alone makes the cycles."),
]  # fmt: skip


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    option = " --quick" if arguments.quick else ""
    lines = [
        "# What rounding does",
        "",
        f"Made by `python benchmarks/precision.py{option} --write benchmarks/precision.md` on "
        f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}.",
    ]
    for title, table, remark in TABLES:
        start = clock()
        rows = list(table(arguments.quick))
        lines += [
            "",
            f"## {title}",
            "",
            "| " + " | ".join(rows[0]) + " |",
            "|---" * len(rows[0]) + "|",
        ]
        lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
        lines += (
            ["", remark, f"({clock() - start:.0f} s)"]
            if remark
            else ["", f"({clock() - start:.0f} s)"]
        )
        print("\n".join(lines[-len(rows) - 8 :]), flush=True)
    if arguments.write:
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
