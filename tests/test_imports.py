"""The contracts between modules hold and can be broken; importing the packages stays cheap."""

import ast
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKER = ROOT / "lrnn_theory" / "verification" / "checker.py"
LINTER = shutil.which("lint-imports", path=sysconfig.get_path("scripts")) or "lint-imports"
HEAVY = {"automata", "hypothesis", "matplotlib", "networkx", "sympy", "torch"}

ENGINE = "The engine never imports a construction"
MODULES = "A module imports only what stands below it"
FRONT = "The package itself is for users: its modules import one another"
AUTOMATA = "Automata know nothing of weights"
SIBLINGS = "No construction imports a sibling"
TORCH = "Only scans and what runs them import torch"
NUMBA = "Only compiled code needs numba: a machine with a GPU and without it can scan"
TRITON = "Only kernels need Triton, which is there with CUDA builds of torch only"
READERS = "Only readers and writers of automata import automata-lib and networkx"
FLA = "Only exports need flash-linear-attention, an optional extra"
EXTRAS = "Only exports need the other optional extras"
CONTRACTS = {
    *(ENGINE, MODULES, FRONT, AUTOMATA, SIBLINGS, TORCH, NUMBA, TRITON, READERS, FLA, EXTRAS),
}


def broken_contracts(project: Path) -> set[str]:
    """Names of the contracts that import-linter finds broken in a project."""
    report = subprocess.run([LINTER, "--no-cache"], cwd=project, capture_output=True, text=True)
    # Some lines end with a remark in parentheses.
    verdicts = re.findall(r"^(.*) (KEPT|BROKEN)(?: \(.*\))?$", report.stdout, re.MULTILINE)
    broken = {name for name, verdict in verdicts if verdict == "BROKEN"}
    kept = {name for name, verdict in verdicts if verdict == "KEPT"}
    assert kept | broken == CONTRACTS, report.stdout + report.stderr
    assert report.returncode == bool(broken)
    return broken


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the packages and of their contracts, to be spoilt."""
    for package in ("lrnn_theory", "constructions"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_are_kept(project: Path) -> None:
    assert broken_contracts(project) == set()


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("lrnn_theory/automaton.py", "from constructions import compile_dfa", ENGINE),
        ("lrnn_theory/lrnn/layer.py", "import lrnn_theory.automaton", MODULES),
        ("lrnn_theory/dot.py", "import lrnn_theory.automaton", MODULES),
        ("lrnn_theory/cyclotomic.py", "import lrnn_theory.scanning", MODULES),
        ("lrnn_theory/scanning/__init__.py", "import lrnn_theory.verification", MODULES),
        ("lrnn_theory/unlisted.py", "", MODULES),
        ("lrnn_theory/cascade.py", "from lrnn_theory import verify", FRONT),
        ("lrnn_theory/cascade.py", "import lrnn_theory.lrnn", AUTOMATA),
        ("constructions/parity.py", "import constructions.cyclic", SIBLINGS),
        ("constructions/dense.py", "from constructions import compile_dfa", SIBLINGS),
        ("constructions/permutation.py", "def lazily(): import constructions.cyclic", SIBLINGS),
        ("constructions/unlisted.py", "", SIBLINGS),
        ("lrnn_theory/automaton.py", "def lazily(): import torch", TORCH),
        ("lrnn_theory/cascade.py", "import torch", TORCH),
        ("lrnn_theory/scanning/rounding.py", "import numba", NUMBA),
        ("lrnn_theory/packing.py", "import triton", TRITON),
        ("lrnn_theory/dispatch.py", "import fla", FLA),
        ("lrnn_theory/dispatch.py", "import onnx", EXTRAS),
        ("lrnn_theory/regex.py", "from automata.fa.nfa import NFA", READERS),
    ],
)
def test_contract_can_be_broken(project: Path, module: str, line: str, contract: str) -> None:
    with (project / module).open("a") as file:
        file.write(f"\n{line}\n")
    assert contract in broken_contracts(project)


def imported_packages(source: str) -> Iterator[str]:
    """Top-level names of all imports of a source; a relative import yields the empty string."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "" if node.level else (node.module or "").partition(".")[0]


def test_imported_packages_sees_every_form() -> None:
    source = "import a.b, c\nfrom d.e import f\nfrom . import g\ndef h():\n    import i as j"
    assert set(imported_packages(source)) == {"a", "c", "d", "", "i"}


@pytest.mark.parametrize("path", sorted(CHECKER.parent.glob("checker*.py")))
def test_checker_imports_the_standard_library_only(path: Path) -> None:
    assert set(imported_packages(path.read_text())) <= sys.stdlib_module_names


def test_checker_runs_alone(tmp_path: Path) -> None:
    alone = shutil.copy(CHECKER, tmp_path)
    command = [sys.executable, "-I", "-S", alone, "--help"]
    help_text = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "certificate" in help_text.stdout


def import_cost(module: str) -> tuple[float, set[str]]:
    """Processor seconds that an import takes in a fresh interpreter, and the packages it loads."""
    program = (
        "import json, sys, time; start = time.process_time(); "
        f"import {module}; "
        "print(json.dumps([time.process_time() - start, list(sys.modules)]))"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, modules = json.loads(run.stdout)
    return seconds, {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    "module",
    [
        "lrnn_theory",
        "lrnn_theory.cascade",
        "lrnn_theory.lrnn",
        "constructions",
        "constructions.cli",
    ],
)
def test_import_loads_no_heavy_package(module: str) -> None:
    _, packages = import_cost(module)
    assert module.partition(".")[0] in packages
    assert not packages & HEAVY


@pytest.mark.parametrize("module", ["lrnn_theory", "constructions"])
def test_import_takes_less_than_300_ms(module: str) -> None:
    assert min(import_cost(module)[0] for _ in range(3)) < 0.3
