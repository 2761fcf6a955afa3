"""The one style of all pictures, and the type of a picture."""

from __future__ import annotations

import html
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrnn_theory.textfile import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito, which colour-blind people can tell apart."""

INK = "#262626"
"""The colour of text and axes; on a page it becomes the colour of the page's text."""

DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vPX*"
SUFFIXES = ("svg", "pdf", "png")

_STYLE = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.dpi": 150,
    "font.size": 9,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "svg.hashsalt": "lrnn-theory",  # fixed names of elements: the same data give the same file
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_NO_DATE = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}, "png": {}}


@dataclass(frozen=True)
class Picture:
    """A picture, drawn anew whenever it is rendered.

    Attributes:
        title: what it shows, in one line.
        draw: the content of a file, given "svg", "pdf" or "png".

    Example:
        >>> from lrnn_theory.plots import plot_spectrum
        >>> from constructions import compile_dfa
        >>> picture = plot_spectrum(compile_dfa("(0|10*1)*"))
        >>> picture.title
        'Eigenvalues on the unit disc: parity'
        >>> picture.render("svg") == picture.render("svg")
        True
    """

    title: str
    draw: Callable[[str], bytes] = field(repr=False)

    def render(self, suffix: str = "svg") -> bytes:
        """The content of a file of this kind.

        Raises:
            ValueError: if it is none of svg, pdf and png, or a program that draws is missing.
        """
        if suffix not in SUFFIXES:
            raise ValueError(f"Argument 'suffix' must be svg, pdf or png, not {suffix!r}.")
        return self.draw(suffix)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .svg, .pdf or .png file.

        Raises:
            ValueError: if the suffix is another, or the file cannot be written.
        """
        write_atomically(path, self.render(file_suffix(path)))

    def inline(self, prefix: str) -> str:
        """An `<svg>` element for an HTML page.

        Text takes the colour of the page's text, and what is white that of its CSS variable
        `--panel`, so that it reads on light and on dark; ids of elements begin with `prefix` and
        a dash, so that a page may have several pictures.
        """
        text = self.render("svg").decode()
        text = text[text.index("<svg") :]
        text = re.sub(
            r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.S
        )
        text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
        text = re.sub(f"{INK}|#000000", "currentColor", text, flags=re.I)
        text = re.sub("#ffffff", "var(--panel, #ffffff)", text, flags=re.I)
        label = html.escape(self.title, quote=True)
        # What has no colour of its own is black otherwise.
        start = f'<svg role="img" aria-label="{label}" fill="currentColor"'
        return text.replace("<svg", start, 1).strip()

    def _repr_svg_(self) -> str:
        """For notebooks."""
        return self.render("svg").decode()


def picture(title: str, size: tuple[float, float], paint: Callable[[Figure], Any]) -> Picture:
    """A picture by matplotlib.

    Args:
        title: what it shows.
        size: inches.
        paint: puts it on an empty figure.
    """

    def draw(suffix: str) -> bytes:
        from matplotlib import style
        from matplotlib.figure import Figure

        content = BytesIO()
        with style.context(_STYLE, after_reset=True), warnings.catch_warnings():
            # A letter that the font lacks is a box.
            warnings.filterwarnings("ignore", r"Glyph .* missing from font")
            figure = Figure(figsize=size, layout="constrained")
            paint(figure)
            paper = "white" if suffix == "png" else "none"
            figure.savefig(content, format=suffix, metadata=_NO_DATE[suffix], facecolor=paper)
        return content.getvalue()

    return Picture(title, draw)


def file_suffix(path: str | os.PathLike[str]) -> str:
    """The kind of picture that a file name asks for.

    Raises:
        ValueError: if it ends in none of .svg, .pdf and .png.
    """
    suffix = Path(path).suffix[1:]
    if suffix not in SUFFIXES:
        raise ValueError(f"A picture must end in .svg, .pdf or .png, not '{path}'.")
    return suffix


def colour(i: int) -> str:
    """The i-th colour, round and round."""
    return COLOURS[i % len(COLOURS)]


def count(n: int, unit: str) -> str:
    """A number with its unit, in the plural if need be."""
    return f"{n} {unit}" + "s" * (n != 1)


def letter_text(letter: str) -> str:
    """A letter as a picture shows it: a space is seen, and what cannot be printed is spelt out."""
    if letter == " ":
        return "␣"
    return letter if letter.isprintable() else repr(letter)[1:-1]
