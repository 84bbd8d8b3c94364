"""How a run opens: with a valid trigger that the deployment accepts, or with the one cause why it accepts none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ringback.config import Config
from ringback.deployment import Unreachable
from ringback.deployment.causes import FEW, Cause, Port, Symptom, diagnose, refusals
from ringback.deployment.port import look_at
from ringback.suite.probes.baseline import FALLBACKS, UNLIKE_THE_EXAMPLE, Fallback
from ringback.suite.probes.outcome import Outcome

__all__ = ["Opening", "open_run"]


@dataclass(slots=True)
class Opening:
    """The first valid trigger that was accepted, and how it differs from the documents' example, if it does."""

    baseline: Outcome | None = None
    fallback: Fallback | None = None
    cause: Cause | None = None
    """Why none was accepted, if one cause explains all that was tried."""


async def open_run(
    example: Outcome,
    attempt: Callable[[Fallback], Awaitable[Outcome]],
    config: Config,
    clean: Callable[[str], str],
) -> Opening:
    """Go on from the outcome of the documents' example; `attempt` sends another form of a valid trigger.

    If it was refused for a reason that no other form would change, the forms least like it decide whether that is so.
    `clean` redacts what causes quote.
    """
    tried = [example]
    port: Port | None = None

    def cause() -> Cause | None:
        return diagnose([_symptom(outcome) for outcome in tried], config.deployment, port, clean)

    if _without_an_answer(example):
        port = await asyncio.to_thread(look_at, config)
        return Opening(cause=cause())
    if example.answer is None:
        return Opening()
    suspected = cause()
    if suspected is None and example.accepted:
        return Opening(example)
    if suspected is not None and suspected.certain:
        tried += [await attempt(form) for form in UNLIKE_THE_EXAMPLE[: FEW - 1]]
        if (found := cause()) is not None:
            return Opening(cause=found)
    for fallback in FALLBACKS:
        outcome = await attempt(fallback)
        if outcome.accepted:
            return Opening(outcome, fallback)
        tried.append(outcome)
    if any(outcome.answer is None or outcome.answer.status is None for outcome in tried):
        return Opening()
    symptoms = [_symptom(outcome) for outcome in tried]
    accepted_once = any(symptom.accepted for symptom in symptoms)
    return Opening(cause=None if accepted_once else cause() or refusals(symptoms, config.deployment))


def _without_an_answer(outcome: Outcome) -> bool:
    if outcome.answer is None:
        return isinstance(outcome.trouble, Unreachable)
    return outcome.answer.status is None


def _symptom(outcome: Outcome) -> Symptom:
    answer = outcome.answer
    if answer is None or answer.status is None or answer.failure is not None:
        return Symptom()
    headers = {name.lower(): value for name, value in (answer.headers or {}).items()}
    return Symptom(answer.status, headers, answer.body, answer.accepted)
