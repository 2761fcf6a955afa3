"""Every example of the README, the pages and the docstrings runs as shown."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest

import constructions
import lrnn_theory

ROOT = Path(__file__).parents[1]
KERNELS = r"\.cuda\.|learning\.(fused|scan_kernels)"
TRITON = importlib.util.find_spec("triton") is not None
PAGES = sorted(p for p in (ROOT / "docs").glob("*.md") if ">>> " in p.read_text(encoding="utf-8"))
MODULES = [
    name
    for package in (lrnn_theory, constructions)
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not name.endswith("__main__") and (TRITON or not re.search(KERNELS, name))
]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda p: p.name)
def test_pages(page):
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", ["constructions", *MODULES])
def test_docstrings(name):
    module = importlib.import_module(name)
    scope = {} if name.startswith("lrnn_theory.householder") else None
    extra = vars(importlib.import_module("lrnn_theory.householder")) if scope is not None else {}
    assert doctest.testmod(module, extraglobs=extra).failed == 0


def resolved(name):
    """Whether a dotted name is a module, or an attribute of one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: p.stem
)
def test_names_on_pages_exist(page):
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"(?<![/\w.])(?:lrnn_theory|constructions)(?:\.\w+)+", text)
    assert [name for name in names if not resolved(name)] == []
    files = re.findall(
        r"(?<![/\w.-])(?:tests|benchmarks|constructions|lrnn_theory)/[\w/]+\.\w+", text
    )
    assert [name for name in files if not (ROOT / name).is_file()] == []
