"""A schedule as a user plays it, and what is called when a part of it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Stream", "both"]


@dataclass(slots=True)
class Stream:
    """When something is due: `offsets` in seconds after `begun` (`clock.monotonic`); without them, back to back.

    `duration` is in seconds; None: until Locust stops the user.
    """

    begun: float
    offsets: Iterator[float] | None
    duration: float | None


def both(first: Callable[[Any], None], second: Callable[[Any], None]) -> Callable[[Any], None]:
    """Call both, in this order."""

    def call(value: Any) -> None:
        first(value)
        second(value)

    return call
