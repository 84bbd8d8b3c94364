"""A memory for ids: which were seen, with a note of 48 bits on each, in 14 to 18 bytes an id.

What lives here: the digest of an id, the same in every process, and the table of digests. What does not: what the notes
mean (ledger, deliveries, reconcile).

The table has 1,024 segments. Each is a compact hash table like CPython's dict (Hettinger, 2012): columns in order of
arrival, and an index of positions. Segments grow one by one, so the table never exists twice, and a position never
changes.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain, islice
from typing import TypeAlias

__all__ = ["NOTE_BITS", "IdMemory", "digest_of", "pack_digests", "unpack_digests"]

NOTE_BITS = 48
"""The size of a note on an id."""

_DIGEST = (1 << 58) - 1
_SEGMENT_BITS = 10
_SEGMENTS = 1 << _SEGMENT_BITS
_SEGMENT = _SEGMENTS - 1
_SHORT_BITS = 16
_SHORT = (1 << _SHORT_BITS) - 1
"""The part of a note that shares 64 bits with the digest; the other 32 bits have a column of their own."""
_BLOCK_BITS = 9
_BLOCK = (1 << _BLOCK_BITS) - 1
"""Columns are blocks of 512. Long arrays are moved when they grow, which leaves a fifth of the heap unused."""
_BLANK_KEYS = array("Q", (0,)) * (_BLOCK + 1)
_BLANK_NOTES = array("I", (0,)) * (_BLOCK + 1)
_FEWEST_SLOTS = 32
_LARGE = 16_384
"""A smaller index grows fourfold when it is half full; a larger one doubles when two thirds are full."""

_Segment: TypeAlias = "tuple[array[int], int, int, list[array[int]]]"
"""Index of positions, mask of its slots, how many keys it can hold, blocks of keys (position 0 is unused)."""
_EMPTY: _Segment = (array("H", (0,)), 0, 0, [])

_fresh = blake2b(digest_size=8).copy  # half the time of a new one
_number = int.from_bytes


def digest_of(unique_id: str) -> int:
    """A hash of an id with 58 bits, the same in every process.

    The chance that any two of ten million ids have the same digest is about 1 in 6,000.
    """
    hashing = _fresh()
    try:
        hashing.update(unique_id.encode())
    except UnicodeEncodeError:
        hashing.update(unique_id.encode("utf-8", "surrogatepass"))
    return _number(hashing.digest(), "little") & _DIGEST


class IdMemory:
    """Digests seen, each with a note. A digest has a *place* (a number below 2**36) that never changes."""

    __slots__ = ("_counts", "_notes", "_segments")

    def __init__(self) -> None:
        self._segments = [_EMPTY] * _SEGMENTS
        self._notes: list[list[array[int]]] = [[]] * _SEGMENTS
        self._counts = array("L", (0,)) * _SEGMENTS

    def __len__(self) -> int:
        return sum(self._counts)

    def claim(self, digest: int) -> int:
        """Remember a digest: its place if it is new (its note is 0 then), or -1 - place if it was known."""
        segment = digest & _SEGMENT
        index, mask, most, blocks = self._segments[segment]
        tag = digest >> _SEGMENT_BITS
        slot = tag & mask
        while position := index[slot]:
            if blocks[position >> _BLOCK_BITS][position & _BLOCK] >> _SHORT_BITS == tag:
                return -1 - (position << _SEGMENT_BITS | segment)
            slot = slot + (tag >> 24 | 1) & mask
        position = self._counts[segment] + 1
        if position > most:
            index, slot, blocks = self._grow(segment, tag)
        if not position & _BLOCK:
            blocks.append(_BLANK_KEYS[:])
            self._notes[segment].append(_BLANK_NOTES[:])
        blocks[-1][position & _BLOCK] = tag << _SHORT_BITS
        index[slot] = self._counts[segment] = position
        return position << _SEGMENT_BITS | segment

    def find(self, digest: int) -> int | None:
        """A digest's place, or None if it was never seen."""
        segment = digest & _SEGMENT
        index, mask, _, blocks = self._segments[segment]
        tag = digest >> _SEGMENT_BITS
        slot = tag & mask
        while position := index[slot]:
            if blocks[position >> _BLOCK_BITS][position & _BLOCK] >> _SHORT_BITS == tag:
                return position << _SEGMENT_BITS | segment
            slot = slot + (tag >> 24 | 1) & mask
        return None

    def set_note(self, place: int, note: int) -> None:
        """Replace the note (below 2**48) at a place."""
        segment = place & _SEGMENT
        position = place >> _SEGMENT_BITS
        block = position >> _BLOCK_BITS
        position &= _BLOCK
        keys = self._segments[segment][3][block]
        keys[position] = keys[position] >> _SHORT_BITS << _SHORT_BITS | note & _SHORT
        self._notes[segment][block][position] = note >> _SHORT_BITS

    def note(self, place: int) -> int:
        """The note at a place."""
        segment = place & _SEGMENT
        position = place >> _SEGMENT_BITS
        block = position >> _BLOCK_BITS
        position &= _BLOCK
        return (
            self._notes[segment][block][position] << _SHORT_BITS | self._segments[segment][3][block][position] & _SHORT
        )

    def digest(self, place: int) -> int:
        """The digest at a place."""
        segment = place & _SEGMENT
        position = place >> _SEGMENT_BITS
        key = self._segments[segment][3][position >> _BLOCK_BITS][position & _BLOCK]
        return key >> _SHORT_BITS << _SEGMENT_BITS | segment

    def get(self, digest: int) -> int | None:
        """The note on a digest, or None if it was never seen."""
        place = self.find(digest)
        return None if place is None else self.note(place)

    def items(self) -> Iterator[tuple[int, int]]:
        """Each digest with its note, in arbitrary order."""
        for segment in range(_SEGMENTS):
            for position in range(1, self._counts[segment] + 1):
                place = position << _SEGMENT_BITS | segment
                yield self.digest(place), self.note(place)

    def since(self, marks: array[int]) -> array[int]:
        """The digests that came after `marks` (an empty array('L') at first); updates `marks`."""
        if not marks:
            marks.extend([0] * _SEGMENTS)
        new = array("Q")
        for segment, (mark, count) in enumerate(zip(marks, self._counts, strict=True)):
            for position in range(mark + 1, count + 1):
                key = self._segments[segment][3][position >> _BLOCK_BITS][position & _BLOCK]
                new.append(key >> _SHORT_BITS << _SEGMENT_BITS | segment)
        marks[:] = self._counts
        return new

    def _grow(self, segment: int, tag: int) -> tuple[array[int], int, list[array[int]]]:
        """Give a segment a larger index. Returns it, its free slot for the tag, and the segment's blocks."""
        old, _, _, blocks = self._segments[segment]
        if not blocks:
            blocks = [_BLANK_KEYS[:]]
            self._notes[segment] = [_BLANK_NOTES[:]]
        size = _FEWEST_SLOTS if len(old) == 1 else min(4 * len(old), max(_LARGE, 2 * len(old)))
        most = size // 2 if size < _LARGE else size * 2 // 3
        index = array("H" if size <= 1 << 16 else "I", (0,)) * size
        mask = size - 1
        keys = islice(chain.from_iterable(blocks), 1, self._counts[segment] + 1)
        for position, key in enumerate(keys, 1):
            known = key >> _SHORT_BITS
            slot = known & mask
            while index[slot]:
                slot = slot + (known >> 24 | 1) & mask
            index[slot] = position
        self._segments[segment] = index, mask, most, blocks
        slot = tag & mask
        while index[slot]:
            slot = slot + (tag >> 24 | 1) & mask
        return index, slot, blocks


def pack_digests(digests: array[int]) -> bytes:
    """Digests as bytes for another process: 8 each, the lowest first on every machine."""
    if sys.byteorder == "big":
        digests = digests[:]
        digests.byteswap()
    return digests.tobytes()


def unpack_digests(packed: bytes) -> array[int]:
    """The digests from what `pack_digests` gave; ValueError if it is something else."""
    digests = array("Q")
    digests.frombytes(packed)
    if sys.byteorder == "big":
        digests.byteswap()
    return digests
