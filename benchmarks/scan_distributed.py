"""How fast several processes scan: letters a second of one of them, and of all, in the same run.

    torchrun --nproc-per-node 2 benchmarks/scan_distributed.py [--device cpu] [--quick]
                                                               [--write FILE.json]

A process has a GPU of its own, or a CPU.  Every result is compared with `scan` before it is timed.
Both sides take turns, and what is printed are medians; the time of all is that of the slowest.
"One process" is the first of them with all the words, or the whole word, on its device.
"""

import argparse
import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from statistics import median

import torch
import torch.distributed as dist

from constructions import compile_dfa
from lrnn_theory import languages, scan
from lrnn_theory.distributed import Ranks, processes, scan_batch, scan_word
from lrnn_theory.streaming import MAX_PIECE

# name, automaton, construction, arithmetic
S5 = ("S5", languages.symmetric_group(5), None, "float32")
FLIP_FLOP = ("flip-flop", languages.BESTIARY["flip_flop"](), None, "bfloat16")
CASCADE = ("ISO datetime", languages.BESTIARY["iso_datetime"](), None, "bfloat16")
ROTATION = ("Z7, rotation", languages.mod(7, "ab"), "rotation", "float32")


class Bench:
    """What all measurements share."""

    def __init__(self, place, repeats):
        self.place, self.repeats = place, repeats
        self.ranks = Ranks()
        self.alone = dist.new_group([0]) if self.ranks.size > 1 else None

    def meet(self):
        """Wait for all processes, and for the device."""
        if self.place.type == "cuda":
            torch.cuda.synchronize(self.place)
        if self.ranks.size > 1:
            dist.barrier()

    def seconds(self, run):
        """Of one call, in this process."""
        start = time.perf_counter()
        run()
        if self.place.type == "cuda":
            torch.cuda.synchronize(self.place)
        return time.perf_counter() - start

    def both(self, one, every):
        """Median seconds of the first process alone, and of all together, taking turns."""
        times = {"one": [], "all": []}
        for turn in range(self.repeats + 1):  # the first is to warm up
            self.meet()
            own = self.seconds(one) if self.ranks.rank == 0 else 0.0
            self.meet()
            together = self.seconds(every)
            found = [x.decode().split() for x in self.ranks.gather(f"{own} {together}".encode)]
            if turn:
                times["one"].append(float(found[0][0]))
                times["all"].append(max(float(slowest) for _, slowest in found))
        return median(times["one"]), median(times["all"])

    def letters(self, lrnn, *shape):
        """The same random letters in every process, on its device."""
        generator = torch.Generator(self.place).manual_seed(0)
        return torch.randint(
            len(lrnn.letters), shape, dtype=torch.uint8, device=self.place, generator=generator
        )

    def agree(self, right, what):
        """Every process must find a result right."""
        if any(x != b"1" for x in self.ranks.gather(lambda: b"1" if right else b"0")):
            raise SystemExit(f"{what}: not the result of scan")


def batch_row(bench, case, shape, outputs):
    """A batch, of which every process has a share."""
    name, automaton, construction, arithmetic = case
    lrnn = compile_dfa(automaton, construction=construction)
    tokens = bench.letters(lrnn, *shape)
    options = {"outputs": outputs, "device": bench.place}
    wanted = scan(lrnn, tokens, arithmetic, **options)
    found = scan_batch(lrnn, tokens, arithmetic, **options)
    bench.agree(torch.equal(found, wanted), f"{name}, batch")
    part = tokens[:64, :256]
    plain = scan(lrnn, part, arithmetic, outputs=outputs, device=bench.place, backend="reference")
    fast = scan(lrnn, part, arithmetic, **options)
    bench.agree(torch.equal(fast, plain), f"{name}, batch in the plain loop")
    del wanted, found
    one, every = bench.both(
        lambda: scan(lrnn, tokens, arithmetic, **options),
        lambda: scan_batch(lrnn, tokens, arithmetic, **options),
    )
    return {
        "machine": name, "arithmetic": arithmetic, "words": shape[0], "length": shape[1],
        "outputs": outputs, "order": "shares", "one": tokens.numel() / one,
        "all": tokens.numel() / every,
    }  # fmt: skip


