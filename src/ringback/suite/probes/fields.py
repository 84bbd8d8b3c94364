"""Odd text in every field of a trigger that is free text: all fields in one trigger, which can be taken apart.

Nothing here decides whether a deployment accepts such text; it may refuse any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ringback.suite.probes.drafts import NOWHERE, WITHOUT_DIGITS, Draft, NotTried
from ringback.suite.probes.probe import Probe, all_changes, either, refused

__all__ = ["ODD_CREDENTIALS", "ODD_TEXTS", "with_parts"]

_LONG = 64 * 1024
_ODD = {
    "NUL": "before\0after",
    "64 KiB": "x" * _LONG,
    "odd Unicode": "\u202eleft\u2028\ufeff\u200b\ufffe\U0010fffd e\u0301 🏴‍☠️",
    "a lone surrogate": "before\ud800after",
}
"""Kind -> a text of it."""

Change = Callable[[Draft, str], None]


def _parameter(name: str, before: str = "") -> Change:
    def change(draft: Draft, text: str) -> None:
        if name in draft.body:
            draft.set(name, before + text)
            draft.delivery_key = None if name == "ResultDestination" else draft.delivery_key

    return change


def _person(member: str) -> Change:
    def change(draft: Draft, text: str) -> None:
        if "EndUser" in draft.body:
            draft.set("EndUser", {**draft.body["EndUser"], member: text})

    return change


def _value(draft: Draft, text: str) -> None:
    entry = next((e for e in draft.body["ScenarioInputParameters"] if not e["Name"].startswith("_")), None)
    if entry is not None:
        entry["Value"] = text


def _name(draft: Draft, text: str) -> None:
    draft.made_up_variable(text, "text")


def _twice(draft: Draft, _text: str) -> None:
    """Name a variable twice."""
    entries = draft.body["ScenarioInputParameters"]
    again = [e for e in entries if not e["Name"].startswith("_")]
    if not again:
        raise NotTried("no project variable is sent")
    entries.append({**again[0]})


_FIELDS: dict[str, Change] = {
    # Free text, which a deployment stores; then what it may look up, and so refuse.
    "EndUser.Name": _person("Name"),
    "a variable's Value": _value,
    "ConversationId": _parameter("ConversationId"),
    "EndUser.Email": _person("Email"),
    "a variable's Name": _name,
    "Locale": _parameter("Locale"),
    "ResultDestination": _parameter("ResultDestination", f"{NOWHERE}/"),
    "OrchestratorUrl": _parameter("OrchestratorUrl", f"{WITHOUT_DIGITS}/"),
    "ScenarioPath": _parameter("ScenarioPath", "/"),
    "Tenant": _parameter("Tenant"),
}


def _part(kind: str, text: str, field: str, change: Change) -> Probe:
    return either(f"{kind} in {field}", lambda draft: change(draft, text))


def with_parts(title: str, parts: Iterable[Probe]) -> Probe:
    """A trigger with the changes of several probes, any of which may be refused."""
    parts = tuple(parts)
    return either(title, all_changes(parts), parts=parts)


ODD_TEXTS = [
    with_parts(
        f"{kind} in every text field" + (", and a variable named twice" if kind == "odd Unicode" else ""),
        [
            *(_part(kind, text, field, change) for field, change in _FIELDS.items()),
            *([either("a variable named twice", lambda draft: _twice(draft, ""))] if kind == "odd Unicode" else []),
        ],
    )
    for kind, text in _ODD.items()
]
"""One trigger for each kind of text."""

ODD_CREDENTIALS = [
    refused(f"{kind} in {name}", lambda draft, name=name, text=text: draft.set(name, text))  # type: ignore[misc]  # bound now
    for kind, text in _ODD.items()
    for name in ("AccessToken", "Project")
]
"""Such text in place of the credentials: these triggers are always refused."""
