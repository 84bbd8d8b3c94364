"""What all pictures share: a figure measured in CSS pixels, plain axes, a legend and a table beside each.

Every picture is drawn twice, wide for screens and paper and narrow for telephones, so that its text stays legible; the
style sheet shows one of the two.
"""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ringback.reporting.html.charts.color_role import Ink
from ringback.reporting.html.charts.svg import picture_svg

__all__ = [
    "NARROW",
    "WIDE",
    "Key",
    "Picture",
    "Sheet",
    "Table",
    "drawn",
    "latency_axis",
    "plain",
    "time_axis",
    "upward",
]

WIDE: Final = 1120
NARROW: Final = 350
_FONT: Final = 12.5
_STEEP: Final = 25.0
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ringback",
    "text.parse_math": False,
    "text.usetex": False,
    "text.color": Ink.SOFT,
    "font.family": "DejaVu Sans",
    "font.size": _FONT,
    "axes.edgecolor": Ink.RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": Ink.SOFT,
    "axes.titlecolor": Ink.INK,
    "axes.titlesize": _FONT,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "figure.facecolor": "none",
    "grid.color": Ink.RULE,
    "grid.linewidth": 1.0,
    "hatch.linewidth": 1.0,
    "lines.linewidth": 1.75,
    "lines.solid_joinstyle": "round",
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "patch.linewidth": 0.0,
    "xtick.color": Ink.RULE,
    "xtick.labelcolor": Ink.SOFT,
    "xtick.labelsize": _FONT - 0.5,
    "xtick.major.size": 4.0,
    "ytick.color": Ink.RULE,
    "ytick.labelcolor": Ink.SOFT,
    "ytick.labelsize": _FONT - 0.5,
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
}


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend: a shape that the templates know, such as `dash` or `hatch`, in the ink of a role."""

    shape: str
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a picture, as text; numbers stand to the right, but for the first `labels` columns."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    left_out: str = ""
    """What the table does not show, in a sentence; empty if it shows all."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: two `svg` elements, and what stands around them."""

    key: str
    title: str
    caption: str
    wide: str
    narrow: str
    legend: tuple[Key, ...]
    table: Table


class Sheet:
    """A figure measured in CSS pixels from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.narrow = width < (WIDE + NARROW) / 2
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)

    def axes(self, left: float, top: float, width: float, height: float, share: Axes | None = None) -> Axes:
        """Axes whose frame has this place and size."""
        frame = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(frame, sharex=share)

    def canvas(self) -> Axes:
        """Axes without any line, over the whole sheet, whose units are pixels from the upper left corner."""
        axes = self.axes(0, 0, self.width, self.height)
        axes.set_axis_off()
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        return axes


def drawn(
    draw: Callable[[int], Sheet],
    *,
    key: str,
    title: str,
    caption: str,
    legend: Sequence[Key],
    table: Table,
) -> Picture:
    """The picture that `draw`, given a width in pixels, puts on a sheet."""
    with _drawing():
        wide = picture_svg(draw(WIDE).figure, f"{key}-w", title, caption)
        narrow = picture_svg(draw(NARROW).figure, f"{key}-n", title, caption)
    return Picture(key, title, caption, wide, narrow, tuple(legend), table)


@contextlib.contextmanager
def _drawing() -> Iterator[None]:
    """Our settings, whatever the user's are; and no word about fonts, which the reader's browser chooses."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


# -- axes ---------------------------------------------------------------------------------------------------------


def plain(value: float, _position: Any = None) -> str:
    """A number as people write it: 0.5, 20, 1,500."""
    if value == 0 or not math.isfinite(value):
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if abs(value) < 100 else 0
    told = f"{value:,.{min(digits, 6)}f}"
    return told.rstrip("0").rstrip(".") if "." in told else told


def upward(axes: Axes, highest: float, *, ticks: int = 4, whole: bool = False) -> None:
    """A linear upright axis from 0, so that heights compare as the numbers do."""
    axes.set_ylim(0, highest * 1.08 if highest > 0 else 1)
    axes.yaxis.set_major_locator(MaxNLocator(ticks, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    axes.grid(visible=True, axis="y")
    axes.spines["left"].set_visible(False)


def latency_axis(axes: Axes, values: Iterable[float], usual: float | None = None) -> bool:
    """An upright axis for latencies: linear from 0, but logarithmic where it would show only the largest.

    That is where the largest is 25 times the usual one (the smallest, if none is given). Returns whether it is so.
    """
    known = [value for value in values if value > 0]
    steep = bool(known) and max(known) > _STEEP * (usual or min(known))
    if steep:
        _log_axis(axes, min(known), max(known))
    else:
        upward(axes, max(known, default=0))
    return steep


def _log_axis(axes: Axes, lowest: float, highest: float) -> None:
    low = 10 ** math.floor(math.log10(lowest))
    axes.set_yscale("log")
    axes.set_ylim(low if lowest < 3 * low else 3 * low, highest * 1.3)
    axes.yaxis.set_major_locator(LogLocator(10, numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, axis="y", which="major")
    axes.spines["left"].set_visible(False)


def time_axis(axes: Axes, from_s: float, to_s: float, *, ticks: int, labels: bool = True) -> str:
    """A level axis of time since the run began, in a unit that suits its length; returns the axis's label."""
    axes.set_xlim(from_s, to_s if to_s > from_s else from_s + 1)
    length = to_s - from_s
    unit, label = (1, "seconds since the start")
    if length > 7_200:
        unit, label = 3_600, "hours since the start"
    elif length > 300:
        unit, label = 60, "minutes since the start"
    locator = MaxNLocator(ticks, steps=[1, 2, 3, 5, 6, 10] if unit > 1 else [1, 2, 5, 10])
    axes.set_xticks(
        [at * unit for at in locator.tick_values(from_s / unit, to_s / unit) if from_s <= at * unit <= to_s]
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: plain(round(at / unit, 6))))
    axes.tick_params(axis="x", labelbottom=labels, length=4 if labels else 0)
    return label
