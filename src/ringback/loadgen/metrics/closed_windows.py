"""Windows that receive no more requests: packed into a few kilobytes each and judged, so that few are unpacked again.

What lives here: storing them, adding to them, and merging neighbours when windows become longer. What does not: which
window a request belongs to, and when a window is closed (windows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ringback.loadgen.metrics.saturation import Mark, causes
from ringback.loadgen.metrics.window import LoadWindow

__all__ = ["ClosedWindows", "Key", "paired"]

Key = tuple[int, int]
"""The number of a window, and the part of the run that it lies in."""


@dataclass(frozen=True, slots=True)
class _Packed:
    data: bytes
    mark: Mark


class ClosedWindows:
    """Windows by key."""

    def __init__(self) -> None:
        self._packed: dict[Key, list[_Packed]] = {}
        self._unmerged: list[Key] = []
        self._limited: dict[int, LoadWindow] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(self._packed)

    def add(self, key: Key, window: LoadWindow | None = None) -> None:
        """Add a window to what is stored under its key, pack all of it into one, and judge it again."""
        whole = LoadWindow()
        limited = self._limited.setdefault(key[1], LoadWindow())
        for packed in self._packed.get(key, ()):
            stored = LoadWindow.unpack(packed.data)
            whole.merge(stored)
            if packed.mark.causes:
                limited.subtract(stored)
        if window is not None:
            whole.merge(window)
        mark = Mark(whole.busy, frozenset(causes(whole)))
        if mark.causes:
            limited.merge(whole)
        self._packed[key] = [_Packed(whole.pack(), mark)]

    def window(self, key: Key) -> LoadWindow:
        """The window with this key; an empty one if there is none."""
        whole = LoadWindow()
        for packed in self._packed.get(key, ()):
            whole.merge(LoadWindow.unpack(packed.data))
        return whole

    def marks(self, parts: range) -> list[Mark]:
        """The marks of the windows of these parts."""
        return [Mark.joined(each.mark for each in stored) for key, stored in self._packed.items() if key[1] in parts]

    def limited(self, parts: range) -> LoadWindow:
        """The measures of those windows of these parts in which the generator was the limit."""
        total = LoadWindow()
        for part, window in self._limited.items():
            if part in parts:
                total.merge(window)
        return total

    def pair(self) -> None:
        """Make windows twice as long; neighbours wait to be merged by `merge_some`."""
        packed: dict[Key, list[_Packed]] = {}
        for (number, part), stored in self._packed.items():
            packed.setdefault((number // 2, part), []).extend(stored)
        self._packed = packed
        self._unmerged = [key for key, stored in packed.items() if len(stored) > 1]

    def merge_some(self, most: int | None = None) -> None:
        """Merge at most so many of the neighbours that wait for it."""
        for key in self._unmerged[:most]:
            self.add(key)
        del self._unmerged[:most]

    @property
    def size(self) -> int:
        """Bytes of all packed windows."""
        return sum(len(packed.data) for stored in self._packed.values() for packed in stored)


def paired(windows: Mapping[Key, LoadWindow]) -> dict[Key, LoadWindow]:
    """The same windows, merged in pairs, by their new keys."""
    pairs: dict[Key, LoadWindow] = {}
    for (number, part), window in windows.items():
        pairs.setdefault((number // 2, part), LoadWindow()).merge(window)
    return pairs
