"""Calls to ask for again: those placed last, in turn."""

from __future__ import annotations

from collections import deque

__all__ = ["Population"]

_MOST = 100_000


class Population:
    """Gives out batches of at most `batch` calls, going round; beyond 100,000 calls the oldest are forgotten."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._calls: deque[str] = deque(maxlen=_MOST)

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, unique_id: str) -> None:
        """A call was accepted."""
        self._calls.append(unique_id)

    def next_batch(self) -> list[str]:
        """The next calls in turn, each once; empty if there are none."""
        batch = dict.fromkeys(self._calls.popleft() for _ in range(min(self._batch, len(self._calls))))
        self._calls.extend(batch)
        return list(batch)
