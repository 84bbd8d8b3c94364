"""The rate of a profile at an instant, from its segments."""

from __future__ import annotations

from ringback.loadgen.schedule.profiles import Profile

__all__ = ["rate_at"]


def rate_at(profile: Profile, seconds: float) -> float:
    """Arrivals a second; at a jump, the new rate; before the start and after the end, 0."""
    for span in profile.spans():
        segment, into = span.segment, seconds - span.start
        if 0 <= into < segment.seconds:
            return segment.first + (segment.last - segment.first) * (into / segment.seconds)
    return 0.0
