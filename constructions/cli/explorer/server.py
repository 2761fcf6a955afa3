"""The explorer's server: a page, its files, and answers as JSON, for this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from functools import partial
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from constructions.cli.explorer.process import StoppedError, Worker

HOST = "127.0.0.1"
SECONDS = 10.0
"""How long a question may take, by default."""
MAX_PORT = 65_535
"""Largest number of a port."""
MAX_QUERY = 16_000
"""Longest query string in bytes."""

_FILES = {
    "": ("constructions.cli.explorer", "static/explorer.html", "text/html"),
    "explorer.js": ("constructions.cli.explorer", "static/explorer.js", "text/javascript"),
    "view.js": ("constructions.cli.explorer", "static/view.js", "text/javascript"),
    "explorer.css": ("constructions.cli.explorer", "static/explorer.css", "text/css"),
    "style.css": ("constructions.cli.report", "style.css", "text/css"),
}
_QUESTIONS = ("machine", "run", "verdict", "details")
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; connect-src 'self'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}


class Guard:
    """Refuses what other sites send, and long requests; adds headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        site = headers.get(b"sec-fetch-site", b"none")
        refusal = None
        if site not in (b"none", b"same-origin") and scope["path"] != "/":
            refusal = _error("Only the explorer's own page may ask.", 403)
        elif len(scope["query_string"]) > MAX_QUERY:
            refusal = _error(f"A request may have {MAX_QUERY} bytes.", 414)
        elif int(headers.get(b"content-length", b"0") or 0) or b"transfer-encoding" in headers:
            refusal = _error("A request has no body here.", 413)
        return await (refusal or self.app)(scope, receive, partial(self._send, send))

    @staticmethod
    async def _send(send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_HEADERS.items()]
        await send(message)


def make_app(seconds: float = SECONDS) -> Starlette:
    """The application.

    Args:
        seconds: how long a question may take.
    """
    worker = Worker(seconds)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        preparing = asyncio.create_task(worker.prepare())
        yield
        preparing.cancel()
        with contextlib.suppress(asyncio.CancelledError, StoppedError):
            await preparing
        await worker.stop()

    async def ask(question: str, request: Request) -> Response:
        try:
            answer = await worker.ask(question, dict(request.query_params))
        except StoppedError as error:
            return _error(str(error), 503)
        return _error(answer["error"], 400) if "error" in answer else JSONResponse(answer["ok"])

    routes = [Route(f"/{name}", partial(_file, *file)) for name, file in _FILES.items()]
    routes.append(Route("/api/machines", _machines))
    routes += [Route(f"/api/{name}", partial(ask, name)) for name in _QUESTIONS]
    hosts = [HOST, "localhost"]
    guards = [Middleware(Guard), Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    return Starlette(routes=routes, middleware=guards, lifespan=lifespan)


def _error(message: str, status: int) -> JSONResponse:
    return JSONResponse({"error": message}, status)


async def _file(package: str, path: str, kind: str, _: Request) -> Response:
    content = resources.files(package).joinpath(path).read_bytes()
    return Response(content, media_type=kind)


async def _machines(_: Request) -> Response:
    """Names to pick from: the bestiary, and the formats of the verdicts."""
    from constructions.cli.source import machine_names
    from lrnn_theory.arithmetic import FORMATS

    return JSONResponse({"machines": machine_names(), "arithmetics": ["exact", *FORMATS]})


def listen(port: int) -> socket.socket:
    """A socket on this machine only.

    Raises:
        ValueError: if the port is taken, or may not be used.
    """
    if port > MAX_PORT:
        raise ValueError(f"Option '--port' must be at most {MAX_PORT}, not {port}.")
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"Option '--port': cannot listen on {HOST}:{port}: {reason}.") from None


def serve(listener: socket.socket, app: Any) -> None:
    """Serve until it is interrupted."""
    import uvicorn

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", http="h11",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])
