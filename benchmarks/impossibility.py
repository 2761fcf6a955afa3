"""Random layers that theorems forbid: refuted, and every refutation confirmed by other code.

    python benchmarks/impossibility.py [--part N] [--workers N] [--results FILE] [--write FILE]

10,000 networks of one layer, 2,000 of several, 400 for each modulus, or the N-th part of them:
the same ones on any number of processes.

Layers meet the hypothesis by an exact certificate.  Words are confirmed by tests/cast_evaluation.py
and tests/cast_networks.py, which share no code with the library: in fractions up to 10^4 letters,
in balls beyond.
"""

import argparse
import os
import platform
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from fractions import Fraction as Q
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from lrnn_theory import LRNN, Automaton, Dense, Layer, Level, check, refute
from lrnn_theory.campaign import Check, run
from lrnn_theory.impossibility import negative_vector, psd, spectrum

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
same_state, EXACT = (getattr(import_module("cast_evaluation"), x) for x in ("same_state", "EXACT"))
views, UnclearError = (
    getattr(import_module("cast_networks"), x) for x in ("views", "UnclearError")
)

FORMATS = [
    "{0,1}", "{-1,0,1}", "{0,1,2,3,4,5,6,7}", "{-5,-1,1,5}", "fixed4.1", "fixed8.4", "fixed8.0",
    "float8_e4m3", "float8_e5m2", "bfloat16", "float16", "float32",
]  # fmt: skip
SMALL = FORMATS[:9]
REPLAYED = 3_000_000
"""Longest words that several layers are followed on."""
MOST = 5_000
"""Most letters before the actions of a level come into their last cycle, for that."""
AHEAD = 8
"""How much further than a campaign does this one runs ahead of a slow network."""
PARITY, BOTH = Automaton.from_regex("(11)*"), Automaton.from_regex("(0|10*1)*")
clock = time.perf_counter


def fraction(rng):
    """A small fraction."""
    return Q(int(rng.integers(-6, 7)), int(rng.choice([1, 2, 3, 5, 8])))


def matrix(rng, n, *, signed):
    """Real eigenvalues in [-1, 1], nonnegative unless `signed`, in one of five ways."""
    kind = rng.choice(["diagonal", "triangular", "similar", "householder", "psd"])
    if kind == "householder" and not signed:
        out = np.eye(n, dtype=int).astype(object)
        for _ in range(rng.integers(1, 3)):
            key = rng.integers(-4, 5, n).astype(object)
            beta = Q(int(rng.integers(0, 17)), 16) / max(int(key @ key), 1)
            out = out @ (np.eye(n, dtype=int) - beta * np.outer(key, key))
        return out
    if kind == "psd" and not signed:
        root = np.array([[fraction(rng) for _ in range(n)] for _ in range(n)], object)
        gram = root.T @ root
        return gram / max(Q(1), gram.trace())
    out = np.zeros((n, n), object)
    for i in range(n):
        out[i, i] = Q(int(rng.integers(0, 33)), 32) * (int(rng.choice([1, -1])) if signed else 1)
        if kind != "diagonal":
            out[i, i + 1 :] = [fraction(rng) for _ in range(n - i - 1)]
    for _ in range(rng.integers(0, 4) if kind == "similar" and n > 1 else 0):
        i, j = rng.choice(n, 2, replace=False)
        step = int(rng.choice([-2, -1, 1, 2]))
        out[i] = out[i] + step * out[j]
        out[:, j] = out[:, j] - step * out[:, i]
    return out


def network(rng, letters, depth, *, signed, max_n=4):
    """Random layers, readouts and wiring."""
    contexts, levels = len(letters), []
    for _ in range(depth):
        n, size, below = (int(rng.integers(1, k)) for k in (max_n + 1, 4, 4))

        def numbers(*shape):
            out = np.empty(int(np.prod(shape)), object)
            out[:] = [fraction(rng) for _ in out]
            return out.reshape(shape)

        matrices = [matrix(rng, n, signed=signed) for _ in range(contexts)]
        layer = Layer(
            Dense(np.array(matrices, object)),
            numbers(contexts, n, 1),
            numbers(n, 1),
            (numbers(size, n, 1),),
            np.arange(size)[None, :, None].repeat(contexts, 0).repeat(2, 2),
            size,
            0,
        )
        nxt = rng.integers(0, below, (contexts, size))
        nxt[0, 0] = below - 1
        levels.append(Level(layer, np.arange(contexts), nxt, "current"))
        contexts = below
    every = np.arange(len(letters))
    return LRNN(tuple(letters), every, (tuple(levels),), np.zeros(contexts, int), 0)


def runs(word):
    """A word as pairs (letter, count)."""
    return getattr(word, "runs", None) or [(a, 1) for a in word]


