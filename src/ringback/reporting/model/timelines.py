"""Timelines of accepted calls, from the trigger to the delivery of the result, in seconds since the run began.

A check writes them to `timelines.ndjson`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ringback.config import LINE_STATES
from ringback.rundir import SINK, write_whole
from ringback.rundir.names import TIMELINES_FILE
from ringback.rundir.reading import json_objects, number

__all__ = ["CallTimeline", "read_timelines", "write_timelines"]

_LATEST = 1e9
"""Seconds; a greater number is not an instant of a run."""
_MOST_DELIVERIES = 50


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


def read_timelines(directory: Path) -> tuple[CallTimeline, ...]:
    """The calls in `timelines.ndjson` in the order of their triggers; none without that file."""
    lines = json_objects(directory / TIMELINES_FILE)
    found = [timeline for line in lines if line is not None and (timeline := _timeline(line)) is not None]
    return tuple(sorted(found, key=lambda timeline: timeline.triggered_s))


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
