"""Files: text read within a bound, anything written whole or not at all; one-line errors."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 50_000_000
"""Largest accepted text file."""
unfinished: set[Path] = set()
"""What `replacing` is about to move: a process that ends without a word should remove it."""


def read_text(path: str | os.PathLike[str], most: int | None = None) -> str:
    """The text of a UTF-8 file of at most `MAX_BYTES`, or `most`.

    Raises:
        ValueError: if the file cannot be read, is too large, or is not text.
    """
    name = repr(str(path))
    try:
        with Path(path).open("rb") as file:
            return _text(file, name, most)
    except OSError as error:
        raise ValueError(f"Cannot read {name}: {error.strerror or error}.") from error


def read_standard_input() -> str:
    """The text of standard input, as `read_text`.

    Raises:
        ValueError: if it is closed, too large, or not text.
    """
    return _text(standard_input(), "standard input")


def standard_input() -> BinaryIO:
    """Standard input as bytes.

    Raises:
        ValueError: if it is closed.
    """
    if sys.stdin is None:
        raise ValueError("Cannot read standard input: it is closed.")
    return sys.stdin.buffer


def _text(file: BinaryIO, name: str, most: int | None = None) -> str:
    # Read one byte more than allowed: the size on disk says nothing about a device.
    limit = MAX_BYTES if most is None else most
    data = file.read(limit + 1)
    if len(data) > limit:
        hint = " (raise lrnn_theory.textfile.MAX_BYTES for more)" if most is None else ""
        raise ValueError(f"Cannot read {name}: it has more than {limit} bytes{hint}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"Cannot read {name}: not a UTF-8 text file.") from error


def write_text(text: str, path: str | os.PathLike[str] | None) -> str:
    """Write a UTF-8 file if a path is given, and return the text.

    Raises:
        ValueError: if the file cannot be written.
    """
    if path is not None:
        write_atomically(path, text.encode())
    return text


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that it appears whole or not at all.

    Raises:
        ValueError: if the file cannot be written.
    """
    with replacing(path) as temporary, cannot_write(path):
        temporary.write_bytes(content)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """An empty file beside another, which takes its place in the end, or goes if there is an error.

    A link stays one: what it leads to is replaced.  A new file is as readable as the process's
    umask lets it be, and one that is replaced stays as readable as it was.

    Raises:
        ValueError: if there can be no such file, or something that is no regular file is there.
    """
    with _beside(path) as (target, temporary):
        yield temporary
        with cannot_write(path):
            if target.exists():
                shutil.copymode(target, temporary)
            temporary.replace(target)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Whether `replacing` can write a file: what cannot be is told before the work.

    Raises:
        ValueError: if it cannot.
    """
    with _beside(path):
        pass


@contextmanager
def _beside(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path]]:
    """The file that a path leads to, and an empty one beside it, which goes in the end."""
    with cannot_write(path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise ValueError(f"Cannot write {str(path)!r}: it is there, and no regular file.")
    temporary = target.with_name(f".{target.name[:32]}.{secrets.token_hex(8)}")
    unfinished.add(temporary)
    try:
        with cannot_write(path):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield target, temporary
    finally:
        remove(temporary)


def remove(temporary: Path) -> None:
    """Remove a file of `unfinished`, if it is there."""
    with suppress(OSError):  # such as that there can be no such file
        temporary.unlink()
    unfinished.discard(temporary)


@contextmanager
def cannot_write(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say of a system's error that this file cannot be written.

    Raises:
        ValueError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise ValueError(f"Cannot write {str(path)!r}: {error.strerror or error}.") from error
