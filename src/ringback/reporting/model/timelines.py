"""Timelines of accepted calls: from the trigger to the delivery of the result, on the run's own clock.

What lives here: the values, their file `timelines.ndjson`, and a second best for runs that have no such file: what the
recorded exchanges (`exchanges.ndjson`) tell, which is triggers and polls, but no deliveries. Nothing is drawn here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ringback.config import LINE_STATES
from ringback.contract.states import nearest_state
from ringback.rundir import SINK, write_whole

__all__ = [
    "TIMELINES_FILE",
    "CallTimeline",
    "read_timelines",
    "timelines_of_run",
    "told_by_exchanges",
    "write_timelines",
]

TIMELINES_FILE: Final = "timelines.ndjson"
_EXCHANGES_FILE = "exchanges.ndjson"
_MOST_LINES = 100_000
"""Lines of a file that are read: a check leaves some hundreds."""
_LONGEST_LINE = 1_000_000
_LATEST = 1e9
"""Seconds; what comes later is no instant of a run, nor is what is not a number."""
_MOST_DELIVERIES = 50
_LINE = re.compile(r"\$RINGBACK_LINES__([A-Z_]{1,40})")


@dataclass(frozen=True, slots=True)
class CallTimeline:
    """One accepted call. Instants are seconds since the run began; None for what was not observed."""

    label: str
    """What was sent, readable."""
    line: str
    """The line's name in the configuration, such as `busy`; empty if it is not known."""
    triggered_s: float
    """When the trigger was sent."""
    answered_s: float
    """When its answer had come."""
    first_pending_s: float | None
    """When a poll first told that the call was in progress."""
    final_s: float | None
    """When a poll first told a final state."""
    state: str | None
    """The final state, as it was reported."""
    deliveries: tuple[tuple[float, int], ...] = ()
    """When requests with its result reached the receiver, and the status that each was answered with."""
    watched_until_s: float | None = None
    """When the call was last asked for."""

    @property
    def known_state(self) -> str | None:
        """The state that the line is known to produce."""
        return LINE_STATES.get(self.line)

    @property
    def as_known(self) -> bool:
        """Whether the call ended as its line does; a line of which nothing is known can't be contradicted."""
        return self.state is not None and (self.known_state is None or self.state == self.known_state)

    @property
    def end_s(self) -> float:
        """The last instant at which anything was seen of the call."""
        seen = [self.first_pending_s, self.final_s, self.watched_until_s, *(at for at, _ in self.deliveries)]
        return max([self.answered_s, *(at for at in seen if at is not None)])


def write_timelines(timelines: Iterable[CallTimeline], directory: Path) -> Path:
    """Write `timelines.ndjson`, a call a line, and return its path. Raises OSError."""
    return write_whole(directory / TIMELINES_FILE, SINK.json_lines(asdict(timeline) for timeline in timelines))


def timelines_of_run(directory: Path) -> tuple[CallTimeline, ...]:
    """The calls of the run in `directory`, in the order of their triggers; what can't be read is left out."""
    told = read_timelines(directory) or told_by_exchanges(directory)
    return tuple(sorted(told, key=lambda timeline: timeline.triggered_s))


def read_timelines(directory: Path) -> list[CallTimeline]:
    """What `timelines.ndjson` holds; nothing if there is none."""
    return [timeline for entry in _entries(directory / TIMELINES_FILE) if (timeline := _timeline(entry)) is not None]


def told_by_exchanges(directory: Path) -> list[CallTimeline]:
    """What the recorded triggers and polls tell of the calls; deliveries are not among them."""
    calls: dict[str, list[_Seen]] = {}
    polls: list[_Poll] = []
    for entry in _entries(directory / _EXCHANGES_FILE):
        if (poll := _poll(entry)) is not None:
            polls.append(poll)
        elif (accepted := _accepted(entry)) is not None:
            unique_id, seen = accepted
            calls.setdefault(unique_id, []).append(seen)
    for poll in sorted(polls, key=lambda poll: poll.told_s):
        for unique_id in poll.asked:
            for seen in calls.get(unique_id, ()):
                seen.note(poll, unique_id)
    return [seen.timeline() for sharing in calls.values() for seen in sharing]


# -- timelines.ndjson ---------------------------------------------------------------------------------------------


