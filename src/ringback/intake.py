"""What a receiver takes in, within bounds: a deployment may send any number of deliveries, of any size, at any pace.

Both receivers use it: that of a check (`receiver`) and that of a load run. What lives here: the bounds, the count of
what was dropped, and a body without its codings. What does not: servers.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

__all__ = [
    "DROPPED_SLOWLY",
    "FLOODED",
    "KEPT_BYTES",
    "KEPT_PER_ADDRESS",
    "MAX_BODY",
    "MAX_CONNECTIONS",
    "READ_BODY",
    "SLOWEST",
    "Intake",
    "text_of",
    "undone",
]

MAX_BODY = 256 * 1024
"""Bytes of a delivery that are recorded, after its content coding is undone; the rest is read and dropped."""
READ_BODY = 4 * 1024 * 1024
"""Bytes of a delivery after which its sender is refused."""
KEPT_BYTES = 16 * 1024 * 1024
"""Bytes of all deliveries that are recorded, where deliveries are stored."""
KEPT_PER_ADDRESS = 100
"""Deliveries to one address that are recorded; ten times as many to unknown addresses together."""
MAX_CONNECTIONS = 256
"""Connections at a time."""
SLOWEST = 30.0
"""Seconds in which a connection must complete a request that it has begun."""
DROPPED_SLOWLY = 0.5
"""Seconds after which a dropped delivery is answered, so that a flood slows down."""
FLOODED = 2000
"""Dropped deliveries and connections after which a receiver listens no more."""


class Intake:
    """Decides what a receiver takes. `on_flood` is called once, when too much was dropped: then listen no more."""

    def __init__(self, on_flood: Callable[[], None], *, connections: int = MAX_CONNECTIONS) -> None:
        self.dropped = 0
        """Deliveries that were not recorded whole, and connections that were refused or were too slow."""
        self._on_flood = on_flood
        self._connections = connections
        self._room = KEPT_BYTES

    def admits(self, connections: int) -> bool:
        """Whether there may be so many connections, the new one included; a refused one counts as dropped."""
        if connections > self._connections:
            self.drop()
            return False
        return True

    def takes(self, nth: int, most: int, stored: int = 0) -> bool:
        """Whether to record another delivery, the `nth` of at most `most` of its kind, storing so many bytes of it.

        One that is not recorded counts as dropped.
        """
        fits = nth <= most
        if fits:
            self._room -= stored
        if not fits or self._room < 0:
            self.drop()
            return False
        return True

    def drop(self) -> None:
        """Count something that was not recorded."""
        self.dropped += 1
        if self.dropped == FLOODED:
            self._on_flood()


def undone(body: bytes, codings: str) -> tuple[bytes, str]:
    """A body without its content codings (the header's value), up to `MAX_BODY` bytes; and a coding that stays."""
    for coding in reversed([name.strip().lower() for name in codings.split(",")]):
        if coding in {"", "identity"}:
            continue
        if coding not in {"gzip", "x-gzip", "deflate"}:
            return body, coding
        for bits in (47, -15):  # with the header of gzip or zlib, or bare deflate
            try:
                body = zlib.decompressobj(bits).decompress(body, MAX_BODY)
                break
            except zlib.error:
                continue
        else:
            return body, coding
    return body, ""


def text_of(body: bytes) -> str:
    """A body as text, without a byte-order mark; UTF-16 is read by that mark."""
    marked = body[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return body.decode("utf-16" if marked else "utf-8", "replace").removeprefix("\ufeff")
