"""Reads polls and finds their results, with the faults of both."""

import re
import uuid
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.deployments.threads.calls import Call, Exchange
from tests.deployments.threads.triggers import parse
from tests.deployments.threads.ways import Crashed, Refused, Ways

Entry = dict[str, Any]


class PollDesk:
    """Reads polls and reports results."""

    def __init__(self, ways: Ways, exchange: Exchange) -> None:
        self.ways = ways
        self.exchange = exchange

    def read(self, raw: bytes) -> list[str]:
        """The ids in a poll; raises Refused if it is malformed."""
        if not raw and self.ways.fault("bodiless-poll"):
            return []
        body = parse(raw, self.ways)
        if self.ways.fault("bare-list") and isinstance(body, list):
            body = {"UniqueIds": body}
        if not isinstance(body, dict):
            if self.ways.fault("text-poll-500") and not isinstance(body, list):
                raise Crashed
            raise Refused("shape", "The body is not a JSON object.")
        if self.ways.dialect.strict and set(body) != {"UniqueIds"}:
            raise Refused("shape", "The body holds a parameter that is not known.")
        if "UniqueIds" not in body:
            return self._without_list()
        return self._ids(body["UniqueIds"])

    def _without_list(self) -> list[str]:
        if self.ways.fault("missing-is-all"):
            return self._all()
        if self.ways.fault("missing-is-none"):
            return []
        raise Refused("shape", "UniqueIds is missing.")

    def _ids(self, ids: object) -> list[str]:
        if ids is None and self.ways.fault("null-is-all"):
            return self._all()
        if isinstance(ids, str) and self.ways.fault("single-id-as-text"):
            ids = [ids]
        if not isinstance(ids, list):
            raise Refused("shape", "UniqueIds is not a list.")
        if self.ways.fault("falsy-entry-is-all") and not all(ids):
            return self._all()
        if self.ways.fault("unhashable-500") and any(isinstance(one, (list, dict)) for one in ids):
            raise Crashed
        if self.ways.fault("numbers-skipped"):
            ids = [one for one in ids if isinstance(one, str)]
        if not all(isinstance(one, str) for one in ids):
            raise Refused("shape", "UniqueIds holds something that is not text.")
        return self._many(ids)

    def _many(self, ids: list[str]) -> list[str]:
        if not ids and self.ways.fault("empty-is-all"):
            return self._all()
        if not ids and self.ways.dialect.empty_list_refused:
            raise Refused("shape", "UniqueIds is empty.")
        if self.ways.fault("many-ids-500") and len(ids) > 40:
            raise Crashed
        if len(ids) > (15 if self.ways.fault("fifteen-at-most") else self.ways.dialect.most_ids):
            raise Refused("batch", "Too many UniqueIds in one poll.")
        if self.ways.fault("twice-refused") and len(set(ids)) < len(ids):
            raise Refused("shape", "UniqueIds must be unique.")
        return ids

    def _all(self) -> list[str]:
        return [call.id for call in self.exchange.all_calls()]

    def report(self, asked: list[str]) -> list[Entry]:
        """The entries for the ids; raises Refused if a dialect or a fault refuses unknown ids."""
        dialect = self.ways.dialect
        ids = (
            asked
            if dialect.repeated or self.ways.fault("second-is-empty", "twice-cancels")
            else list(dict.fromkeys(asked))
        )
        if self.ways.fault("twice-cancels"):
            ids = [one for one in ids if ids.count(one) == 1]
        calls = [self.exchange.find(one) for one in ids]
        if ids and dialect.unknown == "refused" and not any(calls):
            raise Refused("unknown", "None of the UniqueIds is known.")
        self._spoilt(ids, calls)
        poll_id = str(uuid.uuid4()) if dialect.request_id == "poll" else None
        entries = self._mangled(list(self._entries(ids, calls, poll_id)), dict(zip(ids, calls, strict=True)))
        if dialect.order == "reversed":
            entries.reverse()
        elif dialect.order == "sorted":
            entries.sort(key=lambda entry: str(entry["UniqueId"]))
        return entries

    def _spoilt(self, ids: list[str], calls: list[Call | None]) -> None:
        if self.ways.fault("unknown-spoils") and any(calls) and None in calls:
            raise Refused("unknown", "One of the UniqueIds is not known.")
        shape = r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"
        if self.ways.fault("misshapen-spoils") and any(calls) and not all(re.fullmatch(shape, one) for one in ids):
            raise Refused("shape", "One of the UniqueIds is malformed.")

    def _entries(self, ids: list[str], calls: list[Call | None], poll_id: str | None) -> Iterator[Entry]:
        last_state, seen = "", set[str]()
        for one, call in zip(ids, calls, strict=True):
            if call is None:
                if self.ways.fault("unknown-ends"):
                    return
                yield from self._unknown(one, last_state, poll_id)
                continue
            state = self.exchange.reported(call)
            last_state = state or last_state
            if self.ways.fault("second-is-empty") and one in seen:
                state = ""
            seen.add(one)
            if state is None or (state == "" and self.ways.dialect.pending == "left-out"):
                continue
            yield self._entry(one, call, state, poll_id)
            if self.ways.fault("line-mates"):
                yield from self._line_mates(call, ids)

    def _unknown(self, one: str, last_state: str, poll_id: str | None) -> Iterator[Entry]:
        if self.ways.fault("pattern-ids", "part-of-id"):
            for call in self.exchange.all_calls():
                if self._matches(one, call):
                    yield self._entry(call.id, call, self.exchange.reported(call) or "", poll_id)
        elif self.ways.fault("unknown-is-error"):
            yield {"UniqueId": one, "CallRequestId": "", "CallState": "Error"}
        elif self.ways.fault("unknown-takes-last") and last_state:
            yield {"UniqueId": one, "CallRequestId": "", "CallState": last_state}
        elif self.ways.dialect.unknown == "empty":
            yield {"UniqueId": one, "CallRequestId": poll_id or "", "CallState": ""}

    def _matches(self, one: str, call: Call) -> bool:
        if self.ways.fault("part-of-id"):
            return len(one) >= 8 and call.id.startswith(one[:8])
        pattern = re.escape(one).replace("%", ".*").replace("_", ".")
        return "%" in one and re.fullmatch(pattern, call.id) is not None

    def _line_mates(self, call: Call, ids: list[str]) -> Iterator[Entry]:
        mates = [
            other
            for other in self.exchange.all_calls()
            if other.order.number == call.order.number and other.id not in ids
        ]
        for other in mates[-1:]:
            yield self._entry(other.id, other, self.exchange.reported(other) or "", None)

    def _entry(self, one: str, call: Call, state: str, poll_id: str | None) -> Entry:
        request_id = {
            "own": call.request_id,
            "empty": "",
            "conversation": call.order.conversation,
            "poll": poll_id or call.request_id,
        }[self.ways.dialect.request_id]
        entry: Entry = {"UniqueId": one, "CallRequestId": request_id, "CallState": state}
        if self.ways.fault("request-id-null"):
            entry["CallRequestId"] = None
        if self.ways.fault("request-id-late") and state == "":
            del entry["CallRequestId"]
        if self.ways.fault("pending-null") and state == "":
            entry["CallState"] = None
        if self.ways.dialect.extras:
            nan = self.ways.fault("nan-duration") and state == ""
            entry["Seconds"] = float("nan") if nan else round(self.ways.settings.ring_seconds, 3)
            entry["Trunk"] = {"Name": "north", "Attempts": 1}
        if self.ways.fault("token-in-poll"):
            entry["Trunk"]["Key"] = call.order.token
        return entry

    def _mangled(self, entries: list[Entry], calls: dict[str, Call | None]) -> list[Entry]:
        """The entries after the faults of batches."""
        if len(entries) < 2:
            return entries
        if self.ways.fault("sixteen-reported"):
            return entries[:16]
        if self.ways.fault("eleventh-lost"):
            return [entry for place, entry in enumerate(entries) if place == 0 or place % 10]
        if self.ways.fault("batch-loses-rejected"):
            return [entry for entry in entries if entry["CallState"] != "Rejected"]
        if self.ways.fault("last-again") and len(entries) >= 3:
            return [*entries, entries[-1]]
        if self.ways.fault("first-state-for-all") and len(entries) > 10:
            return entries[:10] + [entry | {"CallState": entries[9]["CallState"]} for entry in entries[10:]]
        if self.ways.fault("line-once"):
            by_line = {call.order.number: entry for entry in entries if (call := calls.get(entry["UniqueId"]))}
            return list(by_line.values())
        if self.ways.fault("pair-swapped") and len(entries) >= 5:
            return _swapped(entries)
        return entries


def _swapped(entries: list[Entry]) -> list[Entry]:
    for one, other in pairwise(entries):
        states = one["CallState"], other["CallState"]
        if all(states) and states[0] != states[1]:
            other["CallState"], one["CallState"] = states
            break
    return entries
