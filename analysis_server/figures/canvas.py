"""The paper to draw on: matplotlib without its global state, and how every figure looks and is saved.

No window system, no pyplot, and nothing of the user's own matplotlib settings: what matplotlib keeps (its list of
fonts) lies in Faderwise's folder, unless `MPLCONFIGDIR` says otherwise.
"""

from __future__ import annotations

import logging
import os
import warnings
from functools import lru_cache
from pathlib import Path

from analysis_server.home import home
from core.files import replacing

os.environ.setdefault("MPLCONFIGDIR", str(home() / "cache" / "matplotlib"))
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns while it lists the fonts for the first time

from matplotlib import font_manager  # noqa: E402 - reads MPLCONFIGDIR when it is imported
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

TRUTH, PREDICTION, QUIET = "#000000", "#d62728", "#666666"
_DPI = 150
_SIZE = 9.0
_OTHER_SCRIPTS = ("Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "Arial Unicode MS", "Unifont")
_LONGEST_TITLE = 70


def sheet(title: str, width_in: float, height_in: float) -> Figure:
    """Return an empty figure of that size in inches, with its title."""
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout="constrained", facecolor="white")
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in title).split())
    shown = shown if len(shown) <= _LONGEST_TITLE else f"{shown[: _LONGEST_TITLE - 1]}…"
    figure.suptitle(shown, fontsize=_SIZE + 2, fontfamily=list(_families()), parse_math=False)
    return figure


def dress(axes: Axes, *, x_label: str, y_label: str, title: str = "") -> None:
    """Give a panel its labels, a quiet grid and no box."""
    axes.set_xlabel(x_label, fontsize=_SIZE)
    axes.set_ylabel(y_label, fontsize=_SIZE)
    if title:
        axes.set_title(title, fontsize=_SIZE + 0.5, loc="left", fontfamily=list(_families()), parse_math=False)
    axes.tick_params(labelsize=_SIZE - 1)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Name the lines of `axes` once, below the figure's panels."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=_SIZE)


def save(figure: Figure, beginning: Path) -> list[Path]:
    """Write `figure` as PNG and PDF, names beginning with `beginning`, and return their paths.

    The same figure gives the same bytes.
    """
    png, pdf = (beginning.with_name(f"{beginning.name}{suffix}") for suffix in (".png", ".pdf"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)  # a title no font here can write
        with replacing(png) as temporary:
            figure.savefig(temporary, format="png", backend="agg")
        with replacing(pdf) as temporary:
            figure.savefig(temporary, format="pdf", backend="pdf", metadata={"CreationDate": None})
    return [png, pdf]


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    """Return the fonts to look for a title's letters in."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(family for family in _OTHER_SCRIPTS if family in known))
