"""Does the signed range cost a language model anything?  Eight small ones, trained alike.

    python benchmarks/language_model.py --write                 # eight runs, one after the other
    python benchmarks/language_model.py --probe --write         # bytes a second of training, first
    python benchmarks/language_model.py --fit 440 --share 1/2 --write      # half of the runs
    python benchmarks/language_model.py --quick                 # on a CPU: tiny, to see it work
    python benchmarks/language_model.py --draw                  # table and figure

DeltaNet and Mamba of about ten million parameters, with eigenvalues in [0, 1] and in [-1, 1], two
seeds each, predict the next byte of the Python standard library's sources.  Models of one seed see
the same bytes in the same order.  Every run is a file of benchmarks/language_model/; drawn:
benchmarks/language_model.md and docs/figures/language-model.svg.
"""

import argparse
import gc
import hashlib
import json
import platform
import sysconfig
import time
from dataclasses import dataclass
from math import exp
from pathlib import Path
from statistics import mean, median

import torch
from torch.nn import functional

from lrnn_theory.learning.model import Architecture
from lrnn_theory.learning.tasks import Task
from lrnn_theory.learning.training import Recipe, train, updates

HERE = Path(__file__).parent
RESULTS = HERE / "language_model"
FIGURE = HERE.parent / "docs" / "figures" / "language-model.svg"
CLASSIC, SIGNED = "[0,1]", "[-1,1]"
SEEDS = (0, 1)
SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
"""Folders of the library that some machines have and others do not."""

SHAPES = {
    "deltanet": {"layers": 7, "width": 384, "heads": 12},
    "mamba": {"layers": 6, "width": 384, "heads": 1},
}
BATCH, LENGTH = 64, 512
RECIPE = {"learning_rate": 2e-3, "precision": "bfloat16"}
BYTES = 30_000_000
STRETCH = 8
"""The test of extrapolation reads windows of this many training lengths."""
CHECKS = 20
"""Validations during a training."""
WINDOW, DEVIATIONS = 50, 8
"""A spike: a loss (or gradient norm) above the median of the 50 steps before by more than 8 times
their median absolute deviation, after the warm-up."""


@dataclass(frozen=True, eq=False)
class NextByte(Task):
    """Random windows of a text; the answer after every byte is the next one."""

    text: torch.Tensor

    def sample(self, words, lengths, generator):
        """See `Task.sample`."""
        time = lengths[1]
        start = torch.randint(
            len(self.text) - time, (words, 1), device=generator.device, generator=generator
        )
        window = self.text[start + torch.arange(time + 1, device=generator.device)].long()
        return window[:, :-1], window[:, 1:]


def corpus():
    """The library's sources by path, a tenth of the files kept for validation; and its facts."""
    root = Path(sysconfig.get_paths()["stdlib"])
    parts, digest, files = {"training": [], "validation": []}, hashlib.sha256(), 0
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root)
        if SKIPPED.intersection(name.parts) or path.is_symlink():
            continue
        source = path.read_bytes()
        found = hashlib.sha256(source).digest()
        digest.update(name.as_posix().encode() + b"\0" + found)
        parts["validation" if found[0] % 10 == 0 else "training"].append(source)
        files += 1
    texts = {part: b"\0".join(sources) for part, sources in parts.items()}
    facts = {
        "python": platform.python_version(),
        "files": files,
        **{part: len(text) for part, text in texts.items()},
        "sha256": digest.hexdigest(),
    }
    return {k: torch.frombuffer(bytearray(x), dtype=torch.uint8) for k, x in texts.items()}, facts


def task_of(text, length):
    """The task of predicting a text in windows of a length."""
    return NextByte("next_byte", tuple(map(str, range(256))), 256, (1, length), (1, length), text)


