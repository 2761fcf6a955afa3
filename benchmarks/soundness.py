"""Thousands of random and mutated LRNNs: every verdict against two independent replays.

    python benchmarks/soundness.py [--start 0] [--count 20000] [--forgeries 1000] [--workers N]
        [--seconds S] [--write FILE]

A case is a network (a random layer, or a compiled machine with one change), an automaton and an
arithmetic.  `verify` decides.  A proof is replayed on 10^6 random letters by plain fractions that
share no code with the checker (certificate_reference.py) and, where it applies, by the compiled
engine; its certificate is proved again.  A refuting word is replayed by both.  Some certificates
are then damaged: one flipped bit must be rejected, and a forgery with a recomputed digest may be
accepted only if those fractions find the changed claim true.
"""

import argparse
import copy
import json
import platform
import random
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from certificate_reference import Replay, UnjudgedError, confirmed

from lrnn_theory import LRNN, Automaton, Dense, Diagonal, Householder, Layer, Level, extract, verify
from lrnn_theory.arithmetic import Arithmetic
from lrnn_theory.compiled import Follower
from lrnn_theory.verification import Budget, Proved, Refuted, checker
from lrnn_theory.verification.certificate import digest
from lrnn_theory.verification.equivalence import Question

machines = import_module("mutants")  # that of the tests: one of this folder has its name

LETTERS = 1_000_000
BUDGET = Budget(configurations=1500, steps=1_000_000)
FORMATS = ["float32", "float64", "tf32", "bfloat16", "float16", "float8_e4m3", "float8_e4m3!sat",
           "float8_e5m2", "float8_e5m2!nan", "fixed8.4", "fixed6.2!wrap", "fixed40.8", "{-1,0,1}",
           "{-2,-1,-1/2,0,1/2,1,2,4}"]  # fmt: skip
SEMANTICS = ["", ":each", ":each+fma", ":once", ":wide", ":wide+fma", ":each+factored",
             ":once+factored", ":each+fma+factored", ":cast"]  # fmt: skip
ORDERS = ["", "", "", "@chunk:2", "@chunk:3", "@tree"]


def draw_arithmetic(rng):
    """Any arithmetic, or "exact"."""
    while True:
        text = rng.choice(FORMATS) + rng.choice(SEMANTICS) + rng.choice(ORDERS)
        try:
            return str(Arithmetic.parse(rng.choice(["exact"] + 15 * [text])))
        except ValueError:
            continue


def draw_layer(rng):
    """A small layer over one to three letters with weights that are multiples of 1/4 or 1/3."""
    n, letters = rng.choice([1, 1, 2, 2, 3]), rng.choice([1, 2, 2, 3])
    scale = rng.choice([1, 1, 2, 4, 3])

    def array(*shape, zeros=0.4):
        size = int(np.prod(shape))
        out = np.empty(size, object)
        out[:] = [
            0 if rng.random() < zeros else Fraction(rng.randint(-2 * scale, 2 * scale), scale)
            for _ in range(size)
        ]
        return out.reshape(shape)

    kind = rng.choice(["dense", "diagonal", "householder", "householder"])
    if kind == "dense":
        transition = Dense(array(letters, n, n))
    elif kind == "diagonal":
        transition = Diagonal(array(letters, n, zeros=0.1))
    else:
        counts = [rng.randint(0, 2) for _ in range(letters)]
        ptr = np.cumsum([0, *counts])
        keys = array(int(ptr[-1]), n)
        size = np.array([sum(x * x for x in k) for k in keys], object)
        half = [Fraction(rng.choice([0, 1, 2, 2])) for _ in size]
        betas = np.array([h / s if s else h for h, s in zip(half, size, strict=True)], object)
        transition = Householder(keys, betas, ptr)
    k = rng.choice([2, 3])
    words = array(k, n, 1, zeros=0.2)
    readout = np.tile(np.arange(k)[:, None], (letters, 1, 2))
    layer = Layer(transition, array(letters, n, 1), words[0], (words,), readout, k, 0)
    outputs = np.array([rng.randint(0, 1) for _ in range(k)])
    level = Level(layer, np.arange(letters), np.tile(outputs, (letters, 1)), "current")
    return LRNN(
        tuple("abc"[:letters]), np.arange(letters), ((level,),), np.arange(2), int(outputs[0])
    )


