"""What the range of the eigenvalues lets a network learn: the paper's experiments, in small.

    python benchmarks/learning.py --fit --write      # all sections; on an H100 about ten minutes
    python benchmarks/learning.py --only parity --quick --write    # on a CPU, small
    python benchmarks/learning.py --draw             # table and figures from the results

A section trains three seeds of every model side by side and tests them on longer words.  Results in
benchmarks/learning/: SECTION.json (curves) and SECTION.jsonl (the log of every training), with
--quick SECTION-small; drawn: benchmarks/learning.md and docs/figures/learning-SECTION.svg.
"""

import argparse
import json
import platform
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from lrnn_theory.learning.curves import Curve, curve, table
from lrnn_theory.learning.model import Architecture
from lrnn_theory.learning.tasks import TASKS
from lrnn_theory.learning.training import Recipe, train, updates

HERE = Path(__file__).parent
RESULTS = HERE / "learning"
FIGURES = HERE.parent / "docs" / "figures"
CLASSIC, SIGNED = "[0,1]", "[-1,1]"
SEEDS = (0, 1, 2)

RANGES = [("deltanet", r, {}) for r in (SIGNED, CLASSIC)]
PARITY = [
    *RANGES,
    *[("mamba", r, {}) for r in (SIGNED, CLASSIC)],
    ("lstm", CLASSIC, {}),
    ("mlstm", CLASSIC, {}),
    ("gla", CLASSIC, {}),
    ("rwkv6", CLASSIC, {}),
]
ARITHMETIC = [*RANGES, ("mamba", SIGNED, {}), ("mamba", CLASSIC, {})]
PRODUCTS = [
    ("s5_3_permutations", "deltaproduct", SIGNED, {"factors": 2}),
    ("s4", "deltaproduct", SIGNED, {"factors": 2}),
    ("s5", "deltaproduct", SIGNED, {"factors": 4}),
    ("a5", "deltaproduct", SIGNED, {"factors": 2}),
]

# section: trainings (task, name, range, options), shape, recipe, seconds of one with --fit
SECTIONS = {
    "parity": (
        [("parity", *model) for model in PARITY],
        {"layers": 1, "width": 32, "heads": 4},
        {"steps": 2000, "batch": 128, "learning_rate": 5e-3, "weight_decay": 0.0},
        12,
    ),
    "s5_swaps": (
        [("s5_swaps", *model) for model in RANGES],
        {"layers": 1, "width": 64, "heads": 4, "conv_size": 0},
        {"steps": 10_000, "batch": 256, "learning_rate": 5e-3},
        25,
    ),
    "modular_arithmetic": (
        [("modular_arithmetic", *model) for model in ARITHMETIC],
        {"layers": 3, "width": 128, "heads": 4},
        {"steps": 20_000, "batch": 256, "learning_rate": 2e-3},
        230,
    ),
    "products": (
        PRODUCTS,
        {"layers": 1, "width": 64, "heads": 4, "conv_size": 0},
        {"steps": 20_000, "batch": 256, "learning_rate": 5e-3, "weight_decay": 0.0},
        30,
    ),
}
RATES = {
    ("parity", "deltanet"): 2e-2,
    ("parity", "mamba"): 2e-2,
    ("parity-small", "deltanet"): 1e-2,
}
"""Learning rates of a section for one architecture, instead of the section's."""
LETTERWISE = {("parity", "deltanet")}
"""Those without a short convolution: a letter has one A, which both ranges can then saturate."""
CURRICULUM = {"products": (3, 6, 12)}
"""Longest words of the trainings before that of the task itself; each starts from the last."""
PAPER = {
    "parity": {
        "mamba [0,1]": (0.000, 0.000),
        "mamba [-1,1]": (1.000, 1.000),
        "deltanet [0,1]": (0.017, 0.010),
        "deltanet [-1,1]": (1.000, 0.999),
        "mlstm [0,1]": (0.087, 0.018),
    },
    "modular_arithmetic": {
        "mamba [0,1]": (0.095, 0.066),
        "mamba [-1,1]": (0.241, 0.214),
        "deltanet [0,1]": (0.314, 0.214),
        "deltanet [-1,1]": (0.971, 0.826),
    },
}
"""Grazzi, Siems et al., arXiv 2411.12537v5: best of three seeds (Table 3), median (Table 5)."""
QUICK = {
    "parity": (
        {"layers": 1, "width": 32, "heads": 4},
        {"steps": 500, "batch": 64, "learning_rate": 5e-3},
    ),
    "s5_swaps": (
        {"layers": 1, "width": 32, "heads": 4},
        {"steps": 30, "batch": 16, "learning_rate": 3e-3},
    ),
    "modular_arithmetic": (
        {"layers": 1, "width": 32, "heads": 4},
        {"steps": 30, "batch": 16, "learning_rate": 3e-3},
    ),
    "products": (
        {"layers": 1, "width": 32, "heads": 4},
        {"steps": 30, "batch": 16, "learning_rate": 3e-3},
    ),
}


