"""Schedules as users play them, and how they reach the users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gevent.queue import Queue

__all__ = ["Stream", "UserStreams"]

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(slots=True)
class Stream:
    """When something is due: `offsets` in seconds after `begun` (`clock.monotonic`); without them, back to back.

    `duration` is in seconds; None: until Locust stops the user.
    """

    begun: float
    offsets: Iterator[float] | None
    duration: float | None
    think: float = 0.0
    """Back to back: seconds between an answer and the next request."""


class UserStreams:
    """Gives streams to users. If not `scheduled`, Locust alone decides how long users run, and none are given."""

    def __init__(self, *, scheduled: bool) -> None:
        self._scheduled = scheduled
        self._queues: list[Queue[Any]] = []
        self._playing = 0
        self._phases = 0

    @property
    def users(self) -> int:
        """Users that wait for streams."""
        return len(self._queues)

    @property
    def playing(self) -> bool:
        """Whether a stream is being played."""
        return self._playing > 0

    def subscribe(self) -> Iterator[Stream] | None:
        """The streams for one more user, as they come; None where Locust decides how long users run."""
        if not self._scheduled:
            return None
        queue: Queue[Any] = Queue()
        self._queues.append(queue)
        return iter(queue.get, None)

    def play(self, stream: Callable[[], Stream]) -> None:
        """Have each waiting user play a stream; `playing` until all have called `played`."""
        self._playing += len(self._queues)
        for queue in self._queues:
            queue.put(stream())

    def played(self) -> None:
        """A user has played its stream."""
        self._playing -= 1

    def next_phase(self) -> float:
        """The phase of the next user's arrivals between two arrivals of the first user: 0, then far from all others.

        Multiples of the golden ratio's fraction spread evenly whatever their number (Weyl, Steinhaus).
        """
        phase = self._phases * _GOLDEN % 1.0
        self._phases += 1
        return phase
