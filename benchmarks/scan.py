"""How fast words are read: letters a second of `scan`, beside its peers in the same run.

    python benchmarks/scan.py [--device cpu] [--quick] [--write FILE.json]

Every result is checked against the automaton before it is timed.  Peers: the plain torch loop, a
table lookup of the automaton itself (numpy; on a GPU a Triton kernel), automata-lib, and
flash-linear-attention if it is installed.  A lookup does no arithmetic: it is a yardstick.
"""

import argparse
import json
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from statistics import median

import numpy as np
import torch

from constructions import compile_dfa
from lrnn_theory import languages, scan

# name, automaton, construction, arithmetic
CASES = [
    ("S5", languages.symmetric_group(5), None, "float32"),
    ("S5", languages.symmetric_group(5), None, "bfloat16"),
    ("ISO datetime", languages.BESTIARY["iso_datetime"](), None, "bfloat16"),
    ("Z7, rotation", languages.mod(7), "rotation", "float32"),
    ("Z60", languages.mod(60), None, "bfloat16"),
    ("A5", languages.alternating_group(5), None, "float32:each+factored"),
    ("parity", languages.parity(), None, "bfloat16"),
    ("random, 20 states", languages.BESTIARY["random_20"](), None, "bfloat16"),
    ("UUID", languages.BESTIARY["uuid"](), None, "bfloat16"),
]
BANDWIDTH = {"NVIDIA H100 80GB HBM3": 3.0e12}
"""Bytes a second that a copy moves, of devices known."""


def timed(run, repeats, device):
    """Median seconds of a call, after one to warm up."""
    seconds = []
    for i in range(repeats + 1):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        if i:
            seconds.append(time.perf_counter() - start)
    return median(seconds)


def check(lrnn, automaton, tokens, arithmetic, device):
    """The scan answers like the automaton (where it is right) or like the plain loop."""
    part = tokens[:64, :512]
    every = scan(lrnn, part, arithmetic, device=device).cpu().numpy()
    plain = scan(lrnn, part, arithmetic, device=device, backend="reference").cpu().numpy()
    last = scan(lrnn, tokens, arithmetic, outputs="last", device=device).cpu().numpy()
    assert (every == plain).all(), "the fast scan differs from the plain one"
    rows = slice(None, None, max(1, len(tokens) // 16))
    longest = automaton.transduce(tokens[rows].cpu().numpy())[:, -1]
    if (plain == automaton.transduce(part.cpu().numpy())).all():
        assert (last[rows] == longest).all(), "a word is answered wrongly"


def lookup_rate(automaton, tokens, repeats, device):
    """Letters a second of a table lookup of the automaton, final states only."""
    batch, steps = tokens.shape
    if device == "cuda":
        from scan_lookup import lookup

        return tokens.numel() / timed(lookup(automaton, tokens), repeats, device)
    delta, words = automaton.delta.astype(np.int64), tokens.numpy()

    def run():
        q = np.full(batch, automaton.initial)
        for t in range(steps):
            q = delta[words[:, t], q]
        return q

    return tokens.numel() / timed(run, repeats, device)


def automata_lib_rate(automaton, tokens):
    """Letters a second of automata-lib, on a few words; None for machines with outputs."""
    if automaton.kind != "dfa":
        return None
    dfa = automaton.to_dfa()
    words = [[automaton.letters[a] for a in row] for row in tokens[:4, :5000].cpu().numpy()]
    start = time.perf_counter()
    for word in words:
        dfa.accepts_input(word)
    return sum(map(len, words)) / (time.perf_counter() - start)


def measure(case, shape, device, repeats):
    """One row of the table."""
    name, automaton, construction, arithmetic = case
    lrnn = compile_dfa(automaton, construction=construction)
    generator = torch.Generator(device).manual_seed(0)
    tokens = torch.randint(
        len(lrnn.letters), shape, dtype=torch.uint8, device=device, generator=generator
    )
    check(lrnn, automaton, tokens, arithmetic, device)
    short = tokens[: 1 << 14, :32].contiguous()

    def rate(words, **options):
        call = lambda: scan(lrnn, words, arithmetic, device=device, **options)  # noqa: E731
        return words.numel() / timed(call, repeats, device)

    row = {
        "machine": name,
        "arithmetic": arithmetic,
        "batch": shape[0],
        "time": shape[1],
        "last": rate(tokens, outputs="last"),
        "all": rate(tokens) if tokens.numel() <= 1 << 27 else None,
        "torch loop": rate(short, outputs="last", backend="reference"),
    }
    if shape[0] > 1:
        row["table lookup"] = lookup_rate(automaton, tokens, repeats, device)
    if device == "cpu":
        row["automata-lib"] = automata_lib_rate(automaton, tokens)
    return row


def table(rows):
    """Markdown."""
    lines = [
        "| machine | arithmetic | words | last outputs | all outputs | / torch loop | / lookup |",
        "|---" * 7 + "|",
    ]
    for r in rows:
        ratio = f"{r['last'] / r['table lookup']:.2f}" if r.get("table lookup") else ""
        every = f"{r['all']:.2g}" if r["all"] else ""
        lines.append(
            f"| {r['machine']} | {r['arithmetic']} | {r['batch']} x {r['time']} | {r['last']:.2g} "
            f"| {every} | {r['last'] / r['torch loop']:.0f} | {ratio} |"
        )
    return "\n".join(lines)


def machine(device):
    """What ran this."""
    versions = {p: metadata.version(p) for p in ("torch", "numpy", "numba", "automata-lib")}
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor()
    if device == "cpu" and Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((x.split(": ")[1] for x in lines if x.startswith("model name")), name)
    return {"device": name, "cores": os.cpu_count(), "python": platform.python_version(),
            **versions}  # fmt: skip


def main():
    """All cases; a table, and JSON if asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="small batches, to see that it runs")
    parser.add_argument("--write")
    arguments = parser.parse_args()
    shapes = [(4096, 4096), (262144, 512)] if arguments.device == "cuda" else [(4096, 4096)]
    long = 1 << (28 if arguments.device == "cuda" else 26)
    if arguments.quick:
        shapes, long = [(64, 512)], 1 << 16
    rows = []
    for case in CASES:
        for shape in shapes:
            rows.append(measure(case, shape, arguments.device, 1 if arguments.quick else 3))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    rows.append(measure(CASES[0], (1, long), arguments.device, 3))
    about = machine(arguments.device)
    if arguments.device == "cuda" and about["device"] in BANDWIDTH:
        for row in rows:  # a byte a letter
            row["of bandwidth"] = row["last"] / BANDWIDTH[about["device"]]
    print(", ".join(f"{k} {v}" for k, v in about.items()))
    print(table(rows))
    if arguments.write:
        text = json.dumps({"machine": about, "rows": rows}, indent=1) + "\n"
        Path(arguments.write).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
