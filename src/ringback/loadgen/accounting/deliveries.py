"""What came to ResultDestination, call by call: whether it was expected, came in time, and told the polls' state.

What lives here: the book of deliveries. What does not: the calls themselves (ledger) and the receiver (results).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ringback.loadgen.accounting.id_memory import IdMemory
from ringback.loadgen.accounting.reconcile import DeliveryCounts

__all__ = ["DeliveryBook"]

_CODE = 15
_EXPECTED, _CONTRADICTING = 1, 2
_POLLED_AT, _TOLD_AT, _TIME_AT = 2, 6, 10
_MOST_TIME = (1 << 32) - 1
_NO_STATE, _ODD_STATE = 8, 9
"""What a delivery told, beside a state's code: no state, or one that is not documented."""


class DeliveryBook:
    """What came to ResultDestination, by digest: a note of 48 bits on each id, whether expected or not.

    A note's instant is, in hundredths of a second, when the call was final as long as nothing came; then how much
    later than that the first delivery was (0 if it was there before).
    """

    def __init__(self) -> None:
        self._book = IdMemory()
        self._running = DeliveryCounts()
        self._closed: DeliveryCounts | None = None
        self._now = self._allowed = 0.0

    def expect(self, digest: int) -> None:
        """A delivery is due for this id."""
        place, note = self._look_up(digest)
        self._write(place, note, note | _EXPECTED)

    def final(self, digest: int, code: int, at: float) -> None:
        """Polls told this state of it at `at`; what was not expected is not looked at."""
        place = self._book.find(digest)
        if place is None:
            return
        note = self._book.note(place)
        told = note >> _TOLD_AT & _CODE
        new = note | code << _POLLED_AT
        if not told:
            new |= min(int(at * 100), _MOST_TIME) << _TIME_AT
        elif told not in {code, _NO_STATE}:
            new |= _CONTRADICTING
        self._write(place, note, new)

    def arrive(self, digest: int, code: int | None, at: float) -> None:
        """A delivery with a state's code, 0 for a state that is not documented, None for no state."""
        place, note = self._look_up(digest)
        state = _NO_STATE if code is None else code or _ODD_STATE
        polled, told = note >> _POLLED_AT & _CODE, note >> _TOLD_AT & _CODE
        new = note
        if not told:
            late = max(int(at * 100) - (note >> _TIME_AT), 0) if polled else 0
            new = note & (1 << _TIME_AT) - 1 | min(late, _MOST_TIME) << _TIME_AT
        if not told or told == _NO_STATE:
            new = new & ~(_CODE << _TOLD_AT) | state << _TOLD_AT
        if state != _NO_STATE and (polled not in {0, state} or told not in {0, _NO_STATE, state}):
            new |= _CONTRADICTING
        self._write(place, note, new)

    def close(self, now: float, allowed: float, known: Callable[[int], bool]) -> None:
        """Judge what is missing, and which ids nobody knows."""
        self._now, self._allowed = now, allowed
        closed = self._closed = DeliveryCounts()
        for digest, note in self._book.items():
            if note & _EXPECTED:
                expected, arrived, missing, contradicting, _ = self._verdict(note)
                closed.add(DeliveryCounts(expected, arrived, missing, contradicting))
            elif not known(digest):
                closed.unknown += 1

    def counts(self) -> DeliveryCounts:
        """As of the close, or what was expected, arrived and contradicted so far."""
        return self._closed or replace(self._running)

    def verdict(self, digest: int) -> tuple[int, int, int, int, int]:
        """One id's part in the counts (0 or 1 each), and the code of the documented state that was told, or 0."""
        return self._verdict(self._book.get(digest) or 0)

    def _verdict(self, note: int) -> tuple[int, int, int, int, int]:
        if not note & _EXPECTED:
            return 0, 0, 0, 0, 0
        polled, told, instant = note >> _POLLED_AT & _CODE, note >> _TOLD_AT & _CODE, (note >> _TIME_AT) / 100
        if self._closed is None or not polled:
            missing = False
        else:
            missing = (instant if told else self._now - instant) > self._allowed
        state = told if told < _NO_STATE else 0
        return 1, int(bool(told) and not missing), int(missing), int(bool(note & _CONTRADICTING)), state

    def _look_up(self, digest: int) -> tuple[int, int]:
        place = self._book.claim(digest)
        if place < 0:
            place = -1 - place
        return place, self._book.note(place)

    def _write(self, place: int, old: int, new: int) -> None:
        if new == old:
            return
        self._book.set_note(place, new)
        before, after = self._verdict(old), self._verdict(new)
        if before != after:
            running = self._running
            running.expected += after[0] - before[0]
            running.arrived += after[1] - before[1]
            running.contradicting += after[3] - before[3]
