"""Odd text in every field of a trigger that is free text: all fields in one trigger, which can be taken apart.

Nothing here decides whether a deployment accepts such text; it may refuse any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ringback.suite.probes.drafts import NOWHERE, WITHOUT_DIGITS, Draft, NotTried
from ringback.suite.probes.probe import Probe, all_changes, either, refused

__all__ = ["ALL_ODD", "ODD_CREDENTIALS", "ODD_TEXTS", "covering", "with_parts"]

_LONG = 64 * 1024
_ODD = {
    "NUL": "before\0after",
    "64 KiB": "x" * _LONG,
    "odd Unicode": "\u202eleft\u2028\ufeff\u200b\ufffe\U0010fffd e\u0301 🏴‍☠️",
    "quotes": 'it\'s "so"; -- <b>',
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


_FIELDS: dict[str, dict[str, Change]] = {
    "every text that is stored": {
        "EndUser.Name": _person("Name"),
        "a variable's Value": _value,
        "ConversationId": _parameter("ConversationId"),
        "EndUser.Email": _person("Email"),
        "a variable's Name": _name,
    },
    "every text that may be looked up": {
        "Locale": _parameter("Locale"),
        "OrchestratorUrl": _parameter("OrchestratorUrl", f"{WITHOUT_DIGITS}/"),
        "ScenarioPath": _parameter("ScenarioPath", "/"),
        "Tenant": _parameter("Tenant"),
    },
    "ResultDestination": {"ResultDestination": _parameter("ResultDestination", f"{NOWHERE}/")},
}
"""Which fields may be refused together."""


def _part(kind: str, text: str, field: str, change: Change) -> Probe:
    return either(f"{kind} in {field}", lambda draft: change(draft, text))


def with_parts(title: str, parts: Iterable[Probe]) -> Probe:
    """A trigger with the changes of several probes, any of which may be refused."""
    parts = tuple(parts)
    return either(title, all_changes(parts), parts=parts)


def _odd(what: str, where: str, text: str) -> Probe:
    parts = [_part(what, text, field, change) for field, change in _FIELDS[where].items()]
    return with_parts(f"{what} in {where}", parts)


ODD_TEXTS = {(kind, where): _odd(kind, where, text) for where in _FIELDS for kind, text in _ODD.items()}
"""Kind and fields -> that kind of text in these fields."""

_DESTINATION = "ResultDestination"
_ELSEWHERE = tuple(where for where in _FIELDS if where != _DESTINATION)


@dataclass(frozen=True)
class _Mixture:
    """Several kinds of text in many fields."""

    probe: Probe
    covers: frozenset[tuple[str, str]]
    """Kinds and fields, as in `ODD_TEXTS`."""


def _mixture(title: str, kinds_in: Mapping[str, tuple[str, ...]]) -> _Mixture:
    """These kinds in these fields, and a variable named twice."""
    parts = [
        part
        for where, kinds in kinds_in.items()
        if kinds
        for part in _odd(", ".join(kinds), where, "".join(_ODD[kind] for kind in kinds)).parts
    ]
    twice = either("a variable named twice", lambda draft: _twice(draft, ""))
    covers = frozenset((kind, where) for where, kinds in kinds_in.items() for kind in kinds)
    return _Mixture(with_parts(title, [*parts, twice]), covers)


def _listed(kinds: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(kinds[:-1]), kinds[-1]) if part)


def _mixtures() -> Iterator[_Mixture]:
    for count in range(len(_ODD), 0, -1):
        for kinds in combinations(_ODD, count):
            title = f"{_listed(kinds)} in every text"
            everywhere = dict.fromkeys(_ELSEWHERE, kinds)
            # NUL in an address is refused by most, so that it would hide the rest.
            in_address = tuple(kind for kind in kinds if kind != "NUL")
            yield _mixture(title, {**everywhere, _DESTINATION: in_address})
            plain = tuple(kind for kind in kinds if kind == "64 KiB")
            yield _mixture(f"{title} but an address", {**everywhere, _DESTINATION: plain})
    for where in _ELSEWHERE:
        kinds = tuple(kind for kind in _ODD if kind != "a lone surrogate")
        yield _mixture(f"{_listed(kinds)} in {where}", {where: kinds})


_MIXTURES = tuple(_mixtures())
"""The most first: one call covers as much as the deployment accepts, and what it refuses costs nothing."""

ALL_ODD = _MIXTURES[0].probe
"""As much odd text as any deployment accepts in one trigger."""


def covering(kind: str, where: str) -> list[Probe]:
    """Triggers with that kind of text in these fields, and more: if one is accepted, less of it need not be sent."""
    return [mixture.probe for mixture in _MIXTURES if (kind, where) in mixture.covers]


ODD_CREDENTIALS = [
    refused(f"{kind} in {name}", lambda draft, name=name, text=text: draft.set(name, text))  # type: ignore[misc]  # bound now
    for kind, text in _ODD.items()
    for name in ("AccessToken", "Project")
]
"""Such text in place of the credentials: these triggers are always refused."""
