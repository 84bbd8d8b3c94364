"""Dialects of polls: answers about calls in progress, unknown ids, repeated ids and large batches."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from ringback import clock
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.calls import SandboxCall
from ringback.sandbox.catalogue import dialect
from ringback.sandbox.messages import JsonObject, Refusal, Request

_BATCH = 20


@dialect("pending-empty", "STA-05")
class _PendingEmpty(SandboxBehaviour):
    """Calls in progress are entries with an empty state."""

    def pending_entry(self, call: SandboxCall) -> JsonObject | None:
        return self.make_entry(call.unique_id, "")


@dialect("pending-extra", "STA-05")
class _PendingExtra(_PendingEmpty):
    """Calls in progress are entries with an empty state and further members."""

    def pending_entry(self, call: SandboxCall) -> JsonObject | None:
        return {**self.make_entry(call.unique_id, ""), "Progress": "ringing", "Attempt": 1}


@dialect("unknown-empty", "RES-06")
class _UnknownEmpty(SandboxBehaviour):
    """Unknown ids are entries with an empty state."""

    def unknown_entry(self, unique_id: str) -> JsonObject | None:
        return self.make_entry(unique_id, "")


def _compares(name: str, description: str, issued: Callable[[str], str], answered: Callable[[str, str], str]) -> None:
    """Register a dialect that finds a call by `issued(the id asked for)` and names it `answered(asked, issued)`."""

    @dialect(name, "RES-05", "RES-06", description=description)
    class Compares(SandboxBehaviour):
        def unknown_entry(self, unique_id: str) -> JsonObject | None:
            call = self.book.find(issued(unique_id))
            if call is None or not call.state:
                return super().unknown_entry(unique_id)
            return self.make_entry(answered(unique_id, call.unique_id), self.word_for(call))


def _any_form(asked: str) -> str:
    try:
        return uuid.UUID(asked.strip()).hex
    except ValueError:
        return asked


_compares(
    "id-case-ignored",
    "Ids are compared without regard to case, and named as asked for.",
    str.lower,
    lambda asked, _: asked,
)
_compares(
    "id-trimmed", "Blanks around an id are ignored, and calls named as stored.", str.strip, lambda _, issued: issued
)
_compares(
    "id-parsed",
    "Ids are read as UUIDs in any form; asked for in another one, calls are named in capitals.",
    _any_form,
    lambda _, issued: str(uuid.UUID(issued)).upper(),
)


@dialect("ids-made-text", "RES-05", "RES-06")
class _IdsMadeText(SandboxBehaviour):
    """Unknown ids are entries with an empty state, in which U+FFFD stands for a lone surrogate."""

    def unknown_entry(self, unique_id: str) -> JsonObject | None:
        return self.make_entry(unique_id.encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "")

    def read_json(self, request: Request) -> Any:
        try:
            return json.loads(request.body)
        except (ValueError, RecursionError):
            raise Refusal(400, "the body is not JSON") from None


@dialect("unknown-404", "RES-06")
class _Unknown404(SandboxBehaviour):
    """A poll for only unknown ids is answered 404."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        if ids and not any(map(self.book.find, ids)):
            raise Refusal(404, "no such call")
        return super().report(ids)


@dialect("duplicates-twice", "RES-09")
class _DuplicatesTwice(SandboxBehaviour):
    """An id that is asked for twice is reported twice."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        entries = {entry["UniqueId"]: entry for entry in super().report(ids)}
        return [entries[unique_id] for unique_id in ids[:_BATCH] if unique_id in entries] + [
            entry for unique_id, entry in entries.items() if unique_id not in ids[:_BATCH]
        ]


@dialect("duplicates-timed", "RES-09")
class _DuplicatesTimed(_DuplicatesTwice):
    """An id that is asked for twice is reported twice; each entry has the time at which it was made."""

    def report(self, ids: Sequence[str]) -> list[JsonObject]:
        return [
            {**entry, "ReportedAt": f"{clock.wall():%H:%M:%S.%f}+{at}"} for at, entry in enumerate(super().report(ids))
        ]


@dialect("batches-of-20", "RES-04")
class _BatchesOf20(SandboxBehaviour):
    """Polls for more than 20 ids are refused with 400."""

    too_many = 400

    def read_poll(self, request: Request) -> list[str]:
        ids = super().read_poll(request)
        if len(ids) > _BATCH:
            raise Refusal(self.too_many, "at most 20 ids")
        return ids


@dialect("batches-of-20-413", "RES-04")
class _BatchesOf20By413(_BatchesOf20):
    """Polls for more than 20 ids are refused with 413."""

    too_many = 413


@dialect("empty-list-refused", "RES-05", "RES-08")
class _EmptyListRefused(SandboxBehaviour):
    """Polls with an empty list are refused."""

    def read_poll(self, request: Request) -> list[str]:
        ids = super().read_poll(request)
        if not ids:
            raise Refusal(400, "UniqueIds must not be empty")
        return ids


@dialect("call-request-ids", "RES-03")
class _CallRequestIds(SandboxBehaviour):
    """Entries have a CallRequestId."""

    def make_entry(self, unique_id: str, state: str) -> JsonObject:
        return {**super().make_entry(unique_id, state), "CallRequestId": f"request-{hash(unique_id) & 0xFFFF}"}


@dialect("results-late", "STA-02")
class _ResultsLate(SandboxBehaviour):
    """Results can be polled 200 ms after calls end."""

    def final_entry(self, call: SandboxCall) -> JsonObject | None:
        if self.book.loop.time() - call.finished_at < 0.2:
            return self.pending_entry(call)
        return super().final_entry(call)
