"""The call budget of check, load and replay: it counts the calls that triggers placed or may have placed.

A trigger reserves a place in the budget before it is sent. The place becomes free again only if nothing was sent, or if
the answer is a complete 4xx without an id. Otherwise it is spent: the call was accepted, or the trigger may have
dialled. The rule is the same for requests that are meant to be refused.

The budget also stops a run whose first valid triggers all end without a readable answer.
"""

from __future__ import annotations

import asyncio
import re
import sys
from enum import Enum, auto

from ringback.deployment.errors import BudgetSpent

__all__ = ["CallBudget", "Fate", "WaitingBudget", "fate_of", "places"]

ENOUGH_UNREAD = 3
"""No more triggers are sent after so many valid ones if none has had a readable answer."""
_ID = re.compile(
    rb"(?:unique[\s_-]*id(?:entifier)?|(?<![/a-z])call[\s_-]*(?:id|uuid|sid))\\?[\"']?\s*[:=>]\s*(?!null|none|nil)\\?[\"']?[\w{(-]",
    re.IGNORECASE,
)
"""A name for the id of a call, and the beginning of its value. Prose that mentions an id does not match."""
_CALL = re.compile(rb"\"call\"\s*:\s*\{[^{}]*\"id\"\s*:\s*[\"\d]", re.IGNORECASE)
"""An object `call` with an id."""
_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-f])|%([0-7][0-9a-f])", re.IGNORECASE)
_DESTINATION = re.compile(rb"(?<!result)destination", re.IGNORECASE)


class Fate(Enum):
    """Whether a trigger placed a call."""

    FREE = auto()
    """No call was placed: the trigger was not sent, or was refused."""
    ACCEPTED = auto()
    MAY_HAVE_DIALLED = auto()


def fate_of(status: int | None, body: bytes, unique_id: str | None, *, whole: bool = True) -> Fate:
    """Whether a trigger that was sent placed a call.

    `status` is None if there was no answer, `whole` is False if it broke off; `unique_id` is the id that the client
    found in it.
    """
    if unique_id is not None and status is not None and 200 <= status < 300:
        return Fate.ACCEPTED
    refused = whole and status is not None and 400 <= status < 500 and unique_id is None
    plain = _plain(body) if refused else b""
    return Fate.FREE if refused and not _ID.search(plain) and not _CALL.search(plain) else Fate.MAY_HAVE_DIALLED


def places(body: bytes) -> int:
    """The largest number of calls that a body might place: it may hold several triggers or several destinations."""
    return max(1, len(_DESTINATION.findall(_plain(body))))


def _plain(body: bytes) -> bytes:
    """A body with escaped letters decoded, and UTF-16 reduced to ASCII."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1] or found[2], 16)]), body.replace(b"\0", b""))


class CallBudget:
    """Counts calls up to a limit (None: no limit) and refuses places beyond it. Use it in one thread.

    `accepted` counts triggers answered with an id, `may_have_dialled` other triggers that may have dialled. Both are
    spent.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.accepted = 0
        self.may_have_dialled = 0
        self._reserved = 0
        self._unread = 0
        self._read = False

    @property
    def left(self) -> int:
        """How many more calls may be placed; reserved places count as spent."""
        return sys.maxsize if self.limit is None else self.limit - self.accepted - self.indeterminate

    @property
    def indeterminate(self) -> int:
        """Triggers that may have placed a call, including those without an answer so far."""
        return self.may_have_dialled + self._reserved

    @property
    def in_the_dark(self) -> bool:
        """Whether the first valid triggers have all ended without a readable answer."""
        return not self._read and self._unread >= ENOUGH_UNREAD

    @property
    def why_spent(self) -> str:
        """Why no more triggers may be sent, in one sentence."""
        if self.in_the_dark:
            return f"stopped after {self._unread} valid triggers: none had a readable answer, and each may have dialled"
        return f"the budget of {self.limit} calls is spent"

    def reserve(self, count: int = 1) -> bool:
        """Reserve places; returns False, and reserves none, if there are too few."""
        if self.in_the_dark or self.left < count:
            return False
        self._reserved += count
        return True

    def settle(self, fate: Fate, count: int = 1, *, valid: bool = False, sent: bool = True) -> None:
        """End a trigger that holds `count` places. `valid`: a conforming deployment accepts it."""
        self._reserved -= count
        if fate is not Fate.FREE:
            self.accepted += fate is Fate.ACCEPTED
            self.may_have_dialled += count - (fate is Fate.ACCEPTED)
        if valid and sent:
            self._read = self._read or fate is not Fate.MAY_HAVE_DIALLED
            self._unread += fate is Fate.MAY_HAVE_DIALLED

    @property
    def is_waiting(self) -> bool:
        """Whether some places are reserved, and so may become free."""
        return self._reserved > 0


class WaitingBudget(CallBudget):
    """A budget that lets senders wait for reserved places to become free. Use it in one event loop."""

    limit: int

    @property
    def left_for_valid(self) -> int:
        """How many more valid triggers may be sent."""
        return max(0, self.left - self._reserve)

    def __init__(self, limit: int, reserve: int = 0) -> None:
        """`reserve` places are not for valid triggers; one that must be refused needs a place until it is."""
        super().__init__(limit)
        self._reserve = max(0, min(reserve, limit - 1))
        self._valid = 0
        """Valid triggers without an answer so far."""
        self._changed = asyncio.Condition()

    def reserve_at_most(self, places: int) -> None:
        """Release reserved places for valid triggers, as most that must be refused have been."""
        self._reserve = min(self._reserve, places)

    async def take(self, count: int = 1, *, valid: bool = False) -> None:
        """Reserve places, waiting for reserved ones to become free; raises `BudgetSpent` when none can.

        Until a valid trigger has had a readable answer, at most `ENOUGH_UNREAD` of them are sent.
        """
        needed = count + (self._reserve if valid else 0)
        async with self._changed:
            await self._changed.wait_for(
                lambda: (
                    self.in_the_dark
                    or not self.is_waiting
                    or (self.left >= needed and (self._read or not valid or self._unread + self._valid < ENOUGH_UNREAD))
                )
            )
            if self.left < needed or not self.reserve(count):
                raise BudgetSpent(self.why_spent)
            self._valid += valid

    async def give(self, fate: Fate, count: int = 1, *, valid: bool, sent: bool) -> None:
        """End a trigger as `settle` does, and wake those who wait for places."""
        async with self._changed:
            self._valid -= valid
            self.settle(fate, count, valid=valid, sent=sent)
            self._changed.notify_all()
