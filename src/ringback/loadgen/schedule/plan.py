"""What a load run is asked to do. Values only: no process, no clock, no network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from pydantic import TypeAdapter

from ringback.config import Config, ConfigError
from ringback.loadgen.schedule.profiles import DEFAULT_DURATION, Profile, profile_from
from ringback.loadgen.schedule.scenarios import SCENARIOS, Scenario

__all__ = ["HIGHEST_RATE", "SETUP", "LoadPlan", "PlannedStep", "plan_for"]

SETUP = 5.0
"""Seconds in which a standing population is placed, before the schedule begins."""
_START = 50.0
"""Arrivals a second at which a capacity search begins."""
_SEARCH = 600.0
"""Seconds that a capacity search takes at most, if no duration is given."""
HIGHEST_RATE = 100_000.0
"""Arrivals a second that a capacity search tries at most."""


class PlannedStep(NamedTuple):
    """A step of `shape = "steps"`: arrivals a second, its start and end in seconds since the run's start."""

    rate: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load run, of values that fit each other (see `plan_for`)."""

    scenario: str
    rate: float | None
    """Arrivals a second, whether or not answers come (open model); None: as many as possible (closed model)."""
    connections: int
    """Back-to-back requesters of the closed model; the open model opens what it needs."""
    duration: float
    """Seconds of arrivals (of a capacity search: at most). Following calls to their end takes extra time."""
    seed: int
    workers: int = 1
    """Processes that share the load."""
    profile: Profile | None = None
    """The arrival rate over time; None in the closed model and in a search."""
    arrivals: str = "uniform"
    """How arrivals are spread: `uniform` or `poisson`."""
    step: float = 5.0
    """Seconds of each step of a capacity search."""
    think: float = 0.0
    """In the closed model, seconds that each requester waits between an answer and its next request."""

    @property
    def what(self) -> Scenario:
        """The scenario's needs."""
        return SCENARIOS[self.scenario]

    @property
    def process(self) -> str:
        """How arrivals are spread; evenly in the steps of a search."""
        return "uniform" if self.what.searches else self.arrivals

    @property
    def delay(self) -> float:
        """Seconds from the start to the first arrival of the schedule."""
        return SETUP if self.what.stands else 0.0

    @property
    def steady(self) -> tuple[float, float]:
        """Start and end of the part that limits are applied to, in seconds since the run's start."""
        if self.profile is None:
            return (0.0, math.inf)
        start, end = self.profile.steady
        return (start + self.delay, math.inf if end >= self.profile.duration - 1e-9 else end + self.delay)

    @property
    def steps(self) -> tuple[tuple[str, PlannedStep], ...]:
        """The steps of the schedule with their numbers, without the seconds that are not judged; else empty."""
        profile = self.profile
        if profile is None or profile.shape != "steps":
            return ()
        first, delay = profile.steady[0], self.delay
        return tuple(
            (
                str(number),
                PlannedStep(
                    span.segment.last, max(span.start, first) + delay, span.start + span.segment.seconds + delay
                ),
            )
            for number, span in enumerate(profile.spans(), 1)
        )

    @property
    def cuts(self) -> tuple[float, ...]:
        """Where steps begin and end, in seconds since the run's start."""
        return tuple(sorted({edge for _, step in self.steps for edge in (step.start, step.end)}))

    @property
    def text(self) -> str:
        """The load in words."""
        if self.what.searches:
            return f"{self.what.arrivals}, from {self.rate or 0:g} a second on, in steps of {self.step:g} s"
        if self.profile is not None:
            spread = "" if self.arrivals == "uniform" else ", at random (Poisson)"
            return f"{self.what.arrivals}: {self.profile.text}{spread}"
        how = f"back to back on {self.connections} connections"
        if self.think:
            how = f"{self.connections} users, each {self.think:g} s after its last answer,"
        return f"{self.what.arrivals}, closed model: {how} for {self.duration:g} s"

    def expected_calls(self, population: int) -> int | None:
        """How many calls the run will place at most; None if that depends on answers, or on a search."""
        if self.what.arrivals.startswith("polls"):
            return population
        return None if self.profile is None else self.profile.count()

    def to_plain(self) -> dict[str, Any]:
        """The plan in JSON's types."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The plan that `to_plain` gave."""
        return TypeAdapter(cls).validate_python(plain)


def plan_for(
    config: Config,
    *,
    scenario: str,
    rate: float | None,
    connections: int,
    duration: float | None,
    seed: int,
    workers: int = 1,
    closed: bool = False,
    think: float = 0.0,
) -> LoadPlan:
    """The plan that the configuration and the command line describe. Raises `ConfigError`.

    None for `rate` or `duration` means the default; `closed` is the closed model, `think` its users' pause in seconds.
    """
    load = config.load
    what = SCENARIOS[scenario]
    profile: Profile | None = None
    if what.searches:
        rate, duration, closed = min(rate or _START, HIGHEST_RATE), duration or _SEARCH, False
    elif closed:
        rate, duration = None, duration or DEFAULT_DURATION
    else:
        profile = profile_from(load, rate, duration)
        rate, duration = max(max(part.first, part.last) for part in profile.segments), profile.duration
    if closed and connections < workers:
        raise ConfigError(
            "load", None, "each worker needs a connection", "give as many connections as workers, or more"
        )
    return LoadPlan(
        scenario=scenario, rate=None if closed else rate, connections=connections, duration=duration, seed=seed,
        workers=workers, profile=profile, arrivals=load.arrivals, step=load.step, think=think if closed else 0.0,
    )  # fmt: skip