def confirmed(lrnn, found, name):
    """By what means the words were confirmed; an exception if they are not confused."""
    words = [runs(found.other), runs(found.word)]
    lengths = [sum(count for _, count in w) for w in words]
    assert found.answered != found.expected
    exact = max(lengths) <= EXACT
    if len(lrnn.levels) == 1 and len({a for w in words for a, _ in w}) == 1:
        layer, a = lrnn.levels[0].layer, lrnn.letters.index(words[0][0][0])
        arrays = [[[Q(x) for x in row] for row in m.tolist()]
                  for m in (layer.transition.matrix(a), layer.b[a], layer.h0)]  # fmt: skip
        alike = same_state(*arrays, name, *lengths)
        assert alike in (True, None)
        if alike:
            return "in fractions" if exact else "in balls"
    elif max(lengths) <= REPLAYED:
        seen = partial(views, lrnn, name=name, most=MOST)
        try:
            if list(found.other) == list(found.word)[: lengths[0]]:
                one, other = seen(words[1], at=lengths).values()
            else:
                one, other = (seen(w, at=[n])[n] for w, n in zip(words, lengths, strict=True))
        except UnclearError:
            pass
        else:
            assert one == other
            return "in fractions" if exact else "in balls"
    assert check(found.certificate, lrnn).arithmetic == found.arithmetic
    return "by lrnn check only"


def mod(m):
    """Words of a multiple of m ones."""
    return Automaton.from_table([[(q + 1) % m for q in range(m)]], accepting=[0], letters="1")


def one_network(rng, index, *, language, letters, depths, formats, signed):
    """What became of a random network, as plain data."""
    depth = int(rng.integers(depths[0], depths[1] + 1))
    lrnn = network(rng, letters, depth, signed=signed, max_n=4 if depth == 1 else 2)
    if not signed:
        for level in lrnn.levels:
            for a in range(level.layer.n_actions):
                proof = spectrum(level.layer.transition.matrix(a), nonnegative=True)
                assert hasattr(proof, "points")
                assert proof.nonnegative
    name = formats[index % len(formats)]
    start = clock()
    found = refute(lrnn, language, f"{name}:cast", budget=20)
    out = {"seconds": round(clock() - start, 4)}
    if found is None:
        return out
    facts = found.statistics
    return {
        **out,
        "theorem": facts["theorem"],
        "length": int(facts["length"]),
        "confirmed": confirmed(lrnn, found, name),
    }


