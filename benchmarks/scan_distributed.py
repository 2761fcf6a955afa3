"""How fast several processes scan: letters a second of one of them, and of all, in the same run.

    torchrun --nproc-per-node 2 benchmarks/scan_distributed.py [--device cpu] [--quick]
                                                 [--seconds 0.15] [--write FILE.json]

A process has a GPU of its own, or a CPU, and makes its letters there.  Words are as many, or as
long, as one process reads in so many seconds, unless they fill half of the memory before.  Every
result is compared with `scan` before it is timed.  Both sides take turns, and what is printed are
medians; the time of all is that of the slowest.  "One process" is the first of them with all the
words, or the whole word, on its device.

Parts of the time of all, in milliseconds: "start", until a stretch of a word is asked for; "read",
reading it (of a batch: `scan` of a process's share alone); "exchange", what is left.
"""

import argparse
import json
import os
import platform
import time
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median

import torch
import torch.distributed as dist

from constructions import compile_dfa
from lrnn_theory import languages, scan
from lrnn_theory.distributed import processes, scan_batch, scan_word
from lrnn_theory.ranks import Ranks
from lrnn_theory.streaming import MAX_PIECE

# name, automaton, construction, arithmetic
S5 = ("S5", languages.symmetric_group(5), None, "float32")
FLIP_FLOP = ("flip-flop", languages.BESTIARY["flip_flop"](), None, "bfloat16")
CASCADE = ("ISO datetime", languages.BESTIARY["iso_datetime"](), None, "bfloat16")
ROTATION = ("Z7, rotation", languages.mod(7, "ab"), "rotation", "float32")


