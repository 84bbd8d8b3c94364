"""The defects of a trigger's or a poll's body, each with the clause that forbids it.

This reads the bytes that are sent, however they were generated. A body with a defect must not be accepted; one without
a defect may still be refused.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from ringback.suite.probes.drafts import REQUIRED, REQUIRED_TEXTS

__all__ = ["Defect", "defects_of_poll", "defects_of_trigger"]


@dataclass(frozen=True, order=True, slots=True)
class Defect:
    """One thing that is wrong with a body."""

    clause: str
    what: str
    """Readable: "Project is a number"."""


def defects_of_trigger(body: bytes, *, project: str, tokens: Collection[str]) -> frozenset[Defect]:
    """All defects of a trigger for this project.

    `tokens` are all that have been in force: an earlier one is replaced when the trigger is sent.
    """
    parsed, value = _parsed(body)
    if not parsed:
        return frozenset({Defect("REQ-14", "the body is not JSON")})
    if not isinstance(value, dict):
        return frozenset({Defect("REQ-14", f"the body is {_kind(value)}")})
    return frozenset([*_required(value), *_inputs(value), *_optional(value), *_credentials(value, project, tokens)])


def defects_of_poll(body: bytes) -> frozenset[Defect]:
    """All defects of a poll. An empty object for an empty list is none: PHP's usual reader takes them for the same."""
    parsed, value = _parsed(body)
    if not parsed:
        return frozenset({Defect("RES-08", "the body is not JSON")})
    if not isinstance(value, dict):
        return frozenset({Defect("RES-08", f"the body is {_kind(value)}")})
    if "UniqueIds" not in value:
        return frozenset({Defect("RES-08", "UniqueIds is left out")})
    ids = value["UniqueIds"]
    if not isinstance(ids, list) and ids != {}:
        return frozenset({Defect("RES-08", f"UniqueIds is {_kind(ids)}")})
    return frozenset(
        Defect("RES-08", f"{_kind(one)} is among UniqueIds") for one in ids if not isinstance(one, str)
    )  # fmt: skip


def _parsed(body: bytes) -> tuple[bool, Any]:
    """Whether a lenient reader finds a JSON value at the beginning, and the value.

    The contract leaves open a byte-order mark before it, text behind it, and bytes that are not UTF-8.
    """
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").lstrip(" \t\r\n")
    try:
        value, _end = _LENIENT.raw_decode(text)
    except (ValueError, RecursionError):
        return False, None
    return True, value


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_LENIENT = json.JSONDecoder(parse_constant=_no_json)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return kinds[type(value)]


def _required(body: dict[str, Any]) -> Iterator[Defect]:
    for name in REQUIRED:
        if name not in body:
            yield Defect("REQ-10", f"{name} is left out")
        elif body[name] is None:
            yield Defect("REQ-12", f"{name} is null")
    for name in REQUIRED_TEXTS:
        value = body.get(name)
        if value == "":
            yield Defect("REQ-12", f"{name} is empty")
        elif value is not None and not isinstance(value, str):
            yield Defect("REQ-13", f"{name} is {_kind(value)}")


def _inputs(body: dict[str, Any]) -> Iterator[Defect]:
    entries = body.get("ScenarioInputParameters")
    if entries is None:
        return
    if not isinstance(entries, list):
        yield Defect("REQ-13", f"ScenarioInputParameters is {_kind(entries)}")
        return
    names = [entry.get("Name") for entry in entries if isinstance(entry, dict)]
    for name in ("_DisplayNumber", "_Destination"):
        if name not in names:
            yield Defect("REQ-11", f"{name} is left out")
    for entry in entries:
        yield from _entry(entry)


def _entry(entry: object) -> Iterator[Defect]:
    if not isinstance(entry, dict):
        yield Defect("REQ-13", f"an input parameter is {_kind(entry)}")
        return
    required = entry.get("Name") in ("_DisplayNumber", "_Destination")
    for member in ("Name", "Value"):
        value = entry.get(member)
        if required and member == "Value" and value in (None, ""):
            what = "without Value" if member not in entry else "null" if value is None else "empty"
            yield Defect("REQ-12", f"{entry['Name']} is {what}")
        elif member not in entry:
            yield Defect("REQ-13", f"an input parameter lacks {member}")
        elif not isinstance(value, str):
            yield Defect("REQ-13", f"an input parameter's {member} is {_kind(value)}")


def _optional(body: dict[str, Any]) -> Iterator[Defect]:
    """Null for an optional parameter is left open by the contract. PHP's usual reader takes [] and {} for the same."""
    kinds: dict[str, type] = {"Locale": str, "ResultDestination": str, "SendResultImmediately": bool, "EndUser": dict}
    for name, kind in kinds.items():
        value = body.get(name)
        if value is not None and not isinstance(value, kind) and not (kind is dict and value == []):
            yield Defect("REQ-13", f"{name} is {_kind(value)}")
    person = body.get("EndUser")
    if isinstance(person, dict):
        for member in ("Name", "Phone", "Email"):
            value = person.get(member)
            if value is not None and not isinstance(value, str):
                yield Defect("REQ-13", f"EndUser's {member} is {_kind(value)}")


def _credentials(body: dict[str, Any], project: str, tokens: Collection[str]) -> Iterator[Defect]:
    for name, right in (("AccessToken", tokens), ("Project", (project,))):
        value = body.get(name)
        if isinstance(value, str) and value and value not in right:
            yield Defect("REQ-15", f"{name} is not the right one")
