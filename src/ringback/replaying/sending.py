"""Sending a restored request, once, by the same client, guard and budget as every other request."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ringback.config import Config
from ringback.deployment import Answer, DeploymentClient, Recorder, Redactor
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.reading import strings_in
from ringback.deployment.redaction import LONG_TOKEN
from ringback.replaying.restoring import Restored
from ringback.suite.near_misses import near_miss_tokens
from ringback.suite.session import dial_guard

__all__ = ["send_again"]

_CALLS = 1
"""A replay never places more than this."""


def send_again(config: Config, restored: Restored, purpose: str, file: Path) -> tuple[Answer, int]:
    """Send the request once and record the exchange in `file`; the answer, and how many calls may have been placed.

    Raises `ExchangeError` where there is nothing to judge: the guard refused it (`StrangerRefused`), no connection
    could be made, a rate limit never let go.
    """
    return asyncio.run(_send(config, restored, purpose, file))


async def _send(config: Config, restored: Restored, purpose: str, file: Path) -> tuple[Answer, int]:
    recorder = Recorder(_redactor(config), file)
    budget = WaitingBudget(min(_CALLS, config.budget.calls))
    try:
        async with DeploymentClient(config, dial_guard(config, None), budget, recorder) as client:
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


def _redactor(config: Config) -> Redactor:
    """What hides the token, and whatever comes near it."""
    token = config.deployment.access_token.get_secret_value()
    redactor = Redactor(token, config.lines.configured)
    for how, make in near_miss_tokens().items():
        wrong = make(token)
        part = len(token) >= LONG_TOKEN and wrong in token
        if len(wrong) > 3 and not part and token.casefold() not in wrong.casefold():
            redactor.add_secret(wrong, f"<the access token {how}>")
    return redactor
