"""``openapi.yaml`` as Python sees it: the document, its schemas as validators, and the clauses in it.

Which file that is, is :mod:`ringback.resources`' business; what a failed validation means for a
deployment is for the clauses' tests to say.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from ringback.resources import openapi_path

__all__ = [
    "ENDPOINTS",
    "Operation",
    "clause_ids_in_description",
    "load_description",
    "request_validator",
    "response_validator",
]

Operation = Literal["trigger", "poll"]

ENDPOINTS: dict[Operation, str] = {"trigger": "/v2/call", "poll": "/v2/callresult"}
"""The path that each operation is POSTed to."""

_URI = "urn:ringback:openapi"
_JSON = "application~1json"


def load_description() -> dict[str, Any]:
    """Return ``openapi.yaml`` as plain data, a copy for the caller to keep.

    Raises :class:`ringback.resources.ResourceMissing` if the installation lacks the file.
    """
    return copy.deepcopy(_parsed())


def request_validator(operation: Operation) -> Draft202012Validator:
    """Return a validator of the JSON body that a client should send.

    It is a client's guide more than a deployment's duty: a body that it rejects need not be refused
    unless a clause says so, and formats (``uri``, ``email``) are not checked.
    """
    return _validator(load_description(), f"{_operation(operation)}/requestBody/content/{_JSON}/schema")


def response_validator(operation: Operation, *, pending_states: Iterable[str] = ()) -> Draft202012Validator:
    """Return a validator of the JSON body that comes with status 200.

    ``pending_states`` are the words that the deployment has declared for a call in progress; they are
    valid call states besides the documented ones and the empty string.
    """
    description = load_description()
    if declared := sorted(pending_states):
        description["components"]["schemas"]["CallState"]["anyOf"].append({"enum": declared})
    return _validator(description, f"{_operation(operation)}/responses/200/content/{_JSON}/schema")


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


def _operation(operation: Operation) -> str:
    return f"/paths/{ENDPOINTS[operation].replace('/', '~1')}/post"


def _validator(description: dict[str, Any], pointer: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resource(_URI, DRAFT202012.create_resource(description))
    return Draft202012Validator({"$ref": f"{_URI}#{pointer}"}, registry=registry)


def _marked(node: object, pointer: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(node, dict):
        if "x-clauses" in node:
            yield pointer, node["x-clauses"]
        for key, value in node.items():
            yield from _marked(value, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _marked(value, f"{pointer}/{index}")
