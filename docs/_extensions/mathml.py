"""Mathematics as MathML, made when the site is built: pages need no script and no network.

The font is STIX Two Math (SIL Open Font License 1.1), out of the wheel of ziamath.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
CONVERTER = LatexToMathML(fancy_error=False)


def _mathml(self: HTML5Translator, node: nodes.Node, display: bool) -> str:
    try:
        return CONVERTER.convert_with_local_state(node.astext(), displaystyle=display)
    except LatexError as error:
        LOGGER.warning("no mathematics: %s: %s", node.astext(), error, location=node)
        return f"<code>{self.encode(node.astext())}</code>"


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(_mathml(self, node, display=False))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    identity = f' id="{node["ids"][0]}"' if node["ids"] else ""
    self.body.append(f'<div class="math"{identity}>{_mathml(self, node, display=True)}</div>')
    raise nodes.SkipNode


def _find_dollars(_app: Sphinx, doctree: nodes.document, _name: str) -> None:
    """A dollar that is left in the text was meant for mathematics: `$$` needs lines of its own."""
    for text in doctree.findall(nodes.Text):
        if "$" in text and not isinstance(text.parent, nodes.literal | nodes.literal_block):
            LOGGER.warning("no mathematics: %s", text.astext()[:60], location=text.parent)


def _copy_font(app: Sphinx, exception: Exception | None) -> None:
    if exception is None:
        font = files("ziamath.fonts") / "STIXTwoMath-Regular.ttf"
        target = Path(app.outdir, "_static", "STIXTwoMath-Regular.ttf")
        target.write_bytes(font.read_bytes())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("doctree-resolved", _find_dollars)
    app.connect("build-finished", _copy_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
