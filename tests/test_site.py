"""The site: a proof with a false step is no page of it."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROOFS = sorted(set((ROOT / "docs/proofs").glob("*.md")) - {ROOT / "docs/proofs/index.md"})
PAGE = """---
file_format: mystnb
kernelspec:
  name: python3
---
# A page

:::{prf:theorem} Small numbers
Two and two are four.
:::

```{code-cell}
assert 2 + 2 == RESULT
```
"""

needs_docs = pytest.mark.skipif(
    importlib.util.find_spec("myst_nb") is None, reason="needs the extra 'docs'"
)


def build(folder, page):
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=lambda _, names: [
        name for name in names if name.endswith(".md") or name == "proofs"
    ])  # fmt: skip
    (folder / "docs" / "index.md").write_text(page, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "-c", folder / "docs"]
    return subprocess.run(
        [*command, folder, folder / "site"], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@needs_docs
def test_a_true_page_is_built(tmp_path):
    done = build(tmp_path, PAGE.replace("RESULT", "4"))
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "site" / "docs" / "index.html").read_text(encoding="utf-8")
    assert "Two and two are four." in html
    assert not re.search(r"(src|<link[^>]*href)=\"?https?:", html)  # no network


@pytest.mark.slow
@needs_docs
@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        (PAGE.replace("RESULT", "5"), "AssertionError"),
        (PAGE.replace("RESULT", "4") + "\n[gone](gone.md)\n", "gone.md"),
        (PAGE.replace("RESULT", "4") + "\n$\\frac{1}$\n", "no mathematics"),
        (PAGE.replace("RESULT", "4") + "\nA formula\n$$x$$\nhere.\n", "no mathematics"),
        (PAGE.replace("RESULT", "4") + "\n{prf:ref}`unknown`\n", "unknown"),
    ],
    ids=["false step", "broken link", "no mathematics", "a dollar", "unknown theorem"],
)
def test_a_false_page_is_refused(tmp_path, page, complaint):
    done = build(tmp_path, page)
    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.mark.parametrize("page", PROOFS, ids=lambda page: page.stem)
def test_a_page_of_proofs_checks_its_steps(page):
    text = page.read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert "{prf:theorem}" in text or "{prf:proposition}" in text
    assert "{prf:proof}" in text
    assert sum(cell.count("assert ") for cell in cells) > 2
    for cell in cells:
        compile(cell, page.name, "exec")


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    assert f"\nversion: {version}\n" in citation
