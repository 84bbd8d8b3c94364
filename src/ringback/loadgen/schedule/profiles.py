"""The arrival rate over time: constant, ramp, steps, spike, soak. Values only: no clock, no randomness.

A profile is a sequence of segments in which the rate changes linearly, so the number of arrivals up to any instant (the
integral of the rate) and its inverse have closed forms. `arrivals` computes when each arrival is due.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ringback.config import ConfigError, Load
from ringback.config.durations import parse_duration

__all__ = [
    "DEFAULT_DURATION",
    "PROCESSES",
    "CountedSegment",
    "Profile",
    "Segment",
    "constant",
    "parse_step",
    "profile_from",
    "ramp",
    "spike",
    "steps",
    "whole_arrivals",
]

PROCESSES = ("uniform", "poisson")
"""How the arrivals of a profile are spread, by name."""

_STEP = re.compile(r"\s*(\d+(?:\.\d+)?)\s+for\s+(\S.*?)\s*")
_USED_BY = {
    "ramp_up": ("constant", "ramp", "steps", "soak"),
    "from_rate": ("ramp",),
    "steps": ("steps",),
    "spike_rate": ("spike",),
    "spike_at": ("spike",),
    "spike_for": ("spike",),
}
_RATE = 20.0
DEFAULT_DURATION = 30.0
_LISTED_SINGLY = 6
_MOST_STEPS = 200
"""Each has figures of its own."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Seconds in which the rate changes linearly from `first` to `last` arrivals a second."""

    seconds: float
    first: float
    last: float

    @property
    def arrivals(self) -> float:
        """The number of arrivals in the segment: the area under the line."""
        return self.seconds * ((self.first + self.last) / 2)


@dataclass(frozen=True, slots=True)
class CountedSegment:
    """A segment that starts `start` seconds into the run, after `before` arrivals, and ends after `after` arrivals."""

    start: float
    before: float
    after: float
    segment: Segment


@dataclass(frozen=True, slots=True)
class Profile:
    """The arrival rate (arrivals a second) over a run. `ConfigError` names the setting at fault and the fix."""

    shape: str
    """As `load.shape` names it."""
    segments: tuple[Segment, ...]
    steady: tuple[float, float]
    """Start and end, in seconds, of the part that limits are applied to."""
    text: str
    """The profile in words."""

    def __post_init__(self) -> None:
        begin, end = self.steady
        if not 0 <= begin < end <= self.duration * (1 + 1e-12):
            raise _wrong("ramp_up", "as long as the run or longer", "make it shorter, or the run longer")
        for rate in (rate for segment in self.segments for rate in (segment.first, segment.last)):
            if not (math.isfinite(rate) and rate >= 0):
                raise _wrong("rate", "not a rate", "use a finite number of arrivals a second, 0 or more")
        if not self.count():
            raise _wrong("rate", "there would be no arrivals", "use a rate above 0")

    @property
    def duration(self) -> float:
        """Seconds during which there are arrivals."""
        return math.fsum(segment.seconds for segment in self.segments)

    def expected(self) -> float:
        """The integral of the rate: the number of arrivals (of Poisson arrivals, the mean)."""
        return math.fsum(segment.arrivals for segment in self.segments)

    def count(self) -> int:
        """The number of uniform arrivals: the first is due at once, so a fraction counts as one."""
        return whole_arrivals(self.expected())

    def spans(self) -> tuple[CountedSegment, ...]:
        """The segments, each with its start in time and in the count of arrivals."""
        areas = [segment.arrivals for segment in self.segments]
        counts = [math.fsum(areas[:number]) for number in range(len(areas) + 1)]
        starts = accumulate((segment.seconds for segment in self.segments), initial=0.0)
        return tuple(
            CountedSegment(start, before, after, segment)
            for start, before, after, segment in zip(starts, counts, counts[1:], self.segments, strict=False)
        )


def constant(rate: float, duration: float, ramp_up: float = 0.0, *, shape: str = "constant") -> Profile:
    """One rate for `duration` seconds, which include `ramp_up` seconds of climbing from 0. Steady: after the climb.

    A long run like this is called `soak`.
    """
    level = duration - ramp_up
    text = f"{_number(rate)} a second for {_time(duration)}"
    if ramp_up:
        text = f"up to {_number(rate)} a second over {_time(ramp_up)}, then {_number(rate)} for {_time(level)}"
    segments = _segments((ramp_up, 0.0, rate), (level, rate, rate))
    return Profile(shape, segments, (ramp_up, math.fsum((ramp_up, level))), text)


def ramp(from_rate: float, to_rate: float, over: float, hold: float = 0.0) -> Profile:
    """From one rate linearly to another in `over` seconds; then that rate for `hold` seconds.

    Steady: the hold; without one, the whole run.
    """
    text = f"ramp from {_number(from_rate)} to {_number(to_rate)} a second over {_time(over)}"
    if hold:
        text += f", then {_number(to_rate)} for {_time(hold)}"
    segments = _segments((over, from_rate, to_rate), (hold, to_rate, to_rate))
    return Profile("ramp", segments, (over if hold else 0.0, over + hold), text)


