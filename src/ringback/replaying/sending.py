"""Sending restored requests again, with the client, guard and budget of every other request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ringback.config import Config
from ringback.deployment import Answer, DeploymentClient, ExchangeError, NotSent, Recorder, Trigger
from ringback.deployment.access import dial_guard, redactor_for
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.reading import ids_in
from ringback.deployment.shell import given_id, in_rounds, spellings
from ringback.replaying.recorded import CannotReplay
from ringback.replaying.restoring import Restored

__all__ = ["Step", "Work", "check_all", "send_again"]


_LONGEST_WAIT = 3600.0
"""Seconds."""


@dataclass(slots=True)
class Step:
    """A request of a replay, and its new answer once there is one."""

    restored: Restored
    answer: Answer | None = None


@dataclass(slots=True)
class Work:
    """The requests of a replay in the order of sending, and what became of them."""

    steps: list[Step]
    answers: list[Answer] = field(default_factory=list)
    """All new answers in the order in which they came; a call may be polled more often than the run did."""
    trouble: str = ""
    """Why not everything was sent or answered; empty if it was."""
    interrupted: bool = False
    calls: int = 0
    """Calls that were or may have been placed."""
    begun: int = 0
    """Triggers that were sent, or were to be sent."""
    sending: int = 0
    """Triggers that were sent and have no answer so far."""

    @property
    def triggers(self) -> int:
        """How many of the requests may place a call."""
        return sum(not step.restored.is_poll for step in self.steps)


def check_all(config: Config, steps: Sequence[Step]) -> None:
    """Raise `StrangerRefused` or `CannotReplay` if one of the requests may not be sent; sends nothing."""
    guard = dial_guard(config)
    triggers = Work(list(steps)).triggers
    if triggers > config.budget.calls:
        raise CannotReplay(f"it may place {triggers} calls; set budget.calls, which allows {config.budget.calls}")
    if any(turn.wait > _LONGEST_WAIT for turn in in_rounds(step.restored.exchange for step in steps)):
        raise CannotReplay("its requests lie more than an hour apart; check the clause again")
    for step in steps:
        restored = step.restored
        guard.check(config.deployment.base_url + restored.path, list(restored.headers), restored.body)


def send_again(
    config: Config,
    work: Work,
    file: Path,
    is_open: Callable[[Sequence[Answer]], bool] = lambda _: False,
) -> None:
    """Send the requests with the recorded waits, and record them in `file`.

    While `is_open(answers)`, the last poll is repeated, until the settle time of the calls is over. Whatever ends the
    replay early is in `work.trouble`. Raises `NotSent` only if nothing was sent.
    """
    recorder = Recorder(redactor_for(config), file)
    budget = WaitingBudget(max(1, min(work.triggers, config.budget.calls)))
    try:
        asyncio.run(_Sender(config, work, recorder, budget).send(is_open))
    except ExchangeError as error:
        if isinstance(error, NotSent) and not recorder.exchanges:
            raise
        work.trouble = str(error)
    except KeyboardInterrupt:
        work.interrupted, work.trouble = True, "interrupted"
    finally:
        recorder.close()
        # A trigger that an interrupt left without an answer may have dialled; the budget may count it already.
        work.calls = min(budget.accepted + budget.may_have_dialled + work.sending, work.begun)


class _Sender:
    def __init__(self, config: Config, work: Work, recorder: Recorder, budget: WaitingBudget) -> None:
        self._config, self._work, self._budget = config, work, budget
        self._recorder = recorder
        self._new_ids: dict[str, str | None] = {}
        """UniqueId of the run -> the one of the repeated call; None if the repeated trigger was given none."""

    async def send(self, is_open: Callable[[Sequence[Answer]], bool]) -> None:
        work = self._work
        by_exchange = {step.restored.exchange.id: step for step in work.steps}
        guard = dial_guard(self._config)
        async with DeploymentClient(self._config, guard, self._budget, self._recorder) as client:
            for turn in in_rounds(step.restored.exchange for step in work.steps):
                await asyncio.sleep(turn.wait)
                together = [self._one(client, by_exchange[exchange.id]) for exchange in turn.exchanges]
                for outcome in await asyncio.gather(*together, return_exceptions=True):
                    if isinstance(outcome, BaseException):
                        raise outcome
            last, ended = work.steps[-1], [one.ended for one in work.answers if isinstance(one, Trigger)]
            until = max(ended, default=0.0) + self._config.timing.settle
            while last.restored.is_poll and ended and is_open(work.answers):
                if work.answers[-1].begun > until:
                    return
                await asyncio.sleep(self._config.timing.poll_interval)
                await self._one(client, last)

    async def _one(self, client: DeploymentClient, step: Step) -> None:
        restored = step.restored
        purpose = f"replay of exchange {restored.exchange.id}: {restored.exchange.purpose}"
        headers, method = restored.headers, restored.method
        answer: Answer
        if restored.is_poll:
            body = self._with_new_ids(restored.body)
            asked = ids_in(body)
            answer = await client.poll_with(body, asked=asked, headers=headers, method=method, purpose=purpose)
        else:
            self._work.begun += 1
            self._work.sending += 1
            answer = await self._trigger(client, restored, purpose)
            if (old := given_id(restored.exchange)) is not None:
                self._new_ids[old] = answer.found_id if isinstance(answer, Trigger) else None
        step.answer = answer
        self._work.answers.append(answer)

    async def _trigger(self, client: DeploymentClient, restored: Restored, purpose: str) -> Trigger:
        try:
            answer = await client.trigger(
                restored.body, headers=restored.headers, method=restored.method, purpose=purpose, expect_call=True
            )
        except ExchangeError:
            self._work.sending -= 1  # the budget counts it
            raise
        self._work.sending -= 1
        return answer

    def _with_new_ids(self, body: bytes) -> bytes:
        for old, new in self._new_ids.items():
            for spelt in spellings(old):
                if (quoted := f'"{spelt}"'.encode()) in body:
                    if new is None:
                        raise _NoCall("the repeated trigger was given no UniqueId, so there is no call to poll for")
                    body = body.replace(quoted, f'"{spellings(new)[-1]}"'.encode())
        return body


class _NoCall(ExchangeError):
    """The call that a poll asks for was not placed again."""
