"""Deliveries to ResultDestination by call: whether each was expected, in time, and with the state that polls reported.

What lives here: the book of deliveries. What does not: the calls (ledger) and the receiver (result listener).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ringback.loadgen.accounting.id_memory import IdMemory
from ringback.loadgen.accounting.reconcile import NO_DELIVERY, DeliveryCounts, DeliveryFate

__all__ = ["DeliveryBook"]

_CODE = 15
_EXPECTED, _CONTRADICTING = 1, 2
_POLLED_AT, _STATE_AT, _TIME_AT = 2, 6, 10
_MOST_TIME = (1 << 32) - 1
_NO_STATE, _ODD_STATE = 8, 9
"""Codes of a delivery without a state, and of one with an undocumented state."""


class DeliveryBook:
    """Deliveries by digest, expected or not: a note of 48 bits on each id.

    A note has an instant in hundredths of a second: before the first delivery, when the call was final; after it, by
    how much the delivery was later than that (0 if it came earlier).
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
        """Polls reported this final state at `at`. Calls without an expected or actual delivery are ignored."""
        place = self._book.find(digest)
        if place is None:
            return
        note = self._book.note(place)
        delivered = note >> _STATE_AT & _CODE
        new = note | code << _POLLED_AT
        if not delivered:
            new |= min(int(at * 100), _MOST_TIME) << _TIME_AT
        elif delivered not in {code, _NO_STATE}:
            new |= _CONTRADICTING
        self._write(place, note, new)

    def arrive(self, digest: int, code: int | None, at: float) -> None:
        """A delivery came with a state's code: 0 for an undocumented state, None for no state."""
        place, note = self._look_up(digest)
        state = _NO_STATE if code is None else code or _ODD_STATE
        polled, delivered = note >> _POLLED_AT & _CODE, note >> _STATE_AT & _CODE
        new = note
        if not delivered:
            late = max(int(at * 100) - (note >> _TIME_AT), 0) if polled else 0
            new = note & (1 << _TIME_AT) - 1 | min(late, _MOST_TIME) << _TIME_AT
        if not delivered or delivered == _NO_STATE:
            new = new & ~(_CODE << _STATE_AT) | state << _STATE_AT
        if state != _NO_STATE and (polled not in {0, state} or delivered not in {0, _NO_STATE, state}):
            new |= _CONTRADICTING
        self._write(place, note, new)

    def close(self, now: float, allowed: float, known: Callable[[int], bool]) -> None:
        """Judge which deliveries are missing, and which ids are unknown."""
        self._now, self._allowed = now, allowed
        closed = self._closed = DeliveryCounts()
        for digest, note in self._book.items():
            if note & _EXPECTED:
                closed.add(self._verdict(note).counts)
            elif not known(digest):
                closed.unknown += 1

    def counts(self) -> DeliveryCounts:
        """The counts of `close`; before that, what was expected, arrived and contradicted so far."""
        return self._closed or replace(self._running)

    def verdict(self, digest: int) -> DeliveryFate:
        """One id's part in the counts."""
        return self._verdict(self._book.get(digest) or 0)

    def _verdict(self, note: int) -> DeliveryFate:
        if not note & _EXPECTED:
            return NO_DELIVERY
        polled, delivered, instant = note >> _POLLED_AT & _CODE, note >> _STATE_AT & _CODE, (note >> _TIME_AT) / 100
        if self._closed is None or not polled:
            over = False
        else:
            over = (instant if delivered else self._now - instant) > self._allowed
        return DeliveryFate(
            expected=1,
            arrived=int(bool(delivered) and not over),
            late=int(bool(delivered) and over),
            missing=int(not delivered and over),
            stated=int(delivered not in {0, _NO_STATE}),
            contradicting=int(bool(note & _CONTRADICTING)),
            state=delivered if delivered < _NO_STATE else 0,
        )

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
            self._running.add(before.counts, -1)
            self._running.add(after.counts)
