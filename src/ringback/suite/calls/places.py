"""How many calls the lines take at once: a call keeps its place until it is over."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ringback.checks import seems_accepted
from ringback.config import Config
from ringback.deployment import Trigger
from ringback.deployment.errors import ExchangeError, Interrupted
from ringback.suite.calls.call import Calls
from ringback.suite.calls.watch import Watch

__all__ = ["LinePlaces", "seconds_on_lines"]


class LinePlaces:
    """The places for calls on each line, and on all lines together. Belongs to one event loop."""

    def __init__(self, config: Config, calls: Calls, watch: Watch) -> None:
        self._calls = calls
        self._watch = watch
        self._settle = config.timing.settle
        self._holding: set[asyncio.Task[None]] = set()
        self._lines = list(config.lines.configured)
        self._at_once = config.lines.at_once
        self._overall = config.budget.calls_at_once
        self._taken: Counter[str] = Counter()
        self._changed = asyncio.Condition()
        self._closed = False

    @property
    def limited(self) -> bool:
        """Whether calls may have to wait for each other."""
        return bool(self._at_once) or self._overall is not None

    def together(self, most: int) -> list[str]:
        """The lines of the most calls, up to `most`, that can be placed at once while no other call is in progress."""
        found: list[str] = []
        while len(found) < most:
            fitting = [line for line in self._lines if self._fit(Counter([*found, line]))]
            if not fitting:
                break
            found += fitting[: most - len(found)] if not self.limited else fitting[:1]
            self._lines = [*self._lines[1:], self._lines[0]] if self.limited else self._lines
        return found

    async def take(self, lines: Sequence[str]) -> None:
        """Take a place on each of these lines as soon as all are free; raises `Interrupted` if the run ends first."""
        if not self.limited:
            return
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self._fit(self._taken + Counter(lines)))
            if self._closed:
                raise Interrupted
            self._taken.update(lines)

    async def used(self, line: str, send: Callable[[], Awaitable[Trigger]], *, has_place: bool = False) -> Trigger:
        """Send a trigger once its line has a place (`has_place`: it was taken before), which its call then keeps."""
        if not self.limited:
            return await send()
        if not has_place:
            await self.take([line])
        try:
            answer = await send()
        except BaseException:
            await self._free(line)
            raise
        holding = asyncio.create_task(self._free_when_over(line, answer))
        self._holding.add(holding)
        holding.add_done_callback(self._holding.discard)
        return answer

    async def _free_when_over(self, line: str, answer: Trigger) -> None:
        """Free a line's place once its call is seen final, or after the settle time if that is never seen."""

        def over() -> bool:
            call = self._calls.by_id(answer.found_id) if answer.found_id is not None else None
            return call is not None and call.first_final is not None

        if seems_accepted(answer) or answer.status is None or answer.status >= 500:
            with contextlib.suppress(ExchangeError):
                await self._watch.until(over, seconds=self._settle)
        await self._free(line)

    async def _free(self, line: str) -> None:
        async with self._changed:
            self._taken[line] -= 1
            self._changed.notify_all()

    async def close(self) -> None:
        """Whoever waits gets `Interrupted`."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fit(self, taken: Counter[str]) -> bool:
        if self._overall is not None and taken.total() > self._overall:
            return False
        return all(taken[line] <= most for line, most in self._at_once.items())


def seconds_on_lines(config: Config, calls: Mapping[str, int]) -> float:
    """How long calls on the lines take; 0 if they don't wait for each other.

    A call keeps its place while it rings, and until the next poll shows that it is over.
    """
    held = {line: ring + config.timing.poll_interval for line, ring in config.lines.rings.items()}
    times = [math.ceil(calls.get(line, 0) / most) * held[line] for line, most in config.lines.at_once.items()]
    if (overall := config.budget.calls_at_once) is not None:
        times.append(sum(held[line] * count for line, count in calls.items()) / overall)
    return max(times, default=0.0)
