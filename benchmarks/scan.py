"""How fast words are read: letters a second of `scan`, beside its peers in the same run.

    python benchmarks/scan.py [--device cpu] [--quick] [--write FILE.json]

Every result is checked against the automaton before it is timed, as a call of `scan` from start to
end; on a GPU also the kernels alone, as a CUDA graph.  Peers: the plain torch loop, a table lookup
of the automaton itself (numpy; on a GPU a Triton kernel), automata-lib, and on a GPU
flash-linear-attention, if it is installed.  A lookup does no arithmetic: it is a yardstick.  So are
the limits of a device: one byte a letter at the bandwidth of a copy, and a dense product of every A
with a state in float32.
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
from lrnn_theory.arithmetic import Arithmetic

# name, automaton, construction, arithmetic
CASES = [
    ("S5", languages.symmetric_group(5), None, "float32"),
    ("S5", languages.symmetric_group(5), None, "bfloat16"),
    ("ISO datetime", languages.BESTIARY["iso_datetime"](), None, "bfloat16"),
    ("Z7, rotation", languages.mod(7), "rotation", "float32"),
    ("Z60", languages.mod(60), "cyclic", "bfloat16"),
    ("Z60, heads", languages.mod(60), None, "bfloat16"),
    ("A5", languages.alternating_group(5), None, "float32:each+factored"),
    ("parity", languages.parity(), None, "bfloat16"),
    ("random, 20 states", languages.BESTIARY["random_20"](), None, "bfloat16"),
    ("UUID", languages.BESTIARY["uuid"](), None, "bfloat16"),
]
LIMITS = {"NVIDIA H100 80GB HBM3": (3.0e12, 6.7e13)}
"""Bytes a second that a copy moves, and operations a second in float32, of devices known."""
PACKAGES = {
    "cpu": ("torch", "numpy", "numba", "automata-lib"),
    "cuda": ("torch", "triton", "numpy", "fla-core"),
}
DELTA_RULE = ("S5", "Z60")
"""Machines that flash-linear-attention runs too: their factors are one dense product each."""


def timed(run, repeats, device, total=0.05):
    """Median seconds of a call, after one to warm up; of so many, or of more in that time."""
    seconds = []
    while len(seconds) <= repeats or (repeats > 1 and sum(seconds[1:]) < total):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])


def check(lrnn, automaton, tokens, arithmetic, device):
    """The scan answers like the automaton (where it is right) or like the plain loop."""
    part = tokens[:64, :512]
    every = scan(lrnn, part, arithmetic, device=device).cpu().numpy()
    plain = scan(lrnn, part, arithmetic, device=device, backend="reference").cpu().numpy()
    last = scan(lrnn, tokens, arithmetic, outputs="last", device=device).cpu().numpy()
    assert (every == plain).all(), "the fast scan differs from the plain one"
    rows = slice(None, None, max(1, len(tokens) // 16))
    if (plain == automaton.transduce(part.cpu().numpy())).all():
        longest = last_outputs(automaton, tokens[rows])
        assert (last[rows] == longest).all(), "a word is answered wrongly"


def last_outputs(automaton, tokens, length=4096):
    """Those of an automaton on words, read in stretches of so many letters from all states."""
    batch, steps = tokens.shape
    whole, most = (steps - 1) // length * length, 4096 * length
    delta = torch.from_numpy(automaton.delta.astype(np.int64)).to(tokens.device)
    states = torch.arange(automaton.n_states, device=tokens.device)
    state = torch.full((batch, 1), automaton.initial, device=tokens.device)
    for first in range(0, whole, most):
        stretches = tokens[:, first : min(first + most, whole)].reshape(batch, -1, length).long()
        moved = states.repeat(*stretches.shape[:2], 1)
        for t in range(length):
            moved = delta[stretches[:, :, t, None], moved]
        for i in range(stretches.shape[1]):
            state = moved[:, i].gather(1, state)
    q, before = state[:, 0].cpu().numpy(), None
    for letter in tokens[:, whole:].cpu().numpy().T:
        q, before = automaton.delta[letter, q], q
    response = automaton.response
    return response[letter, before] if automaton.kind == "mealy" else response[q]


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


def delta_rule_rate(lrnn, tokens, repeats):
    """Letters a second of fused_recurrent_delta_rule in float32, a step for every factor.

    Keys and betas are made beforehand; identities fill letters with fewer factors.  None if
    flash-linear-attention is not installed.
    """
    try:
        from fla.ops.delta_rule import fused_recurrent_delta_rule
    except ImportError:
        return None
    layer = lrnn.levels[0].layer
    factors, (n, _) = layer.transition, layer.h0.shape
    most, head = int(np.diff(factors.ptr).max()), max(16, 1 << (n - 1).bit_length())
    keys, betas = np.zeros((len(lrnn.letters), most, head)), np.zeros((len(lrnn.letters), most))
    for letter, action in enumerate(lrnn.levels[0].action[lrnn.letter_class]):
        own = range(factors.ptr[action + 1] - 1, factors.ptr[action] - 1, -1)  # the last acts first
        for j, i in enumerate(own):
            keys[letter, j, :n], betas[letter, j] = factors.keys[i], factors.betas[i]
    words = tokens[:16384, : 1024 // most].long()
    batch, steps = words.shape
    k = torch.tensor(keys, dtype=torch.float32, device=tokens.device)[words]
    k = k.reshape(batch, steps * most, 1, head)
    beta = torch.tensor(betas, dtype=torch.float32, device=tokens.device)[words]
    beta = beta.reshape(batch, steps * most, 1)
    zero = torch.zeros(batch, steps * most, 1, 16, device=tokens.device)
    h0 = torch.zeros(batch, 1, head, 16, device=tokens.device)
    h0[:, 0, :n, 0] = torch.tensor(layer.h0[:, 0].astype(float), device=tokens.device)

    def run():
        return fused_recurrent_delta_rule(
            k, k, zero, beta, scale=1.0, initial_state=h0, output_final_state=True
        )[1]

    found = run()[:, 0, :n, 0]
    wanted = scan(lrnn, words, device=tokens.device, return_state=True, outputs="last")[1].hidden[0]
    assert torch.equal(found, wanted[:, :, 0].float()), "the delta rule ends elsewhere"
    return words.numel() / timed(run, repeats, "cuda")


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

    def kernels():
        from lrnn_theory.cuda.scan import GpuScan

        fast = GpuScan(lrnn, Arithmetic.parse(arithmetic), torch.device(device))
        words = fast.words(tokens)
        fast.read_last(words)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            fast.read_last(words)
        return tokens.numel() / timed(graph.replay, repeats, device)

    row = {
        "machine": name,
        "arithmetic": arithmetic,
        "batch": shape[0],
        "time": shape[1],
        "last": rate(tokens, outputs="last"),
        "kernels": kernels() if device == "cuda" else None,
        "all": rate(tokens) if tokens.numel() <= 1 << 27 else None,
        "bits": rate(tokens, outputs="bits") if lrnn.kind == "dfa" else None,
        "torch loop": rate(short, outputs="last", backend="reference"),
    }
    if shape[0] > 1:
        row["table lookup"] = lookup_rate(automaton, tokens, repeats, device)
    if device == "cpu":
        row["automata-lib"] = automata_lib_rate(automaton, tokens)
        return row
    if name in DELTA_RULE and shape[0] > 1:
        row["delta rule"] = delta_rule_rate(lrnn, tokens, repeats)
    if limits := LIMITS.get(torch.cuda.get_device_name()):
        operations = sum(2 * layer.n**2 * layer.d for layer in (v.layer for v in lrnn.levels))
        row["of bandwidth"] = row["last"] / limits[0]
        row["of arithmetic"] = row["last"] * operations / limits[1]
    return row


def table(rows):
    """Markdown."""
    lines = [
        "| machine | arithmetic | words | last outputs | kernels | all outputs | bits "
        "| / torch loop | / lookup | / delta rule | of bandwidth | of arithmetic |",
        "|---" * 12 + "|",
    ]
    for r in rows:
        cells = [r["machine"], r["arithmetic"], f"{r['batch']} x {r['time']}", f"{r['last']:.2g}"]
        cells += [f"{r[k]:.2g}" if r[k] else "" for k in ("kernels", "all", "bits")]
        cells.append(f"{r['last'] / r['torch loop']:.0f}")
        peers = [("table lookup", ".2f"), ("delta rule", ".0f")]
        cells += [f"{r['last'] / r[k]:{form}}" if r.get(k) else "" for k, form in peers]
        cells += [f"{r[k]:.3f}" if k in r else "" for k in ("of bandwidth", "of arithmetic")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def version(package):
    """Its version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine(device):
    """What ran this."""
    versions = {p: version(p) for p in PACKAGES[device]}
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
    parser.add_argument("--only", help="the rows of one machine")
    parser.add_argument("--write")
    arguments = parser.parse_args()
    shapes = [(4096, 4096), (262144, 512)] if arguments.device == "cuda" else [(4096, 4096)]
    long = 1 << (28 if arguments.device == "cuda" else 26)
    if arguments.quick:
        shapes, long = [(64, 512)], 1 << 16
    rows = []
    for case in CASES:
        if arguments.only not in (None, case[0]):
            continue
        for shape in [*shapes, *[(1, long)] * (case is CASES[0])]:
            rows.append(measure(case, shape, arguments.device, 1 if arguments.quick else 7))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    about = machine(arguments.device)
    print(", ".join(f"{k} {v}" for k, v in about.items()))
    print(table(rows))
    if arguments.write:
        text = json.dumps({"machine": about, "rows": rows}, indent=1) + "\n"
        Path(arguments.write).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
