"""The command for the explorer."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from constructions.cli import display
from constructions.cli.options import Json, natural, positive

_NEEDED = ("starlette", "uvicorn")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explore")(explore)


def explore(
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="The port; 0 takes a free one.", parser=natural),
    ] = 8765,
    seconds: Annotated[
        int,
        typer.Option(
            "--seconds", metavar="N", help="Time that a question may take.", parser=positive
        ),
    ] = 10,
    as_json: Json = False,
) -> int:
    """Serve a page, for this machine only, on which automaton and linear RNN move together."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"The explorer needs {' and '.join(missing)}: pip install 'lrnn-theory[explore]'."
        )
    from constructions.cli.explorer.server import HOST, listen, make_app, serve

    with listen(port) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}/"
        display.put({"url": url}, f"explorer at {url} (Ctrl-C ends it)", as_json=as_json)
        serve(listener, make_app(seconds))
    return 0