def run(section, device, *, quick, limit, steps, fit, models, folder):
    """Train and test the models of a section; write what is done after every one of them."""
    trainings, shape, recipe, seconds = SECTIONS[section]
    if quick:
        shape, recipe = QUICK[section]
    if steps:
        recipe = recipe | {"steps": steps}
    title = f"{section}-small" if quick else section
    began = time.perf_counter()
    curves, log, slowest = [], [], 0.0
    for name, architecture, eigenvalue_range, options in trainings:
        if models and architecture not in models:
            continue
        spent = time.perf_counter() - began
        if spent + slowest > limit:
            print(f"{section}: {architecture} {eigenvalue_range} left out after {spent:.0f} s")
            continue
        options = dict(options)
        if quick and architecture == "mamba":
            options["state_size"] = 4
        letterwise = {"conv_size": 0} if (title, architecture) in LETTERWISE else {}
        model = Architecture(
            architecture, eigenvalue_range, **(shape | letterwise), options=options
        )
        start = time.perf_counter()
        task, chosen = TASKS[name](), Recipe(**recipe)
        rate = RATES.get((title, architecture), chosen.learning_rate)
        chosen = replace(chosen, learning_rate=rate)
        stages = trainings_of(
            task, model, chosen, CURRICULUM.get(section, ()), device, fit and seconds
        )
        found = replace(
            curve(stages[-1], words=256 if quick else 1024, at_once=128),
            steps=sum(stage.step for stage in stages),
            seconds=round(sum(stage.seconds for stage in stages), 1),
        )
        slowest = max(slowest, time.perf_counter() - start)
        curves.append(found)
        for stage in stages:
            log += [stage.log[0] | {"longest word": stage.task.train[1]}, *stage.log[1:]]
        log += [{"test": dict(zip(SEEDS, found.means, strict=True))}]
        means = ", ".join(f"{x:.3f}" for x in found.means)
        print(
            f"{section}: {found.task}, {found.model}: {means}; "
            f"{found.steps} updates in {found.seconds:.0f} s",
            flush=True,
        )
        if folder:
            write_results(folder / title, curves, log)
    return curves


def trainings_of(task, model, recipe, curriculum, device, seconds):
    """Train on the words of a curriculum, then on the task's; in some seconds together, if any."""
    start, stages = None, []
    for high in (*curriculum, task.train[1]):
        stage, chosen = replace(task, train=(task.train[0], high)), recipe
        if seconds:
            share = seconds / (1 + len(curriculum))
            chosen = replace(recipe, steps=affordable(stage, model, recipe, device, share))
        stages.append(train(stage, model, chosen, SEEDS, device=device, start=start))
        start = {name: p.detach() for name, p in stages[-1].ensemble.parameters.items()}
    return stages


def write_results(path, curves, log):
    """Write curves and log; those of models that were not trained now stay as they are."""
    path.parent.mkdir(exist_ok=True, parents=True)
    results, logs = path.with_suffix(".json"), path.with_suffix(".jsonl")
    old = [Curve.from_dict(c) for c in json.loads(results.read_text())] if results.exists() else []
    new = {(c.task, c.model) for c in curves}
    kept = [c for c in old if (c.task, c.model) not in new]
    write_json(results, [c.to_dict() for c in (*kept, *curves)])
    entries, keep = [], False
    for line in logs.read_text().splitlines() if logs.exists() else []:
        entry = json.loads(line)
        if "architecture" in entry:
            keep = (entry["task"], str(Architecture(**entry["architecture"]))) not in new
        entries += [entry] if keep else []
    logs.write_text("".join(json.dumps(entry) + "\n" for entry in (*entries, *log)))


def affordable(task, model, recipe, device, seconds):
    """As many updates as fit into some seconds, at most those of the recipe."""
    some = updates(task, model, recipe, SEEDS, device)
    some(32)
    start = time.perf_counter()
    some(64)
    each = (time.perf_counter() - start) / 64
    return max(min(recipe.steps, int(seconds / each)), 1)


