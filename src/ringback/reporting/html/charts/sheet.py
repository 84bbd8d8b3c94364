"""A sheet to draw on, in CSS pixels from its upper left corner, written as an `svg` element for an HTML page.

Shapes have classes instead of colours, and no style attributes: the page's security policy forbids those, and its style
sheet has the colours. `xml.etree` writes the elements and escapes their texts. A chart library such as matplotlib
(170 MB installed, half a second to import) writes colours and styles that would have to be taken out again.
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

__all__ = ["DASHED", "DOTTED", "FONT_SIZE", "ColorRole", "Point", "Sheet", "px"]

Point = tuple[float, float]

FONT_SIZE: Final = 12.5
DASHED: Final = "5 4"
DOTTED: Final = "2 3"
_HATCH_STEP = 8


class ColorRole(StrEnum):
    """A role; the style sheet has the classes `f-ROLE` (fill) and `s-ROLE` (stroke) for it."""

    INK = "ink"
    SOFT = "soft"
    RULE = "rule"
    PAPER = "paper"
    ACCENT = "accent"
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    SERVICE = "service"
    SHADE = "shade"
    HATCH = "hatch"
    DUE = "due"
    FINAL = "final"
    WAIT = "wait"


class Sheet:
    """A picture of a fixed size; shapes that are added later lie above earlier ones."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._root = ET.Element("svg")
        self._hatched: list[ET.Element] = []

    def line(self, points: Iterable[Point | None], role: ColorRole, *, width: float = 1.75, dashes: str = "") -> None:
        """A line through points; None interrupts it."""
        found = _path(points)
        if found:
            line = self._add("path", {"class": f"s-{role}", "d": found, "fill": "none", "stroke-width": px(width)})
            if dashes:
                line.set("stroke-dasharray", dashes)

    def area(self, points: Iterable[Point], role: ColorRole, *, opacity: float = 1) -> None:
        """A closed area."""
        self.outline(f"{_path(points)}Z", role, opacity=opacity)

    def outline(self, path: str, role: ColorRole, *, opacity: float = 1) -> None:
        """A closed area by its SVG path."""
        area = self._add("path", {"class": f"f-{role}", "d": path})
        if opacity < 1:
            area.set("fill-opacity", f"{opacity:g}")

    def rectangle(self, x: float, y: float, width: float, height: float, role: ColorRole) -> None:
        """A filled rectangle."""
        self._add("rect", {"class": f"f-{role}", **_box(x, y, width, height)})

    def hatched(self, x: float, y: float, width: float, height: float) -> None:
        """A hatched rectangle."""
        self._hatched.append(self._add("rect", _box(x, y, width, height)))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        role: ColorRole = ColorRole.SOFT,
        *,
        anchor: str = "start",
        size: float = FONT_SIZE,
        bold: bool = False,
    ) -> None:
        """A line of text on the base line `y`; `anchor` says which of its points is at `x`: start, middle or end."""
        attributes = {"class": f"f-{role}", "x": px(x), "y": px(y), "font-size": px(size)}
        if anchor != "start":
            attributes["text-anchor"] = anchor
        if bold:
            attributes["font-weight"] = "600"
        self._add("text", attributes).text = text

    def marker(self, shape: str, at: Point, size: float, role: ColorRole, *, title: str = "") -> None:
        """A `dot`, `ring`, `cross`, `diamond`, `square` or `triangle`, `size` pixels wide; `title` is its tooltip."""
        x, y = at
        half = size / 2
        if shape in {"dot", "ring"}:
            fill, stroke = (role, ColorRole.PAPER) if shape == "dot" else (ColorRole.PAPER, role)
            circle = {"class": f"f-{fill} s-{stroke}", "cx": px(x), "cy": px(y), "r": px(half)}
            marker = self._add("circle", {**circle, "stroke-width": "1" if shape == "dot" else "2"})
        elif shape == "cross":
            path = f"M{px(x - half)} {px(y - half)}l{px(size)} {px(size)}m0 {px(-size)}l{px(-size)} {px(size)}"
            self._add("path", {"class": f"s-{ColorRole.PAPER}", "d": path, "stroke-width": "5"})
            marker = self._add("path", {"class": f"s-{role}", "d": path, "stroke-width": "3"})
        else:
            corners = {
                "diamond": [(x, y - half), (x + half, y), (x, y + half), (x - half, y)],
                "square": [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)],
                "triangle": [(x, y - half), (x + half, y + half), (x - half, y + half)],
            }[shape]
            look = {"class": f"f-{role} s-{ColorRole.PAPER}", "stroke-width": "1"}
            marker = self._add("path", {**look, "d": f"{_path(corners)}Z"})
        if title:
            ET.SubElement(marker, "title").text = title

    def svg(self, key: str, title: str, description: str) -> str:
        """The `svg` element; `key` is unique on the page and begins every id."""
        attributes = {
            "viewBox": f"0 0 {self.width} {self.height}",
            "role": "img",
            "aria-labelledby": f"{key}-title {key}-desc",
        }
        root = ET.Element("svg", attributes)
        ET.SubElement(root, "title", {"id": f"{key}-title"}).text = title
        ET.SubElement(root, "desc", {"id": f"{key}-desc"}).text = description
        if self._hatched:
            root.append(_hatch(f"{key}-hatch"))
        for rectangle in self._hatched:
            rectangle.set("fill", f"url(#{key}-hatch)")
        root.extend(self._root)
        return ET.tostring(root, encoding="unicode")

    def _add(self, tag: str, attributes: dict[str, str]) -> ET.Element:
        return ET.SubElement(self._root, tag, attributes)


def px(value: float) -> str:
    """A coordinate to a tenth of a pixel."""
    rounded = f"{value:.1f}".removesuffix(".0")
    return "0" if rounded == "-0" else rounded


def _box(x: float, y: float, width: float, height: float) -> dict[str, str]:
    return {"x": px(x), "y": px(y), "width": px(width), "height": px(height)}


def _path(points: Iterable[Point | None]) -> str:
    """The SVG path through points, level and upright steps in their short forms; single points are left out."""
    pieces = [list(piece) for known, piece in itertools.groupby(points, key=lambda point: point is not None) if known]
    return "".join(_piece([point for point in piece if point is not None]) for piece in pieces)


def _piece(points: Sequence[Point]) -> str:
    first, *rest = [(px(x), px(y)) for x, y in points]
    x, y = first
    steps = []
    for next_x, next_y in rest:
        if (next_x, next_y) != (x, y):
            steps.append(f"H{next_x}" if next_y == y else f"V{next_y}" if next_x == x else f"L{next_x} {next_y}")
        x, y = next_x, next_y
    return f"M{first[0]} {first[1]}{''.join(steps)}" if steps else ""


def _hatch(key: str) -> ET.Element:
    pattern = ET.Element(
        "pattern",
        {
            "id": key,
            "width": str(_HATCH_STEP),
            "height": str(_HATCH_STEP),
            "patternUnits": "userSpaceOnUse",
            "patternTransform": "rotate(45)",
        },
    )
    ET.SubElement(pattern, "path", {"class": f"s-{ColorRole.HATCH}", "d": f"M0 0V{_HATCH_STEP}", "stroke-width": "2"})
    return pattern
