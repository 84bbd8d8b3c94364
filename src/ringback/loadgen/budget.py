"""How many calls a load run may place, held exactly."""

from __future__ import annotations

__all__ = ["CallBudget"]


class CallBudget:
    """Every trigger reserves a call before it is sent, and gives it back only when no call can have come of it.

    So a trigger whose fate is unknown (no answer, a broken answer, a 5xx) counts as a call: the deployment can never
    have accepted more calls than `limit`. Belongs to one thread: nothing here is interrupted between two steps.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._reserved = 0
        self._accepted = 0
        self._doubtful = 0

    def reserve(self) -> bool:
        """Take one call out of the budget; False, and nothing is taken, when there is none left."""
        if self.limit is not None and self._reserved + self._accepted + self._doubtful >= self.limit:
            return False
        self._reserved += 1
        return True

    def accept(self) -> None:
        """The reserved call was accepted."""
        self._reserved -= 1
        self._accepted += 1

    def doubt(self) -> None:
        """Nobody knows whether the reserved call was accepted: it is spent."""
        self._reserved -= 1
        self._doubtful += 1

    def release(self) -> None:
        """The reserved call was certainly not accepted: it may be placed after all."""
        self._reserved -= 1

    @property
    def spent(self) -> bool:
        """Whether nothing is left and nothing can come back."""
        return self.limit is not None and self._accepted + self._doubtful >= self.limit

    @property
    def doubtful(self) -> int:
        """Triggers that may or may not have placed a call, those still unanswered included."""
        return self._doubtful + self._reserved