class Bench:
    """What all measurements share."""

    def __init__(self, place, repeats, seconds):
        self.place, self.repeats, self.wanted = place, repeats, seconds
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

    def grown(self, run, size, most):
        """A size at which `run` takes as long as wanted in the first process, or else the most."""
        while True:
            if self.ranks.rank == 0:
                run(size)  # to warm up
            own = self.seconds(partial(run, size)) if self.ranks.rank == 0 else 0.0
            took = float(self.ranks.gather(str(own).encode)[0])
            if took >= self.wanted or size >= most:
                return size
            size = min(most, size * max(2, 1 << int(self.wanted / took).bit_length() - 1))

    def both(self, one, every, parts):
        """Median seconds of the first process alone, and of all together, taking turns.

        `parts` tells (start, read) of the last call of `every`; their medians are of the slowest.
        """
        rows = []
        for turn in range(self.repeats + 1):  # the first is to warm up
            self.meet()
            own = self.seconds(one) if self.ranks.rank == 0 else 0.0
            self.meet()
            together = self.seconds(every)
            self.meet()
            told = json.dumps([own, together, *parts()])
            found = [json.loads(x) for x in self.ranks.gather(told.encode)]
            if turn:
                rows.append([max(x) for x in zip(*found, strict=True)])
        own, together, start, read = (median(x) for x in zip(*rows, strict=True))
        return {
            "one seconds": own, "all seconds": together,
            "start": start, "read": read, "exchange": together - start - read,
        }  # fmt: skip

    def room(self):
        """Letters that fill half of the memory, or what is large on a CPU."""
        if self.place.type != "cuda":
            return 1 << 27
        return 1 << (torch.cuda.mem_get_info(self.place)[1] // 2).bit_length() - 1

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


def batch_row(bench, case, length, outputs, most):
    """A batch, of which every process has a share."""
    name, automaton, construction, arithmetic = case
    lrnn = compile_dfa(automaton, construction=construction)
    every = bench.letters(lrnn, most // length, length)
    options = {"outputs": outputs, "device": bench.place}
    part = every[:64, :256]
    plain = scan(lrnn, part, arithmetic, outputs=outputs, device=bench.place, backend="reference")
    fast = scan(lrnn, part, arithmetic, **options)
    bench.agree(torch.equal(fast, plain), f"{name}, batch in the plain loop")
    batch = bench.grown(
        lambda size: scan(lrnn, every[:size], arithmetic, **options), 64, len(every)
    )
    tokens = every[: batch + 1]  # shares differ where there is room for one more
    share = tokens[bench.ranks.share(len(tokens))]
    wanted = scan(lrnn, tokens, arithmetic, **options)
    found = scan_batch(lrnn, tokens, arithmetic, **options)
    bench.agree(torch.equal(found, wanted), f"{name}, batch")
    del wanted, found
    times = bench.both(
        lambda: scan(lrnn, tokens, arithmetic, **options),
        lambda: scan_batch(lrnn, tokens, arithmetic, **options),
        lambda: (0.0, bench.seconds(lambda: scan(lrnn, share, arithmetic, **options))),
    )
    return row(case, tokens.shape, outputs, "shares", times)


def row(case, shape, outputs, order, times):
    """A row of the table; times in milliseconds."""
    letters = shape[0] * shape[1]
    return {
        "machine": case[0], "arithmetic": case[3], "words": shape[0], "length": shape[1],
        "outputs": outputs, "order": order,
        "one": letters / times["one seconds"], "all": letters / times["all seconds"],
        **{k: 1000 * times[k] for k in ("start", "read", "exchange")},
    }  # fmt: skip


def same_state(found, wanted):
    """Whether two states have the same bits."""
    return all(
        torch.equal(torch.as_tensor(x).cpu(), torch.as_tensor(y).cpu())
        for x, y in zip(found.hidden, wanted.hidden, strict=True)
    )


def word_row(bench, case, most):
    """One long word, of which every process has a stretch."""
    name, automaton, construction, arithmetic = case
    lrnn = compile_dfa(automaton, construction=construction)
    word = bench.letters(lrnn, most)
    options = {"device": bench.place, "piece": MAX_PIECE}
    clock = [0.0, 0.0, 0.0]  # of the last call: begun, asked for a stretch, read it

    def every(letters):
        def stretch():
            clock[1] = time.perf_counter()
            return [letters[bench.ranks.share(len(letters))]]

        def progress(_):
            clock[2] = time.perf_counter()

        clock[0] = time.perf_counter()
        return scan_word(lrnn, stretch, arithmetic, progress=progress, **options)

    def one(letters):
        return scan_word(lrnn, lambda: [letters], arithmetic, group=bench.alone, **options)

    for letters in (word[: 1 << 16], word[: (1 << 20) + 3]):
        output, state = scan(
            lrnn, letters[None], arithmetic, outputs="last", device=bench.place, return_state=True
        )
        whole = every(letters)
        right = whole.output == int(output) and same_state(whole.state, state)
        bench.agree(right and whole.letters == len(letters), f"{name}, {len(letters)} letters")
    word = word[: bench.grown(lambda size: one(word[:size]), 1 << 18, most)]
    whole = every(word)
    right = True
    if bench.ranks.rank == 0:
        alone = one(word)
        right = whole.output == alone.output and same_state(whole.state, alone.state)
    bench.agree(right, f"{name}, {len(word)} letters")
    times = bench.both(
        lambda: one(word), lambda: every(word), lambda: (clock[1] - clock[0], clock[2] - clock[1])
    )
    return row(case, (1, len(word)), "last", whole.order, times)


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
        "| machine | arithmetic | words | outputs | order | one process | all | ratio "
        "| start | read | exchange |",
        "|---" * 11 + "|",
    ]
    lines += [
        f"| {r['machine']} | {r['arithmetic']} | {r['words']} x {r['length']} | {r['outputs']} "
        f"| {r['order']} | {r['one']:.3g} | {r['all']:.3g} | {r['all'] / r['one']:.2f} "
        f"| {r['start']:.2f} | {r['read']:.2f} | {r['exchange']:.2f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main():
    """All cases; the first process prints a table, and writes JSON if asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--quick", action="store_true", help="small words, to see that it runs")
    parser.add_argument("--seconds", type=float, default=0.15, help="that one process takes")
    parser.add_argument("--write", help="a JSON file")
    arguments = parser.parse_args()
    with processes(arguments.device) as place:
        quick = arguments.quick
        bench = Bench(place, *((1, 0.0) if quick else (5, arguments.seconds)))
        length = 4096 if place.type == "cuda" else 2048
        most = 1 << 21 if quick else bench.room()
        rows = []

        def add(row):
            rows.append(row)
            if bench.ranks.rank == 0:
                print(json.dumps(row), flush=True)

        for case in (S5, CASCADE, ROTATION):
            add(batch_row(bench, case, length, "last", most))
        few = most // 32  # all outputs go to all processes, as integers of eight bytes
        add(batch_row(bench, S5, length, "all", few))
        for case in (S5, FLIP_FLOP):
            add(word_row(bench, case, most))
        for case in (CASCADE, ROTATION):  # a letter after the other
            add(word_row(bench, case, 1 << 24))
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
