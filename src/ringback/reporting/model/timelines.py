"""Timelines of accepted calls, from the trigger to the delivery of the result, in seconds since the run began.

A check writes them to `timelines.ndjson`. For a run without that file they are derived from `exchanges.ndjson`, which
has triggers and polls but no deliveries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ringback.config import LINE_STATES
from ringback.contract.states import nearest_state
from ringback.rundir import SINK, write_whole
from ringback.rundir.exchanges import SavedExchange, read_exchanges
from ringback.rundir.names import TIMELINES_FILE
from ringback.rundir.reading import json_objects, number, text

__all__ = [
    "CallTimeline",
    "read_timelines",
    "timelines_from_exchanges",
    "timelines_of_run",
    "write_timelines",
]

_LATEST = 1e9
"""Seconds; a greater number is not an instant of a run."""
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
    first_pending_s: float | None = None
    """When a poll first reported the call as in progress."""
    final_s: float | None = None
    """When a poll first reported a final state."""
    state: str | None = None
    """The final state, as it was reported."""
    deliveries: tuple[tuple[float, int], ...] = ()
    """When requests with its result reached the receiver, and the status that each was answered with."""
    watched_until_s: float | None = None
    """When the call was last polled."""

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
    found = read_timelines(directory) or timelines_from_exchanges(directory)
    return tuple(sorted(found, key=lambda timeline: timeline.triggered_s))


def read_timelines(directory: Path) -> list[CallTimeline]:
    """The calls in `timelines.ndjson`; none if there is no such file."""
    lines = json_objects(directory / TIMELINES_FILE)
    return [timeline for line in lines if line is not None and (timeline := _timeline(line)) is not None]


def timelines_from_exchanges(directory: Path) -> list[CallTimeline]:
    """The calls as the recorded triggers and polls show them; deliveries are not recorded there."""
    calls: dict[str, list[CallTimeline]] = {}
    polls: list[_Poll] = []
    for exchange in read_exchanges(directory):
        if (poll := _poll(exchange)) is not None:
            polls.append(poll)
        elif (accepted := _accepted(exchange)) is not None:
            unique_id, call = accepted
            calls.setdefault(unique_id, []).append(call)
    for poll in sorted(polls, key=lambda poll: poll.answered_s):
        for unique_id in poll.asked:
            if unique_id in calls:
                calls[unique_id] = [_polled(call, poll, unique_id) for call in calls[unique_id]]
    return [call for sharing in calls.values() for call in sharing]


# -- timelines.ndjson ---------------------------------------------------------------------------------------------


def _timeline(entry: Mapping[str, Any]) -> CallTimeline | None:
    triggered, answered = _instant(entry.get("triggered_s")), _instant(entry.get("answered_s"))
    if triggered is None or answered is None:
        return None
    pairs = entry.get("deliveries")
    deliveries = [
        (at, pair[1])
        for pair in (pairs[:_MOST_DELIVERIES] if isinstance(pairs, list) else [])
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
    found = number(value)
    return float(found) if found is not None and abs(found) <= _LATEST else None


# -- exchanges.ndjson ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Poll:
    answered_s: float
    asked: tuple[str, ...]
    states: Mapping[str, tuple[str, ...]]


def _polled(call: CallTimeline, poll: _Poll, unique_id: str) -> CallTimeline:
    """The call with what a poll reported of it."""
    seen = replace(call, watched_until_s=poll.answered_s)
    if call.final_s is not None:
        return seen
    words = poll.states.get(unique_id, ())
    final = next((state for word in words if (state := nearest_state(word)) is not None), None)
    if final is not None:
        return replace(seen, final_s=poll.answered_s, state=final)
    return seen if call.first_pending_s is not None else replace(seen, first_pending_s=poll.answered_s)


def _poll(exchange: SavedExchange) -> _Poll | None:
    asked = _json(exchange.request_body).get("UniqueIds")
    answer = _json(exchange.response_body).get("CallResults")
    answered_s = _ended(exchange)
    if not isinstance(asked, list) or not isinstance(answer, list) or answered_s is None:
        return None
    states: dict[str, tuple[str, ...]] = {}
    for result in answer:
        if isinstance(result, dict) and isinstance(result.get("UniqueId"), str):
            unique_id = result["UniqueId"]
            states[unique_id] = (*states.get(unique_id, ()), text(result.get("CallState")))
    return _Poll(answered_s, tuple(one for one in asked if isinstance(one, str)), states)


def _accepted(exchange: SavedExchange) -> tuple[str, CallTimeline] | None:
    """The call that a trigger placed, with its UniqueId."""
    unique_id, started, ended = text(_json(exchange.response_body).get("UniqueId")), exchange.at, _ended(exchange)
    if not unique_id or started is None or ended is None or exchange.status != 200:
        return None
    lines = set(_LINE.findall(_destination(_json(exchange.request_body))))
    line = lines.pop().lower() if len(lines) == 1 else ""
    return unique_id, CallTimeline(exchange.purpose.removeprefix("trigger: "), line, started, ended)


def _destination(body: Mapping[str, Any]) -> str:
    entries = body.get("ScenarioInputParameters")
    for given in entries if isinstance(entries, list) else []:
        if isinstance(given, dict) and given.get("Name") == "_Destination":
            return str(given.get("Value"))
    return ""


def _ended(exchange: SavedExchange) -> float | None:
    at, seconds = _instant(exchange.at), _instant(exchange.seconds)
    return None if at is None or seconds is None else at + seconds


def _json(body: str) -> dict[str, Any]:
    """A body that is a JSON object and was recorded whole; else an empty object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
