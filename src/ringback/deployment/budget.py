"""The budget of accepted calls: a place is reserved before a trigger leaves, and given back if no call came of it."""

from __future__ import annotations

import asyncio

from ringback.deployment.errors import BudgetSpent

__all__ = ["CallBudget"]


class CallBudget:
    """Counts accepted calls against a limit; never lets one more be placed. Belongs to one event loop.

    `accepted` counts triggers answered with a UniqueId; `possible` those that may have dialled without saying so
    (no answer after sending, or 200 without an id). Both are spent.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.accepted = 0
        self.possible = 0
        self._reserved = 0
        self._changed = asyncio.Condition()

    @property
    def left(self) -> int:
        """How many more calls may be placed, counting reserved places as spent."""
        return self.limit - self.accepted - self.possible - self._reserved

    async def reserve(self) -> None:
        """Take one place; waits while others hold what is left, raises `BudgetSpent` when none is."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.left > 0 or self._reserved == 0)
            if self.left <= 0:
                raise BudgetSpent(f"the budget of {self.limit} accepted calls is spent")
            self._reserved += 1

    async def settle(self, *, accepted: bool, possible: bool = False) -> None:
        """Give the reserved place back, or keep it as spent."""
        async with self._changed:
            self._reserved -= 1
            self.accepted += accepted
            self.possible += possible and not accepted
            self._changed.notify_all()
