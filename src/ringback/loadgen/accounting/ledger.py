"""The ledger: every accepted call, followed to its end. It records what happened; it sends nothing and has no clock.

Each accepted call is in exactly one column: `accepted == final + lost + duplicate_ids + in flight`. A call with the
UniqueId of an earlier call can't be distinguished from it; it counts as a duplicate and is not followed.

A call in flight is one entry of a dict: its id and one int. An ended call is 64 + 32 bits in the memory for ids. Only
unusual ids (given out twice, or reported after the call was counted as lost) have objects of their own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import islice

from ringback.loadgen.accounting.deliveries import DeliveryBook
from ringback.loadgen.accounting.id_memory import IdMemory, digest_of, pack_digests
from ringback.loadgen.accounting.reconcile import (
    IN_FLIGHT,
    LINES,
    LOST,
    NO_DELIVERY,
    STATES,
    Account,
    DeliveryCounts,
    IdFate,
    LineAccount,
)

__all__ = ["Ledger"]

_NAMES = ("", *LINES)
_CODES = {state: code for code, state in enumerate(STATES, 1)}
_PLACE_BITS = 36
_PLACE = (1 << _PLACE_BITS) - 1
_CODE_BITS = 4
_CODE = (1 << _CODE_BITS) - 1
_MICROSECOND = 1e-6
_TICK = 10_000
"""Microseconds in a hundredth of a second, the precision of the instants of ended calls."""
_LEAD = 100 * 3600
_TOOK_BITS, _ENDED_BITS = 16, 24
"""Ends are exact for 45 hours after the first call, a call's length for 11 minutes; larger values are capped."""
_LONGEST = (1 << _TOOK_BITS) - 1
_LATEST = (1 << _ENDED_BITS) - 1
_CHANGED = 1 << _CODE_BITS
_LINE_AT = _CODE_BITS + 1
_TIMES_AT = _LINE_AT + 3
"""A note of 48 bits: the outcome's code, whether it changed, the line's code (3 bits), how long it took, its end."""
_MANY = 1_000
_WORDS, _LONGEST_WORD = 8, 60
"""Undocumented states that are counted by themselves, and their characters."""


class _Odd:
    """What is stored of an unusual id: all that other workers' accounts may need."""

    __slots__ = ("accepts", "ended", "last", "late", "wrong")

    def __init__(self, first: int) -> None:
        self.accepts = array("Q", (first,))
        """When calls with this id were placed (microseconds), with the code of the line's state."""
        self.last = first >> _CODE_BITS
        self.ended: int | None = None
        self.wrong = False
        self.late: dict[int, int] = {}

    def accept(self, another: int) -> None:
        """Another call has this id; of more than a thousand, only the last is stored."""
        if len(self.accepts) < _MANY:
            self.accepts.append(another)
        else:
            self.accepts[-1] = another
        self.last = max(self.last, another >> _CODE_BITS)

    def lines(self) -> set[int]:
        """The codes of the states that the dialled lines produce."""
        return {packed & _CODE for packed in self.accepts}


