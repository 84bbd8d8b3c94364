"""What tests send beside the campaign: controls, and requests that depend on what was observed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from ringback.deployment import Poll, Trigger
from ringback.deployment.client import JSON_HEADERS
from ringback.suite.calls import Call, Observation
from ringback.suite.campaign import Campaign
from ringback.suite.loop import LoopThread
from ringback.suite.probes.drafts import Draft

__all__ = ["Sender"]

_IN_A_ROW = 5
"""Polls for one call that show whether its result comes and goes."""

T = TypeVar("T")


class Sender:
    """Sends a request and returns its answer. Raises `ExchangeError` where there is no answer to judge."""

    def __init__(self, loop: LoopThread, campaign: Campaign) -> None:
        self._loop = loop
        self._campaign = campaign
        self._client = campaign.client

    def trigger(self, draft: Draft, purpose: str, *, expect_call: bool = False) -> Trigger:
        """Send one trigger, and watch the call if one comes of it."""
        return self._loop.run(self._campaign.place(draft, purpose, expect_call=expect_call))

    def poll(self, ids: Iterable[str], purpose: str) -> Poll:
        """Poll once."""
        return self._between_rounds(lambda: self._client.poll(ids, purpose=purpose))

    def poll_call(self, call: Call, purpose: str) -> Observation | None:
        """Poll for one call and record what its answer reports; None if the answer cannot be read."""
        return self._between_rounds(lambda: self._campaign.watch.ask_alone(call, purpose))

    def poll_with(
        self,
        content: Any,
        purpose: str,
        *,
        method: str = "POST",
        query: str = "",
        headers: Iterable[tuple[str, str]] = JSON_HEADERS,
    ) -> Poll:
        """Poll once with any body, method and headers."""
        return self._between_rounds(
            lambda: self._client.poll_with(content, method=method, query=query, headers=headers, purpose=purpose)
        )

    def polls_at_once(self, batches: Sequence[Sequence[str]], purpose: str) -> list[Poll]:
        """One poll for each batch, all at once; the answers come in the order of `batches`."""

        async def all_of_them() -> list[Poll]:
            polls = (self._client.poll(ids, purpose=purpose, paced=False) for ids in batches)
            return list(await asyncio.gather(*polls))

        return self._between_rounds(all_of_them)

    def reports_one_state(self, call: Call) -> bool:
        """Whether several polls in a row for a final call all report the same state."""
        seen = [self.poll_call(call, "poll for one call, as a control") for _ in range(_IN_A_ROW)]
        states = {one.final if one is not None else None for one in seen}
        return len(states) == 1 and None not in states

    def _between_rounds(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send while the watch polls nothing, so that an answer belongs to its request."""

        async def in_turn() -> T:
            async with self._campaign.watch.turn:
                return await send()

        return self._loop.run(in_turn())
