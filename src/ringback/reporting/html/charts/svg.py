"""From matplotlib's SVG to one that can stand in a page: no style attribute, no id but unique ones, colours by class.

The page's content security policy forbids style attributes, so what matplotlib writes into them becomes presentation
attributes; colours become classes such as `f-p99` (fill) and `s-p99` (stroke).
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from matplotlib.figure import Figure

from ringback.reporting.html.charts.color_role import ROLES

__all__ = ["picture_svg"]

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_BLANKS = re.compile(r"\s+")
_STEP = re.compile(r"[A-Za-z][^A-Za-z]*")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NO_TURN = re.compile(r"\s*rotate\(-?0(?:\.0+)? [^)]*\)")
_DROPPED = {"font-family", "stroke-linejoin", "stroke-linecap", "font"}
_IDLE = {"stroke-miterlimit": "100000", "opacity": "1", "fill-opacity": "1", "stroke-opacity": "1"}
_COORDINATES = ("d", "x", "y", "width", "height", "transform", "points")


def picture_svg(figure: Figure, key: str, title: str, description: str) -> str:
    """The figure as an `svg` element for an HTML page; `key` is unique on the page and begins every id."""
    raw = io.StringIO()
    figure.savefig(raw, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    whole = ET.fromstring(raw.getvalue())  # noqa: S314 - written by matplotlib a moment ago
    _strip_namespaces(whole)
    for outer in list(whole.iter()):
        for inner in [child for child in outer if child.tag in {"metadata", "style"}]:
            outer.remove(inner)
    used = set(_references(whole))
    for element in whole.iter():
        _rewrite(element, key, used)
    root = _flattened(whole)
    root.attrib = {"viewBox": whole.get("viewBox", ""), "role": "img", "aria-labelledby": f"{key}-title {key}-desc"}
    told = [ET.Element("title", {"id": f"{key}-title"}), ET.Element("desc", {"id": f"{key}-desc"})]
    told[0].text, told[1].text = title, description
    root[:0] = told
    return ET.tostring(root, encoding="unicode")


def _strip_namespaces(root: ET.Element) -> None:
    """An HTML parser knows by itself that what stands in an `svg` element is SVG."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if "}" in name]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))


def _references(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "href":
                yield value.removeprefix("#")
            yield from _REFERENCE.findall(value)


def _rewrite(element: ET.Element, key: str, used: set[str]) -> None:
    element.tail = None
    if element.text is not None and not element.text.strip():
        element.text = None
    for name, value in _styles(element.attrib.pop("style", "")):
        _set(element, name, value)
    if element.attrib.get("id") not in used:
        element.attrib.pop("id", None)
    for name, value in list(element.attrib.items()):
        if name == "id":
            element.set(name, f"{key}-{value}")
        elif name == "href":
            element.set(name, f"#{key}-{value.removeprefix('#')}")
        elif "url(#" in value:
            element.set(name, _REFERENCE.sub(rf"url(#{key}-\1)", value))
        elif name in _COORDINATES:
            _set_coordinates(element, name, value)


def _set_coordinates(element: ET.Element, name: str, value: str) -> None:
    value = _NO_TURN.sub("", value)
    value = _BLANKS.sub(" ", _NUMBER.sub(_rounded, value)).strip()
    if name == "d":
        value = _shortened(value)
    if value:
        element.set(name, value)
    else:
        del element.attrib[name]


def _shortened(path: str) -> str:
    """The same path in fewer characters: steps as level and upright lines, no blanks that separate nothing."""
    told: list[str] = []
    x = y = last = ""
    for command, *numbers in (step.split() for step in _STEP.findall(path)):
        if command == "L" and len(numbers) == 2 and last:
            if numbers == [x, y]:
                continue
            short = f"H{numbers[0]}" if numbers[1] == y else f"V{numbers[1]}" if numbers[0] == x else ""
            told.append(short or f"L{' '.join(numbers)}")
        else:
            told.append(command + " ".join(numbers))
        x, y, last = (*numbers[-2:], command) if len(numbers) > 1 else ("", "", "")
    return "".join(told)


def _rounded(number: re.Match[str]) -> str:
    told = f"{float(number[0]):.1f}".removesuffix(".0")
    return "0" if told == "-0" else told


def _styles(text: str) -> Iterator[tuple[str, str]]:
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        if value:
            yield name.strip(), value.strip()


def _set(element: ET.Element, name: str, value: str) -> None:
    if name == "font":  # "10px 'DejaVu Sans', ...": what counts of it is the size, and the weight before it
        size = next((word for word in value.split() if word.endswith("px")), None)
        if size is not None:
            element.set("font-size", size.removesuffix("px"))
        if value.split(maxsplit=1)[0] in {"bold", "600", "700"}:
            element.set("font-weight", "600")
    elif name == "font-size":
        element.set(name, value.removesuffix("px"))
    elif name in _DROPPED or _IDLE.get(name) == value:
        pass
    elif value in ROLES:
        classes = element.get("class", "").split()
        element.set("class", " ".join([*classes, f"{name[0]}-{ROLES[value]}"]))
    else:
        element.set(name, value)


def _flattened(element: ET.Element) -> ET.Element:
    """The tree without groups that group nothing: those without an attribute."""
    copy = ET.Element(element.tag, element.attrib)
    copy.text = element.text
    for child in element:
        inner = _flattened(child)
        if inner.tag == "g" and not inner.attrib:
            copy.extend(list(inner))
        elif inner.tag == "defs" and len(inner) == 0:
            continue
        else:
            copy.append(inner)
    return copy
