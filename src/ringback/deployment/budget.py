"""The call budget, for check, load and replay alike: what a trigger may have cost, and when its place is free again.

A trigger takes a place before it leaves. The place is free again only if nothing was sent, or if the answer is a whole
4xx in which no id stands. Whatever else came of it is spent: an accepted call, or a trigger that may have dialled. What
the sender expected plays no part.

Here is also the rule that ends spending in the dark: when the first valid triggers have all ended without an answer
that can be read, no more are sent.
"""

from __future__ import annotations

import asyncio
import re
import sys
from enum import Enum, auto

from ringback.deployment.errors import BudgetSpent

__all__ = ["CallBudget", "Fate", "WaitingBudget", "fate_of", "places"]

ENOUGH_UNREAD = 3
"""Valid triggers without an answer that can be read, from the first, after which no more are sent."""
_ID = re.compile(
    rb"(?:unique[\s_-]*id(?:entifier)?|(?<![/a-z])call[\s_-]*(?:id|uuid|sid))\\?[\"']?\s*[:=>]\s*(?!null|none|nil)\\?[\"']?[\w{(-]",
    re.IGNORECASE,
)
"""A name under which an answer may give the id of a call, and the beginning of a value under it; prose has none."""
_CALL = re.compile(rb"\"call\"\s*:\s*\{[^{}]*\"id\"\s*:\s*[\"\d]", re.IGNORECASE)
"""An id within an object that stands for the call."""
_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-f])|%([0-7][0-9a-f])", re.IGNORECASE)
_DESTINATION = re.compile(rb"(?<!result)destination", re.IGNORECASE)


class Fate(Enum):
    """What became of a trigger, as far as its cost goes."""

    FREE = auto()
    """Nothing was dialled: it did not leave, or was refused."""
    ACCEPTED = auto()
    MAY_HAVE_DIALLED = auto()


def fate_of(status: int | None, body: bytes, unique_id: str | None, *, whole: bool = True) -> Fate:
    """What a trigger that was sent came to.

    `status` is None where no answer came, `whole` False where it broke off; `unique_id` is what the client read in it.
    """
    if unique_id is not None and status is not None and 200 <= status < 300:
        return Fate.ACCEPTED
    refused = whole and status is not None and 400 <= status < 500 and unique_id is None
    plain = _plain(body) if refused else b""
    return Fate.FREE if refused and not _ID.search(plain) and not _CALL.search(plain) else Fate.MAY_HAVE_DIALLED


def places(body: bytes) -> int:
    """How many calls a body might place at the most: it may be several triggers, or name a destination twice."""
    return max(1, len(_DESTINATION.findall(_plain(body))))


def _plain(body: bytes) -> bytes:
    """A body with escaped letters as they are, and UTF-16 as ASCII."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1] or found[2], 16)]), body.replace(b"\0", b""))


class CallBudget:
    """Counts calls against a limit (None: no limit) and never lets one more be placed. Belongs to one thread.

    `accepted` counts triggers answered with an id, `may_have_dialled` those that may have dialled without saying so;
    both are spent.
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
        """How many more calls may be placed, counting reserved places as spent."""
        return sys.maxsize if self.limit is None else self.limit - self.accepted - self.indeterminate

    @property
    def indeterminate(self) -> int:
        """Triggers that may or may not have placed a call, those that are not answered yet included."""
        return self.may_have_dialled + self._reserved

    @property
    def in_the_dark(self) -> bool:
        """Whether the first valid triggers have all ended without an answer that can be read."""
        return not self._read and self._unread >= ENOUGH_UNREAD

    @property
    def why_spent(self) -> str:
        """Why no trigger may be sent any more, in one sentence."""
        if self.in_the_dark:
            return (
                f"stopped after {self._unread} valid triggers: none had an answer that can be read, "
                "and each may have dialled"
            )
        return f"the budget of {self.limit} calls is spent"

    def reserve(self, count: int = 1) -> bool:
        """Take places out of the budget; False, and nothing is taken, when there are too few."""
        if self.in_the_dark or self.left < count:
            return False
        self._reserved += count
        return True

    def settle(self, fate: Fate, count: int = 1, *, valid: bool = False, sent: bool = True) -> None:
        """Say what became of a trigger that holds `count` places; `valid` if a conforming deployment accepts it."""
        self._reserved -= count
        if fate is not Fate.FREE:
            self.accepted += fate is Fate.ACCEPTED
            self.may_have_dialled += count - (fate is Fate.ACCEPTED)
        if valid and sent:
            self._read = self._read or fate is not Fate.MAY_HAVE_DIALLED
            self._unread += fate is Fate.MAY_HAVE_DIALLED

    @property
    def is_waiting(self) -> bool:
        """Whether places are held by triggers that are not answered yet, and so may become free."""
        return self._reserved > 0


class WaitingBudget(CallBudget):
    """A budget whose places can be waited for, while others hold what is left. Belongs to one event loop."""

    limit: int

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._valid = 0
        """Valid triggers on their way."""
        self._changed = asyncio.Condition()

    async def take(self, count: int = 1, *, valid: bool = False) -> None:
        """Take places; waits while others hold what is left, raises `BudgetSpent` when that can't help.

        Until one valid trigger has an answer that can be read, no more of them are on their way than may end unread.
        """
        async with self._changed:
            await self._changed.wait_for(
                lambda: (
                    self.in_the_dark
                    or not self.is_waiting
                    or (self.left >= count and (self._read or not valid or self._unread + self._valid < ENOUGH_UNREAD))
                )
            )
            if not self.reserve(count):
                raise BudgetSpent(self.why_spent)
            self._valid += valid

    async def give(self, fate: Fate, count: int = 1, *, valid: bool, sent: bool) -> None:
        """Settle, and let whoever waits look again."""
        async with self._changed:
            self._valid -= valid
            self.settle(fate, count, valid=valid, sent=sent)
            self._changed.notify_all()
