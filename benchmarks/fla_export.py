"""Compiled machines in flash-linear-attention, on words: every kernel, layer and format.

    python benchmarks/fla_export.py [--quick] [--write [NAME]] [--only MACHINE] [--seconds N]

Every machine runs through operations and layers of flash-linear-attention in float32 and bfloat16,
on 1,000 words of 1,000 letters, and is compared with the automaton after every letter; machines
without outputs of their own give their state.  "unit" is the usual encoding, keys divided by their
norm; the others are those of `lrnn_theory.export.fla_module`.  `--write` makes NAME.json and
NAME.md (by default benchmarks/fla-export), and writes them anew whenever there is something new;
with `--only` what they hold of other machines stays.  Needs a CUDA device, or TRITON_INTERPRET=1
and patience.

A kernel has a list of configurations (block sizes, warps, stages), of which Triton's autotuner
takes the fastest.  Everything runs with the first configuration of every kernel, then with the
last, and then, as far as time allows, with what the autotuner takes.  Most of the time goes into
compiling kernels, so that machines run side by side.
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
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import metadata
from pathlib import Path

import torch

from constructions import compile_dfa
from lrnn_theory import Automaton, languages
from lrnn_theory.export.fla_module import to_fla
from lrnn_theory.export.trial import Agrees, trial
from lrnn_theory.textfile import write_text

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
    layer: {f"{layer}, {mode}": (layer, mode, {}) for mode in FORMATS}
    for layer in ("DeltaNet", "GatedDeltaNet", "GatedDeltaProduct")
}
GROUPS = {"operations": OPERATIONS} | LAYERS

# How many factors a letter takes decides how long it takes: the longest go first.
LONGEST = ("TLS server", "ISO date")
CONFIGURATIONS = ("first", "last", "tuned")
SECONDS = 480
"""After which what is not done is left where it is."""
MEMORY = 1.5e9
"""Bytes that the largest level of one process may take, roughly; less if the device is full."""


def answers(module, tokens):
    """Answers to words, as many at a time as there is room for beside other processes."""
    memory = MEMORY
    while True:
        try:
            return module.answers(tokens, memory)
        except torch.OutOfMemoryError:
            if memory < MEMORY / 64:
                raise
            memory /= 2
            torch.cuda.empty_cache()


def run(automaton, lrnn, target, options, device, words, length):
    """One verdict as plain data."""
    start = time.perf_counter()
    try:
        module = to_fla(lrnn, target, **options).to(device)
        verdict = trial(
            lambda tokens: answers(module, tokens),
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
    finally:
        torch.cuda.empty_cache()  # other processes need it
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


def row_order(row):
    """Where the row of a run, a format and a configuration stands."""
    label, dtype, configuration = row
    labels = [label for group in GROUPS.values() for label in group]
    return labels.index(label), dtype != "float32", CONFIGURATIONS.index(configuration)


def table(results):
    """The results as a Markdown page."""
    names = [name for name in MACHINES if any(r["machine"] == name for r in results["runs"])]

    def place(r):
        return r["run"], r["dtype"], r["configuration"]

    cells = {(r["machine"], *place(r)): r for r in results["runs"]}
    rows = sorted({place(r) for r in results["runs"]}, key=row_order)

    def shown(cell):
        if cell is None:
            return "not run"
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
        'every letter. "right" means on all of them. Kernels ran with the first and the last of '
        "their configurations, and with what Triton's autotuner took (tuned), of which there are "
        "only the rows that came to their turn.",
        "",
        "| runs in | format | configuration | " + " | ".join(names) + " |",
        "|---" * (len(names) + 3) + "|",
    ]
    for row in rows:
        values = [shown(cells.get((name, *row))) for name in names]
        lines.append("| " + " | ".join((*row, *values)) + " |")
    wrong = {}
    for r in results["runs"]:
        if r["verdict"] != "agrees":
            wrong.setdefault((r["machine"], r["run"], r["dtype"], said(r)), []).append(r)
    if wrong:
        lines += ["", "## What went wrong", ""]
    for (machine, label, dtype, text), group in wrong.items():
        counts = ", ".join(
            r["configuration"] + (f" {r['wrong']:,}" if r["verdict"] == "differs" else "")
            for r in group
        )
        if group[0]["verdict"] == "differs":
            text += f"; wrong answers of {group[0]['letters']:,}"
        lines.append(f"* {machine} in {label}, {dtype}: {text}: {counts}.")
    return "\n".join([*lines, ""])


def said(r):
    """What went wrong in a run."""
    if r["verdict"] == "failed":
        return r["reason"]
    separator = "" if all(len(a) == 1 for a in r["word"]) else " "
    word = separator.join(r["word"])
    word = word if len(word) <= 80 else word[:80] + "..."
    return f"answers {r['answered']}, not {r['expected']}, after {r['length']} letters `{word}`"


def one(name, group, configuration, device, words, length, path):
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
            which = {"run": label, "dtype": short, "configuration": configuration}
            runs.append({"machine": name} | which | facts)
            seen = {k: v for k, v in facts.items() if k != "word"}
            print(f"{name}: {label}, {short}, {configuration}: {seen}", flush=True)
            write_text(json.dumps(runs), path)


def side_by_side(tasks, quick, seconds, show):
    """The runs of many tasks, each in a process of its own; `show` gets all there are at times."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.json" for i in range(len(tasks))]

        def child(task, path):
            rest = end - time.monotonic()
            if rest <= 0:
                return
            name, group, configuration = task
            command = [sys.executable, __file__, "--only", name, "--group", group]
            command += ["--configuration", configuration, "--write", str(path)]
            try:
                subprocess.run([*command, *["--quick"] * quick], check=True, timeout=rest)
            except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
                print(f"{', '.join(task)}: {error}", flush=True)

        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            rest = {pool.submit(child, *pair) for pair in zip(tasks, paths, strict=True)}
            while rest:
                done, rest = wait(rest, timeout=5)
                for future in done:
                    future.result()
                show([r for path in paths if path.exists() for r in json.loads(path.read_text())])