@torch.no_grad()
def losses(ensemble, text, length, windows=None, at_once=BATCH):
    """Mean loss at every position of windows side by side, of some or of all; in float32."""
    count = (len(text) - 1) // length
    chosen = range(count) if windows is None else range(0, count, max(count // windows, 1))
    starts = torch.tensor(chosen, device=text.device)[:, None] * length
    total = torch.zeros(length, device=text.device, dtype=torch.float64)
    for begin in starts.split(at_once):
        window = text[begin + torch.arange(length + 1, device=text.device)].long()
        scores = ensemble(window[None, :, :-1])[0]
        each = functional.cross_entropy(scores.mT, window[:, 1:], reduction="none")
        total += each.double().sum(0)
    return total / len(starts)


def spikes(series, warm_up):
    """How many steps after the warm-up are spikes; see DEVIATIONS."""
    found = 0
    for i in range(max(warm_up, WINDOW), len(series)):
        before = series[i - WINDOW : i]
        middle = median(before)
        highest = middle + DEVIATIONS * median(abs(x - middle) for x in before)
        found += not series[i] <= highest  # what is not a number is a spike
    return found


def run(name, eigenvalue_range, seed, given, texts, facts, shape, size):
    """Train and test one model; write what was found."""
    batch, length = size
    steps = given.bytes // (batch * length)
    text = {part: x.to(given.device) for part, x in texts.items()}
    recipe = Recipe(steps=steps, batch=batch, **RECIPE)
    architecture = Architecture(name, eigenvalue_range, **shape)
    print(f"{architecture}, seed {seed}: {steps} steps of {batch} x {length} bytes", flush=True)
    series = {"loss": [], "gradient": []}
    checks = []
    paused = 0.0

    def observe(step, ensemble):
        nonlocal paused
        if step % max(steps // CHECKS, 1) and step != steps:
            return {}
        began = time.perf_counter()
        loss = losses(ensemble, text["validation"], length, windows=256).mean().item()
        paused += time.perf_counter() - began
        return {"validation": round(loss, 5)}

    def progress(entry):
        for key, values in series.items():
            values.append(entry[key][0])
        if "validation" in entry:
            recent = series["loss"][-max(steps // CHECKS, 1) :]
            checks.append(
                {
                    "step": entry["step"],
                    "bytes": entry["step"] * batch * length,
                    "training": round(mean(recent), 5),
                    "validation": entry["validation"],
                    "seconds": entry["seconds"],
                }
            )
            print(f"  {checks[-1]}", flush=True)

    trained = train(
        task_of(text["training"], length), architecture, recipe, (seed,),
        device=given.device, every=1, progress=progress, observe=observe,
    )  # fmt: skip
    final = losses(trained.ensemble, text["validation"], length)
    long = losses(trained.ensemble, text["validation"], STRETCH * length, at_once=batch // STRETCH)
    warm_up = int(recipe.warm_up * steps)
    result = {
        "architecture": name,
        "range": eigenvalue_range,
        "seed": seed,
        "parameters": sum(p.numel() for p in trained.ensemble.parameters.values()),
        "shape": shape,
        "batch": batch,
        "length": length,
        "steps": steps,
        "bytes": steps * batch * length,
        "recipe": RECIPE,
        "corpus": facts,
        "device": where(given.device),
        "torch": torch.__version__,
        "bytes a second": round(steps * batch * length / (trained.seconds - paused)),
        "validation": round(final.mean().item(), 5),
        "perplexity": round(exp(final.mean().item()), 5),
        "by position": [round(x, 4) for x in long.view(2 * STRETCH, -1).mean(1).tolist()],
        "spikes": {key: spikes(values, warm_up) for key, values in series.items()},
        "largest gradient after warm-up": max(series["gradient"][warm_up:]),
        "checks": checks,
        **series,
    }
    print(
        f"  perplexity {result['perplexity']}, spikes {result['spikes']}, "
        f"{result['bytes a second']} bytes a second",
        flush=True,
    )
    if given.write:
        given.folder.mkdir(exist_ok=True, parents=True)
        title = f"{name}-{'signed' if eigenvalue_range == SIGNED else 'classic'}-{seed}.json"
        (given.folder / title).write_text(json.dumps(result) + "\n")


def probe(given, names, texts, shapes, size):
    """Bytes a second of training each architecture; written for `--fit`."""
    batch, length = size
    task = task_of(texts["training"].to(given.device), length)
    for name in names:
        some = updates(
            task, Architecture(name, SIGNED, **shapes[name]), Recipe(batch=batch, **RECIPE), (0,),
            given.device,
        )  # fmt: skip
        some(2)
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < given.seconds:
            some(4)
            steps += 4
        rate = steps * batch * length / (time.perf_counter() - began)
        memory = torch.cuda.max_memory_allocated() / 2**30 if "cuda" in given.device else 0.0
        print(f"{name}: {rate:.4g} bytes a second, {memory:.1f} GiB", flush=True)
        if given.write:
            given.folder.mkdir(exist_ok=True, parents=True)
            (given.folder / f"probe-{name}.txt").write_text(f"{rate}\n")


def affordable(given):
    """As many bytes as all runs of one seed can have in some seconds, at the rates probed."""
    rates = [float(path.read_text()) for path in given.folder.glob("probe-*.txt")]
    if not rates:
        raise SystemExit(
            f"Option '--fit' needs '--probe --write' first: no rates in {given.folder}."
        )
    return min(given.bytes, int(given.fit / (2 * sum(1 / rate for rate in rates))))


def where(device):
    """The device in words."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}), {torch.get_num_threads()} threads"


def draw(folder):
    """The table and the figure, from the results."""
    from lrnn_theory.plots.style import colour, picture

    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    first = runs[0]
    facts = first["corpus"]
    if any((r["bytes"], r["steps"], r["corpus"]) != (first["bytes"], first["steps"], facts)
           for r in runs):  # fmt: skip
        raise SystemExit("The runs differ in bytes, steps or corpus: they are no experiment.")
    lines = [
        "# Does the signed range cost a language model anything?",
        "",
        "Written by `python benchmarks/language_model.py --draw` from benchmarks/language_model/.",
        "",
        f"{first['device']}, torch {first['torch']}.  Sources of the standard library of Python "
        f"{facts['python']}, without tests: {facts['files']} files, {facts['training']:,} bytes "
        f"for training and {facts['validation']:,} for validation (files whose hash says so), "
        f"SHA-256 {facts['sha256'][:16]}.",
        f"Every run: {first['steps']} steps of {first['batch']} windows of {first['length']} "
        f"bytes, {first['bytes']:,} bytes.  Perplexity is of a byte, on all validation windows.",
        "",
        "| model | parameters | seed | perplexity | spikes: loss, gradient | "
        "largest gradient | bytes/s |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['architecture']} {r['range']} | {r['parameters']:,} | {r['seed']} | "
        f"{r['perplexity']:.4f} | {r['spikes']['loss']}, {r['spikes']['gradient']} | "
        f"{r['largest gradient after warm-up']:.2f} | {r['bytes a second']:,} |"
        for r in runs
    ]
    lines += [
        "",
        f"A spike is a step after the warm-up whose value exceeds the median of the {WINDOW} "
        f"before by more than {DEVIATIONS} of their median absolute deviations.",
        "",
        "## Signed over classic",
        "",
        "| architecture | ratio of perplexities, by seed | between seeds of one range |",
        "|---|---|---|",
    ]
    names = list(dict.fromkeys(r["architecture"] for r in runs))
    by = {(r["architecture"], r["range"], r["seed"]): r for r in runs}
    for name in names:
        both = [s for s in SEEDS if all((name, r, s) in by for r in (SIGNED, CLASSIC))]
        ratios = [
            by[name, SIGNED, s]["perplexity"] / by[name, CLASSIC, s]["perplexity"] for s in both
        ]
        spread = [
            max(p) / min(p)
            for p in ([by[name, r, s]["perplexity"] for s in both] for r in (SIGNED, CLASSIC))
        ]
        lines.append(
            f"| {name} | {', '.join(f'{x:.4f}' for x in ratios)} | "
            f"{', '.join(f'{x:.4f}' for x in spread)} |"
        )
    half = first["length"] // 2
    ends = [half * (i + 1) for i in range(len(first["by position"]))]
    lines += [
        "",
        "## Beyond the trained length",
        "",
        f"Mean loss (nats) by position, of windows of {ends[-1]} bytes.",
        "",
        "| model | seed | " + " | ".join(f"{e - half}-{e}" for e in ends[::2]) + " |",
        "|---|---|" + "---|" * len(ends[::2]),
    ]
    for r in runs:
        values = " | ".join(f"{x:.3f}" for x in r["by position"][::2])
        lines.append(f"| {r['architecture']} {r['range']} | {r['seed']} | {values} |")
    (HERE / "language_model.md").write_text("\n".join(lines) + "\n")

    def paint(figure):
        axes = figure.subplots(1, 2)
        for i, (name, r) in enumerate((n, r) for n in names for r in (CLASSIC, SIGNED)):
            for seed in SEEDS:
                if (name, r, seed) not in by:
                    continue
                found = by[name, r, seed]
                label = f"{name} {r}" if seed == SEEDS[0] else None
                style = {"color": colour(i), "linewidth": 1.4 if label else 0.8}
                steps = [c["bytes"] / 1e6 for c in found["checks"]]
                curve = [exp(c["validation"]) for c in found["checks"]]
                axes[0].plot(steps, curve, label=label, **style)
                axes[1].plot(ends, found["by position"], **style)
        axes[0].set(
            xlabel="million bytes", ylabel="validation perplexity", ylim=(2, 4), title="training"
        )
        axes[0].legend()
        axes[1].axvline(first["length"], color="grey", linewidth=0.8, linestyle=":")
        axes[1].set(xlabel="position in the window", ylabel="loss", title="longer windows")

    picture("Language models", (8, 3.6), paint).save(FIGURE)


def main():
    """Train what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=list(SHAPES), help="an architecture")
    parser.add_argument("--share", default="1/1", help="I/N: the I-th of N processes")
    parser.add_argument("--bytes", type=int, default=BYTES, help="of every run")
    parser.add_argument("--fit", type=float, help="seconds of training of the runs of a seed")
    parser.add_argument("--probe", action="store_true", help="measure bytes a second, no more")
    parser.add_argument("--seconds", type=float, default=15, help="of a probe")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="tiny models, few bytes")
    parser.add_argument("--write", action="store_true", help="write the results")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where results are written")
    parser.add_argument("--draw", action="store_true", help="draw what was written; train nothing")
    given = parser.parse_args()
    if given.draw:
        draw(given.folder)
        return
    torch.set_float32_matmul_precision("high")  # TF32, where float32 maps are left
    shapes, size = SHAPES, (BATCH, LENGTH)
    texts, facts = corpus()
    if given.quick:
        shapes = {name: {"layers": 1, "width": 32, "heads": 2} for name in SHAPES}
        size, given.bytes, given.seconds = (8, 64), min(given.bytes, 20_480), 1.0
        texts["validation"] = texts["validation"][:20_000]
    print(facts, flush=True)
    names = given.only or list(SHAPES)
    if given.probe:
        probe(given, names, texts, shapes, size)
        return
    if given.fit:
        given.bytes = affordable(given)
    part, parts = map(int, given.share.split("/"))
    runs = [(name, r, s) for s in SEEDS for name in names for r in (CLASSIC, SIGNED)]
    share = runs[len(runs) * (part - 1) // parts : len(runs) * part // parts]
    for name, eigenvalue_range, seed in share:
        run(name, eigenvalue_range, seed, given, texts, facts, shapes[name], size)
        gc.collect()
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
