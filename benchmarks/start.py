"""How long commands take from start to end, and the explorer until its first answer.

    python benchmarks/start.py [--write FILE]

Seconds of processor time, user and system, of a command and of what it starts: the least of 5
runs, since other programs disturb them; the load is told.  The explorer's first answer is by the
clock.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from extraction import processor

RUNS = 5
LRNN = (sys.executable, "-m", "constructions.cli")
COMMANDS = (
    ("--help",),
    ("analyze", "(11)*"),
    ("compile", "(11)*", "-o", "w.safetensors"),
    ("verify", "w.safetensors", "(11)*"),
    *(
        ("report", source, "-o", "r.html")
        for source in ("(11)*", "(a|b)*abb", "@tls", "@iso_date", "@mod(7)")
    ),
)


def seconds(command, folder):
    """Processor time of one run in a folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run((*LRNN, *command), cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_answer():
    """Seconds by the clock from the start of `lrnn explore` to its first answer."""
    start = time.perf_counter()
    command = (*LRNN, "explore", "--port", "0", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = json.loads(next(iter(server.stdout or ())))["url"]
        with urllib.request.urlopen(f"{url}api/machine?source=(11)*") as answer:
            answer.read()
        found = time.perf_counter() - start
        server.send_signal(signal.SIGINT)
    return found


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write")
    arguments = parser.parse_args()
    place = f" --write {arguments.write}" if arguments.write else ""
    lines = [
        "# From start to end",
        "",
        f"Made by `python benchmarks/start.py{place}` on {processor()}, one thread.",
        "",
        f"Processor seconds of a command, the least of {RUNS} runs, at a load of "
        f"{os.getloadavg()[1]:.0f}.",
        "",
        "| command | seconds |",
        "|---|---|",
    ]
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            least = min(seconds(command, folder) for _ in range(RUNS))
            text = " ".join(command).replace("|", "\\|")
            lines.append(f"| `lrnn {text}` | {least:.2f} |")
    waited = min(first_answer() for _ in range(RUNS))
    lines.append(f"| `lrnn explore`, until its first answer, by the clock | {waited:.2f} |")
    text = "\n".join(lines)
    print(text)
    if arguments.write:
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
