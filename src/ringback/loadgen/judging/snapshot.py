"""What is known of a load run at one moment, from all its processes: section, windows, and open questions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from ringback.config import Config
from ringback.deployment.access import redactor_for
from ringback.loadgen.accounting.reconcile import Account, LineAccount
from ringback.loadgen.judging.capacity import Capacity
from ringback.loadgen.judging.limits import parts_named
from ringback.loadgen.metrics.histogram import Histogram
from ringback.loadgen.metrics.saturation import open_question
from ringback.loadgen.metrics.section import (
    generator_health,
    keys_for,
    lines_of,
    operation,
    steps_of,
    tags_of,
    window_lines,
)
from ringback.loadgen.metrics.windows import Part, Windows
from ringback.loadgen.schedule.origin import POLL, TRIGGER, origin
from ringback.loadgen.schedule.plan import LoadPlan

__all__ = ["LoadSnapshot"]

_SCHEDULED_POLL = origin("poll", tags=frozenset({"poll"}))
"""Polls that arrive by schedule. Those that follow calls have no tags."""
_DOMINANT = 0.1
"""Share of arrivals; if a rate limit stopped more of them, it decided what was measured."""


@dataclass(frozen=True, slots=True)
class LoadSnapshot:
    """A load run as of now. `parts` is what each process reported last (`WorkerRun.parts`)."""

    config: Config
    plan: LoadPlan
    parts: Sequence[Mapping[str, Any]]
    account: Account
    windows: Windows
    lost: Mapping[str, str]
    """Lost workers by id, each with its name and when it was lost."""
    reasons: tuple[str, ...] = ()
    """Why the run is incomplete, as the controller says."""
    capacity: Capacity | None = None
    cores: int | None = None
    """Cores of the machine on which all processes run; None if there are several machines."""

    @classmethod
    def empty(cls, config: Config, plan: LoadPlan) -> Self:
        """A run of which nothing is known."""
        return cls(config, plan, (), Account(), Windows(), lost={})

    @property
    def time_to_final(self) -> Histogram:
        """Seconds from triggers to the polls that reported their calls' final states, of all processes."""
        return Histogram.sum(self.times_to_final().values())

    def times_to_final(self) -> dict[str, Histogram]:
        """The same for each line."""
        found = {line: Histogram() for line in self.config.lines.configured}
        for part in self.parts:
            for line, times in part["time_to_final"].items():
                found[line].merge(Histogram.from_plain(times))
        return found

    def section(self, *, live: bool = False) -> dict[str, Any]:
        """The load section of `verdict.json`; `live`, of the run's parts it has only those that limits are on."""
        return self._section(self.windows.steady_part(), live=live)

    def lines(self) -> list[dict[str, Any]]:
        """The windows, a mapping each."""
        return list(window_lines(self.windows))

    def between(self, start: float, end: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Section and windows of the part between two instants, in seconds since the run's start."""
        section = self._section(self.windows.part(start, end), live=True)
        return section, list(window_lines(self.windows, start, end))

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
        """Why the run is inconclusive, whatever its figures are."""
        questions = [*self.reasons, *(reason for part in self.parts for reason in part["reasons"])]
        untried = questions and not self._sum("scheduled")
        if not self._reached and not untried and not any("reach" in reason for reason in questions):
            questions.append(
                f"the deployment could not be reached at {self.config.deployment.base_url}: no request could be sent"
            )
        questions += [
            f"the worker {name} was lost: what it did after that is unknown, and its share of the load was not sent"
            for name in self.lost.values()
        ]
        limited = open_question(self.windows.steady_part().judgement, self.plan.workers, self.cores)
        # The steps of a search show where the generator was the limit.
        if limited is not None and not self.plan.what.searches:
            questions.append(limited)
        questions += self._about_arrivals()
        refused = self._sum("refused_polls")
        if refused:
            questions.append(f"the dial guard refused {refused} polls; nothing was sent for them")
        if self.account.unfinished:
            late = self._sum("asked_too_late")
            why = f" ({late} of them were polled too late to know their state)" if late else ""
            questions.append(f"{self.account.unfinished} accepted calls were unfinished when the run ended{why}")
        if self.plan.what.searches:
            cut_short = "no capacity was found: the search was cut short"
            shortfall = cut_short if self.capacity is None else self.capacity.shortfall
            questions += [shortfall] if shortfall is not None else []
        return tuple(dict.fromkeys(questions))

    def _about_arrivals(self) -> list[str]:
        questions = []
        trigger = self.windows.whole.of(TRIGGER)
        scheduled = self._sum("scheduled")
        refused = trigger.rate_limited + self.windows.whole.of(_SCHEDULED_POLL).rate_limited
        stopped = self._sum("held_back") + refused
        if scheduled and stopped / scheduled > _DOMINANT and refused:
            questions.append(
                f"the deployment's rate limit (429) stopped {stopped} of {scheduled} arrivals; "
                "lower the rate, or have the limit lifted for the test"
            )
        poll = self.windows.whole.of(POLL)
        if by_proxy := trigger.own_faults["proxy"] + poll.own_faults["proxy"]:
            proxy = self.config.deployment.proxy
            where = "" if proxy is None else f" {proxy.where}"
            questions.append(
                f"the proxy{where} refused {by_proxy} requests, or answered them in place of the deployment"
            )
        stale = trigger.own_faults["stale"]
        if scheduled and stale / scheduled > _DOMINANT:
            questions.append(
                f"{stale} triggers were sent just when the deployment closed an idle connection; "
                "it is unknown whether they arrived"
            )
        return questions

    @property
    def _reached(self) -> bool:
        return any(part["reached"] for part in self.parts)

    def _sum(self, name: str) -> int:
        return sum(part[name] for part in self.parts)

    def _section(self, part: Part, *, live: bool) -> dict[str, Any]:
        keys, whole, plan = keys_for(self.config.limits), self.windows.whole, self.plan
        seconds = max((each["seconds"] for each in self.parts), default=0.0)
        end = part.end if math.isfinite(part.end) else max(seconds, part.start)
        sent = self._sum("sent")
        times = self.times_to_final()
        section: dict[str, Any] = {
            "scenario": plan.scenario,
            "seconds": round(seconds, 3),
            "reached": self._reached,
            "steady": {"from_s": round(part.start, 3), "to_s": round(end, 3)},
            "workers": [self._worker(each) for each in self.parts] if plan.workers > 1 else [],
            "arrivals": {
                "scheduled": self._sum("scheduled"),
                "sent": sent,
                "held_back": self._sum("held_back"),
                "rate": round(sent / seconds, 3) if seconds > 0 else 0.0,
            },
            "trigger": operation(TRIGGER, part, whole, keys) | self._examples("trigger"),
            "poll": operation(POLL, part, whole, keys) | self._examples("poll"),
            "calls": self._calls(),
            "time_to_final_ms": Histogram.sum(times.values()).summary_ms(keys),
            "generator": generator_health(part, whole, keys) | self._generator(),
            "seed": plan.seed,
            "profile": {
                "shape": "closed" if plan.profile is None else plan.profile.shape,
                "text": plan.text,
                "arrivals": plan.arrivals,
                "expected": plan.expected_calls(self.config.load.population),
            },
        }
        section |= {name: figures for name, figures in self._parts(part, keys, times, live=live).items() if figures}
        optional = {
            "unusable": next((each["unusable"] for each in self.parts if each["unusable"]), None),
            "receiver": self._receiver(),
            "capacity": None if self.capacity is None else self.capacity.to_plain(),
        }
        return section | {name: value for name, value in optional.items() if value is not None}

    def _parts(
        self, part: Part, keys: tuple[str, ...], times: Mapping[str, Histogram], *, live: bool
    ) -> dict[str, Any]:
        """Figures of steps, lines and tags. They cost processor time, so during a run only those with limits count."""
        limits = self.config.limits
        steps, lines, tags = (parts_named(limits, kind) for kind in ("step", "line", "tag"))
        if not live:
            origins = part.total.cells
            steps = [number for number, _ in self.plan.steps]
            lines = [
                line for line in self.config.lines.configured if line in lines or any(o.line == line for o in origins)
            ]
            tags = sorted({*tags, *(tag for o in origins for tag in o.tags)})
        planned = [(number, step) for number, step in self.plan.steps if number in steps]
        return {
            "step": steps_of(self.windows, planned, keys),
            "line": lines_of(part, lines, keys, self._calls_of(lines), times),
            "tag": tags_of(part, tags, keys),
        }

    def _calls_of(self, lines: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What became of the calls of each line."""
        return {line: asdict(self.account.by_line.get(line) or LineAccount()) for line in lines}

    def _calls(self) -> dict[str, Any]:
        calls = asdict(self.account)
        del calls["by_line"]
        if calls["deliveries"] is None:
            del calls["deliveries"]
        calls["indeterminate"] = self._sum("indeterminate")
        calls["by_state"] = dict(sorted(calls["by_state"].items()))
        redactor = redactor_for(self.config) if calls["undocumented"] else None
        words = Counter({} if redactor is None else {redactor.clean(w): n for w, n in calls["undocumented"].items()})
        calls["undocumented"] = dict(words.most_common())
        unfinished = self._redacted(unique_id for part in self.parts for unique_id in part["unfinished_ids"])
        return {**calls, "unfinished_ids": unfinished} if unfinished else calls

    def _redacted(self, unique_ids: Iterable[str]) -> list[str]:
        """Ids as they may be written into files: anything else that a deployment put into them is removed."""
        redactor = redactor_for(self.config)
        cleaned = []
        for unique_id in unique_ids:
            redactor.add_known_id(unique_id)
            cleaned.append(redactor.clean(unique_id))
        return cleaned

    def _examples(self, operation: str) -> dict[str, dict[str, str]]:
        """An answer of each kind of error, from the first process that has one."""
        found: dict[str, str] = {}
        for part in reversed(self.parts):
            found |= part["examples"][operation]
        return {"examples": dict(sorted(found.items()))} if found else {}

    def _receiver(self) -> dict[str, Any] | None:
        """The receivers of all processes. If only one of them can't be reached, its calls still lack deliveries."""
        receivers = [part["receiver"] for part in self.parts if part.get("receiver")]
        if not receivers:
            return None
        return {
            "requests": sum(each["requests"] for each in receivers),
            "dropped": sum(each["dropped"] for each in receivers),
            "unreachable": next((each["unreachable"] for each in receivers if each["unreachable"]), None),
        }

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
            "retries": "a trigger is never repeated; a poll is repeated if its connection was closed just then",
            "open_files": max(files, default=None),
            "open_files_limit": min((part["open_files_limit"] for part in self.parts), default=None),
            "processes": max(1, len(self.parts)),
        }
