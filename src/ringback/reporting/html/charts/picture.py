"""A picture of the page: drawn wide for screens and paper and narrow for telephones, with a legend and a table.

The style sheet shows one of the two drawings, so text stays legible in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.reporting.html.charts.sheet import Sheet

__all__ = ["NARROW", "WIDE", "Key", "Picture", "Table", "is_narrow", "make_picture"]

WIDE: Final = 1120
NARROW: Final = 350
"""Widths in pixels."""


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend: a shape that the templates know, such as `dash` or `hatch`, in the colour of a role."""

    shape: str
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a picture, as text; all but the first `labels` columns are aligned to the right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    left_out: str = ""
    """What the table does not show, in a sentence; empty if it shows all."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: two `svg` elements, and what is shown around them."""

    key: str
    title: str
    caption: str
    wide: str
    narrow: str
    legend: tuple[Key, ...]
    table: Table


def make_picture(
    draw: Callable[[int], Sheet],
    *,
    key: str,
    title: str,
    caption: str,
    legend: Sequence[Key],
    table: Table,
) -> Picture:
    """The picture that `draw` makes at a given width in pixels."""
    wide = draw(WIDE).svg(f"{key}-w", title, caption)
    narrow = draw(NARROW).svg(f"{key}-n", title, caption)
    return Picture(key, title, caption, wide, narrow, tuple(legend), table)


def is_narrow(width: int) -> bool:
    """Whether a picture of this width is the one for telephones."""
    return width < (WIDE + NARROW) / 2
