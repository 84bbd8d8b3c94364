"""Where windows that rest are kept: packed into a few kilobytes each, and judged, so that few are unpacked again.

What lives here: keeping, adding to what is kept, and merging neighbours when windows become longer. What does not:
which window something belongs to, and when it rests (windows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ringback.loadgen.metrics.saturation import Mark
from ringback.loadgen.metrics.window import Window

__all__ = ["Key", "Shelf", "paired"]

Key = tuple[int, int]
"""Number of a window, and which part of the run it lies in."""


@dataclass(frozen=True, slots=True)
class _Packed:
    data: bytes
    mark: Mark


class Shelf:
    """Windows by key. `causes` tells in what the generator was the limit in one."""

    def __init__(self, causes: Callable[[Window], Mapping[str, str]]) -> None:
        self._causes = causes
        self._packed: dict[Key, list[_Packed]] = {}
        self._unmerged: list[Key] = []
        self._limited: dict[int, Window] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(self._packed)

    def add(self, key: Key, window: Window | None = None) -> None:
        """Add to what is kept under a key, pack all of it into one, and judge it anew."""
        whole = Window()
        limited = self._limited.setdefault(key[1], Window())
        for packed in self._packed.get(key, ()):
            kept = Window.unpack(packed.data)
            whole.merge(kept)
            if packed.mark.causes:
                limited.subtract(kept)
        if window is not None:
            whole.merge(window)
        mark = Mark(whole.busy, frozenset(self._causes(whole)))
        if mark.causes:
            limited.merge(whole)
        self._packed[key] = [_Packed(whole.pack(), mark)]

    def window(self, key: Key) -> Window:
        """What is kept under a key, unpacked; an empty window if there is nothing."""
        whole = Window()
        for packed in self._packed.get(key, ()):
            whole.merge(Window.unpack(packed.data))
        return whole

    def marks(self, part: int) -> list[Mark]:
        """What is remembered of the windows of one part."""
        return [Mark.joined(packed.mark for packed in kept) for key, kept in self._packed.items() if key[1] == part]

    def limited(self, part: int) -> Window:
        """The measures of all windows of one part in which the generator was the limit."""
        return self._limited.get(part) or Window()

    def pair(self) -> None:
        """Windows are twice as long from here on; neighbours wait to be merged by `merge_some`."""
        packed: dict[Key, list[_Packed]] = {}
        for (number, part), kept in self._packed.items():
            packed.setdefault((number // 2, part), []).extend(kept)
        self._packed = packed
        self._unmerged = [key for key, kept in packed.items() if len(kept) > 1]

    def merge_some(self, most: int | None = None) -> None:
        """Merge neighbours that wait for it, at most so many pairs."""
        for key in self._unmerged[:most]:
            self.add(key)
        del self._unmerged[:most]

    @property
    def size(self) -> int:
        """Bytes of all packed windows."""
        return sum(len(packed.data) for kept in self._packed.values() for packed in kept)


def paired(windows: Mapping[Key, Window]) -> dict[Key, Window]:
    """Windows by their keys once each is twice as long."""
    pairs: dict[Key, Window] = {}
    for (number, part), window in windows.items():
        pairs.setdefault((number // 2, part), Window()).merge(window)
    return pairs
