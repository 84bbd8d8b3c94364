"""``openapi.yaml`` as plain data, and which clauses its operations and schemas name."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from ringback.resources import openapi_path

__all__ = ["clause_ids_in_description", "load_description"]


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
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with openapi_path().open(encoding="utf-8") as file:
        document: dict[str, Any] = yaml.load(file, Loader=loader)  # noqa: S506 - both are safe loaders
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
