"""Runs the `lrnn` command in this process, for tests."""

import contextlib
import io
import json
from typing import Any, NamedTuple
from unittest import mock

from constructions.cli import main


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    def data(self) -> Any:
        """The one JSON object on standard output."""
        assert self.err == ""
        assert self.out.count("\n") == 1
        data = json.loads(self.out)
        assert isinstance(data, dict)
        return data


def lrnn(*arguments: object, stdin: str | bytes | None = "") -> Ran:
    """Run the command in this process; without standard input if that is None."""
    out, err = io.StringIO(), io.StringIO()
    stdin = stdin.encode() if isinstance(stdin, str) else stdin
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("sys.stdin", None if stdin is None else io.TextIOWrapper(io.BytesIO(stdin))),
    ):
        code = main([str(x) for x in arguments])
    return Ran(code, out.getvalue(), err.getvalue())
