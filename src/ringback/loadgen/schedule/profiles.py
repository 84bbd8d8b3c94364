"""The arrival rate over time: constant, ramp, steps, spike, soak. Values only: no clock, no randomness.

A profile is a sequence of segments in which the rate changes linearly, so the number of arrivals up to any instant (the
integral of the rate) and its inverse have closed forms. `arrivals` computes when each arrival is due.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ringback.config.durations import parse_duration

__all__ = [
    "PROCESSES",
    "SHAPES",
    "BadShape",
    "CountedSegment",
    "Profile",
    "Segment",
    "ShapeSettings",
    "constant",
    "parse_step",
    "profile_from",
    "ramp",
    "soak",
    "spike",
    "steps",
    "whole_arrivals",
]

SHAPES = ("constant", "ramp", "steps", "spike", "soak")
"""The shapes that a configuration can ask for."""
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
_LISTED_SINGLY = 6
_MOST_STEPS = 200
"""Each has figures of its own."""


class BadShape(ValueError):
    """A wrong shape: `key` is the setting at fault; the text says what is wrong, and the fix."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


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
    """The arrival rate (arrivals a second) over a run. ValueError if a value is out of range."""

    shape: str
    """One of `SHAPES`."""
    segments: tuple[Segment, ...]
    steady: tuple[float, float]
    """Start and end, in seconds, of the part that limits are applied to."""
    text: str
    """The profile in words."""

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise BadShape("shape", f"no such shape; use one of {', '.join(SHAPES)}")
        for segment in self.segments:
            _above_zero("duration", segment.seconds, "seconds")
            if not all(math.isfinite(rate) and rate >= 0 for rate in (segment.first, segment.last)):
                raise BadShape("rate", "not a rate; use a finite number of arrivals a second, 0 or more")
        if not self.count():
            raise BadShape("rate", "there would be no arrivals; use a rate above 0")
        begin, end = self.steady
        if not 0 <= begin < end <= self.duration * (1 + 1e-12):
            raise BadShape("ramp_up", "as long as the run or longer; make it shorter, or the run longer")

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

    def rate(self, seconds: float) -> float:
        """Arrivals a second at an instant; at a jump, the new rate; before the start and after the end, 0."""
        if seconds < 0:
            return 0.0
        for span in self.spans():
            segment, into = span.segment, seconds - span.start
            if into < segment.seconds:
                return segment.first + (segment.last - segment.first) * (max(into, 0.0) / segment.seconds)
        return 0.0

    def spans(self) -> tuple[CountedSegment, ...]:
        """The segments, each with its start in time and in the count of arrivals."""
        areas = [segment.arrivals for segment in self.segments]
        counts = [math.fsum(areas[:number]) for number in range(len(areas) + 1)]
        starts = accumulate((segment.seconds for segment in self.segments), initial=0.0)
        return tuple(
            CountedSegment(start, before, after, segment)
            for start, before, after, segment in zip(starts, counts, counts[1:], self.segments, strict=False)
        )

    def to_plain(self) -> dict[str, Any]:
        """The profile in JSON's types, for another process."""
        return {
            "shape": self.shape,
            "segments": [[segment.seconds, segment.first, segment.last] for segment in self.segments],
            "steady": list(self.steady),
            "text": self.text,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Profile:
        """The profile from what `to_plain` gave; ValueError if it is something else."""
        try:
            segments = tuple(Segment(*(float(number) for number in row)) for row in plain["segments"])
            begin, end = plain["steady"]
            return cls(str(plain["shape"]), segments, (float(begin), float(end)), str(plain["text"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a profile: {error}; give what to_plain gave") from None


@dataclass(frozen=True, slots=True)
class ShapeSettings:
    """The settings of the shape: rates in arrivals a second, times in seconds. None: not set.

    A setting that the shape does not use is an error, because it would be ignored.
    """

    shape: str = "constant"
    ramp_up: float | None = None
    """Constant, soak: seconds of climbing from 0. Ramp: seconds of climbing from `from_rate`. Steps: seconds of the
    first step that are not judged. It is part of the duration."""
    from_rate: float | None = None
    steps: tuple[tuple[float, float], ...] = ()
    """Rate and seconds of each."""
    spike_rate: float | None = None
    spike_at: float | None = None
    spike_for: float | None = None
    arrivals: str = "uniform"
    """One of `PROCESSES`."""

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise BadShape("shape", f"no such shape; use one of {', '.join(SHAPES)}")
        if self.arrivals not in PROCESSES:
            raise BadShape("arrivals", f"no such spread of arrivals; use one of {', '.join(PROCESSES)}")
        for key, shapes in _USED_BY.items():
            if getattr(self, key) not in (None, ()) and self.shape not in shapes:
                raise BadShape(key, f'not used with shape = "{self.shape}"; remove it, or use {" or ".join(shapes)}')


def constant(rate: float, duration: float, ramp_up: float = 0.0) -> Profile:
    """One rate for `duration` seconds, which include `ramp_up` seconds of climbing from 0. Steady: after the climb."""
    return _level("constant", rate, duration, ramp_up)


def soak(rate: float, duration: float, ramp_up: float = 0.0) -> Profile:
    """The same as `constant`, as a long run is called. Steady: after the climb."""
    return _level("soak", rate, duration, ramp_up)


def ramp(from_rate: float, to_rate: float, over: float, hold: float = 0.0) -> Profile:
    """From one rate linearly to another in `over` seconds; then that rate for `hold` seconds.

    Steady: the hold; without one, the whole run.
    """
    _zero_or_more("from_rate", from_rate, "arrivals a second")
    _zero_or_more("rate", to_rate, "arrivals a second")
    _above_zero("ramp_up", over, "seconds")
    _zero_or_more("duration", hold, "seconds of holding the rate")
    climb = Segment(over, from_rate, to_rate)
    text = f"ramp from {_number(from_rate)} to {_number(to_rate)} a second over {_time(over)}"
    if not hold:
        return Profile("ramp", (climb,), (0.0, over), text)
    text += f", then {_number(to_rate)} for {_time(hold)}"
    return Profile("ramp", (climb, Segment(hold, to_rate, to_rate)), (over, over + hold), text)


def steps(rates: Sequence[tuple[float, float]], settle: float = 0.0) -> Profile:
    """One rate after another, each for its seconds. Steady: all except the first `settle` seconds."""
    if not rates:
        raise BadShape("steps", 'missing; list some, such as ["50 for 30s", "100 for 30s"]')
    if len(rates) > _MOST_STEPS:
        raise BadShape("steps", f"{len(rates)} of them; list at most {_MOST_STEPS}, or use a ramp")
    for rate, seconds in rates:
        _zero_or_more("steps", rate, "arrivals a second")
        _above_zero("steps", seconds, "seconds")
    _zero_or_more("ramp_up", settle, "seconds")
    if settle >= rates[0][1]:
        raise BadShape("ramp_up", "as long as the first step or longer; make it shorter, or the step longer")
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
    _above_zero("rate", base, "arrivals a second")
    _above_zero("duration", duration, "seconds")
    _zero_or_more("spike_at", at, "seconds")
    _above_zero("spike_for", lasting, "seconds")
    if not (math.isfinite(peak) and peak > base):
        raise BadShape("spike_rate", f"not above the base rate of {_number(base)} a second; use a higher rate")
    if at + lasting > duration:
        raise BadShape("spike_at", "the spike would end after the run; begin it earlier, or make the run longer")
    rows = ((at, base), (lasting, peak), (duration - at - lasting, base))
    segments = tuple(Segment(seconds, rate, rate) for seconds, rate in rows if seconds > 0)
    whole = math.fsum(segment.seconds for segment in segments)
    text = (
        f"{_number(base)} a second for {_time(duration)}, "
        f"with a spike to {_number(peak)} after {_time(at)} that lasts {_time(lasting)}"
    )
    return Profile("spike", segments, (0.0, whole), text)


def parse_step(text: object) -> tuple[float, float]:
    """Rate and seconds of a step written like `"50 for 30s"`; ValueError says what is wrong, and the fix."""
    match = _STEP.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BadShape("steps", 'not a step; write a rate and a duration, such as "50 for 30s"')
    try:
        return float(match[1]), parse_duration(match[2])
    except ValueError as error:
        raise BadShape("steps", f'in "{match[0].strip()}": {error}') from None


def profile_from(settings: ShapeSettings, rate: float | None, duration: float | None) -> Profile:
    """The profile that the settings describe, at the run's rate and for the run's duration (seconds).

    The rate is the end of a ramp and the base of a spike. Steps have their own rates and durations, so with them both
    are None. ValueError names the setting at fault, what is wrong, and the fix.
    """
    if settings.shape == "steps":
        for key, value in (("rate", rate), ("duration", duration)):
            if value is not None:
                raise BadShape(key, "steps have rates and durations of their own; leave it out")
        return steps(settings.steps, settings.ramp_up or 0.0)
    rate = _given("rate", rate, "arrivals a second")
    duration = _given("duration", duration, "seconds")
    match settings.shape:
        case "ramp":
            over = duration if settings.ramp_up is None else settings.ramp_up
            if over > duration:
                raise BadShape("ramp_up", "longer than the run; make it shorter, or the run longer")
            return ramp(_given("from_rate", settings.from_rate, "arrivals a second", 0), rate, over, duration - over)
        case "spike":
            peak = _given("spike_rate", settings.spike_rate, "arrivals a second")
            at = _given("spike_at", settings.spike_at, "seconds", 0)
            return spike(rate, peak, at, _given("spike_for", settings.spike_for, "seconds"), duration)
        case shape:
            return _level(shape, rate, duration, settings.ramp_up or 0.0)


def whole_arrivals(area: float) -> int:
    """How many arrivals, counted from 0, are due before the integral of the rate reaches `area`."""
    return max(0, math.ceil(area - 1e-9))


def _level(shape: str, rate: float, duration: float, ramp_up: float) -> Profile:
    _above_zero("rate", rate, "arrivals a second")
    _above_zero("duration", duration, "seconds")
    _zero_or_more("ramp_up", ramp_up, "seconds")
    if not ramp_up:
        text = f"{_number(rate)} a second for {_time(duration)}"
        return Profile(shape, (Segment(duration, rate, rate),), (0.0, duration), text)
    if ramp_up >= duration:
        raise BadShape("ramp_up", "as long as the run or longer; make it shorter, or the run longer")
    level = duration - ramp_up
    text = f"up to {_number(rate)} a second over {_time(ramp_up)}, then {_number(rate)} for {_time(level)}"
    segments = (Segment(ramp_up, 0.0, rate), Segment(level, rate, rate))
    return Profile(shape, segments, (ramp_up, math.fsum((ramp_up, level))), text)


def _given(key: str, value: float | None, unit: str, least: float | None = None) -> float:
    if value is None:
        raise BadShape(key, f"missing; this shape needs it, in {unit}")
    (_zero_or_more if least == 0 else _above_zero)(key, value, unit)
    return value


def _above_zero(key: str, value: float, unit: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise BadShape(key, f"out of range; use more than 0 {unit}")


def _zero_or_more(key: str, value: float, unit: str) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise BadShape(key, f"out of range; use 0 or more {unit}")


def _number(value: float) -> str:
    return f"{value:.10g}"


def _time(seconds: float) -> str:
    for unit, length, least in (("h", 3600, 2), ("min", 60, 10)):
        if seconds >= least * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{_number(seconds)} s"
