"""Merges several workers' ledgers into the account that one ledger with all their calls would have.

What lives here: the account, the fate of an id that several workers were given, and the merging of both. What does not:
how they are sent, and the ledger.

An id that two workers were given is one followed call and one duplicate. Its outcome is found by replaying what the
workers saw in order of time, so workers give instants on a common clock, to the hundredth of a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

from ringback.config import LINE_STATES
from ringback.loadgen.accounting.id_memory import IdMemory, unpack_digests

__all__ = [
    "IN_FLIGHT",
    "LINES",
    "LOST",
    "NO_DELIVERY",
    "STATES",
    "Account",
    "DeliveryCounts",
    "DeliveryFate",
    "IdFate",
    "LineAccount",
    "Reconciler",
]

STATES: tuple[str, ...] = tuple(LINE_STATES.values())
"""The documented states; a state's *code* is its place here, counted from 1."""
LINES: tuple[str, ...] = tuple(LINE_STATES)
"""The names of lines: each line has the place of the state that it produces."""
IN_FLIGHT = 0
LOST = len(STATES) + 1
"""Outcomes beside a final state's code."""


@dataclass(slots=True)
class DeliveryCounts:
    """Counts of deliveries: calls whose delivery was `expected`, `arrived`, is `missing`, ..."""

    expected: int = 0
    arrived: int = 0
    """In time."""
    late: int = 0
    """The delivery arrived after the delivery time, which runs from the poll that saw the final state."""
    missing: int = 0
    """The call is final, the delivery time is over, and no delivery arrived."""
    stated: int = 0
    """A delivery carried a state."""
    contradicting: int = 0
    """A delivery had another state than polls reported, or two deliveries had different states."""
    unknown: int = 0
    """Ids in deliveries that no trigger was answered with."""

    def add(self, other: DeliveryCounts, times: int = 1) -> None:
        """Add another's counts, so many times."""
        _add(self, other, _DELIVERY_COUNTS, times)


_DELIVERY_COUNTS = tuple(each.name for each in fields(DeliveryCounts))


@dataclass(slots=True)
class LineAccount:
    """The calls of one line, in the same columns."""

    accepted: int = 0
    final: int = 0
    lost: int = 0
    duplicate_ids: int = 0
    unfinished: int = 0
    wrong_state: int = 0
    by_state: dict[str, int] = field(default_factory=dict)

    def add(self, other: LineAccount) -> None:
        """Add another's calls."""
        _add(self, other, _LINE_COLUMNS)
        self.by_state = dict(Counter(self.by_state) + Counter(other.by_state))


_LINE_COLUMNS = tuple(each.name for each in fields(LineAccount) if each.name != "by_state")


@dataclass(slots=True)
class Account:
    """Every accepted call is in one column: `accepted == final + lost + duplicate_ids + unfinished`."""

    accepted: int = 0
    """Triggers that were answered with a UniqueId."""
    final: int = 0
    lost: int = 0
    duplicate_ids: int = 0
    unfinished: int = 0
    wrong_state: int = 0
    changed_state: int = 0
    """Final calls that were later reported with another final state."""
    unrequested: int = 0
    """Results for a UniqueId that was not polled."""
    undocumented_states: int = 0
    """Reports of a state that is neither documented nor a word for a call in progress."""
    undocumented: dict[str, int] = field(default_factory=dict)
    """Reports by undocumented state; only a few states are counted."""
    by_state: dict[str, int] = field(default_factory=dict)
    by_line: dict[str, LineAccount] = field(default_factory=dict)
    """The calls of each line that was dialled. A call with the id of an earlier one counts for the line that it
    dialled. What a lost worker did after its last report is only in the columns of the run."""
    deliveries: DeliveryCounts | None = None

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The account from what `asdict` gave; TypeError for an unknown member."""
        deliveries = plain.get("deliveries")
        lines = {name: LineAccount(**line) for name, line in plain.get("by_line", {}).items()}
        return cls(**{**plain, "by_line": lines, "deliveries": deliveries and DeliveryCounts(**deliveries)})

    def add(self, other: Account) -> None:
        """Add another's calls, as if both had no id in common."""
        _add(self, other, _COLUMNS)
        self.by_state = dict(Counter(self.by_state) + Counter(other.by_state))
        self.undocumented = dict(Counter(self.undocumented) + Counter(other.undocumented))
        for name, line in other.by_line.items():
            self.of_line(name).add(line)
        if other.deliveries is not None:
            self.deliveries = self.deliveries or DeliveryCounts()
            self.deliveries.add(other.deliveries)

    def of_line(self, name: str) -> LineAccount:
        """The calls of a line, to be added to."""
        return self.by_line.setdefault(name, LineAccount())


