"""One contract run's machinery: an event loop in a thread, with client, receiver, campaign and watch in it.

Tests are plain functions; what they ask for is carried into the loop and back by `Session.run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, TypeVar

import httpx

from ringback.config import Config
from ringback.deployment import Answer, DeploymentClient, Poll, Recorder, Trigger
from ringback.deployment.access import dial_guard, redactor_for
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.client import JSON_HEADERS
from ringback.deployment.errors import Interrupted
from ringback.receiver import Receiver
from ringback.suite.calls import Call, Calls
from ringback.suite.calls.lifecycle import is_steady
from ringback.suite.campaign import Campaign
from ringback.suite.deviation import Inconclusive
from ringback.suite.plan import Plan
from ringback.suite.probes import Probe
from ringback.suite.probes.baseline import BASELINE
from ringback.suite.probes.drafts import Draft, DraftMaker
from ringback.suite.probes.outcome import Outcome

__all__ = ["Session"]

T = TypeVar("T")

_STEADY_AFTER = 4
"""Polls, from the first that told of a final state, after which it is taken for settled."""
_IN_A_ROW = 5
"""Polls for one call, by which one whose result comes and goes is told from a batch that leaves it out."""
_STEADY_WITHIN = 3.0
"""Seconds to wait for these."""


class Session:
    """Everything a run holds. `open` before use; `close` ends it whatever happened."""

    def __init__(self, config: Config, seed: int, directory: Path | None) -> None:
        self.config = config
        self.seed = seed
        self.redactor = redactor_for(config)
        self.recorder = Recorder(self.redactor, directory / "exchanges.ndjson" if directory else None)
        self.maker = DraftMaker(config, seed)
        self.budget: WaitingBudget
        self.client: DeploymentClient
        self.campaign: Campaign
        self.receiver: Receiver | None = None
        self.receiver_reachable: bool | None = None
        """Whether the receiver's public URL leads to it from here; None without a receiver."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="ringback-loop", daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._open = False
        self.interrupted = False
        """Whether the user ended the run before its end."""

    # -- life -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the loop and the receiver; raises `ConfigError` when the receiver can't listen."""
        self._thread.start()
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
        self.budget = WaitingBudget(self.config.budget.calls)
        self.client = DeploymentClient(self.config, guard, self.budget, self.recorder)
        self.campaign = Campaign(self.config, self.client, self.maker, self.receiver, self.budget)
        if self.receiver is not None:
            self.receiver.on_delivery = self.campaign.delivered
            self.receiver_reachable = await _reaches(self.receiver)

    def begin(self, plan: Plan) -> None:
        """Let the campaign and the watch run beside the tests."""

        async def both() -> None:
            self._tasks.append(
                asyncio.create_task(
                    self.campaign.run(
                        plan.probes, families=plan.families, burst=plan.burst, identical=plan.identical, pool=plan.pool
                    )
                )
            )
            self._tasks.append(asyncio.create_task(self.campaign.watch.run()))

        self.run(both())

    def asked_to_end(self, times: int) -> None:
        """What a signal does: the first lets the tests run on over what was recorded, another ends the run at once."""
        if times > 1:
            self.interrupted = True
            raise KeyboardInterrupt
        self.interrupt()

    def interrupt(self) -> None:
        """Send nothing from now on, and wait for nothing: what was recorded can still be judged. Any thread."""
        self.interrupted = True
        if self._open:
            asyncio.run_coroutine_threadsafe(self._interrupt(), self._loop)

    async def _interrupt(self) -> None:
        self.client.transport.interrupt()
        for task in self._tasks[:1]:
            task.cancel()
        await self.campaign.watch.interrupt()

    def close(self) -> None:
        """Stop everything and keep what was recorded. Safe to call twice."""
        if self._open:
            self._open = False
            with contextlib.suppress(Exception, CancelledError):
                asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            if not self._thread.is_alive():
                self._loop.close()
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

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Carry a coroutine into the loop and wait for its result; Ctrl-C cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    # -- what tests use -------------------------------------------------------------------------------------------

    def outcome(self, probe: Probe) -> Outcome:
        """What became of a probe."""
        return self.run(self.campaign.outcome(probe))

    def placed(self) -> None:
        """Wait until the whole campaign has been sent; `Inconclusive` if it failed."""
        self.run(self.campaign.placed.wait())
        task = self._tasks[0]
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            raise Inconclusive(f"Ringback's own fault, please report it: {where}, and the campaign ended early")

    @property
    def calls(self) -> Calls:
        """All accepted calls so far."""
        return self.campaign.calls

    @property
    def history(self) -> tuple[Answer, ...]:
        """Every answer so far."""
        return tuple(self.client.history)

    def accepted_calls(self) -> list[Call]:
        """The calls that the campaign placed; `Inconclusive` if it could place none."""
        self.placed()
        calls = [call for call in self.calls.watched if call.regular]
        if not calls and self.calls.shared_ids():
            raise Inconclusive("accepted calls share their UniqueIds, so nothing can be told of any (see ACK-03)")
        if not calls:
            raise Inconclusive(self.why_no_call())
        return calls

    def why_no_call(self) -> str:
        """Why no call was accepted, in one sentence."""
        first = self.campaign.baseline or self.outcome_of_baseline()
        if first.trouble is not None:
            return str(first.trouble)
        told = first.answer.describe_outcome() if first.answer else "not sent"
        return f"no trigger was accepted, so there is no call to look at (a valid one was {told})"

    def was_answered(self, probe: Probe) -> bool:
        """Whether a probe was sent and had a whole answer."""
        answer = self.outcome(probe).answer
        return answer is not None and answer.status is not None and answer.failure is None

    def outcome_of_baseline(self) -> Outcome:
        """What became of the first valid trigger."""
        return self.outcome(BASELINE)

    def settled_calls(self) -> list[Call]:
        """The calls that the campaign placed, once each is final or has had its settle time."""
        calls = self.accepted_calls()
        self.run(self.campaign.watch.final(calls))
        if self.campaign.watch.trouble is not None:
            raise self.campaign.watch.trouble
        return calls

    def final_calls(self, at_least: int = 1) -> list[Call]:
        """Calls that were seen final, waiting for them; `Inconclusive` if fewer than asked for become so."""
        calls = self.settled_calls()
        done = [call for call in calls if call.state is not None]
        if len(done) < at_least:
            raise Inconclusive(
                f"needs {at_least} calls in a final state, and only {len(done)} of {len(calls)} have one"
            )
        return done

    def steady_calls(self, at_least: int = 1) -> list[Call]:
        """Final calls whose state has stayed for some polls, so that what a poll says can be held against it."""
        done = self.final_calls(at_least)
        self.wait_until(lambda: all(len(call.since_final) >= _STEADY_AFTER for call in done), _STEADY_WITHIN)
        steady = [call for call in done if is_steady(call)]
        if len(steady) < at_least:
            raise Inconclusive(
                f"the results of {len(done) - len(steady)} of {len(done)} calls come and go (see STA-04)"
            )
        return steady

    def results_must_stay(self) -> None:
        """`Inconclusive` if polls showed that results of calls come and go: then they prove nothing else."""
        shaky = [call for call in self.calls.watched if call.regular and not is_steady(call)]
        if shaky:
            raise Inconclusive(f"the results of {len(shaky)} calls come and go (see STA-04 and STA-05)")

    def apart_from_client(self, look: Callable[[Config], T]) -> T:
        """Look at the deployment on connections of their own; `Interrupted` once the run is."""
        if self.interrupted:
            raise Interrupted
        return look(self.config)

    def tells_always(self, call: Call) -> bool:
        """Whether polls for a final call alone, several in a row, all report the same state."""
        ask = self.campaign.watch.ask_alone
        told = [self.run(ask(call, "poll for one call, as a control")) for _ in range(_IN_A_ROW)]
        states = {seen.final if seen is not None else None for seen in told}
        return len(states) == 1 and None not in states

    def wait_until(self, met: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, `seconds` at the most; whether it does."""
        self.run(self.campaign.watch.until(met, seconds=seconds))
        return met()

    def poll(self, ids: Iterable[str], purpose: str) -> Poll:
        """Poll once."""
        return self.run(self.client.poll(ids, purpose=purpose))

    def poll_alone(self, ids: Iterable[str], purpose: str) -> Poll:
        """Poll once, with no other request of ours under way: the control for what is seen among others."""
        return self.run(self.campaign.watch.poll_alone(ids, purpose))

    def poll_with(
        self,
        content: Any,
        purpose: str,
        *,
        method: str = "POST",
        headers: Iterable[tuple[str, str]] = JSON_HEADERS,
    ) -> Poll:
        """Poll once with any body, by any method, under any headers."""
        return self.run(self.client.poll_with(content, method=method, headers=headers, purpose=purpose))

    def polls(self, batches: Sequence[Sequence[str]], purpose: str) -> list[Poll]:
        """Several polls, a few at a time, in order."""

        async def all_of_them() -> list[Poll]:
            gate = asyncio.Semaphore(4)

            async def one(ids: Sequence[str]) -> Poll:
                async with gate:
                    return await self.client.poll(ids, purpose=purpose)

            return list(await asyncio.gather(*(one(ids) for ids in batches)))

        return self.run(all_of_them())

    def trigger(self, draft: Draft, purpose: str, *, expect_call: bool = False) -> Trigger:
        """Send one trigger, and watch the call if one comes of it."""
        return self.run(self.campaign.place(draft, purpose, expect_call=expect_call))


async def _reaches(receiver: Receiver) -> bool:
    try:
        async with httpx.AsyncClient(verify=False, timeout=3, trust_env=False) as client:  # noqa: S501 - our own receiver
            return (await client.get(receiver.probe_url)).status_code == 200
    except (httpx.HTTPError, OSError):
        return False