def _timeline(entry: Mapping[str, Any]) -> CallTimeline | None:
    triggered, answered = _instant(entry.get("triggered_s")), _instant(entry.get("answered_s"))
    if triggered is None or answered is None:
        return None
    told = entry.get("deliveries")
    pairs = told if isinstance(told, list) else []
    deliveries = [
        (at, pair[1])
        for pair in pairs[:_MOST_DELIVERIES]
        if isinstance(pair, list) and len(pair) == 2 and (at := _instant(pair[0])) is not None and type(pair[1]) is int
    ]
    state = entry.get("state")
    return CallTimeline(
        label=str(entry.get("label") or ""),
        line=str(entry.get("line") or ""),
        triggered_s=triggered,
        answered_s=max(answered, triggered),
        first_pending_s=_instant(entry.get("first_pending_s")),
        final_s=_instant(entry.get("final_s")),
        state=state if isinstance(state, str) else None,
        deliveries=tuple(deliveries),
        watched_until_s=_instant(entry.get("watched_until_s")),
    )


def _instant(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LATEST:
        return None
    return float(value)


# -- exchanges.ndjson ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    """A call while polls are gone through."""

    label: str
    line: str
    triggered_s: float
    answered_s: float
    first_pending_s: float | None = None
    final_s: float | None = None
    state: str | None = None
    watched_until_s: float | None = None

    def note(self, poll: _Poll, unique_id: str) -> None:
        self.watched_until_s = poll.told_s
        words = poll.states.get(unique_id, ())
        final = next((state for word in words if (state := nearest_state(word)) is not None), None)
        if final is not None and self.final_s is None:
            self.final_s, self.state = poll.told_s, final
        elif final is None and self.final_s is None and self.first_pending_s is None:
            self.first_pending_s = poll.told_s

    def timeline(self) -> CallTimeline:
        return CallTimeline(
            self.label, self.line, self.triggered_s, self.answered_s, self.first_pending_s, self.final_s, self.state,
            watched_until_s=self.watched_until_s,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Poll:
    told_s: float
    asked: tuple[str, ...]
    states: Mapping[str, tuple[str, ...]]


def _poll(entry: Mapping[str, Any]) -> _Poll | None:
    asked, answer = _json(entry, "request").get("UniqueIds"), _json(entry, "response").get("CallResults")
    if not isinstance(asked, list) or not isinstance(answer, list):
        return None
    states: dict[str, tuple[str, ...]] = {}
    for result in answer:
        if isinstance(result, dict) and isinstance(result.get("UniqueId"), str):
            word = result.get("CallState")
            unique_id = result["UniqueId"]
            states[unique_id] = (*states.get(unique_id, ()), word if isinstance(word, str) else "")
    told_s = _ended(entry)
    return None if told_s is None else _Poll(told_s, tuple(one for one in asked if isinstance(one, str)), states)


def _accepted(entry: Mapping[str, Any]) -> tuple[str, _Seen] | None:
    unique_id, ended = _json(entry, "response").get("UniqueId"), _ended(entry)
    request, answer = entry.get("request"), entry.get("response")
    if not isinstance(unique_id, str) or not unique_id or ended is None:
        return None
    if not isinstance(request, dict) or not isinstance(answer, dict) or answer.get("status") != 200:
        return None
    found = set(_LINE.findall(_destination(_json(entry, "request"))))
    line = found.pop().lower() if len(found) == 1 else ""
    label = str(entry.get("purpose") or "").removeprefix("trigger: ")
    return unique_id, _Seen(label, line, float(entry["at"]), ended)


def _destination(body: Mapping[str, Any]) -> str:
    entries = body.get("ScenarioInputParameters")
    for given in entries if isinstance(entries, list) else []:
        if isinstance(given, dict) and given.get("Name") == "_Destination":
            return str(given.get("Value"))
    return ""


def _ended(entry: Mapping[str, Any]) -> float | None:
    at, seconds = _instant(entry.get("at")), _instant(entry.get("seconds"))
    return None if at is None or seconds is None else at + seconds


def _json(entry: Mapping[str, Any], side: str) -> dict[str, Any]:
    """The body of a request or an answer, if it is a JSON object and was kept whole; else an empty one."""
    message = entry.get(side)
    body = message.get("body") if isinstance(message, dict) else None
    try:
        value = json.loads(body) if isinstance(body, str) else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of an NDJSON file; nothing if there is none. A line cut off by an interruption is passed over."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in islice(file, _MOST_LINES):
                if len(line) > _LONGEST_LINE:
                    continue
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(value, dict):
                    yield value
    except OSError:
        return
