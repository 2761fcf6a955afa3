"""The process that answers: one JSON object a line in, one a line out."""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any, TextIO

from constructions.cli import GARBAGE

MEMORY = 4 << 30
"""Bytes of memory that the process may allocate, where the system can bound it."""


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one question: `{"ok": ...}`, or `{"error": ...}` with a message for the user."""
    from constructions.cli.explorer.questions import QUESTIONS

    function, names = QUESTIONS[request["question"]]
    try:
        return {"ok": function(*(request["arguments"].get(name, "") for name in names))}
    except (ValueError, TypeError) as error:
        return {"error": " ".join(str(error).split())}
    except (MemoryError, RecursionError):
        return {"error": "This needs more memory than the explorer may use."}


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def main() -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else prints does not disturb the answers
    _bound_memory()
    gc.set_threshold(GARBAGE)
    from constructions.cli.explorer import questions

    questions.limit_tables()
    _put(out, {"ok": "ready"})
    for line in sys.stdin:
        _put(out, answer(json.loads(line)))


def _put(out: TextIO, answer: dict[str, Any]) -> None:
    out.write(json.dumps(answer) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
