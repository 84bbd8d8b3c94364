"""XML read into the values that JSON has: a deployment may send results in it."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

__all__ = ["read_xml"]

_DEEPEST = 50


class _Unreadable(Exception):
    """A declaration that would make the text grow, or elements nested too deeply."""


def read_xml(text: str) -> Any:
    """The root element: its text, or an object with its attributes and child elements; None if it can't be read.

    Children of the same name become an array. Entities that the text declares are not expanded.
    """
    root: dict[str, Any] = {}
    open_elements: list[tuple[dict[str, Any], list[str]]] = [(root, [])]

    def begin(_name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > _DEEPEST:
            raise _Unreadable
        open_elements.append((dict(attributes), []))

    def end(name: str) -> None:
        members, pieces = open_elements.pop()
        text = "".join(pieces).strip()
        value: Any = members or text
        outer = open_elements[-1][0]
        if name not in outer:
            outer[name] = value
        elif isinstance(outer[name], list):
            outer[name].append(value)
        else:
            outer[name] = [outer[name], value]

    def add(piece: str) -> None:
        open_elements[-1][1].append(piece)

    def refuse(*_: object) -> None:
        raise _Unreadable

    parser = expat.ParserCreate("utf-8")  # whatever the text declares: it was decoded before
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = add
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except (expat.ExpatError, _Unreadable):
        return None
    return root
