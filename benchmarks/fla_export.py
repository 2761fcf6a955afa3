"""Compiled machines in flash-linear-attention, on words: every kernel, layer and format.

    python benchmarks/fla_export.py [--quick] [--write [NAME]] [--only MACHINE]

Every machine runs through operations and layers of flash-linear-attention in float32 and bfloat16,
on 1,000 words of 1,000 letters, and is compared with the automaton after every letter; machines
without outputs of their own give their state.  "unit" is the usual encoding, keys divided by their
norm; the others are those of `lrnn_theory.export.fla_module`.  `--write` makes NAME.json and
NAME.md (by default benchmarks/fla-export).  Needs a CUDA device, or TRITON_INTERPRET=1 and
patience.

Most of the time goes into compiling kernels, so that machines run side by side, and of every
kernel the first of its configurations is taken: nothing is timed here.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import torch

from constructions import compile_dfa
from lrnn_theory import Automaton, languages
from lrnn_theory.export.fla_module import to_fla
from lrnn_theory.export.trial import Agrees, trial

HERE = Path(__file__).parent


def states(automaton):
    """The same machine, telling its state after every letter."""
    return Automaton.from_table(
        automaton.delta,
        initial=automaton.initial,
        letters=automaton.letters,
        outputs=range(automaton.n_states),
    )


# name: automaton, construction
MACHINES = {
    "parity": (states(languages.parity()), None),
    "Z3": (states(languages.mod(3, "ab")), None),
    "S3": (states(languages.symmetric_group(3)), None),
    "S5": (states(languages.symmetric_group(5)), None),
    "A5, 60 letters, 2 factors": (states(languages.alternating_group(5)), "orthogonal"),
    "A5, two generators": (states(languages.alternating_group(5, "two")), None),
    "flip-flop": (languages.flip_flop(), None),
    "ISO date": (languages.BESTIARY["iso_date"](), None),
    "TLS server": (languages.protocol("tls"), None),
}

SINGLE, HALF = torch.float32, torch.bfloat16
FORMATS = {"fused_recurrent": (SINGLE, HALF), "chunk": (HALF,)}

# label: target, mode, other options
OPERATIONS = {
    "fused_recurrent_delta_rule": ("fused_recurrent_delta_rule", "fused_recurrent", {}),
    "chunk_delta_rule": ("chunk_delta_rule", "chunk", {}),
    "chunk_gated_delta_product": ("chunk_gated_delta_product", "chunk", {}),
    "fused_recurrent_gated_delta_rule": (
        "fused_recurrent_gated_delta_rule",
        "fused_recurrent",
        {},
    ),
    "chunk_gated_delta_rule": ("chunk_gated_delta_rule", "chunk", {}),
    "fused_recurrent_delta_rule, unit": (
        "fused_recurrent_delta_rule",
        "fused_recurrent",
        {"keys": "unit"},
    ),
    "chunk_delta_rule, unit": ("chunk_delta_rule", "chunk", {"keys": "unit"}),
}
LAYERS = {
    f"{layer}, {mode}": (layer, mode, {})
    for layer in ("DeltaNet", "GatedDeltaNet", "GatedDeltaProduct")
    for mode in FORMATS
}
GROUPS = {"operations": OPERATIONS, "layers": LAYERS}
SECONDS = 220
"""After which machines that are not done are left where they are."""


def run(automaton, lrnn, target, options, device, words, length):
    """One verdict as plain data."""
    start = time.perf_counter()
    try:
        module = to_fla(lrnn, target, **options).to(device)
        verdict = trial(
            lambda tokens: module.answers(tokens, 7e8),
            automaton,
            target,
            words=words,
            length=length,
            device=device,
        )
    except Exception as error:  # a kernel may fail in any way; the others go on
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        return {"verdict": "failed", "reason": f"{type(error).__name__}: {lines[0][:200]}"}
    facts = {"exact": module.is_exact, "seconds": round(time.perf_counter() - start, 2)}
    facts["shape"] = [
        [v.shape["rows"], v.shape["factors"], v.shape["heads"]] for v in module.levels()
    ]
    if isinstance(verdict, Agrees):
        return facts | {"verdict": "agrees", "words": verdict.words, "letters": verdict.letters}
    return facts | {
        "verdict": "differs",
        "length": len(verdict.word),
        "wrong": verdict.statistics["wrong"],
        "letters": verdict.statistics["letters"],
        "word": list(verdict.word),
        "answered": verdict.answered,
        "expected": verdict.expected,
    }


def table(results):
    """The results as a Markdown page."""
    names = list(dict.fromkeys(r["machine"] for r in results["runs"]))
    rows = list(dict.fromkeys((r["run"], r["dtype"]) for r in results["runs"]))
    cells = {(r["machine"], r["run"], r["dtype"]): r for r in results["runs"]}

    def shown(cell):
        if cell is None:
            return ""
        if cell["verdict"] == "differs":
            return f"wrong from letter {cell['length']}"
        return {"agrees": "right", "failed": "did not run"}[cell["verdict"]]

    lines = [
        "# Compiled machines in flash-linear-attention",
        "",
        f"`python benchmarks/fla_export.py --write` on {results['device']} "
        f"({', '.join(f'{k} {v}' for k, v in results['packages'].items())}): "
        f"{results['words']:,} words of {results['length']:,} letters for each cell, of which a "
        "quarter are adversarial and a quarter visit all states; compared with the automaton after "
        'every letter. "right" means on all of them.',
        "",
        "| runs in | format | " + " | ".join(names) + " |",
        "|---" * (len(names) + 2) + "|",
    ]
    for label, dtype in rows:
        values = [shown(cells.get((name, label, dtype))) for name in names]
        lines.append(f"| {label} | {dtype} | " + " | ".join(values) + " |")
    wrong = [r for r in results["runs"] if r["verdict"] != "agrees"]
    if wrong:
        lines += ["", "## What went wrong", ""]
    for r in wrong:
        where = f"{r['machine']} in {r['run']}, {r['dtype']}"
        if r["verdict"] == "failed":
            lines.append(f"* {where}: {r['reason']}")
            continue
        separator = "" if all(len(a) == 1 for a in r["word"]) else " "
        word = separator.join(r["word"])
        word = word if len(word) <= 80 else word[:80] + "..."
        lines.append(
            f"* {where}: answers {r['answered']}, not {r['expected']}, after {r['length']} letters "
            f"`{word}`; {r['wrong']:,} of {r['letters']:,} answers are wrong."
        )
    return "\n".join([*lines, ""])


def one(name, group, device, words, length, write):
    """All runs of one machine in one group, written as they come."""
    automaton, construction = MACHINES[name]
    lrnn = compile_dfa(automaton, construction)
    runs = []
    for label, (target, mode, options) in GROUPS[group].items():
        if device == "cpu" and mode == "chunk":
            continue  # Triton's interpreter does not run them
        for dtype in FORMATS[mode]:
            facts = run(
                automaton,
                lrnn,
                target,
                options | {"mode": mode, "dtype": dtype},
                device,
                words,
                length,
            )
            short = str(dtype).removeprefix("torch.")
            runs.append({"machine": name, "run": label, "dtype": short, **facts})
            seen = {k: v for k, v in facts.items() if k != "word"}
            print(f"{name}: {label}, {short}: {seen}", flush=True)
            write.write_text(json.dumps(runs))


def side_by_side(tasks, quick):
    """The runs of many tasks, each in a process of its own."""
    end = time.monotonic() + SECONDS
    with tempfile.TemporaryDirectory() as folder:

        def child(task):
            name, group = task
            path = Path(folder) / f"{tasks.index(task)}.json"
            command = [sys.executable, __file__, "--only", name, "--group", group]
            command += ["--write", str(path), *["--quick"] * quick]
            try:
                subprocess.run(command, check=True, timeout=max(1, end - time.monotonic()))
            except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
                print(f"{name}, {group}: {error}", flush=True)
            return json.loads(path.read_text()) if path.exists() else []

        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            return [run for runs in pool.map(child, tasks) for run in runs]


def main():
    """Run all and show or write the table; exit code 1 if something did not run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 words of 40 letters")
    parser.add_argument("--write", nargs="?", const=str(HERE / "fla-export"), metavar="NAME")
    parser.add_argument("--only", metavar="MACHINE", choices=MACHINES, help="one machine")
    parser.add_argument("--group", choices=GROUPS, help="write runs of --only to the file --write")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    words, length = (16, 40) if arguments.quick else (1000, 1000)
    warnings.simplefilter("ignore")
    if arguments.group:
        one(arguments.only, arguments.group, device, words, length, Path(arguments.write))
        return 0
    names = [arguments.only] if arguments.only else list(MACHINES)
    start = time.perf_counter()
    runs = side_by_side(
        [(n, g) for g in reversed(GROUPS) for n in reversed(names)], arguments.quick
    )
    order = {
        (n, label): i
        for i, (n, label) in enumerate((n, k) for n in MACHINES for g in GROUPS.values() for k in g)
    }
    packages = ("torch", "triton", "fla-core", "flash-linear-attention")
    results = {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "packages": {name: metadata.version(name) for name in packages},
        "words": words,
        "length": length,
        "seconds": round(time.perf_counter() - start),
        "runs": sorted(runs, key=lambda r: order[r["machine"], r["run"]]),
    }
    page = table(results)
    if arguments.write:
        Path(f"{arguments.write}.json").write_text(json.dumps(results, indent=1) + "\n")
        Path(f"{arguments.write}.md").write_text(page)
    print(page)
    return int(any(r["verdict"] == "failed" for r in results["runs"]))


if __name__ == "__main__":
    from triton.runtime import autotuner

    every = autotuner.Autotuner.__init__

    def first(self, fn, names, configs, *rest, **options):
        """An autotuner of one configuration."""
        every(self, fn, names, configs[:1], *rest, **options)

    autotuner.Autotuner.__init__ = first
    sys.exit(main())