def draw_case(seed):
    """(what it is, network, automaton, arithmetic)."""
    rng = random.Random(seed)
    arithmetic = draw_arithmetic(rng)
    if seed % 2:
        name = rng.choice(sorted(machines.MACHINES))
        changed = machines.mutants(name, 300)
        label, lrnn = (
            rng.choice(changed)
            if rng.random() < 0.8
            else ("unchanged", machines.machine(name).lrnn)
        )
        return f"{name}: {label}", lrnn, machines.machine(name).automaton, arithmetic
    lrnn = draw_layer(rng)
    try:  # what it implements in some arithmetic is what it should answer in this one
        other = arithmetic if rng.random() < 0.5 else draw_arithmetic(rng)
        automaton = extract(lrnn, other.partition("@")[0], budget=300)
    except ValueError:
        n = rng.randint(1, 4)
        delta = [[rng.randrange(n) for _ in range(n)] for _ in lrnn.letters]
        accepting = [rng.random() < 0.5 for _ in range(n)]
        automaton = Automaton.from_table(delta, accepting=accepting, letters=lrnn.letters)
    return "random layer", lrnn, automaton, arithmetic


def replay_on_fractions(certificate, rng, letters):
    """The first wrong answer on random letters of a replay that shares no code, or None."""
    replay = Replay(certificate, Arithmetic.parse(certificate["arithmetic"]))
    count = len(replay.letters)
    met, numbers, moves = [replay.start], {replay.start: 0}, [[None] * count]
    here = 0
    for t, letter in enumerate(rng.choices(range(count), k=letters)):
        there = moves[here][letter]
        if there is None:  # a configuration is followed once, then by its number
            configuration, _, answer, wanted = replay.step(met[here], letter)
            if answer != wanted:
                return t + 1
            there = moves[here][letter] = numbers.setdefault(configuration, len(met))
            if there == len(met):
                met.append(configuration)
                moves.append([None] * count)
        here = there
    return None


def run(seed, forge):
    """One case; a dictionary of what came out, "faults" being what must not be."""
    torch.set_num_threads(1)
    rng = random.Random(-seed - 1)
    label, lrnn, automaton, arithmetic = draw_case(seed)
    out = {"seed": seed, "case": label, "arithmetic": arithmetic, "faults": [], "forgeries": []}
    try:
        verdict = verify(lrnn, automaton, arithmetic, budget=BUDGET)
    except ValueError as error:
        out["verdict"] = "refused"
        if "factors" not in str(error):
            out["faults"].append(str(error))
        return out
    out["verdict"] = type(verdict).__name__
    if not isinstance(verdict, (Proved, Refuted)):
        return out
    data = verdict.certificate.data
    out["method"] = data.get("bracketing") or data.get("method", "replay")
    try:
        checker.check(data)
    except ValueError as error:
        out["faults"].append(f"checker: {error}")
    if isinstance(verdict, Proved):
        # A tree never comes back to where it was, so that nothing can be remembered.
        letters = 2_000 if "tree" in arithmetic else LETTERS
        if wrong := replay_on_fractions(data, rng, letters):
            out["faults"].append(f"fractions: wrong at letter {wrong}")
        if Follower.supports(lrnn, Arithmetic.parse(arithmetic)):
            question = Question(lrnn, automaton.with_letters(lrnn.letters).minimize(),
                                Arithmetic.parse(arithmetic))  # fmt: skip
            word = np.random.default_rng(seed).integers(len(question.target.delta), size=LETTERS)
            if (wrong := question.follower().follow(word)) >= 0:
                out["faults"].append(f"compiled: wrong at letter {wrong + 1}")
    else:
        out["words"] = replayed(data)
        if out["words"] == "FALSE":
            out["faults"].append("fractions: the word is answered right")
    text = verdict.certificate.text()
    damaged = bytearray(text.encode())
    damaged[rng.randrange(len(damaged) - 1)] ^= 1 << rng.randrange(8)
    if accepted(bytes(damaged)) is not None:
        out["faults"].append("a flipped bit was accepted")
    if forge:
        out["forgeries"].append(judge(forged(data, rng)))
    return out


def run_all(seeds, every, until):
    """Cases one after the other until a time; one that takes more than a minute is given up."""
    out = []
    for seed in seeds:
        if time.time() > until:
            break
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(60)
        try:
            out.append(run(seed, seed % every == 0))
        except TimeoutError:
            slow = {"seed": seed, "arithmetic": draw_case(seed)[3], "verdict": "too slow"}
            out.append({**slow, "faults": [], "forgeries": []})
        finally:
            signal.alarm(0)
    return out