def steps(rates: Sequence[tuple[float, float]], settle: float = 0.0) -> Profile:
    """One rate after another, each for its seconds. Steady: all except the first `settle` seconds."""
    if not rates:
        raise _wrong("steps", "missing", 'list some, such as ["50 for 30s", "100 for 30s"]')
    if len(rates) > _MOST_STEPS:
        raise _wrong("steps", f"{len(rates)} of them", f"list at most {_MOST_STEPS}, or use a ramp")
    if settle >= rates[0][1]:
        raise _wrong("ramp_up", "as long as the first step or longer", "make it shorter, or the step longer")
    segments = tuple(Segment(seconds, rate, rate) for rate, seconds in rates)
    whole = math.fsum(segment.seconds for segment in segments)
    (first, seconds), *others = rates
    if len(rates) <= _LISTED_SINGLY:
        each = (f"{_number(rate)} for {_time(time)}" for rate, time in others)
        text = ", then ".join((f"{_number(first)} a second for {_time(seconds)}", *each))
    else:
        low, high = min(rate for rate, _ in rates), max(rate for rate, _ in rates)
        text = f"{len(rates)} steps between {_number(low)} and {_number(high)} a second over {_time(whole)}"
    return Profile("steps", segments, (settle, whole), text)


def spike(base: float, peak: float, at: float, lasting: float, duration: float) -> Profile:
    """A base rate for `duration` seconds, and from second `at` a peak of `lasting` seconds.

    Steady: the whole run, because a spike tests how the deployment bears it and works off the backlog.
    """
    if peak <= base:
        raise _wrong("spike_rate", f"not above the base rate of {_number(base)} a second", "use a higher rate")
    if at + lasting > duration:
        raise _wrong("spike_at", "the spike would end after the run", "begin it earlier, or make the run longer")
    segments = _segments((at, base, base), (lasting, peak, peak), (duration - at - lasting, base, base))
    text = (
        f"{_number(base)} a second for {_time(duration)}, "
        f"with a spike to {_number(peak)} after {_time(at)} that lasts {_time(lasting)}"
    )
    return Profile("spike", segments, (0.0, math.fsum(segment.seconds for segment in segments)), text)


def parse_step(text: str) -> tuple[float, float]:
    """Rate and seconds of a step written like `"50 for 30s"`. Raises `ConfigError`."""
    match = _STEP.fullmatch(text)
    if match is None:
        raise _wrong("steps", "not a step", 'write a rate and a duration, such as "50 for 30s"')
    try:
        return float(match[1]), parse_duration(match[2])
    except ValueError as error:
        raise ConfigError.of("load", "load.steps", f'in "{match[0].strip()}": {error}') from None


def profile_from(load: Load, rate: float | None, duration: float | None) -> Profile:
    """The profile that the configuration describes, at the run's rate and for the run's duration (seconds).

    The rate is the end of a ramp and the base of a spike; steps have their own rates and durations. None means the
    default. Raises `ConfigError`, also for a setting that the shape would ignore.
    """
    for key, shapes in _USED_BY.items():
        if getattr(load, key) not in (None, ()) and load.shape not in shapes:
            raise _wrong(key, f'not used with shape = "{load.shape}"', f"remove it, or use {' or '.join(shapes)}")
    if load.shape == "steps":
        for key, value in (("rate", rate), ("duration", duration)):
            if value is not None:
                raise _wrong(key, "steps have rates and durations of their own", "leave it out")
        return steps([parse_step(step) for step in load.steps], load.ramp_up or 0.0)
    rate, duration = rate or _RATE, duration or DEFAULT_DURATION
    match load.shape:
        case "ramp":
            over = duration if load.ramp_up is None else load.ramp_up
            if over > duration:
                raise _wrong("ramp_up", "longer than the run", "make it shorter, or the run longer")
            return ramp(_given("from_rate", load.from_rate, "arrivals a second"), rate, over, duration - over)
        case "spike":
            peak = _given("spike_rate", load.spike_rate, "arrivals a second")
            at = _given("spike_at", load.spike_at, "seconds")
            return spike(rate, peak, at, _given("spike_for", load.spike_for, "seconds"), duration)
    return constant(rate, duration, load.ramp_up or 0.0, shape=load.shape)


def whole_arrivals(area: float) -> int:
    """How many arrivals, counted from 0, are due before the integral of the rate reaches `area`."""
    return max(0, math.ceil(area - 1e-9))


def _segments(*rows: tuple[float, float, float]) -> tuple[Segment, ...]:
    """Segments of seconds, first and last rate, without those that have no length."""
    return tuple(Segment(*row) for row in rows if row[0] > 0)


def _wrong(key: str, problem: str, fix: str) -> ConfigError:
    return ConfigError("load", f"--{key}" if key in {"rate", "duration"} else f"load.{key}", problem, fix)


def _given(key: str, value: float | None, unit: str) -> float:
    if value is None:
        raise _wrong(key, "missing", f"this shape needs it, in {unit}")
    return value


def _number(value: float) -> str:
    return f"{value:.10g}"


def _time(seconds: float) -> str:
    for unit, length, least in (("h", 3600, 2), ("min", 60, 10)):
        if seconds >= least * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{_number(seconds)} s"