_COLUMNS = tuple(each.name for each in fields(Account) if each.type == "int")


def _add(mine: object, theirs: object, names: Iterable[str], times: int = 1) -> None:
    """Add the members with these names, so many times."""
    for name in names:
        if more := getattr(theirs, name):
            setattr(mine, name, getattr(mine, name) + times * more)


class DeliveryFate(NamedTuple):
    """One id's part in `DeliveryCounts` (0 or 1 each), and the code of the documented state delivered, or 0."""

    expected: int = 0
    arrived: int = 0
    late: int = 0
    missing: int = 0
    stated: int = 0
    contradicting: int = 0
    state: int = 0

    @property
    def counts(self) -> DeliveryCounts:
        """The counts of this id alone."""
        return DeliveryCounts(*self[:-1])


NO_DELIVERY = DeliveryFate()


class IdFate(NamedTuple):
    """What one worker knows of an id. Instants are seconds on the common clock."""

    digest: int
    accepts: Sequence[tuple[float, int]]
    """For each trigger that was answered with it: when it was placed, and the code of the line's state."""
    outcome: int
    """A final state's code, LOST or IN_FLIGHT."""
    ended: float = 0.0
    """When the outcome was seen; for a lost call, when the poll that showed it was sent."""
    wrong: bool = False
    changed: bool = False
    late: Sequence[tuple[float, int]] = ()
    """Final states reported after the call was counted as lost: when, and the state's code."""
    delivery: DeliveryFate = NO_DELIVERY

    @property
    def line(self) -> str | None:
        """The line of the call that was followed: the first that was given the id."""
        code = self.accepts[0][1]
        return LINES[code - 1] if code else None

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> Self:
        """The fate from its members, as they arrive from a worker."""
        return cls(*plain)._replace(delivery=DeliveryFate(*plain[-1]))


class Reconciler:
    """Finds ids that several workers were given, and merges the accounts. `settle` is in seconds."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._memory = IdMemory()
        self._workers: list[str] = []
        self._taken: Counter[str] = Counter()
        self._shared: dict[int, set[str]] = {}

    def take(self, worker: str, packed: bytes) -> int:
        """Take a worker's digests (`Ledger.drain_digests`). Returns how many of them other workers already had."""
        if worker not in self._taken:
            self._workers.append(worker)
            self._taken[worker] = 0
        number = self._workers.index(worker)
        memory, shared, before = self._memory, 0, self._taken[worker]
        digests = unpack_digests(packed)
        for digest in digests:
            place = memory.claim(digest)
            if place >= 0:
                memory.set_note(place, number)
                continue
            first = self._workers[memory.note(-1 - place)]
            holders = self._shared.get(digest, {first})
            if worker not in holders:
                shared += 1
                self._shared[digest] = {*holders, worker}
        self._taken[worker] = before + len(digests)
        return shared

    def shared(self, worker: str) -> list[int]:
        """The digests of ids that this worker and another were given: the worker is asked for their fates."""
        return [digest for digest, holders in self._shared.items() if worker in holders]

    def merge(self, accounts: Mapping[str, Account], fates: Mapping[str, Iterable[IdFate]]) -> Account:
        """One account of all workers' calls.

        A lost worker has the account that it reported last, and no fates: accepted calls without a reported end are
        unfinished. Its part of a shared id counts as unfinished, if it had unfinished calls.
        """
        merged = Account()
        known: dict[int, dict[str, IdFate]] = {digest: {} for digest in self._shared}
        for worker, known_fates in fates.items():
            for fate in known_fates:
                if fate.digest in known:
                    known[fate.digest][worker] = fate
        silent: Counter[str] = Counter()
        for digest, holders in self._shared.items():
            silent.update(holders - known[digest].keys())
        for worker in {*accounts, *self._taken}:
            merged.add(self._whole(worker, accounts.get(worker), silent[worker]))
        for digest, parts in known.items():
            merged.duplicate_ids += len(self._shared[digest]) - 1
            if parts:
                first = min(parts.values(), key=lambda part: part.accepts[0][0])
                for part in parts.values():
                    _count(merged, part, -1, part.line)
                    if part is not first and part.line is not None:
                        merged.of_line(part.line).duplicate_ids += 1
                _count(merged, replay(list(parts.values()), self._settle), 1, first.line)
            else:
                merged.unfinished += 1
        columns: list[Account | LineAccount] = [merged, *merged.by_line.values()]
        for counted in columns:
            counted.by_state = {state: count for state, count in counted.by_state.items() if count}
        return merged

    def _whole(self, worker: str, account: Account | None, silent: int) -> Account:
        """A worker's account with all that it accepted, minus its parts of shared ids without a fate (`silent`)."""
        whole = Account()
        if account is not None:
            whole.add(account)
        if (more := self._taken[worker] + whole.duplicate_ids - whole.accepted) > 0:
            whole.accepted += more
            whole.unfinished += more
        unfinished = min(silent, whole.unfinished)
        whole.unfinished -= unfinished
        for _ in range(silent - unfinished):
            if whole.final:
                state = max(whole.by_state, key=whole.by_state.__getitem__)
                whole.by_state[state] -= 1
                whole.final -= 1
            else:
                whole.lost -= 1
        return whole


