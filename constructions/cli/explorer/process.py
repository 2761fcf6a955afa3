"""The worker process, seen from the server: started, asked, stopped when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from asyncio.subprocess import Process
from typing import Any

MAX_ANSWER = 1 << 25
"""Longest answer in bytes."""
MAX_WAITING = 24
"""Questions that may wait."""
QUIET = 0.3
"""Seconds without a question after which nobody asks."""
FIRST = "machine"
"""The first question of a page, the only one that needs no torch."""


class StoppedError(Exception):
    """A question was not answered; the message says why."""


class Worker:
    """One process that answers one question after another.

    Args:
        seconds: how long a question may take; then the process is replaced.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._process: Process | None = None
        self._loaded = False
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._quiet = 0.0

    async def ask(self, question: str, arguments: dict[str, str]) -> dict[str, Any]:
        """The answer of the process.

        Raises:
            StoppedError: if it took too long, ended, or too many questions wait.
        """
        if self._waiting >= MAX_WAITING:
            raise StoppedError("Too many questions at once; try again.")
        self._waiting += 1
        try:
            async with self._lock:
                return await self._ask({"question": question, "arguments": arguments})
        finally:
            self._waiting -= 1
            self._quiet = time.monotonic() + QUIET

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        process = await self._running()
        if request["question"] != FIRST and not self._loaded:
            await self._answer(process, {"question": "load", "arguments": {}}, None)
            self._loaded = True
        return await self._answer(process, request, self.seconds)

    async def _answer(
        self, process: Process, request: dict[str, Any], seconds: float | None
    ) -> dict[str, Any]:
        """One line to the process, and one from it."""
        assert process.stdin is not None  # pipes, see `_running`
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), seconds)
            if line:
                return json.loads(line)
        except TimeoutError:
            await self.stop()
            raise StoppedError(
                f"This took more than {seconds:g} s and was stopped; nothing was decided."
            ) from None
        except (ConnectionError, ValueError):
            pass
        except BaseException:  # the question was given up: its answer must not go to the next
            await self.stop()
            raise
        await self.stop()
        raise StoppedError("The process that computes ended: it may have needed too much memory.")

    async def prepare(self) -> None:
        """Load what questions need while nobody asks; what is asked meanwhile comes between."""
        for question in (FIRST, "run"):
            await self.ask(question, {"source": "(aaa)*", "arithmetic": "bfloat16", "word": "a"})
        # After an installation this takes longer than a question may.
        while self._waiting or time.monotonic() < self._quiet:
            await asyncio.sleep(QUIET)
        async with self._lock:
            await self._answer(
                await self._running(), {"question": "compile", "arguments": {}}, None
            )

    async def _running(self) -> Process:
        if self._process is None:
            path = os.pathsep.join(p for p in sys.path if p)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "constructions.cli.explorer.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                limit=MAX_ANSWER,
            )
            self._process = process
            assert process.stdout is not None
            if b"ready" not in await process.stdout.readline():
                await self.stop()
                raise StoppedError("The process that computes could not be started.")
        return self._process

    async def stop(self) -> None:
        """End the process."""
        process, self._process, self._loaded = self._process, None, False
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
