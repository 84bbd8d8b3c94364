"""Answers to triggers and polls, read both strictly by the documents and leniently.

A body's whole JSON value may take 25 times the body's size. It exists only while `Answer` reads it, once; what stays is
a `Content`, which is small whatever came.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import httpx

from ringback.contract.same_id import by_common_form, common_form
from ringback.deployment.evidence import Exchange
from ringback.deployment.reading import Json, outline, read_json

__all__ = ["Answer", "Entry", "Poll", "Trigger"]

_LONGEST_NAME = 64
"""The longest member name that is compared with documented ones."""
_SPARE_ENTRIES = 64
"""Entries of a poll's answer that are kept besides two for each id that was asked for, and of other ids."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a poll's answer, read leniently."""

    unique_id: str | None
    """As asked for, if the entry names an id that was asked for in another spelling (`same_id`)."""
    state: str | None
    """As reported; None if the entry has no state, or one that is not text."""
    raw: Any
    """The entry as it came, or the first part of one with many members."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is kept of a body that was read as JSON."""

    json: Json
    """Its value is an `outline`."""
    unique_id: str | None = None
    found_id: str | None = None
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Answer:
    """The outcome of one request: a whole answer, or a failure."""

    exchange: Exchange
    begun: float
    """When the request left: a reading of `clock.monotonic`."""
    ended: float
    status: int | None = None
    headers: httpx.Headers | None = None
    body: bytes = b""
    failure: str | None = None

    @property
    def fields(self) -> tuple[Exchange, float, float, int | None, httpx.Headers | None, bytes, str | None]:
        """What an answer of any kind is made of."""
        return self.exchange, self.begun, self.ended, self.status, self.headers, self.body, self.failure

    @property
    def json(self) -> Json:
        """The body read as JSON; the value is an `outline`."""
        return self._content.json

    @cached_property
    def _content(self) -> Content:
        return self._kept(read_json(self.body))

    def _kept(self, whole: Json) -> Content:
        """What is kept of the body."""
        return Content(whole.outlined())

    @property
    def seconds(self) -> float:
        """Seconds from sending the request to the end of the answer."""
        return self.ended - self.begun

    @property
    def refused(self) -> bool:
        """Whether the status is 4xx."""
        return self.status is not None and 400 <= self.status < 500

    def describe_outcome(self) -> str:
        """What became of the request, to go on after "was": `answered 400 with 12 bytes`."""
        return (
            f"not answered ({self.failure} after {self.seconds:.1f} s)"
            if self.status is None
            else f"answered {self.describe_answer()}"
        )

    def describe_answer(self) -> str:
        """What came, in a few words."""
        if self.status is None:
            return f"no answer ({self.failure} after {self.seconds:.1f} s)"
        size = f"{len(self.body)} bytes" if self.body else "an empty body"
        return f"{self.status} with {size}" + (f", then {self.failure}" if self.failure else "")


@dataclass(frozen=True)
class Trigger(Answer):
    """The answer to a trigger."""

    sent: str = ""
    """The purpose of the request, for people."""
    line: str | None = None
    """The name of the line that was to be dialled."""
    valid: bool = False
    """Whether a conforming deployment accepts the request."""

    def _kept(self, whole: Json) -> Content:
        value = whole.value
        documented = value.get("UniqueId") if isinstance(value, dict) else None
        unique_id = documented if isinstance(documented, str) and documented else None
        if self.exchange.method == "OPTIONS":
            return Content(whole.outlined(), unique_id, unique_id)  # others may be examples in a description
        names = {"uniqueid"} if self.status is None or self.status >= 300 else {"uniqueid", "callid", "id"}
        return Content(whole.outlined(), unique_id, unique_id or next(_ids_in(value, names), None))

    @property
    def unique_id(self) -> str | None:
        """The UniqueId, spelled and typed as documented; None if there is none."""
        return self._content.unique_id

    @property
    def found_id(self) -> str | None:
        """An id of the call in any spelling, type or depth."""
        return self._content.found_id

    @property
    def names_a_call(self) -> bool:
        """Whether the answer names a call, whatever its status."""
        return self.found_id is not None

    @property
    def accepted(self) -> bool:
        """Whether the trigger was accepted: the answer names a call, and its status is below 400."""
        return self.found_id is not None and self.status is not None and self.status < 400