def throughput(device, *, quick, folder, repeats=5):
    """Tokens a second of training DeltaNet in both ranges, one after the other, five times."""
    batch, steps, width = (16, 5, 32) if quick else (1024, 20, 128)
    task = TASKS["parity"]()
    seconds = {CLASSIC: [], SIGNED: []}
    step = {
        r: updates(
            task, Architecture("deltanet", r, width=width), Recipe(batch=batch), SEEDS, device
        )
        for r in seconds
    }
    for each in step.values():
        each(3)
    for _ in range(repeats):
        for r, each in step.items():
            start = time.perf_counter()
            each(steps)
            seconds[r].append(time.perf_counter() - start)
    tokens = steps * batch * task.train[1] * len(SEEDS)
    rates = {r: [tokens / s for s in found] for r, found in seconds.items()}
    middle = {r: median(found) for r, found in rates.items()}
    ratio = middle[SIGNED] / middle[CLASSIC]
    for r, found in rates.items():
        print(f"DeltaNet {r}: {middle[r]:.4g} tokens a second (median of {len(found)})")
    print(f"signed / classic: {ratio:.4f}", flush=True)
    if folder:
        folder.mkdir(exist_ok=True, parents=True)
        facts = {"device": where(device), "torch": torch.__version__, "tokens a second": rates}
        write_json(folder / "throughput.json", facts | {"median": middle, "ratio": ratio})


def where(device):
    """The device in words."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}), {torch.get_num_threads()} threads"


def write_json(path, data):
    """Write plain data."""
    path.write_text(json.dumps(data) + "\n")


def draw(folder):
    """The table and the figures, from the results."""
    from lrnn_theory.plots import plot_curves

    lines = [
        "# What the range of the eigenvalues lets a network learn",
        "",
        "Written by `python benchmarks/learning.py --draw` from the files in benchmarks/learning/.",
        "Mean scaled accuracy over the test lengths; 0 is guessing, 1 is perfect.  Recipes are in",
        "the logs.",
    ]
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem):
        data = json.loads(path.read_text())
        if path.stem == "throughput":
            lines += ["", "## Throughput", "", f"Training DeltaNet, {data['device']}:", ""]
            lines += ["| range | tokens a second, median of 5 |", "|---|---|"]
            lines += [f"| {r} | {x:.4g} |" for r, x in data["median"].items()]
            lines += ["", f"Signed / classic: {data['ratio']:.4f}."]
            continue
        curves = [Curve.from_dict(entry) for entry in data]
        first = curves[0]
        lines += ["", f"## {path.stem}", ""]
        lines += [
            f"{first.device}; trained on lengths {first.train[0]} to {first.train[1]}, tested on "
            f"{first.lengths[0]} to {first.lengths[-1]}; {len(first.seeds)} seeds; "
            f"{sum(c.seconds for c in curves):.0f} s of training.",
            "",
            table(curves),
            *beside_the_paper(curves, PAPER.get(path.stem, {})),
        ]
        FIGURES.mkdir(exist_ok=True)
        plot_curves(curves).save(FIGURES / f"learning-{path.stem}.svg")
    (HERE / "learning.md").write_text("\n".join(lines) + "\n")


def beside_the_paper(curves, published):
    """A table of what the paper has for the same models, and the gaps."""
    rows = [(c, published[str(c.model)]) for c in curves if str(c.model) in published]
    if not rows:
        return []
    lines = ["", "Beside the paper (arXiv 2411.12537v5, Tables 3 and 5):", ""]
    lines += ["| model | best here | best there | gap | median here | median there | gap |"]
    lines += ["|---" * 7 + "|"]
    for found, (best, middle) in rows:
        own = max(found.means), median(found.means)
        cells = [
            f"{x:.3f} | {y:.3f} | {x - y:+.3f}" for x, y in zip(own, (best, middle), strict=True)
        ]
        lines.append(f"| {found.model} | {cells[0]} | {cells[1]} |")
    return lines


def main():
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [*SECTIONS, "throughput"]
    parser.add_argument("--only", action="append", choices=known, help="a section; repeatable")
    parser.add_argument("--model", action="append", help="an architecture; repeatable")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="small, for a CPU")
    parser.add_argument("--limit", type=float, default=560, help="seconds of a section")
    parser.add_argument("--steps", type=int, help="updates, instead of those of the section")
    parser.add_argument("--fit", action="store_true", help="as many updates as time allows")
    parser.add_argument("--write", action="store_true", help="write the results")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where results are written")
    parser.add_argument("--draw", action="store_true", help="draw what was written; train nothing")
    given = parser.parse_args()
    if given.draw:
        draw(given.folder)
        return
    # TF32 for the maps between recurrences, which are in float32.
    torch.set_float32_matmul_precision("high")
    folder = given.folder if given.write else None
    curves = []
    for section in given.only or known:
        if section == "throughput":
            throughput(given.device, quick=given.quick, folder=folder)
            continue
        curves += run(
            section,
            given.device,
            quick=given.quick,
            limit=given.limit,
            steps=given.steps,
            fit=given.fit,
            models=given.model,
            folder=folder,
        )
    print(f"\n{where(given.device)}, torch {torch.__version__}\n\n{table(curves)}")


if __name__ == "__main__":
    main()
