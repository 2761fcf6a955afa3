"""What a scan to the last output costs: time in letters and in factors, memory in words.

    python benchmarks/scan_cost.py [--device cuda] --write FILE.json
    python benchmarks/scan_cost.py --plot FILE.json      (draws docs/figures/scan-cost.svg)

Every result is compared with the plain loop's before it is timed.  Memory is what a scan allocates
on a GPU beside its tokens; it is not measured on a CPU.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scan import machine, timed

from constructions import compile_dfa
from lrnn_theory import Householder, languages, scan
from lrnn_theory.plots import COLOURS

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "scan-cost.svg"
FACTORS = (1, 2, 4, 8, 16, 32)


def with_factors(lrnn, count):
    """The network with so many random swaps a letter instead of its matrices."""
    rng = np.random.default_rng(count)
    (level,) = lrnn.levels
    letters, n = len(level.action), level.layer.n
    keys = np.zeros((letters * count, n), int)
    for key in keys:
        key[rng.choice(n, 2, replace=False)] = 1, -1
    transition = Householder(keys, np.ones(len(keys), int), np.arange(letters + 1) * count)
    layer = replace(level.layer, transition=transition)
    return replace(lrnn, heads=((replace(level, layer=layer),),))


def measure(lrnn, shape, arithmetic, device):
    """Seconds of a scan, and bytes allocated beside the tokens."""
    tokens = torch.randint(len(lrnn.letters), shape, dtype=torch.uint8, device=device)
    part = tokens[:32, :64]
    fast, plain = (
        scan(lrnn, part, arithmetic, outputs="last", backend=backend)
        for backend in ("triton" if device == "cuda" else "compiled", "reference")
    )
    assert torch.equal(fast, plain), "the fast scan differs from the plain one"

    def run():
        scan(lrnn, tokens, arithmetic, outputs="last")

    seconds = timed(run, 5, device)
    if device != "cuda":
        return seconds, None
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return seconds, torch.cuda.max_memory_allocated() - before


def plot(data):
    """Three panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, name, unit in zip(
        panels, ("letters", "factors", "memory"), ("ms", "ms", "MB"), strict=True
    ):
        for i, (label, points) in enumerate(data["series"][name].items()):
            x, y = np.array(points).T
            scale = 1e3 if unit == "ms" else 1e-6
            panel.plot(x, scale * y, "o-", color=COLOURS[i], label=label, markersize=3)
            if name != "memory":
                panel.plot(x, scale * y[-1] * x / x[-1], ":", color=COLOURS[i])
        panel.set(xscale="log", yscale="log", ylabel=unit)
        panel.legend(frameon=False, fontsize=7)
    panels[0].set(xlabel="letters", title="time (dotted: proportional)")
    panels[1].set(xlabel="factors a letter", title="time of 2^24 letters")
    panels[2].set(xlabel="words, or letters of a word", title="memory beside the tokens")
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, metadata={"Date": None})


def main():
    """Measure, or draw what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--write")
    parser.add_argument("--plot")
    arguments = parser.parse_args()
    if arguments.plot:
        plot(json.loads(Path(arguments.plot).read_text(encoding="utf-8")))
        return
    device, far = arguments.device, 6 if arguments.device == "cuda" else 0
    s5 = compile_dfa(languages.symmetric_group(5))
    datetime = compile_dfa(languages.BESTIARY["iso_datetime"]())
    rotation = compile_dfa(languages.mod(7), construction="rotation")
    letters, factors, memory = {}, {}, {}
    for name, lrnn in ("S5", s5), ("ISO datetime", datetime), ("Z7, rotation", rotation):
        sizes = [1 << k for k in range(16, 23 + far)]
        seconds = [measure(lrnn, (n // 512, 512), "float32", device)[0] for n in sizes]
        letters[name] = list(zip(sizes, seconds, strict=True))
    words = 1 << (15 + far // 2)
    shape = words, (1 << 24) // words
    factors["S5 by factors, float32"] = [
        (k, measure(with_factors(s5, k), shape, "float32:each+factored", device)[0])
        for k in FACTORS
    ]
    if device == "cuda":
        sizes = [1 << k for k in range(8, 18)]
        memory["words of 512 letters"] = [
            (n, measure(rotation, (n, 512), "float32", device)[1]) for n in sizes
        ]
        memory["letters of 4096 words"] = [
            (n, measure(rotation, (4096, n), "float32", device)[1]) for n in sizes[:-3]
        ]
    series = {"letters": letters, "factors": factors, "memory": memory}
    text = json.dumps({"machine": machine(device), "series": series}, indent=1) + "\n"
    print(text, file=sys.stderr)
    if arguments.write:
        Path(arguments.write).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
