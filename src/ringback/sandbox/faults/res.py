"""Faults of a poll's answer: its status, shape and completeness, and answers to malformed polls.

Faults of the ids in an answer are in `res_ids`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import JsonObject, Refusal, Request, SandboxAnswer
from ringback.sandbox.settings import STATE_OF_LINE

_WORDS = tuple(STATE_OF_LINE.values())


def _other_word(word: str) -> str:
    """Return a documented state other than `word`."""
    return _WORDS[(_WORDS.index(word) + 1) % len(_WORDS)] if word in _WORDS else _WORDS[0]


# RES-01


@fault("poll-answers-202", "RES-01")
class _PollAnswers202(SandboxBehaviour):
    """Answers polls with 202."""

    def poll(self, request: Request) -> SandboxAnswer:
        answer = super().poll(request)
        answer.status = 202
        return answer


def _instead_of_nothing(name: str, description: str, status: int) -> None:
    """Register a fault that answers polls with `status` while none of their known calls is final."""

    @fault(name, "RES-01", description=description)
    class InsteadOfNothing(SandboxBehaviour):
        def poll(self, request: Request) -> SandboxAnswer:
            answer = super().poll(request)
            if not orjson.loads(answer.body)["CallResults"] and any(map(self.book.find, self.read_poll(request))):
                return SandboxAnswer(status, content_type=None)
            return answer


_instead_of_nothing("pending-404", "Answers 404 while no call of a poll is final.", 404)
_instead_of_nothing("pending-204", "Answers 204 while no call of a poll is final.", 204)


# RES-02, RES-03


def _shapes(name: str, description: str, change: Callable[[list[JsonObject]], Any]) -> None:
    """Register a fault that returns the entries in another body: `change(entries)`."""

    @fault(name, "RES-02", description=description)
    class Shapes(SandboxBehaviour):
        def encode(self, value: JsonObject) -> bytes:
            if "CallResults" in value:
                return orjson.dumps(change(value["CallResults"]))
            return super().encode(value)


_shapes("bare-list", "Answers polls with an array.", lambda entries: entries)
_shapes("other-results-name", "Calls the entries Results.", lambda entries: {"Results": entries})
_shapes("camel-case-results", "Spells the member callResults.", lambda entries: {"callResults": entries})
_shapes("null-when-empty", "Sends null when there are no entries.", lambda entries: {"CallResults": entries or None})
_shapes(
    "absent-when-empty",
    "Leaves out CallResults when there are no entries.",
    lambda entries: {"CallResults": entries} if entries else {},
)
_shapes(
    "results-by-id",
    "Sends an object of entries by UniqueId.",
    lambda entries: {"CallResults": {entry["UniqueId"]: entry for entry in entries}},
)
_shapes(
    "single-result-bare",
    "Sends a single entry without an array.",
    lambda entries: {"CallResults": entries[0] if len(entries) == 1 else entries},
)
_shapes(
    "results-as-text",
    "Sends the entries as JSON in a string.",
    lambda entries: {"CallResults": orjson.dumps(entries).decode()},
)


def _describes(name: str, description: str, change: Callable[[JsonObject], Any]) -> None:
    """Register a fault that changes the shape of each entry."""

    @fault(name, "RES-03", description=description)
    class Describes(SandboxBehaviour):
        def results(self, entries: list[JsonObject]) -> JsonObject:
            return super().results([change(entry) for entry in entries])


def _without(entry: JsonObject, member: str) -> JsonObject:
    return {name: value for name, value in entry.items() if name != member}


_describes("no-call-request-id", "Leaves CallRequestId out.", lambda entry: _without(entry, "CallRequestId"))
_describes("null-call-request-id", "Sends a CallRequestId of null.", lambda entry: {**entry, "CallRequestId": None})
_describes(
    "number-call-request-id", "Sends a CallRequestId that is a number.", lambda entry: {**entry, "CallRequestId": 0}
)
_describes(
    "unanswered-null-call-request-id",
    "Sends a CallRequestId of null for calls that were not answered.",
    lambda entry: entry if entry["CallState"] == "Answered" else {**entry, "CallRequestId": None},
)
_describes(
    "camel-case-entries",
    "Spells the members of entries in camel case.",
    lambda entry: {name[0].lower() + name[1:]: value for name, value in entry.items()},
)
_describes("entries-as-arrays", "Sends each entry as an array of its values.", lambda entry: list(entry.values()))
_describes(
    "call-state-object",
    "Sends each CallState as an object.",
    lambda entry: {**entry, "CallState": {"Name": entry["CallState"]}},
)


# RES-04, RES-09


def _reports(name: str, clause: str, description: str, change: Callable[[list[JsonObject]], list[JsonObject]]) -> None:
    """Register a fault that changes the list of entries if there are several."""

    @fault(name, clause, description=description)
    class Reports(SandboxBehaviour):
        def report(self, ids: Sequence[str]) -> list[JsonObject]:
            entries = super().report(ids)
            return change(entries) if len(entries) > 1 else entries


def _swap_ends(entries: list[JsonObject]) -> list[JsonObject]:
    first, last = entries[0], entries[-1]
    states = {"CallState": last["CallState"]}, {"CallState": first["CallState"]}
    return [{**first, **states[0]}, *entries[1:-1], {**last, **states[1]}]


def _shift_states(entries: list[JsonObject]) -> list[JsonObject]:
    return [{**entry, "CallState": entries[at - 1]["CallState"]} if at else entry for at, entry in enumerate(entries)]


_reports("ten-results-at-most", "RES-04", "Reports at most ten calls of a poll.", lambda entries: entries[:10])
_reports("last-result-dropped", "RES-04", "Drops the last of several entries.", lambda entries: entries[:-1])
_reports("first-result-only", "RES-04", "Reports only the first of several calls.", lambda entries: entries[:1])
_reports(
    "first-result-twice", "RES-04", "Reports the first of several calls twice.", lambda entries: [*entries, entries[0]]
)
_reports("states-swapped", "RES-04", "Swaps the states of the first and the last of several calls.", _swap_ends)
_reports("states-shifted", "RES-04", "Gives each of several calls the state of the one before it.", _shift_states)
_reports(
    "one-result-per-state",
    "RES-04",
    "Reports only one call of each state in a poll for several.",
    lambda entries: list({entry["CallState"]: entry for entry in entries}.values()),
)
_reports(
    "batch-without-errors",
    "RES-04",
    "Leaves calls that ended in Error out of polls for several.",
    lambda entries: [entry for entry in entries if entry["CallState"] != "Error"],
)


@fault("duplicate-id-refused", "RES-09")
class _DuplicateIdRefused(SandboxBehaviour):
    """Refuses polls that name a UniqueId twice."""

    def read_poll(self, request: Request) -> list[str]:
        ids = super().read_poll(request)
        if len(set(ids)) < len(ids):
            raise Refusal(400, "an id is named twice")
        return ids


@fault("duplicate-id-contradicted", "RES-09")
class _DuplicateIdContradicted(SandboxBehaviour):
    """Reports a UniqueId that was asked for twice with two different states."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        entries = super().report(ids)
        repeated = {unique_id for unique_id in ids if ids.count(unique_id) > 1} if len(set(ids)) < len(ids) else ()
        again = [entry for entry in entries if entry["UniqueId"] in repeated]
        return entries + [{**entry, "CallState": _other_word(entry["CallState"])} for entry in again]


