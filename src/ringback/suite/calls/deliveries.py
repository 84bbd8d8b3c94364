"""Reading deliveries: their form is not documented, so ids and states are searched wherever they can be."""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from ringback.contract.states import FINAL_STATES, nearest_state
from ringback.contract.xml import read_xml
from ringback.deployment.reading import strings_in
from ringback.receiver import Delivery

__all__ = ["foreign_ids", "named_ids", "names", "reported_state"]

_FIELDS = re.compile(r"[\n\r,;|\t]+")
_NAME = re.compile(r"[\w .-]+")
_VALUE_FOLLOWS = re.compile(r"[:=]")
_STATE_MEMBERS = {"callstate", "state", "status", "callstatus", "result"}


def names(delivery: Delivery, unique_id: str) -> bool:
    """Whether a delivery names a UniqueId in its URL or body, in any common encoding."""
    return any(_stands_in(unique_id, form) for form in _forms(delivery))


def foreign_ids(delivery: Delivery, own: str, others: set[str]) -> list[str]:
    """The other calls' UniqueIds that a delivery names."""
    forms = [form.replace(own, " ") for form in _forms(delivery)]
    return [
        other
        for other in others
        if other != own and len(other) >= 4 and other not in own and any(_stands_in(other, f) for f in forms)
    ]


def named_ids(delivery: Delivery) -> list[str]:
    """The values of members named UniqueId, wherever they are in a delivery."""
    return [value for _, member, value in _members(delivery) if member == "uniqueid" and value]


def _stands_in(unique_id: str, text: str) -> bool:
    """Whether a text has an id; its digits are no part of a longer number, such as a time or a telephone number."""
    if unique_id not in text:
        return False
    before = r"(?<!\d)" if unique_id[:1].isdecimal() else ""
    behind = r"(?!\d)" if unique_id[-1:].isdecimal() else ""
    return re.search(before + re.escape(unique_id) + behind, text) is not None


def reported_state(delivery: Delivery, unique_id: str) -> str | None:
    """The state that a delivery reports of a call; None if no state can be read.

    That is any word in CallState, else a documented state in other members or by itself in plain text; different ones,
    as in a history of the call, can't be read.
    """
    own = [(member, value) for owner, member, value in _members(delivery) if owner in {None, unique_id}]
    documented = next((value for member, value in own if member == "callstate" and value), None)
    others = {state for member, value in own if member in _STATE_MEMBERS and (state := nearest_state(value))}
    return documented or (others.pop() if len(others) == 1 else None)


def _forms(delivery: Delivery) -> list[str]:
    text = delivery.text
    strings = strings_in(delivery.content.encode())
    inner = [string for outer in strings if _is_json(outer) for string in strings_in(outer.encode("utf-8", "replace"))]
    read = "\n".join([*strings, *inner])  # undoes JSON escapes, also of JSON in a text
    asked = "\n".join(value for _, value in _query(delivery))
    return [text, asked, read, unquote_plus(text), text.replace("\\/", "/"), html.unescape(text)]


def _query(delivery: Delivery) -> list[tuple[str, str]]:
    return parse_qsl(delivery.target.partition("?")[2])


def _members(delivery: Delivery) -> Iterator[tuple[str | None, str, str]]:
    """The UniqueId beside a member if it has one, the letters of the member's name, and its value."""
    content = delivery.content.strip()
    try:
        yield from _walk(json.loads(content), None)
    except (ValueError, RecursionError):
        if content.startswith("<"):
            yield from _walk(read_xml(content), None)
        elif "=" in content.partition("\n")[0] and not any(map(str.isspace, content)):
            yield from ((None, _letters(name), value) for name, value in parse_qsl(content))
        else:
            yield from _in_text(content)
    for name, value in _query(delivery):
        yield None, _letters(name), value


def _in_text(content: str) -> Iterator[tuple[str | None, str, str]]:
    """The members `name: value` or `name=value` of plain text, and states that are a field of their own."""
    for field in _FIELDS.split(content):
        name, *value = (part.strip().strip("\"'") for part in _VALUE_FOLLOWS.split(field, 1))
        if value and _NAME.fullmatch(name):
            yield None, _letters(name), value[0]
        elif field.strip() in FINAL_STATES:
            yield None, "state", field.strip()


def _walk(value: Any, owner: str | None) -> Iterator[tuple[str | None, str, str]]:
    if isinstance(value, dict):
        named = [value.get("UniqueId"), *(v for k, v in value.items() if _letters(k) == "uniqueid")]
        mine = next((v for v in named if isinstance(v, str)), owner)
        for name, inner in value.items():
            if isinstance(inner, str):
                yield mine, _letters(name), inner
            yield from _walk(inner, mine)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, owner)
    elif isinstance(value, str) and _is_json(value):
        with contextlib.suppress(ValueError):
            yield from _walk(json.loads(value), owner)


def _is_json(text: str) -> bool:
    """Whether a text looks like an object or array itself: message queues send JSON in a text of JSON."""
    return text.lstrip()[:1] in {"{", "["}


def _letters(name: str) -> str:
    """The letters of a name in lower case, without an XML prefix."""
    return "".join(c for c in name.rpartition(":")[2].lower() if c.isalpha())
