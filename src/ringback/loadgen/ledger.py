"""The ledger: every accepted call, followed to its end. It is told what happened; it sends nothing and has no clock.

Each accepted call is in exactly one column: `accepted == final + lost + duplicate_ids + in flight`. A call whose
UniqueId another call already had can't be told from it and is followed no further; it counts as a duplicate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from ringback.contract.states import FINAL_STATES

__all__ = ["Ledger"]


@dataclass(slots=True)
class _Call:
    states: tuple[str, ...]
    placed: float
    deadline: float


class Ledger:
    """Calls by UniqueId. Instants are seconds on one clock of the caller's; `settle` is in seconds."""

    def __init__(self, settle: float, pending_states: Iterable[str] = ()) -> None:
        self._settle = settle
        self._pending = frozenset({"", *pending_states})
        self._calls: dict[str, _Call] = {}
        self._ended: set[bytes] = set()
        self.accepted = 0
        self.final = 0
        self.lost = 0
        self.duplicate_ids = 0
        self.wrong_state = 0
        self.unasked = 0
        """Results for a UniqueId that was not asked for."""
        self.undocumented_states = 0
        """Reports of a state that is neither documented nor a word for a call in progress."""
        self.by_state: Counter[str] = Counter()
        self.last_deadline = 0.0
        """When the last accepted call must be final."""

    @property
    def in_flight(self) -> int:
        """Accepted calls that have not come to an end yet."""
        return len(self._calls)

    def accept(self, unique_id: str, state: str, placed: float) -> bool:
        """A trigger sent at `placed` to the line that produces `state` was answered with this id.

        True if the call is to be followed; False for an id that was given out before.
        """
        self.accepted += 1
        deadline = placed + self._settle
        self.last_deadline = max(self.last_deadline, deadline)
        known = self._calls.get(unique_id)
        if known is not None:
            self.duplicate_ids += 1
            known.states = (*known.states, state)
            known.deadline = max(known.deadline, deadline)
            return False
        if _digest(unique_id) in self._ended:
            self.duplicate_ids += 1
            return False
        self._calls[unique_id] = _Call((state,), placed, deadline)
        return True

    def report(self, unique_id: str, state: str, at: float) -> float | None:
        """A poll said `state` of a call at `at`. Seconds from its trigger if that ended the call, else None."""
        if state not in FINAL_STATES:
            if state not in self._pending:
                self.undocumented_states += 1
            return None
        call = self._calls.pop(unique_id, None)
        if call is None:
            return None
        self._ended.add(_digest(unique_id))
        self.final += 1
        self.by_state[state] += 1
        if state not in call.states:
            self.wrong_state += 1
        return at - call.placed

    def follows(self, unique_id: str) -> bool:
        """Whether the call has not come to an end yet."""
        return unique_id in self._calls

    def missed(self, unique_id: str, polled: float) -> None:
        """A sound answer to a poll sent at `polled` had no final state for it: past the settle time, it is lost."""
        call = self._calls.get(unique_id)
        if call is not None and polled > call.deadline:
            del self._calls[unique_id]
            self._ended.add(_digest(unique_id))
            self.lost += 1


def _digest(unique_id: str) -> bytes:
    """Enough of an id to know it again: 8 bytes make a chance collision among ten million ids about 3 in a million."""
    return blake2b(unique_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