@fault("duplicate-id-lost", "RES-09")
class _DuplicateIdLost(SandboxBehaviour):
    """Leaves out a UniqueId that was asked for twice."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        if len(set(ids)) == len(ids):
            return super().report(ids)
        return super().report([unique_id for unique_id in ids if ids.count(unique_id) == 1])


@fault("duplicate-id-costs-another", "RES-09")
class _DuplicateIdCostsAnother(SandboxBehaviour):
    """Reads as many ids of a poll as there are different ones."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        return super().report(ids[: len(set(ids))])


# RES-08


def _tolerates(name: str, description: str, applies: Callable[[Any], bool]) -> None:
    """Register a fault that answers 200 to malformed polls where `applies(JSON value, or body if not JSON)`."""

    @fault(name, "RES-08", description=description)
    class Tolerates(SandboxBehaviour):
        def read_poll(self, request: Request) -> list[str]:
            try:
                return super().read_poll(request)
            except Refusal:
                try:
                    value = self.read_json(request)
                except Refusal:
                    value = request.body
                if applies(value):
                    return []
                raise


_tolerates("poll-without-body-accepted", "Answers 200 to a poll without a body.", lambda value: value == b"")
_tolerates(
    "poll-not-json-accepted",
    "Answers 200 to a poll that is not JSON.",
    lambda value: isinstance(value, bytes) and value != b"",
)
_tolerates(
    "poll-without-ids-accepted",
    "Answers 200 to a poll without UniqueIds.",
    lambda value: isinstance(value, dict) and "UniqueIds" not in value,
)
_tolerates("poll-array-accepted", "Answers 200 to a poll that is an array.", lambda value: isinstance(value, list))
_tolerates(
    "poll-wrong-type-accepted",
    "Answers 200 to a poll whose UniqueIds are not an array.",
    lambda value: isinstance(value, dict) and "UniqueIds" in value and not isinstance(value["UniqueIds"], list),
)
_tolerates(
    "poll-wrong-ids-accepted",
    "Answers 200 to a poll whose ids are not strings.",
    lambda value: isinstance(value, dict) and isinstance(value.get("UniqueIds"), list),
)
