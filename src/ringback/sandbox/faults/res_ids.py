"""Faults of the ids in a poll's answer: unrequested calls are reported, unknown ids are given a state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import JsonObject, Refusal, Request

_MANY = 1000

# RES-05


def _final_calls(behaviour: SandboxBehaviour) -> list[str]:
    return [call.unique_id for call in behaviour.book.calls() if call.state][-_MANY:]


def _reports_all(name: str, description: str, applies: Callable[[Any], bool]) -> None:
    """Register a fault that reports all calls to polls for which `applies(JSON value)` is true."""

    @fault(name, "RES-05", description=description)
    class ReportsAll(SandboxBehaviour):
        def read_poll(self, request: Request) -> list[str]:
            value = self.read_json(request)
            return _final_calls(self) if applies(value) else super().read_poll(request)


_reports_all(
    "empty-list-reports-all",
    "Reports every call to a poll with an empty list.",
    lambda value: isinstance(value, dict) and value.get("UniqueIds") == [],
)
_reports_all(
    "missing-list-reports-all",
    "Reports every call to a poll without UniqueIds.",
    lambda value: isinstance(value, dict) and "UniqueIds" not in value,
)
_reports_all(
    "null-list-reports-all",
    "Reports every call to a poll whose UniqueIds are null.",
    lambda value: isinstance(value, dict) and value.get("UniqueIds", "") is None,
)
_reports_all(
    "wrong-type-reports-all",
    "Reports every call to a poll whose UniqueIds are not an array.",
    lambda value: (
        isinstance(value, dict) and not isinstance(value.get("UniqueIds", []), list) and value["UniqueIds"] is not None
    ),
)


@fault("neighbour-reported", "RES-05")
class _NeighbourReported(SandboxBehaviour):
    """Also reports the latest final call that was not requested."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        entries = super().report(ids)
        asked = set(ids)
        others = [unique_id for unique_id in _final_calls(self) if unique_id not in asked]
        return entries + super().report(others[-1:]) if entries else entries


@fault("wildcard-id", "RES-05")
class _WildcardId(SandboxBehaviour):
    """Treats the id * or % as every call."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        return super().report(_final_calls(self) if {"*", "%"} & set(ids) else ids)


# RES-06


def _invents(name: str, description: str, state: str) -> None:
    """Register a fault that gives unknown ids a state."""

    @fault(name, "RES-06", description=description)
    class Invents(SandboxBehaviour):
        def unknown_entry(self, unique_id: str) -> JsonObject | None:
            return self.make_entry(unique_id, state)


_invents("unknown-is-error", "Reports unknown ids as Error.", "Error")
_invents("unknown-is-no-answer", "Reports unknown ids as No Answer.", "No Answer")
_invents("unknown-is-invalid-number", "Reports unknown ids as Invalid Number.", "Invalid Number")


def _confuses(name: str, description: str, alike: Callable[[str, str], bool]) -> None:
    """Register a fault that treats an unknown id as a known one for which `alike(asked, known)` is true."""

    @fault(name, "RES-06", description=description)
    class Confuses(SandboxBehaviour):
        def unknown_entry(self, unique_id: str) -> JsonObject | None:
            for call in self.book.calls():
                if call.state and alike(unique_id, call.unique_id):
                    return self.make_entry(unique_id, self.word_for(call))
            return super().unknown_entry(unique_id)


_confuses(
    "id-prefix-taken",
    "Treats the beginning of an id as the id.",
    lambda asked, known: len(asked) >= 8 and known.startswith(asked),
)
_confuses("id-suffix-ignored", "Ignores what follows an id.", lambda asked, known: asked.startswith(known))
_confuses(
    "id-wildcards",
    "Treats % in an id as any text.",
    lambda asked, known: "%" in asked and len(asked) >= 8 and known.startswith(asked.partition("%")[0]),
)
_confuses("id-ends-at-nul", "Ends ids at NUL.", lambda asked, known: asked.partition("\0")[0] == known)


@fault("other-case-is-error", "RES-06")
class _OtherCaseIsError(SandboxBehaviour):
    """Finds a call by its id in another case, and reports it as Error."""

    def unknown_entry(self, unique_id: str) -> JsonObject | None:
        found = self.book.find(unique_id.lower())
        return self.make_entry(unique_id, "Error") if found is not None and found.outcome != "Error" else None


@fault("trimmed-id-takes-first", "RES-06")
class _TrimmedIdTakesFirst(SandboxBehaviour):
    """Answers an id with blanks around it with the state of the first call that ended otherwise."""

    def unknown_entry(self, unique_id: str) -> JsonObject | None:
        found = self.book.find(unique_id.strip())
        others = [call.state for call in self.book.calls() if found and call.state not in {"", found.state}]
        return self.make_entry(unique_id, others[0]) if others else None


@fault("unknown-in-long-polls-is-final", "RES-06")
class _UnknownInLongPollsIsFinal(SandboxBehaviour):
    """Reports unknown ids behind the tenth of a poll as No Answer."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        unknown = [unique_id for unique_id in ids[10:] if self.book.find(unique_id) is None]
        return [*super().report(ids), *(self.make_entry(unique_id, "No Answer") for unique_id in unknown)]


# RES-07


def _spoils(name: str, description: str, change: Callable[[list[JsonObject], int], list[JsonObject] | None]) -> None:
    """Register a fault of polls that mix known and unknown ids.

    `change(entries, index of the first unknown id)` returns the entries to report, or None to refuse.
    """

    @fault(name, "RES-07", description=description)
    class Spoils(SandboxBehaviour):
        def report(self, ids: Sequence[str]) -> list[JsonObject]:
            entries = super().report(ids)
            known = [self.book.find(unique_id) is not None for unique_id in ids]
            if all(known) or not any(known):
                return entries
            changed = change(entries, known.index(False))
            if changed is None:
                raise Refusal(404, "no such call")
            return changed


_spoils("unknown-refuses-all", "Answers 404 when one id of several is unknown.", lambda _entries, _at: None)
_spoils("unknown-empties-results", "Reports nothing when one id of several is unknown.", lambda _entries, _at: [])
_spoils(
    "unknown-ends-results",
    "Reports at most one call when one id of several is unknown.",
    lambda entries, at: entries[: min(at, 1)],
)
