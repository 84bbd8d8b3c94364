"""Accepted calls and what was observed of them, by polls and deliveries, on one clock."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from ringback.config import LINE_STATES
from ringback.contract.states import nearest_state
from ringback.deployment import Exchange, Trigger
from ringback.receiver import Delivery

__all__ = ["Call", "Calls", "Observation", "why_unwatched"]

_LONGEST_ID = 64 * 1024
"""Characters of a UniqueId beyond which its call is not watched: each poll would have to carry it."""


def why_unwatched(unique_id: str | None) -> str:
    """Why a call with this UniqueId can't be watched, to go on after "answered"; empty if it can."""
    if unique_id is None:
        return "without a UniqueId to poll for"
    return (
        f"with a UniqueId of {len(unique_id)} characters, too many to poll for" if len(unique_id) > _LONGEST_ID else ""
    )


@dataclass(frozen=True, slots=True)
class Observation:
    """What one poll reported of one call. Times are readings of `clock.monotonic`."""

    asked_at: float
    answered_at: float
    words: tuple[str, ...]
    """The reported states, as written: usually none while the call is in progress, then one."""
    alone: bool
    """Whether the poll asked for this call only."""
    exchange: Exchange

    final: str | None = field(init=False)
    """The documented state that was reported, in any spelling; None if none was."""

    def __post_init__(self) -> None:
        final = next((state for word in self.words if (state := nearest_state(word)) is not None), None)
        object.__setattr__(self, "final", final)


@dataclass(eq=False, slots=True)
class Call:
    """One accepted call."""

    unique_id: str
    trigger: Trigger
    line: str
    delivery_key: str | None = None
    immediately: bool | None = False
    """SendResultImmediately, as sent; None if it was left out or null."""
    regular: bool = True
    """Whether its trigger was valid, so that the contract applies to the call."""
    group: str = ""
    """The part of the campaign that placed it: `burst` for triggers sent at once."""
    carried: tuple[str, ...] = ()
    """The titles of the probes that its trigger carried."""
    repeated: bool = False
    """Whether other triggers have the same bytes, and so the same address at the receiver."""
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
        """The first final observation that no observation of the call in progress follows."""
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
        """The final state that was reported last; polls for this call alone take precedence."""
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
        """Add an accepted call. Calls with the same UniqueId cannot be distinguished: none is regular."""
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
        """How many calls were not seen final."""
        return sum(1 for call in self.watched if call.first_final is None)

    def shared_ids(self) -> list[tuple[Call, Call]]:
        """Pairs of calls that were given the same UniqueId."""
        return [(self._by_id[c.unique_id], c) for c in self._calls if self._by_id[c.unique_id] is not c]

    def typical_age(self) -> float | None:
        """The median age, in seconds, at which calls were first seen final; None while none was.

        Calls that were seen in progress before count, if there are any; others may have been final for longer.
        """
        settled = [(call, seen) for call in self.watched if (seen := call.settled) is not None]
        progressed = [(call, seen) for call, seen in settled if call.observations[0] is not seen]
        ages = [call.age(seen.asked_at) for call, seen in progressed or settled]
        return statistics.median(ages) if ages else None
