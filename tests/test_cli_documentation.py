"""docs/command-line.md runs as shown and names every option; commands on other pages parse."""

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest
import typer.main
from command_line import lrnn

from constructions import CONSTRUCTIONS
from constructions.cli import app

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "command-line.md"
PAGE = REFERENCE.read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {REFERENCE})]


def test_documented_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session = PAGE.split("A first session:")[1].split("## ")[0]
    steps = re.findall(r"    \$ (.*)\n((?:    [^$].*\n)*)", session)
    assert len(steps) == 4
    for command, shown in steps:
        stdin, _, rest = command.rpartition(" | ")
        ran = lrnn(*shlex.split(rest)[1:], stdin=stdin.removeprefix("echo ") + "\n")
        assert (ran.code, ran.err) == (0, "")
        if shown:
            out = re.sub(r"in \d+\.\d+ s", "in 0.01 s", ran.out)
            assert out == textwrap.dedent(shown)


ALSO = {
    "--budget": {"N", "TIME"},  # configurations; of theorems
    "--steps": {None, "N"},  # answers after every letter; updates of a training
    "--words": {"N", "W"},  # how many; which
}
"""Names of options that mean two things: what they stand for."""


def test_options_of_one_name_are_alike() -> None:
    group: Any = typer.main.get_command(app)
    kinds: dict[str, set[Any]] = {}
    for command in group.commands.values():
        for param in command.params:
            for name in (x for x in param.opts if x.startswith("--")):
                kinds.setdefault(name, set()).add(param.metavar)
        assert "--json" in (x for p in command.params for x in p.opts)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == ALSO


def test_documentation_names_every_option() -> None:
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert f"    lrnn {name}" in PAGE
        section = PAGE.split(f"## lrnn {name}")[1].split("\n## ")[0]
        for option in (x for p in command.params for x in p.opts if x.startswith("-")):
            assert option in section, (name, option)
    assert all(f"`{key}`" in PAGE for key in CONSTRUCTIONS)


def test_commands_on_all_pages_are_understood() -> None:
    """With their comments: as they are copied from the page."""
    group: Any = typer.main.get_command(app)
    names = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^(?:    )?(?:echo .* \| )?(lrnn [a-z].*)$", text, re.MULTILINE):
            name, *arguments = shlex.split(line, comments=True)[1:]
            group.commands[name].make_context(name, arguments)
            names.add(name)
    assert {"analyze", "compile", "learn", "refute", "stream", "verify"} <= names