def campaigns(part):
    """Titles and checks."""
    title = "one layer, nonnegative spectrum, (11)*"
    yield title, check_of("one layer", 10_000 // part, PARITY, "1", (1, 1), FORMATS, signed=False)
    title = "2 or 3 layers, nonnegative spectra, parity on {0, 1}*"
    yield title, check_of("layers", 2_000 // part, BOTH, "01", (2, 3), SMALL, signed=False)
    for m in (3, 5, 6, 7, 12):
        yield (
            f"1 or 2 layers, real spectra, multiples of {m}",
            check_of(f"modulo {m}", 400 // part, mod(m), "1", (1, 2), SMALL, signed=True),
        )


def check_of(key, count, language, letters, depths, formats, *, signed):
    """Many random networks of one kind."""
    kind = {"language": language, "letters": letters, "depths": depths, "formats": formats}
    return Check(key, partial(one_network, **kind, signed=signed), count)


def row(results):
    """Cells of a table."""
    if faults := [x for x in results if "error" in x]:
        raise SystemExit(f"{len(faults)} networks failed, the first: {faults[0]}")
    refuted = [x for x in results if "theorem" in x]
    seconds = [x["seconds"] for x in results]
    theorems, ways = (Counter(x[key] for x in refuted) for key in ("theorem", "confirmed"))
    return [
        f"{len(results):,}", f"{len(refuted):,}", str(len(results) - len(refuted)),
        ", ".join(f"{k} {v:,}" for k, v in sorted(theorems.items())),
        ", ".join(f"{v:,} {k}" for k, v in ways.most_common()),
        f"{float(max((x['length'] for x in refuted), default=0)):.3g}",
        f"{1000 * sum(seconds) / len(seconds):.0f} ms", f"{max(seconds):.2f} s",
    ]  # fmt: skip


def slow_table():
    """Decays whose last change is late."""
    yield ["format", "A", "B", "first length", "refuted in", "checked in", "confirmed"]
    cases = [(Q(10**d - 1, 10**d), b) for d in (3, 5, 6) for b in (0, 1)]
    for name in ("float8_e4m3", "bfloat16", "float32"):
        for a, b in cases:
            lrnn = LRNN.from_layer(Dense(np.array([[[a]]], object)), [[b]], [1], "1")
            start = clock()
            found = refute(lrnn, PARITY, f"{name}:cast")
            middle = clock()
            check(found.certificate, lrnn)
            end = clock()
            first = min(sum(n for _, n in runs(w)) for w in (found.word, found.other))
            yield [
                name, f"1 - {1 - a}", str(b), f"{float(first):.9g}" if first > 10**15 else
                f"{first:,}", f"{middle - start:.3f} s", f"{end - middle:.3f} s",
                confirmed(lrnn, found, name),
            ]  # fmt: skip


STEPS = {
    "H + k (beta (v - k^T H))^T": lambda h, k, beta, v: h + torch.outer(k, beta * (v - k @ h)),
    "H - k (beta k^T H)^T + beta k v^T": lambda h, k, beta, v: (
        h - torch.outer(k, beta * (k @ h)) + torch.outer(beta * k, v)
    ),
}
"""An ordinary DeltaNet step; in exact arithmetic they are the same."""


def deltanet_row(formula, dtype, count, steps):
    """Random tokens, each repeated from H = 0, in torch."""
    ends, step = Counter(), STEPS[formula]
    for seed in range(count):
        g = torch.Generator().manual_seed(seed)
        k, v = (torch.randn(64, generator=g).to(dtype) for _ in range(2))
        k = k / k.norm()
        beta = (torch.rand(1, generator=g) * 0.9 + 0.05).to(dtype)
        h = torch.zeros(64, 64, dtype=dtype)
        for _ in range(steps):
            h = step(h, k, beta, v)
        one = step(h, k, beta, v)
        two = step(one, k, beta, v)
        ends["1" if torch.equal(h, one) else "2" if torch.equal(h, two) else "longer"] += 1
    name = str(dtype).removeprefix("torch.")
    return [formula, name, str(count), f"{steps:,}", *(str(ends[x]) for x in ("1", "2", "longer"))]


def projection_row(dtype, n, count):
    """Random projections that torch computes; what is stored is decided in fractions."""
    proved = refuted = 0
    for seed in range(count):
        k = torch.randn(n, generator=torch.Generator().manual_seed(seed)).to(dtype)
        k = k / k.norm()
        stored = torch.eye(n, dtype=dtype) - torch.outer(k, k)
        a = np.array([[Q(x) for x in row] for row in stored.double().tolist()], object)
        if (proof := psd(a)) is not None:
            proved += proof.check(a)
        else:
            x = np.array(negative_vector(a), object)
            refuted += bool(x @ a @ x < 0)
    return [str(dtype).removeprefix("torch."), str(n), str(count), str(proved), str(refuted)]


def random_networks(arguments):
    """The table of all random networks."""
    titles, checks = zip(*campaigns(arguments.part), strict=True)

    begin, by_key = clock(), {made.key: [] for made in checks}

    def tell(done):
        print(f"{done} networks, {clock() - begin:.0f} s", file=sys.stderr, flush=True)

    one = arguments.workers == 1
    pool = (
        nullcontext("processes")
        if one
        else ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn"))
    )
    with pool as executor:  # results are written in order: the others do not wait for a slow one
        found = run(checks, executor=executor, workers=1 if one else AHEAD * arguments.workers,
                    seed=1, path=arguments.results, progress=tell)  # fmt: skip
    for x in found:
        by_key[x["check"]].append(x)
    yield ["what", "networks", "refuted", "open", "theorem", "confirmed", "longest word", "mean",
           "worst"]  # fmt: skip
    for title, results in zip(titles, by_key.values(), strict=True):
        yield [title, *row(results)]


def tables(arguments):
    """Titles and rows."""
    yield "Late changes, for parity of a unary word, one process", list(slow_table())
    many, few = max(6, 60 // arguments.part), max(2, 20 // arguments.part)
    one, two = STEPS
    yield "One token repeated, 64 x 64 numbers", [
        ["H becomes", "type", "tokens", "steps", "period 1", "2", "longer, or not yet settled"],
        deltanet_row(one, torch.float32, many, 5_000),
        deltanet_row(one, torch.bfloat16, many, 5_000),
        deltanet_row(two, torch.float32, few, 20_000),
        deltanet_row(two, torch.bfloat16, few, 20_000),
    ]  # fmt: skip
    yield "I - k k^T for k of length 1, as torch computes it: is it positive semidefinite?", [
        ["type", "rows", "matrices", "yes", "no"],
        *(projection_row(dtype, n, max(20, 200 // arguments.part))
          for dtype in (torch.float32, torch.bfloat16) for n in (4, 8)),
    ]  # fmt: skip
    yield "Random networks in the cast model", list(random_networks(arguments))


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--results", help="a file of all results: a run that was cut short goes on")
    parser.add_argument("--machine", default="this machine")
    parser.add_argument("--write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the other processes
    option = f" --part {arguments.part}" if arguments.part > 1 else ""
    lines = [
        "# Refutations",
        "",
        f"Made by `python benchmarks/impossibility.py{option} --workers {arguments.workers}` "
        f"on {arguments.machine}; Python {platform.python_version()}, torch {torch.__version__}.",
        "",
        "Every layer has an exact certificate that it meets the hypothesis. Confirmed: by the "
        "definition, in code that shares nothing with the library (tests/cast_evaluation.py, "
        "tests/cast_networks.py): in fractions up to 10^4 letters, in balls beyond, and by lrnn "
        f"check only where balls do not tell, a level takes up its last cycle after more than "
        f"{MOST:,} letters, or words have more than {REPLAYED:,}. Open: nothing was found "
        "([why](../docs/impossibility.md#9-what-is-not-done)).",
    ]
    print("\n".join(lines), flush=True)
    for title, rows in tables(arguments):
        start = len(lines)
        lines += ["", f"## {title}", "", f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows[1:]]
        print("\n".join(lines[start:]), flush=True)
        if arguments.write:
            Path(arguments.write).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
