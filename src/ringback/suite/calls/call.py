"""Accepted calls and what has been observed of them: polls and deliveries, on one clock. Nothing here judges."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from ringback.config import LINE_STATES
from ringback.contract.states import nearest_state
from ringback.deployment import Exchange, Trigger
from ringback.receiver import Delivery

__all__ = ["Call", "Calls", "Observation"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What one poll said of one call. Times are readings of `clock.monotonic`."""

    asked_at: float
    told_at: float
    words: tuple[str, ...]
    """The states reported, as they were written: none while the call is in progress, as a rule one."""
    alone: bool
    """Whether the poll asked for this call only."""
    exchange: Exchange

    final: str | None = field(init=False)
    """The documented state that was reported, spelling aside; None if none was."""

    def __post_init__(self) -> None:
        final = next((state for word in self.words if (state := nearest_state(word)) is not None), None)
        object.__setattr__(self, "final", final)


@dataclass(eq=False, slots=True)
class Call:
    """One accepted call, from its trigger on."""

    unique_id: str
    trigger: Trigger
    line: str
    delivery_key: str | None = None
    immediately: bool = False
    regular: bool = True
    """Whether what was sent is valid, so that the call should go as the contract has it."""
    group: str = ""
    """Which part of the campaign placed it: `burst` for those sent at once."""
    observations: list[Observation] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def known_state(self) -> str:
        """The state that the dialled line is known to produce."""
        return LINE_STATES[self.line]

    @property
    def finals(self) -> list[Observation]:
        """The observations that reported a final state, in order."""
        return [o for o in self.observations if o.final is not None]

    @property
    def first_final(self) -> Observation | None:
        """The first observation that reported a final state."""
        return next((o for o in self.observations if o.final is not None), None)

    @property
    def since_final(self) -> list[Observation]:
        """The observations from the first on that reported a final state."""
        first = self.first_final
        return self.observations[self.observations.index(first) :] if first is not None else []

    @property
    def settled(self) -> Observation | None:
        """The first observation of the final state after which the call was not seen in progress any more."""
        found: Observation | None = None
        for observation in self.observations:
            if observation.final is None:
                if observation.alone or found is None:
                    found = None
            elif found is None:
                found = observation
        return found

    @property
    def state(self) -> str | None:
        """The final state that was reported last; what polls for this call alone said comes first."""
        finals = self.finals
        alone = [seen for seen in finals if seen.alone]
        return (alone or finals)[-1].final if finals else None

    def age(self, at: float) -> float:
        """Seconds from the trigger's answer to that instant."""
        return at - self.trigger.ended


class Calls:
    """All calls of a run."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._by_id: dict[str, Call] = {}

    def add(self, call: Call) -> None:
        """Take note of an accepted call. Of calls under one UniqueId nothing can be told apart: none is regular."""
        self._calls.append(call)
        first = self._by_id.setdefault(call.unique_id, call)
        if first is not call:
            first.regular = call.regular = False

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def by_id(self, unique_id: str) -> Call | None:
        """The (first) call with that UniqueId."""
        return self._by_id.get(unique_id)

    @property
    def watched(self) -> list[Call]:
        """One call for each UniqueId."""
        return list(self._by_id.values())

    @property
    def ringing(self) -> int:
        """How many calls are not known to be final."""
        return sum(1 for call in self.watched if call.first_final is None)

    def shared_ids(self) -> list[tuple[Call, Call]]:
        """Pairs of calls that were given the same UniqueId."""
        return [(self._by_id[c.unique_id], c) for c in self._calls if self._by_id[c.unique_id] is not c]

    def typical_age(self) -> float | None:
        """The median age, in seconds, at which calls were first seen final; None while none was.

        Of calls that were seen in progress before, if there are any: of others it isn't known since when they are.
        """
        settled = [(call, seen) for call in self.watched if (seen := call.settled) is not None]
        progressed = [(call, seen) for call, seen in settled if call.observations[0] is not seen]
        ages = [call.age(seen.asked_at) for call, seen in progressed or settled]
        return statistics.median(ages) if ages else None
