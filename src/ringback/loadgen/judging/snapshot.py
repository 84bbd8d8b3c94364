"""What is known of a load run, put together from all who play: its section, its course, and what is left open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringback.config import Config
from ringback.deployment.access import redactor_for
from ringback.loadgen.accounting.reconcile import Account
from ringback.loadgen.judging.capacity import Capacity
from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.saturation import open_question
from ringback.loadgen.metrics.section import keys_for, load_section, window_lines
from ringback.loadgen.metrics.windows import TRIGGER, Part, Windows
from ringback.loadgen.schedule.plan import LoadPlan

__all__ = ["Judged", "LoadSnapshot"]

_DOMINANT = 0.1
"""The share of arrivals beyond which a rate limit decides what is measured."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A stretch of a run, told by itself."""

    section: dict[str, Any]
    lines: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LoadSnapshot:
    """A load run as of now. `parts` is what each process told last (`LoadRun.parts`)."""

    config: Config
    plan: LoadPlan
    parts: Sequence[Mapping[str, Any]]
    account: Account
    windows: Windows
    lost: Mapping[str, str]
    """Workers that were lost, each with when."""
    reasons: tuple[str, ...] = ()
    """Why the run cannot be called whole, in the conductor's words."""
    capacity: Capacity | None = None

    def section(self) -> dict[str, Any]:
        """The load section of `verdict.json`."""
        return self._section(None)

    def lines(self) -> list[dict[str, Any]]:
        """The run's course in windows, a mapping each."""
        return list(window_lines(self.windows))

    def between(self, start: float, end: float) -> Judged:
        """The section and the windows of the stretch between two instants, in seconds of the run's course."""
        return Judged(self._section(self.windows.part(start, end)), list(window_lines(self.windows, start, end)))

    def progress(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """A few figures for a live view."""
        trigger, poll, calls = section["trigger"], section["poll"], section["calls"]
        return {
            "scheduled": section["arrivals"]["scheduled"],
            "sent": section["arrivals"]["sent"],
            "accepted": calls["accepted"],
            "final": calls["final"],
            "in_flight": calls["unfinished"],
            "errors": sum(trigger["whole"]["errors"].values()) + sum(poll["whole"]["errors"].values()),
            "rate_limited": trigger["rate_limited"] + poll["rate_limited"],
            "p99_ms": trigger["latency_ms"]["p99"],
            "lag_p99_ms": section["generator"]["lag_ms"]["p99"],
        }

    def open_questions(self) -> tuple[str, ...]:
        """Why the run cannot be called passed, whatever its figures say."""
        told = [*self.reasons, *(reason for part in self.parts for reason in part["reasons"])]
        untried = told and not self._sum("scheduled")
        if not self._reached and not untried and not any("reach" in reason for reason in told):
            told.append(
                f"the deployment could not be reached at {self.config.deployment.base_url}: no request could be sent"
            )
        told += [
            f"the worker {name} was lost: what it did after that is unknown, and its share of the load was not sent"
            for name in self.lost.values()
        ]
        limited = open_question(self.windows.steady_part().judgement, self.plan.workers)
        # A search reports by its steps which of them the generator decided.
        if limited is not None and not self.plan.what.searches:
            told.append(limited)
        told += self._about_arrivals()
        refused = self._sum("refused_polls")
        if refused:
            told.append(f"the dial guard refused {refused} polls; nothing was sent for them")
        if self.account.unfinished:
            late = self._sum("asked_too_late")
            why = f" ({late} of them were asked for too late to tell)" if late else ""
            told.append(f"{self.account.unfinished} accepted calls were unfinished when the run ended{why}")
        if self.plan.what.searches and (self.capacity is None or self.capacity.rate is None):
            why = "it was cut short" if self.capacity is None else self.capacity.reason
            told.append(f"no capacity was found: {why}")
        return tuple(dict.fromkeys(told))

    def _about_arrivals(self) -> list[str]:
        told = []
        trigger = self.windows.whole.kinds[TRIGGER]
        scheduled = self._sum("scheduled")
        held_back = self._sum("held_back") + trigger.rate_limited
        if scheduled and held_back / scheduled > _DOMINANT and trigger.rate_limited:
            told.append(
                f"the deployment's rate limit (429) decided the load: {held_back} of {scheduled} arrivals; "
                "lower the rate, or have the limit lifted for the test"
            )
        stale = trigger.own_faults["stale"]
        if scheduled and stale / scheduled > _DOMINANT:
            told.append(
                f"{stale} triggers crossed the closing of an idle connection; whether they arrived is not known"
            )
        return told

    @property
    def _reached(self) -> bool:
        return any(part["reached"] for part in self.parts)

    def _sum(self, name: str) -> int:
        return sum(part[name] for part in self.parts)

    def _section(self, part: Part | None) -> dict[str, Any]:
        time_to_final = Histogram()
        for each in self.parts:
            time_to_final.merge(Histogram.from_plain(each["time_to_final"]))
        course = self.plan.course
        return load_section(
            scenario=self.plan.scenario,
            seconds=max((each["seconds"] for each in self.parts), default=0.0),
            reached=self._reached,
            windows=self.windows,
            scheduled=self._sum("scheduled"),
            sent=self._sum("sent"),
            held_back=self._sum("held_back"),
            calls=self._calls(),
            time_to_final=time_to_final,
            part=part,
            profile={
                "shape": "closed" if course is None else course.shape,
                "text": self.plan.text,
                "arrivals": self.plan.arrivals,
                "expected": self.plan.expected_calls(self.config.load.population),
            },
            seed=self.plan.seed,
            workers=[self._worker(each) for each in self.parts] if self.plan.workers > 1 else (),
            generator=self._generator(),
            capacity=None if self.capacity is None else self.capacity.to_plain(),
            keys=keys_for(self.config.limits),
        )

    def _calls(self) -> dict[str, Any]:
        told = self.account.to_dict()
        if told["deliveries"] is None:
            del told["deliveries"]
        told["indeterminate"] = self._sum("indeterminate")
        told["by_state"] = dict(sorted(told["by_state"].items()))
        unfinished = self._legible(unique_id for part in self.parts for unique_id in part["unfinished_ids"])
        return {**told, "unfinished_ids": unfinished} if unfinished else told

    def _legible(self, unique_ids: Iterable[str]) -> list[str]:
        """Ids as they may be written down: whatever else a deployment put into them is removed."""
        redactor = redactor_for(self.config)
        told = []
        for unique_id in unique_ids:
            redactor.add_known_id(unique_id)
            told.append(redactor.clean(unique_id))
        return told

    def _worker(self, part: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": part["name"],
            "share": round(1 / self.plan.workers, 4),
            "accepted": part["account"]["accepted"],
            "sent": part["sent"],
            "lost": bool(part.get("lost")),
            "clock_offset_ms": round(part.get("clock_offset_ms", 0.0), 3),
        }

    def _generator(self) -> dict[str, Any]:
        connections: Counter[str] = Counter()
        for part in self.parts:
            connections.update(part["connections"])
        files = [part["open_files"] for part in self.parts if part["open_files"] is not None]
        return {
            "connections": dict(connections),
            "dns": "; ".join(dict.fromkeys(part["dns"] for part in self.parts)),
            "retries": "a trigger is never sent twice; a poll is sent again if it crossed the closing of a connection",
            "open_files": max(files, default=None),
            "open_files_limit": min((part["open_files_limit"] for part in self.parts), default=None),
            "processes": max(1, len(self.parts)),
        }
