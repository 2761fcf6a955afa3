"""How long the explorer takes to answer, from its start on.

    python benchmarks/explorer.py

For every machine: the first answer (automaton, network, weights), the run of a word, six verdicts,
and the details, in seconds.  The answers are asked of a server in this process, as a browser would.
"""

import time

from starlette.testclient import TestClient

from constructions.cli.explorer.server import HOST, make_app
from constructions.cli.report import FORMATS

MACHINES = ("(11)*", "(0|10*1)*", "@mod(7)", "@iso_date", "@tls", "@email", "@s5", "@random_20")


def main():
    """Print a table."""
    with TestClient(make_app(120), base_url=f"http://{HOST}") as client:

        def ask(question, **arguments):
            start = time.perf_counter()
            answer = client.get(f"/api/{question}", params=arguments).json()
            return answer, time.perf_counter() - start

        _, seconds = ask("machine", source="a*")
        print(f"the first answer of all, with the start of the process: {seconds:.2f} s")
        _, seconds = ask("run", source="a*", arithmetic="bfloat16", word="a")
        print(f"the first run after it, for which torch is loaded: {seconds:.2f} s")
        print("| machine | first answer | run | verdicts | details |")
        print("|---|---|---|---|---|")
        for source in MACHINES:
            found, first = ask("machine", source=source)
            _, run = ask("run", source=source, arithmetic="bfloat16", word=found["word"])
            each = [ask("verdict", source=source, arithmetic=a)[1] for a in FORMATS]
            _, details = ask("details", source=source)
            seconds = (first, run, sum(each), details)
            cells = " | ".join(f"{s:.2f}" for s in seconds)
            print(f"| `{source.replace('|', chr(92) + '|')}` | {cells} |")


if __name__ == "__main__":
    main()
