"""A schedule as a user plays it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Stream"]


@dataclass(slots=True)
class Stream:
    """When something is due: `offsets` in seconds after `begun` (perf_counter); without them, back to back.

    `duration` is in seconds; None: until Locust stops the user.
    """

    begun: float
    offsets: Iterator[float] | None
    duration: float | None
