"""Reading deliveries: their form is not documented, so ids and states are searched wherever they can be."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from ringback.contract.states import nearest_state
from ringback.deployment.reading import strings_in
from ringback.receiver import Delivery

__all__ = ["foreign_ids", "names", "reported_state"]

_STATE_MEMBERS = {"callstate", "state", "status", "callstatus", "result"}


def names(delivery: Delivery, unique_id: str) -> bool:
    """Whether a delivery names a UniqueId in its URL or body, in any common encoding."""
    return any(unique_id in form for form in _forms(delivery))


def foreign_ids(delivery: Delivery, own: str, others: set[str]) -> list[str]:
    """The other calls' UniqueIds that a delivery names."""
    forms = [form.replace(own, " ") for form in _forms(delivery)]
    return [
        other
        for other in others
        if other != own and len(other) >= 4 and other not in own and any(other in f for f in forms)
    ]


def reported_state(delivery: Delivery, unique_id: str) -> str | None:
    """The state that a delivery reports of a call: any word in CallState, else a documented state in another member."""
    for owner, member, value in _members(delivery):
        if owner not in {None, unique_id}:
            continue
        if member == "callstate" and value:
            return value
        if member in _STATE_MEMBERS and (state := nearest_state(value)):
            return state
    return None


def _forms(delivery: Delivery) -> list[str]:
    text = delivery.text
    read = "\n".join(strings_in(delivery.body))  # undoes JSON escapes
    return [text, read, unquote_plus(text), text.replace("\\/", "/"), html.unescape(text)]


def _members(delivery: Delivery) -> Iterator[tuple[str | None, str, str]]:
    body = delivery.body.decode("utf-8", "replace")
    try:
        yield from _walk(json.loads(body), None)
    except (ValueError, RecursionError):
        for name, value in parse_qsl(body):
            yield None, _letters(name), value
    for name, value in parse_qsl(urlsplit(delivery.target).query):
        yield None, _letters(name), value


def _walk(value: Any, owner: str | None) -> Iterator[tuple[str | None, str, str]]:
    if isinstance(value, dict):
        mine = next((v for k, v in value.items() if _letters(k) == "uniqueid" and isinstance(v, str)), owner)
        for name, inner in value.items():
            if isinstance(inner, str):
                yield mine, _letters(name), inner
            else:
                yield from _walk(inner, mine)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, owner)


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalpha())
