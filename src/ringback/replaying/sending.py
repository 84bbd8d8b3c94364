"""Sending a restored request once, with the client, guard and budget of every other request."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ringback.config import Config
from ringback.deployment import Answer, DeploymentClient, Recorder
from ringback.deployment.access import dial_guard, redactor_for
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.reading import strings_in
from ringback.replaying.restoring import Restored

__all__ = ["send_again"]

_CALLS = 1
"""Calls that a replay may place."""


def send_again(config: Config, restored: Restored, purpose: str, file: Path) -> tuple[Answer, int]:
    """Send the request once and record it in `file`; returns the answer and how many calls it may have placed.

    Raises `ExchangeError` if there is no answer to judge: the guard refused the request (`StrangerRefused`), no
    connection was made, or a rate limit did not end.
    """
    return asyncio.run(_send(config, restored, purpose, file))


async def _send(config: Config, restored: Restored, purpose: str, file: Path) -> tuple[Answer, int]:
    recorder = Recorder(redactor_for(config), file)
    budget = WaitingBudget(min(_CALLS, config.budget.calls))
    try:
        async with DeploymentClient(config, dial_guard(config), budget, recorder) as client:
            answer: Answer
            if restored.is_poll:
                answer = await client.poll_with(
                    restored.body, asked=strings_in(restored.body), headers=restored.headers, method=restored.method,
                    purpose=purpose,
                )  # fmt: skip
            else:
                answer = await client.trigger(
                    restored.body, headers=restored.headers, method=restored.method, purpose=purpose, expect_call=True
                )
    finally:
        recorder.close()
    return answer, budget.accepted + budget.may_have_dialled