def same_state(found, wanted):
    """Whether two states have the same bits."""
    return all(
        torch.equal(torch.as_tensor(x).cpu(), torch.as_tensor(y).cpu())
        for x, y in zip(found.hidden, wanted.hidden, strict=True)
    )


def word_row(bench, case, length):
    """One long word, of which every process has a stretch."""
    name, automaton, construction, arithmetic = case
    lrnn = compile_dfa(automaton, construction=construction)
    word = bench.letters(lrnn, length)
    options = {"device": bench.place, "piece": MAX_PIECE}

    def every(letters=word):
        return scan_word(lrnn, lambda: [letters[bench.ranks.share(len(letters))]], arithmetic,
                         **options)  # fmt: skip

    def one():
        return scan_word(lrnn, lambda: [word], arithmetic, group=bench.alone, **options)

    for letters in (word[: 1 << 16], word[: (1 << 20) + 3]):
        output, state = scan(
            lrnn, letters[None], arithmetic, outputs="last", device=bench.place, return_state=True
        )
        whole = every(letters)
        right = whole.output == int(output) and same_state(whole.state, state)
        bench.agree(right and whole.letters == len(letters), f"{name}, {len(letters)} letters")
    whole = every()
    right = True
    if bench.ranks.rank == 0:
        alone = one()
        right = whole.output == alone.output and same_state(whole.state, alone.state)
    bench.agree(right, f"{name}, {length} letters")
    one_seconds, all_seconds = bench.both(one, every)
    return {
        "machine": name, "arithmetic": arithmetic, "words": 1, "length": length,
        "outputs": "last", "order": whole.order, "one": length / one_seconds,
        "all": length / all_seconds,
    }  # fmt: skip


def machine(bench):
    """What ran this."""
    name = platform.processor()
    if bench.place.type == "cuda":
        name = torch.cuda.get_device_name(bench.place)
    elif Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((x.split(": ")[1] for x in lines if x.startswith("model name")), name)
    about = {"device": name, "processes": bench.ranks.size, "cores": os.cpu_count(),
             "python": platform.python_version(), "torch": torch.__version__}  # fmt: skip
    for package in ("numpy", "numba", "triton"):
        try:
            about[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return about


def table(rows):
    """Markdown."""
    lines = [
        "| machine | arithmetic | words | outputs | order | one process | all | ratio |",
        "|---" * 8 + "|",
    ]
    lines += [
        f"| {r['machine']} | {r['arithmetic']} | {r['words']} x {r['length']} | {r['outputs']} "
        f"| {r['order']} | {r['one']:.3g} | {r['all']:.3g} | {r['all'] / r['one']:.2f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main():
    """All cases; the first process prints a table, and writes JSON if asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--quick", action="store_true", help="small words, to see that it runs")
    parser.add_argument("--write", help="a JSON file")
    arguments = parser.parse_args()
    with processes(arguments.device) as place:
        on_gpu = place.type == "cuda"
        bench = Bench(place, 1 if arguments.quick else 5)
        shape = (1 << 20, 16384) if on_gpu else (4096, 2048)
        long, in_order = (1 << 33, 1 << 22) if on_gpu else (1 << 27, 1 << 24)
        if arguments.quick:
            shape, long, in_order = (67, 512), 1 << 21, (1 << 20) + 99
        rows = []

        def add(row):
            rows.append(row)
            if bench.ranks.rank == 0:
                print(json.dumps(row), flush=True)

        for case in (S5, CASCADE, ROTATION):
            add(batch_row(bench, case, shape, "last"))
        few = (shape[0] // 32 + 1, shape[1] // 4)  # all outputs go to all processes
        add(batch_row(bench, S5, few, "all"))
        for case in (S5, FLIP_FLOP):
            add(word_row(bench, case, long))
        for case in (CASCADE, ROTATION):
            add(word_row(bench, case, in_order))
        about = machine(bench)
        bench.meet()
    if bench.ranks.rank == 0:
        print(", ".join(f"{k} {v}" for k, v in about.items()))
        print(table(rows))
        if arguments.write:
            text = json.dumps({"machine": about, "rows": rows}, indent=1) + "\n"
            Path(arguments.write).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