def others(results, path, machine):
    """The runs of all machines but one, from a file of results that must be like these."""
    old = json.loads(path.read_text())
    for key in ("device", "packages", "words", "length"):
        if old[key] != results[key]:
            raise SystemExit(f"{path} is of {key} {old[key]}, not {results[key]}.")
    return [r for r in old["runs"] if r["machine"] != machine], old["seconds"]


def write_results(results, name):
    """NAME.json and NAME.md."""
    write_text(json.dumps(results, indent=1) + "\n", f"{name}.json")
    write_text(table(results), f"{name}.md")


def main():
    """Run all and show or write the table; exit code 1 if something did not run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 words of 40 letters")
    parser.add_argument("--write", nargs="?", const=str(HERE / "fla-export"), metavar="NAME")
    parser.add_argument("--only", metavar="MACHINE", choices=MACHINES, help="run one machine")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time for all of it")
    parser.add_argument("--configuration", choices=CONFIGURATIONS, help="only this one")
    parser.add_argument("--group", choices=GROUPS, help="write runs of --only to the file --write")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    words, length = (16, 40) if arguments.quick else (1000, 1000)
    warnings.simplefilter("ignore")
    if arguments.group:
        take(arguments.configuration)
        path = Path(arguments.write)
        which = (arguments.only, arguments.group, arguments.configuration)
        one(*which, device, words, length, path)
        return 0
    names = [arguments.only] if arguments.only else list(MACHINES)
    # Triton's interpreter knows no configurations.
    kinds = CONFIGURATIONS if device == "cuda" else CONFIGURATIONS[:1]
    kinds = (arguments.configuration,) if arguments.configuration else kinds
    tasks = [(n, g, c) for c in kinds for g in reversed(GROUPS) for n in names]
    # Tuning comes last, and what takes longest is tuned at the end.
    tasks.sort(key=lambda t: (kinds.index(t[2]), (t[0] not in LONGEST) ^ (t[2] == "tuned")))
    packages = ("torch", "triton", "fla-core", "flash-linear-attention")
    results = {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "packages": {name: metadata.version(name) for name in packages},
        "words": words,
        "length": length,
        "seconds": 0,
        "runs": [],
    }
    kept, before = [], 0
    if arguments.only and arguments.write and Path(f"{arguments.write}.json").exists():
        kept, before = others(results, Path(f"{arguments.write}.json"), arguments.only)
    start = time.perf_counter()
    machines = list(MACHINES)

    def show(runs):
        runs = sorted(
            kept + runs,
            key=lambda r: (
                machines.index(r["machine"]),
                *row_order((r["run"], r["dtype"], r["configuration"])),
            ),
        )
        if len(runs) == len(results["runs"]):
            return
        results.update(runs=runs, seconds=before + round(time.perf_counter() - start))
        if arguments.write:
            write_results(results, arguments.write)

    side_by_side(tasks, arguments.quick, arguments.seconds, show)
    print(table(results))
    return int(any(r["verdict"] == "failed" for r in results["runs"]))


def take(configuration):
    """Let kernels have one configuration, the first or the last; "tuned" leaves the choice."""
    from triton.runtime import autotuner

    part = {"first": slice(1), "last": slice(-1, None), "tuned": slice(None)}[configuration]
    every = autotuner.Autotuner.__init__

    def some(self, fn, names, configs, *rest, **options):
        """An autotuner of one configuration."""
        every(self, fn, names, configs[part], *rest, **options)

    autotuner.Autotuner.__init__ = some


if __name__ == "__main__":
    sys.exit(main())
