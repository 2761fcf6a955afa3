"""The site: every Markdown page of the repository, in place, so that links work on GitHub too."""

import re
import sys
from pathlib import Path

from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "_extensions")]

project = "lrnn-theory"
author = "the lrnn-theory developers"
project_copyright = "the lrnn-theory developers, Apache-2.0"

extensions = [
    "mathml",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_proof",
    "sphinxcontrib.bibtex",
]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/*", "docs/**"]
exclude_patterns = ["docs/_*", "build", "out", ".*"]
nitpicky = True
numfig = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of other libraries, and internal ones

# Pages: a false assertion in a cell, an unknown reference or a broken link fails the build.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
KernelManager.transport_encryption.default_value = "auto"  # else each kernel warns
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "label"
STATEMENTS = "axiom conjecture corollary definition example lemma proposition remark"
prf_realtyp_to_countertyp = dict.fromkeys(STATEMENTS.split(), "theorem")

autodoc_default_options = {"members": True}
default_role = "code"  # in docstrings
napoleon_use_ivar = True
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "lrnn-theory"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_extra_path = ["_extra"]


def _escape_bars(_app, _what, _name, _object, _options, lines):
    """In a docstring |Q| is a number of states, and no substitution of reST."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[i] = re.sub(r"(?<![`\\])\|(?=\S)", r"\|", line)


def setup(app):
    """Register what the extensions above leave to do."""
    app.connect("autodoc-process-docstring", _escape_bars)