def give_up(*_):
    """The minute is over."""
    raise TimeoutError


def accepted(raw):
    """The claim that the checker proves from bytes, or None."""
    try:
        return checker.check(json.loads(raw, object_pairs_hook=checker.unique))
    except (ValueError, RecursionError):
        return None


def places(data, path=()):
    """Paths of all leaves of JSON data."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


def forged(data, rng):
    """A certificate with one leaf changed and the digest made right again."""
    data = copy.deepcopy(data)
    path = rng.choice([p for p in places(data) if p[0] not in ("digest", "schema", "version")])
    at = data
    for key in path[:-1]:
        at = at[key]
    old = at[path[-1]]
    if isinstance(old, int):
        new = rng.choice([old + 1, max(old - 1, 0), 0, 1, 2])
    elif path[-1] in ("claim", "method", "bracketing"):
        new = rng.choice(["proved", "refuted", "compositional", "closure", "orbit", "exact"])
    elif path[-1] == "arithmetic":
        new = draw_arithmetic(rng)
    else:
        new = rng.choice(["0", "1", "-1", "2", "a", "0x1.8p-1"])
    at[path[-1]] = new
    data["digest"] = digest(data)
    return data


def judge(data):
    """What became of a forgery: rejected, true, FALSE, or unjudged and why."""
    return "rejected" if accepted(json.dumps(data).encode()) is None else replayed(data)


def replayed(data):
    """What a replay says of a claim: true, FALSE, or unjudged and why."""
    try:
        return "true" if confirmed(data) else "FALSE"
    except UnjudgedError as error:
        return f"unjudged ({error})"
    except TimeoutError:
        return "unjudged (too slow)"


def counted(counts):
    """How often what came, as a text."""
    return ", ".join(f"{what} {n}" for what, n in sorted(counts.items())) or "none"


def main():
    """Run all cases; a table, and exit code 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--forgeries", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after these")
    parser.add_argument("--write")
    arguments = parser.parse_args()
    start = time.time()
    until = start + arguments.seconds
    verdicts, methods, words, forgeries, faults = Counter(), Counter(), Counter(), Counter(), []
    every = max(1, arguments.count // max(1, 2 * arguments.forgeries))
    seeds = range(arguments.start, arguments.start + arguments.count)
    done = 0
    with ProcessPoolExecutor(arguments.workers) as pool:
        parts = [seeds[i : i + 20] for i in range(0, len(seeds), 20)]
        jobs = [pool.submit(run_all, part, every, until) for part in parts]
        for job in as_completed(jobs):
            for out in job.result():
                kind = Arithmetic.parse(out["arithmetic"]).semantics
                verdicts[kind, out["verdict"]] += 1
                methods[out.get("method", "-")] += 1
                words.update([out["words"]] if "words" in out else [])
                forgeries.update(out["forgeries"])
                done += 1
                if out["faults"] or "FALSE" in out["forgeries"]:
                    faults.append(out)
                    print(json.dumps(out), file=sys.stderr, flush=True)
            if done % 500 == 0:
                print(f"{done} cases, {len(faults)} faults", file=sys.stderr, flush=True)
    names = ["Proved", "Refuted", "Undecided", "refused", "too slow"]
    lines = [
        "# Soundness",
        "",
        f"{done} networks, by `python benchmarks/soundness.py --start {arguments.start} "
        f"--count {arguments.count} --forgeries {arguments.forgeries}` on {platform.machine()}, "
        f"{arguments.workers or 'all'} processes, {time.time() - start:.0f} s. "
        f"**{len(faults)} faults.**",
        "",
        "| semantics | " + " | ".join(names) + " |",
        "|---" * 6 + "|",
    ]
    lines += [
        f"| {kind} | " + " | ".join(str(verdicts[kind, v]) for v in names) + " |"
        for kind in sorted({k for k, _ in verdicts})
    ]
    lines += ["", "Decided by: " + ", ".join(f"{m} {n}" for m, n in methods.most_common()) + ".",
              f"Proofs replayed on {LETTERS:,} letters each (2,000 in a tree). "
              f"Refuting words: {counted(words)}. Forgeries: {counted(forgeries)}."]  # fmt: skip
    print("\n".join(lines))
    if arguments.write:
        Path(arguments.write).write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
