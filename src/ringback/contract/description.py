"""``openapi.yaml`` as plain data, and where its operations and schemas name the clauses."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from ringback.resources import openapi_path

__all__ = ["clause_ids_in_description", "clause_lines", "description_text", "load_description"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_description() -> dict[str, Any]:
    """Return ``openapi.yaml`` as plain data, a copy for the caller to keep.

    Raises :class:`ringback.resources.ResourceMissing` if the installation lacks the file.
    """
    return copy.deepcopy(_parsed())


def clause_ids_in_description() -> dict[str, list[str]]:
    """Return, for each clause id, the JSON Pointers (RFC 6901) of the objects whose ``x-clauses`` name it.

    Both ids and pointers come in the order of the document.
    """
    places: dict[str, list[str]] = {}
    for pointer, ids in _marked(_parsed(), ""):
        for clause_id in ids:
            places.setdefault(clause_id, []).append(pointer)
    return places


@cache
def _parsed() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(description_text(), Loader=_LOADER)  # noqa: S506 - both are safe loaders
    return document


def _marked(node: object, pointer: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(node, dict):
        if "x-clauses" in node:
            yield pointer, node["x-clauses"]
        for key, value in node.items():
            yield from _marked(value, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _marked(value, f"{pointer}/{index}")


@cache
def clause_lines() -> dict[str, int]:
    """Return, for each clause id, the first line (from 1) of ``openapi.yaml`` on which an ``x-clauses`` names it.

    Raises :class:`ringback.resources.ResourceMissing` if the installation lacks the file.
    """
    root = yaml.compose(description_text(), Loader=_LOADER)
    lines: dict[str, int] = {}
    for clause_id, line in _named(root):
        lines[clause_id] = min(line, lines.get(clause_id, line))
    return lines


def description_text() -> str:
    """Return ``openapi.yaml`` as it stands; raises as :func:`clause_lines` does."""
    return openapi_path().read_text(encoding="utf-8")


def _named(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "x-clauses" and isinstance(value, yaml.SequenceNode):
                yield from ((entry.value, entry.start_mark.line + 1) for entry in value.value)
            else:
                yield from _named(value)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _named(entry)