class Ledger:
    """Calls by UniqueId. Instants are seconds on the caller's clock, not negative; `settle` is in seconds.

    `lines` has the state that each line produces; a call's line is an index into it.
    """

    def __init__(self, settle: float, lines: Sequence[str] = (), pending_states: Iterable[str] = ()) -> None:
        self._settle = settle
        self._settle_us = round(settle * 1e6)
        self._lines = [_CODES.get(state, 0) for state in lines]
        self._pending = frozenset({"", *pending_states})
        self._calls: dict[str, int] = {}
        """For each call in flight: when it was placed (microseconds), the code of its line's state, its place."""
        self._memory = IdMemory()
        self._odd: dict[int, _Odd] = {}
        self._drained = array("L")
        self._epoch = -1 - _LATEST
        self._placed_last = -settle
        self._accepted, self._duplicates, self._wrong = ([0] * LOST for _ in range(3))
        """Calls by the code of their line's state: those that are followed, those with an earlier call's id, those
        that ended with a wrong state."""
        self._outcomes = [[0] * (LOST + 1) for _ in range(LOST)]
        """Ended calls by the code of their line's state, and their outcome."""
        self._deliveries: DeliveryBook | None = None
        self._beside = Account()
        """The columns that no line has."""

    @property
    def counts(self) -> Account:
        """The columns of the whole run, as of now; calls in flight are unfinished."""
        whole = LineAccount()
        for code in range(LOST):
            whole.add(self._line_account(code))
        return replace(self._beside, undocumented=dict(self._beside.undocumented), **asdict(whole))

    @property
    def in_flight(self) -> int:
        """Accepted calls that have not ended."""
        return len(self._calls)

    @property
    def last_deadline(self) -> float:
        """When the last accepted call must be final; 0 before the first."""
        return self._placed_last + self._settle

    def accept(self, unique_id: str, line: int, placed: float) -> bool:
        """A trigger sent at `placed` to this line was answered with this id.

        True if the call is to be followed; False if the id was given out before. IndexError if there is no such line.
        """
        if placed > self._placed_last:
            self._placed_last = placed
        code = self._lines[line]
        call = int(placed * 1e6 + 0.5) << _CODE_BITS | code
        place = self._memory.claim(digest_of(unique_id))
        if place < 0:
            self._accept_again(unique_id, -1 - place, call)
            return False
        self._accepted[code] += 1
        self._calls[unique_id] = call << _PLACE_BITS | place
        return True

    def report(self, unique_id: str, state: str, at: float) -> tuple[str, float] | None:
        """A poll reported `state` at `at`. If that ended the call, returns its line and the seconds since the trigger.

        The line is empty if it produces no documented state.
        """
        code = _CODES.get(state)
        if code is None:
            self._report_undocumented(state)
            return None
        call = self._calls.pop(unique_id, None)
        if call is None:
            self._report_again(unique_id, code, at)
            return None
        line, placed_us = self._end(call, code, at)
        if self._deliveries is not None:
            self._deliveries.final(self._memory.digest(call & _PLACE), code, at)
        return _NAMES[line], at - placed_us * _MICROSECOND

    def missed(self, unique_id: str, polled: float) -> None:
        """A sound answer to a poll sent at `polled` had no final state for the call: it is lost if it is overdue."""
        if self.overdue(unique_id, polled):
            call = self._calls.pop(unique_id)
            self._end(call, LOST, polled)

    def unrequested(self) -> None:
        """A result came for an id that its poll did not ask for."""
        self._beside.unrequested += 1

    def overdue(self, unique_id: str, at: float) -> bool:
        """Whether a call has not ended and its settle time was over by then."""
        call = self._calls.get(unique_id)
        if call is None:
            return False
        limit = at * 1e6 - self._settle_us - 0.5
        if call >> _PLACE_BITS + _CODE_BITS >= limit:
            return False
        odd = self._odd.get(call & _PLACE) if self._odd else None
        return odd is None or odd.last < limit

    def follows(self, unique_id: str) -> bool:
        """Whether the call has not ended."""
        return unique_id in self._calls

    def unfinished_ids(self, limit: int) -> list[str]:
        """The ids of calls in flight, those accepted first, at most `limit`."""
        return list(islice(self._calls, limit))

    def expect_delivery(self, unique_id: str) -> None:
        """The call's result is to be delivered to ResultDestination."""
        digest = digest_of(unique_id)
        deliveries = self._delivery_book()
        deliveries.expect(digest)
        place = self._memory.find(digest)
        if place is not None and IN_FLIGHT < (code := self._memory.note(place) & _CODE) < LOST:
            deliveries.final(digest, code, self._ended(place) / 100)

    def delivered(self, unique_id: str, state: str | None, at: float) -> None:
        """A delivery came at `at` with this id and this state (None or empty: without a state)."""
        code = _CODES.get(state, 0) if state else None
        self._delivery_book().arrive(digest_of(unique_id), code, at)

    def close_deliveries(self, now: float, delivery_time: float) -> None:
        """Judge, at `now`, which deliveries are missing: `delivery_time` seconds after the call was final."""
        if self._deliveries is not None:
            self._deliveries.close(now, delivery_time, lambda digest: self._memory.find(digest) is not None)

    def deliveries(self) -> DeliveryCounts | None:
        """Counts of deliveries; missing and unknown ones since `close_deliveries`. None if none was due."""
        return None if self._deliveries is None else self._deliveries.counts()

    def account(self) -> Account:
        """The columns of the whole run and of each line, and the deliveries, as of now."""
        return replace(self.counts, by_line=self._by_line(), deliveries=self.deliveries())

    def _by_line(self) -> dict[str, LineAccount]:
        return {
            name: self._line_account(code)
            for code, name in enumerate(LINES, 1)
            if self._accepted[code] or self._duplicates[code]
        }

    def _line_account(self, code: int) -> LineAccount:
        accepted, duplicates, outcomes = self._accepted[code], self._duplicates[code], self._outcomes[code]
        ended = sum(outcomes)
        return LineAccount(
            accepted=accepted + duplicates, final=ended - outcomes[LOST], lost=outcomes[LOST], duplicate_ids=duplicates,
            unfinished=accepted - ended, wrong_state=self._wrong[code], by_state=_states(outcomes),
        )  # fmt: skip

    def drain_digests(self) -> bytes:
        """The digests of ids accepted since the last time, each once, for `Reconciler.take`."""
        return pack_digests(self._memory.since(self._drained))

    def fates(self, digests: Iterable[int], offset: float = 0.0) -> list[IdFate]:
        """What became of those of these ids that were accepted here. `offset` seconds lead to the common clock."""
        places = {place: digest for digest in digests if (place := self._memory.find(digest)) is not None}
        flying = {call & _PLACE: call >> _PLACE_BITS for call in self._calls.values() if call & _PLACE in places}
        return [self._fate(place, digest, flying.get(place), offset) for place, digest in places.items()]

    def _end(self, call: int, outcome: int, at: float) -> tuple[int, int]:
        """Note how a call ended. Returns the code of its line's state, and when it was placed, in microseconds."""
        place = call & _PLACE
        call >>= _PLACE_BITS
        line = call & _CODE
        placed_us = call >> _CODE_BITS
        ended_us = int(at * 1e6 + 0.5)
        wrong = outcome != line and outcome != LOST
        if self._odd and (odd := self._odd.get(place)) is not None:
            wrong = wrong and outcome not in odd.lines()
            odd.ended, odd.wrong = ended_us, wrong
        self._outcomes[line][outcome] += 1
        if wrong:
            self._wrong[line] += 1
        ended = ended_us // _TICK
        took = ended - placed_us // _TICK
        if not 0 <= took <= _LONGEST:
            took = 0 if took < 0 else _LONGEST
        since = ended - self._epoch
        if not 0 <= since <= _LATEST:
            since = self._since(ended)
        self._memory.set_note(place, (since << _TOOK_BITS | took) << _TIMES_AT | line << _LINE_AT | outcome)
        return line, placed_us

    def _report_undocumented(self, state: str) -> None:
        if state in self._pending:
            return
        self._beside.undocumented_states += 1
        counted, word = self._beside.undocumented, state[:_LONGEST_WORD]
        if word in counted or len(counted) < _WORDS:
            counted[word] = counted.get(word, 0) + 1

    def _since(self, ended: int) -> int:
        """Hundredths of a second since the epoch (set by the first end), capped."""
        if self._epoch < 0:
            self._epoch = max(ended - _LEAD, 0)
        return min(max(ended - self._epoch, 0), _LATEST)

    def _ended(self, place: int) -> int:
        """When the call at this place ended, in hundredths of a second."""
        return self._epoch + (self._memory.note(place) >> _TIMES_AT + _TOOK_BITS)

    def _accept_again(self, unique_id: str, place: int, accepted: int) -> None:
        self._duplicates[accepted & _CODE] += 1
        odd = self._odd.get(place)
        if odd is None:
            call = self._calls.get(unique_id)
            odd = self._odd_ended(place) if call is None else _Odd(call >> _PLACE_BITS)
            self._odd[place] = odd
        odd.accept(accepted)

    def _odd_ended(self, place: int) -> _Odd:
        note, ended = self._memory.note(place), self._ended(place)
        line = note >> _LINE_AT & 7
        odd = _Odd((ended - (note >> _TIMES_AT & _LONGEST)) * _TICK << _CODE_BITS | line)
        odd.ended = ended * _TICK
        odd.wrong = note & _CODE not in {line, LOST}
        return odd

    def _report_again(self, unique_id: str, code: int, at: float) -> None:
        """A final state was reported for a call that is not in flight."""
        place = self._memory.find(digest_of(unique_id))
        if place is None:
            return
        note = self._memory.note(place)
        outcome = note & _CODE
        if outcome == LOST:
            if place not in self._odd:
                self._odd[place] = self._odd_ended(place)
            self._odd[place].late.setdefault(code, int(at * 1e6 + 0.5))
        elif outcome not in {code, IN_FLIGHT} and not note & _CHANGED:
            self._beside.changed_state += 1
            self._memory.set_note(place, note | _CHANGED)

    def _fate(self, place: int, digest: int, flying: int | None, offset: float) -> IdFate:
        def instant(microseconds: int) -> float:
            return microseconds // _TICK / 100 + offset

        note = self._memory.note(place)
        outcome = note & _CODE
        odd = self._odd.get(place)
        if odd is not None:
            accepts = tuple((instant(packed >> _CODE_BITS), packed & _CODE) for packed in odd.accepts)
        elif flying is not None:
            accepts = ((instant(flying >> _CODE_BITS), flying & _CODE),)
        else:
            odd = self._odd_ended(place)
            accepts = ((instant(odd.last), odd.accepts[0] & _CODE),)
        ended = instant(odd.ended) if odd is not None and odd.ended is not None else 0.0
        return IdFate(
            digest, accepts, outcome, ended, odd is not None and odd.wrong, bool(note & _CHANGED),
            () if odd is None else tuple((instant(at), code) for code, at in odd.late.items()),
            NO_DELIVERY if self._deliveries is None else self._deliveries.verdict(digest),
        )  # fmt: skip

    def _delivery_book(self) -> DeliveryBook:
        if self._deliveries is None:
            self._deliveries = DeliveryBook()
        return self._deliveries


def _states(outcomes: Sequence[int]) -> dict[str, int]:
    """Final states that occurred, from counts of outcomes."""
    return {state: count for state, count in zip(STATES, outcomes[1:LOST], strict=True) if count}