@dataclass(frozen=True)
class Poll(Answer):
    """The answer to a poll."""

    asked: tuple[str, ...] = ()
    valid: bool = False
    """Whether the request has the form that the documents show."""

    def _kept(self, whole: Json) -> Content:
        if self.status is None or self.status >= 300:
            return Content(whole.outlined())
        wanted = set(self.asked)
        room = {True: 2 * len(wanted) + _SPARE_ENTRIES, False: _SPARE_ENTRIES}
        kept = []
        spelled: dict[str, str] = {}
        for entry in _entries(whole.value):
            asked = entry.unique_id in wanted
            if not asked and entry.unique_id is not None and room[False]:
                # A deployment may name a call in its own spelling of the id.
                spelled = spelled or by_common_form(self.asked)
                name = spelled.get(common_form(entry.unique_id), entry.unique_id)
                entry, asked = replace(entry, unique_id=name), name in wanted
            if room[asked]:
                room[asked] -= 1
                kept.append(replace(entry, raw=outline(entry.raw)))
        return Content(whole.outlined(), entries=tuple(kept))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, wherever a lenient reader finds them; of very many, the first for ids asked for and others."""
        return self._content.entries

    @property
    def foreign(self) -> tuple[str, ...]:
        """The UniqueIds that the answer names although they were not requested."""
        return tuple(e.unique_id for e in self.entries if e.unique_id and e.unique_id not in self.asked)

    def states(self, unique_id: str) -> list[str]:
        """The states that the answer reports for one call, without empty ones."""
        return [e.state for e in self.entries if e.unique_id == unique_id and e.state]


def _letters(name: object) -> str:
    return _folded(name) if isinstance(name, str) and len(name) <= _LONGEST_NAME else ""


@functools.lru_cache(1024)
def _folded(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalpha())


def _ids_in(value: Any, names: set[str], depth: int = 0) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if _letters(name) in names:
                if isinstance(inner, str) and inner.strip():
                    yield inner
                elif isinstance(inner, int | float) and not isinstance(inner, bool):
                    yield str(inner)
        if depth < 4:
            for inner in value.values():
                yield from _ids_in(inner, names, depth + 1)
    elif isinstance(value, list) and depth < 4:
        for inner in value[:20]:
            yield from _ids_in(inner, names, depth + 1)


def _member(entry: dict[str, Any], documented: str, *others: str) -> Any:
    """A member's value: of the one that is spelled as documented, else of the first by the earliest of these names."""
    if documented in entry:
        return entry[documented]
    by_name = {_letters(name): value for name, value in reversed(entry.items())}
    return next((by_name[name] for name in (_letters(documented), *others) if name in by_name), None)


def _text_of(state: Any) -> str | None:
    """A state; an object is searched for the first text in it."""
    if isinstance(state, dict):
        state = next((inner for inner in state.values() if isinstance(inner, str)), None)
    return state if isinstance(state, str) else None


def _entries(value: Any, depth: int = 0) -> Iterator[Entry]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                unique_id, state = _member(item, "UniqueId"), _member(item, "CallState", "state", "status")
                text_id = str(unique_id) if isinstance(unique_id, str | int) else None
                yield Entry(text_id, _text_of(state), item)
            elif isinstance(item, list) and len(item) > 1 and all(isinstance(part, str) for part in item):
                yield Entry(item[0], item[-1], item)
            else:
                yield Entry(None, None, item)
    elif isinstance(value, dict) and depth < 3:
        inner = _member(value, "CallResults", "results", "data")
        if isinstance(inner, list):
            yield from _entries(inner)
        elif isinstance(inner, dict) and _member(inner, "UniqueId") is not None:
            yield from _entries([inner])
        elif isinstance(inner, dict):
            nested = _member(inner, "CallResults", "results", "data")
            if nested is not None:
                yield from _entries(inner, depth + 1)
            else:
                for key, item in inner.items():
                    members = item if isinstance(item, dict) else {"CallState": item}
                    own, state = _member(members, "UniqueId"), _member(members, "CallState")
                    named = own if isinstance(own, str) else key
                    yield Entry(named, state if isinstance(state, str) else None, item)
        elif _member(value, "UniqueId") is not None:
            yield from _entries([value])
