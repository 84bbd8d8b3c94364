"""Watching all accepted calls together: one poll for many, a poll of one where something looks odd.

Clients poll in batches, and a deployment may answer a batch wrongly; a poll for one call alone is the control. Whenever
a batch contradicts earlier polls, the watch polls for that call alone at once. The observations then show whether the
call changed or the batch was wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ringback import clock
from ringback.config import Config
from ringback.deployment import DeploymentClient, ExchangeError, Poll
from ringback.deployment.errors import Interrupted
from ringback.receiver import Delivery
from ringback.suite.calls.call import Call, Calls, Observation
from ringback.suite.calls.lifecycle import late_final

__all__ = ["BATCH", "Watch"]

BATCH = 20
"""Calls asked for in one poll: a deployment may refuse more."""
_ALONE_AT_ONCE = 10
"""Polls for one call in one round, at most."""
_LAST_LOOK = 2.0
"""Seconds after a call's settle time in which a poll for it alone shows whether it is still in progress."""
_DELIVERIES_ASKED = 5
"""Deliveries to a call in progress, after each of which a poll shows whether it is final; rounds show the rest."""
_SLOWEST = 1.0
"""Seconds between rounds once all calls are final."""


class Watch:
    """Polls every call from its acceptance to the end of the run. Belongs to one event loop."""

    def __init__(self, config: Config, client: DeploymentClient, calls: Calls) -> None:
        self._client = client
        self._calls = calls
        self._interval = config.timing.poll_interval
        self._settle = config.timing.settle
        self._interrupted_at: float | None = None
        self.rounds = 0
        self.contradicted: list[tuple[Poll, Call, Observation]] = []
        """Batches that misreported a final call, the call, and the poll for it alone that reported it as before."""
        self.failed: list[Poll] = []
        """Polls for accepted calls without a readable answer."""
        self.trouble: ExchangeError | None = None
        """Why watching ended early, if it did."""
        self._batches_work = True
        self.turn = asyncio.Lock()
        """Held during a round, and by tests while they poll: a deployment may mix up the answers to polls at once."""
        self._last_batch: Poll | None = None
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Watch until cancelled, interrupted, or five rounds in a row failed."""
        misses = 0
        while True:
            started = clock.monotonic()
            try:
                async with self.turn:
                    await self._round()
                misses = 0
            except Interrupted:
                return
            except ExchangeError as trouble:
                misses += 1
                if misses >= 5:
                    self.trouble = trouble
                    await self._notify()
                    return
            await self._notify()
            busy = self._calls.ringing or not self._calls.watched or clock.monotonic() - started > self._interval
            pause = self._interval if busy else max(self._interval, min(_SLOWEST, 4 * self._interval))
            await asyncio.sleep(pause)

    async def ask_alone(self, call: Call, purpose: str = "poll for one call") -> Observation | None:
        """Poll for one call now and record its observation; None if the answer cannot be read."""
        observed = self._observe(await self._client.poll([call.unique_id], purpose=purpose), [call])
        return observed[0][1] if observed else None

    async def delivered(self, call: Call, delivery: Delivery) -> None:
        """Record a result that arrived, and poll at once whether the call is final."""
        call.deliveries.append(delivery)
        if call.first_final is None and len(call.deliveries) <= _DELIVERIES_ASKED:
            try:
                await self.ask_alone(call, "poll for one call, as its result arrives")
            except ExchangeError:
                return
        await self._notify()

    async def final(self, calls: Sequence[Call]) -> None:
        """Return when each of these calls is final or has had its settle time, or when watching has ended."""

        def decided(call: Call) -> bool:
            until = clock.monotonic() if self._interrupted_at is None else self._interrupted_at
            overtime = call.age(until) - self._settle
            return bool(call.settled or (overtime > 0 and late_final(call, self._settle)) or overtime > _LAST_LOOK)

        await self.until(lambda: all(map(decided, calls)))

    async def until(self, met: Callable[[], bool], *, seconds: float | None = None) -> None:
        """Return when `met()` holds, after `seconds` at the latest, or when watching has ended."""
        deadline = clock.monotonic() + seconds if seconds is not None else None
        async with self._changed:
            while not met() and self.trouble is None:
                if self._interrupted_at is not None:
                    raise Interrupted
                left = None if deadline is None else deadline - clock.monotonic()
                if left is not None and left <= 0:
                    return
                try:
                    await asyncio.wait_for(self._changed.wait(), min(0.5, left if left is not None else 0.5))
                except TimeoutError:
                    continue

    async def interrupt(self) -> None:
        """Wait for nothing from now on: whoever still waits gets `Interrupted`."""
        self._interrupted_at = clock.monotonic()
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _round(self) -> None:
        calls = self._calls.watched
        # The order changes each round, so that no call is always the last of a batch.
        turn = self.rounds % len(calls) if calls else 0
        calls = calls[turn:] + calls[:turn]
        self.rounds += 1
        odd: list[Call] = []
        if self._batches_work or self.rounds % 10 == 0:
            for start in range(0, len(calls), BATCH):
                odd += await self._batch(calls[start : start + BATCH])
        else:
            odd = [c for c in calls if c.first_final is None] or calls
        odd += self._overdue(calls)
        odd = [call for call in calls if self._is_past_settle_time(call)] + odd
        for call in list(dict.fromkeys(odd))[:_ALONE_AT_ONCE]:
            await self._control(call)

    async def _batch(self, calls: Sequence[Call]) -> list[Call]:
        before = {call.unique_id: call.state for call in calls}
        poll = await self._client.poll((c.unique_id for c in calls), purpose=f"poll for {len(calls)} calls")
        observed = self._observe(poll, calls)
        self._batches_work = bool(observed)
        if not observed:
            return list(calls[:2])
        return [call for call, seen in observed if _is_odd(call, seen, before[call.unique_id])]

    async def _control(self, call: Call) -> None:
        batched = call.observations[-1] if call.observations and not call.observations[-1].alone else None
        alone = await self.ask_alone(call)
        if alone is None or batched is None or len(call.observations) < 3:
            return
        earlier = [o.final for o in call.observations[:-2] if o.final is not None]
        if earlier and alone.final == earlier[-1] and batched.final != alone.final:
            poll = self._last_batch
            # A second control: a result that comes and goes at every other poll would look like a wrong batch.
            again = await self.ask_alone(call)
            if poll is not None and again is not None and again.final == alone.final:
                self.contradicted.append((poll, call, alone))

    def _overdue(self, calls: Sequence[Call]) -> list[Call]:
        """Calls in progress for much longer than others: batches may leave them out."""
        typical, now = self._calls.typical_age(), clock.monotonic()
        limit = self._settle / 4 if typical is None else 2 * typical + 4 * self._interval + 0.5
        return [c for c in calls if c.first_final is None and c.age(now) > limit and self.rounds % 4 == 0]

    def _is_past_settle_time(self, call: Call) -> bool:
        """Whether a poll for this call alone is to show that it is still in progress, or that it is not."""
        past = call.age(clock.monotonic()) > self._settle
        return past and call.first_final is None and late_final(call, self._settle) is None

    def _observe(self, poll: Poll, calls: Sequence[Call]) -> list[tuple[Call, Observation]]:
        if poll.status is None or not 200 <= poll.status < 300 or not poll.json.readable:
            self.failed.append(poll)
            return []
        if poll.entries and not any(entry.unique_id in poll.asked for entry in poll.entries):
            return []  # another poll's answer: covered by RES-05 and ROB-03
        if len(calls) > 1:
            self._last_batch = poll
        observed: list[tuple[Call, Observation]] = []
        for call in calls:
            words = tuple(poll.states(call.unique_id))
            seen = Observation(poll.begun, poll.ended, words, len(calls) == 1, poll.exchange)
            call.observations.append(seen)
            observed.append((call, seen))
        return observed


def _is_odd(call: Call, seen: Observation, before: str | None) -> bool:
    """Whether a batch reported a change, or a state other than the line's, which a poll for the call must confirm."""
    if before is not None:
        return seen.final != before
    return seen.final is not None and seen.final != call.known_state


def all_words(calls: Iterable[Call]) -> list[tuple[str, Call, Observation]]:
    """Every reported word with the call and the observation it comes from."""
    return [(word, call, seen) for call in calls for seen in call.observations for word in seen.words]
