"""One contract run's machinery: client, receiver, campaign and watch in an event loop, opened and closed together."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ringback import clock
from ringback.config import Config
from ringback.deployment import DeploymentClient, Recorder
from ringback.deployment.access import dial_guard, redactor_for
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.errors import Interrupted
from ringback.receiver import Receiver, reaches
from ringback.rundir.names import EXCHANGES_FILE
from ringback.suite.campaign import RESERVE, Campaign
from ringback.suite.loop import LoopThread
from ringback.suite.plan import Plan
from ringback.suite.probes import Probe, accepted
from ringback.suite.probes.common import DRAWN
from ringback.suite.probes.drafts import DraftMaker
from ringback.suite.record import Record
from ringback.suite.sender import Sender

if TYPE_CHECKING:
    from ringback.suite.generated.bodies import TriggerVariation

__all__ = ["INTERRUPTED", "Session"]

T = TypeVar("T")

INTERRUPTED = "interrupted"
"""Why a run ended early if the user ended it."""
_SLOWER = 3.0
"""How much more time a run takes for slow answers and rate limits, in its time limit."""


class Session:
    """Everything a run needs. `open` before use; `close` ends it in any case.

    Tests read what was observed from `record`, and send more by `send`.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        directory: Path | None,
        loop: LoopThread | None = None,
        *,
        max_time: float | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self._begun = clock.monotonic()
        self.max_time = max_time
        """Seconds after which the run ends; None for three times its plan."""
        self.redactor = redactor_for(config)
        self.recorder = Recorder(self.redactor, directory / EXCHANGES_FILE if directory else None)
        self.maker = DraftMaker(config, seed)
        self.budget: WaitingBudget
        self.client: DeploymentClient
        self.campaign: Campaign
        self.record: Record
        self.send: Sender
        self.receiver: Receiver | None = None
        self.receiver_reachable: bool | None = None
        """Whether the receiver's public URL leads to it from here; None without a receiver."""
        self._loop = loop or LoopThread()
        self._tasks: list[asyncio.Task[None]] = []
        self._drawn: dict[Probe, TriggerVariation] = {}
        self._open = False
        self.ended_early: str | None = None
        """Why the run sends nothing more, if it ends before its end."""

    def open(self) -> None:
        """Start the loop and the receiver; raises `ConfigError` when the receiver cannot listen."""
        self._loop.start()
        self._open = True
        try:
            self.run(self._start())
        except BaseException:
            self.close()
            raise

    async def _start(self) -> None:
        if self.config.result_destination is not None:
            self.receiver = Receiver(self.config.result_destination)
            await self.receiver.start()
        guard = dial_guard(self.config, self.receiver.public_url if self.receiver else None)
        self.budget = WaitingBudget(self.config.budget.calls, RESERVE)
        self.client = DeploymentClient(self.config, guard, self.budget, self.recorder)
        self.campaign = Campaign(self.config, self.client, self.maker, self.receiver, self.budget)
        self.record = Record(self._loop, self.campaign)
        self.send = Sender(self._loop, self.campaign)
        if self.receiver is not None:
            self.receiver.on_delivery = self.campaign.delivered
            self.receiver_reachable = await reaches(self.receiver)

    def drawn(self, count: int) -> dict[Probe, TriggerVariation]:
        """Valid triggers that the seed draws: each as a probe, and its variation."""
        if len(self._drawn) < count:
            from ringback.suite.generated.bodies import drawn_variations  # imports Hypothesis

            self._drawn = {accepted(DRAWN, v.change, line=None): v
                           for v in drawn_variations(self.seed, count)}  # fmt: skip
        return dict(itertools.islice(self._drawn.items(), count))

    def begin(self, plan: Plan) -> None:
        """Let the campaign and the watch run beside the tests."""

        async def both() -> None:
            campaign = self.campaign.run(
                [*plan.probes, *self.drawn(plan.drawn)],
                families=plan.families,
                burst=plan.burst,
                identical=plan.identical,
                pool=plan.pool,
                turns=plan.turns,
            )
            self._tasks = [
                asyncio.create_task(campaign),
                asyncio.create_task(self.campaign.watch.run()),
                asyncio.create_task(self._until_time_is_up(plan)),
            ]

        self.run(both())

    async def _until_time_is_up(self, plan: Plan) -> None:
        """End the run at its time limit. Without `max_time`, slow answers and rate limits get more time."""
        begun, limit = self._begun, self.max_time or plan.longest(self.config)
        transport = self.client.transport
        while True:
            waited = transport.bounds.waited + transport.retry_allowance.spaced
            slow = 0.0 if self.max_time else min(waited, _SLOWER * limit)
            if (left := begun + limit + slow - clock.monotonic()) <= 0:
                break
            await asyncio.sleep(left)
        self.ended_early = self.ended_early or f"the run reached its time limit of {limit + slow:.0f} s (--max-time)"
        await self._interrupt()

    @property
    def interrupted(self) -> bool:
        """Whether the user ended the run before its end."""
        return self.ended_early == INTERRUPTED

    def on_signal(self, times: int) -> None:
        """The first signal lets the tests go on with what was recorded; another ends the run at once."""
        if times > 1:
            self.ended_early = INTERRUPTED
            raise KeyboardInterrupt
        self.interrupt()

    def interrupt(self) -> None:
        """Send nothing from now on and wait for nothing; what was recorded can still be judged. Any thread."""
        self.ended_early = INTERRUPTED
        if self._open:
            self._loop.schedule(self._interrupt())

    async def _interrupt(self) -> None:
        self.client.transport.interrupt()
        for task in self._tasks[:1]:
            task.cancel()
        await self.campaign.places.close()
        await self.campaign.watch.interrupt()

    def close(self) -> None:
        """Stop everything and keep what was recorded. Safe to call twice."""
        if self._open:
            self._open = False
            self._loop.stop(self._stop())
        self.recorder.close()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.receiver is not None:
            await self.receiver.stop()
        if hasattr(self, "client"):
            await self.client.__aexit__()
        rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and wait for its result; Ctrl-C cancels it."""
        return self._loop.run(coroutine)

    def on_own_connections(self, look: Callable[[Config], T]) -> T:
        """Look at the deployment on connections of its own; `Interrupted` once the run is."""
        if self.ended_early is not None:
            raise Interrupted
        return look(self.config)
