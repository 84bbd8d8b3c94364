"""How far another process's clock is from ours, from messages there and back (Cristian, 1989)."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["ClockOffset"]


@dataclass(slots=True)
class ClockOffset:
    """The offset that the quickest of the exchanges so far gives; it is right within `error` seconds."""

    offset: float = 0.0
    """Seconds by which the other clock is ahead of ours."""
    error: float = math.inf

    def take(self, sent: float, theirs: float, received: float) -> None:
        """A message sent at `sent` was read by the other at `theirs`, and answered so that we had it at `received`."""
        error = (received - sent) / 2
        if error < self.error:
            self.error = error
            self.offset = theirs - (sent + received) / 2
