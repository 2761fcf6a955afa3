"""A hundred classic layers, random and trained, refuted on parity; the words run in torch.

    python benchmarks/classic_layers.py [--write benchmarks/classic_layers.md]

What is compared, and why bit for bit, is in tests/classic_layers.py.
"""

import argparse
import platform
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
layers = import_module("classic_layers")

HEAD = [
    "layer", "random + trained", "refuted in float32", "longest word",
    "same bits in torch", "one answer of the model", "words of to_lrnn: same bits", "else at most",
    "refuted in float32:cast", "longest word there", "run in torch: same bits", "s a layer",
]  # fmt: skip


def row(name):
    """What became of the layers of an architecture."""
    count, start = layers.SHARES[name], time.perf_counter()
    found = [layers.outcome(model) for model in layers.models(name, count, layers.TRAINED)]
    seconds = time.perf_counter() - start
    assert all(x.difference <= x.allowed for x in found)
    theorems, casts = (
        ", ".join(f"{v} {k}" for k, v in Counter(x).items())
        for x in ([x.theorem for x in found], [x.cast for x in found])
    )
    run = [x.cast_same for x in found if x.cast_same is not None]
    longest = max(x.cast_length for x in found)
    return [
        name, f"{count - layers.TRAINED} + {layers.TRAINED}", theorems,
        f"{max(x.length for x in found):,}", str(sum(x.same for x in found)),
        str(sum(x.alike for x in found)), str(sum(x.difference == 0 for x in found)),
        f"{max(x.difference for x in found):.1e}", casts,
        f"{longest:,}" if longest < 10**9 else f"{float(longest):.2g}",
        f"{sum(run)} of {len(run)}", f"{seconds / count:.1f}",
    ]  # fmt: skip


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "# Classic layers in torch",
        "",
        "Made by `python benchmarks/classic_layers.py --write benchmarks/classic_layers.md` on "
        "2 cores, AMD EPYC, one process, shared with other work; "
        f"Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}.",
        "",
        "Layers of width 8 with eigenvalues in [0, 1], refuted on parity; the two words are run "
        "through the torch layer step by step in float32, and through the whole model by its "
        "parallel scan. Differences are over the largest entry of the state. "
        "[Impossibility](../docs/impossibility.md), section 6, says what is compared.",
        "",
        f"| {' | '.join(HEAD)} |",
        "|---" * len(HEAD) + "|",
    ]
    print("\n".join(lines), flush=True)
    for name in layers.SHARES:
        lines.append(f"| {' | '.join(row(name))} |")
        print(lines[-1], flush=True)
    if arguments.write:
        Path(arguments.write).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