def replay(parts: list[IdFate], settle: float) -> IdFate:
    """What one ledger would know of an id that several workers were given."""
    events: list[tuple[float, int, int, int]] = []
    for number, part in enumerate(parts):
        events.extend((at, 0, line, number) for at, line in part.accepts)
        if part.outcome != IN_FLIGHT:
            events.append((part.ended, 1, part.outcome, number))
        events.extend((at, 1, code, number) for at, code in part.late)
    lines: set[int] = set()
    last = [float("-inf")] * len(parts)
    outcome, ended, wrong, others = IN_FLIGHT, 0.0, False, False
    for at, ends, code, number in sorted(events):
        if not ends:
            if outcome == IN_FLIGHT:
                lines.add(code)
                last[number] = at
        elif outcome == IN_FLIGHT:
            # The worker has checked the settle time of its own calls; check that of the other workers' calls.
            rivals = [placed for other, placed in enumerate(last) if other != number]
            if code != LOST or at > max(rivals, default=at - settle - 1) + settle:
                outcome, ended, wrong = code, at, code != LOST and code not in lines
        elif outcome not in {LOST, code} and code != LOST:
            others = True
    changed = outcome not in {LOST, IN_FLIGHT} and (others or any(part.changed for part in parts))
    return IdFate(
        parts[0].digest, sorted(each for part in parts for each in part.accepts), outcome, ended, wrong, changed,
        delivery=_one_delivery(parts, outcome),
    )  # fmt: skip


def _one_delivery(parts: Iterable[IdFate], outcome: int) -> DeliveryFate:
    deliveries = [part.delivery for part in parts]
    states = {each.state for each in deliveries if each.state}
    arrived = max(each.arrived for each in deliveries)
    late = int(not arrived and any(each.late for each in deliveries))
    differs = len(states) > 1 or (outcome not in {IN_FLIGHT, LOST} and bool(states - {outcome}))
    return DeliveryFate(
        expected=max(each.expected for each in deliveries),
        arrived=arrived,
        late=late,
        missing=int(not arrived and not late and any(each.missing for each in deliveries)),
        stated=max(each.stated for each in deliveries),
        contradicting=int(differs or any(each.contradicting for each in deliveries)),
        state=max(states, default=0),
    )


def _count(account: Account, fate: IdFate, times: int, line: str | None) -> None:
    """Add a followed call to its columns, or (times = -1) remove it."""
    for counted in (account,) if line is None else (account, account.of_line(line)):
        if fate.outcome == IN_FLIGHT:
            counted.unfinished += times
        elif fate.outcome == LOST:
            counted.lost += times
        else:
            counted.final += times
            state = STATES[fate.outcome - 1]
            counted.by_state[state] = counted.by_state.get(state, 0) + times
            counted.wrong_state += times * fate.wrong
    if fate.outcome not in {IN_FLIGHT, LOST}:
        account.changed_state += times * fate.changed
    if account.deliveries is not None:
        account.deliveries.add(fate.delivery.counts, times)
