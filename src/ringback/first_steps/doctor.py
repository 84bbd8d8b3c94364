"""What `ringback doctor` looks at: the way to a deployment, its answers to two harmless requests, and the receiver.

Its trigger is an empty JSON object: nothing in it can be dialled, and it passes dial guard and budget like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ringback import clock
from ringback.config import Config, ConfigError
from ringback.deployment import Answer, DeploymentClient, ExchangeError, Poll, Recorder, Trigger
from ringback.deployment.access import dial_guard, redactor_for
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.causes import Cause, Symptom, diagnose
from ringback.deployment.port import look_at
from ringback.first_steps.network import look_at_tls, way_to
from ringback.first_steps.steps import Step
from ringback.receiver import Receiver, reaches

__all__ = ["examine"]

_UNKNOWN_ID = "ringback-doctor-knows-no-call"
_TRIGGER = "an empty trigger"
_FAIR = {*(f"status-{status}" for status in (400, 401, 403, 409, 422)), "server-error"}
"""Causes that the answer to an empty trigger does not show; a 5xx has a step of its own."""
_PATHS = {"status-404", "status-405", "status-410"}
"""Answers that mean a wrong path only if both endpoints give them, and not in the API's own form."""
_NO_CALLS = 1
"""The budget of the empty trigger: the guard lets it pass only with a place reserved."""
_CLOCKS_DIFFER = 30.0
"""Seconds between two clocks that are worth a word; a Date header has whole seconds."""


def examine(config: Config) -> Iterator[Step]:
    """All steps in order; what builds on a step that failed is left out."""
    reached = True
    proxy = config.deployment.proxy
    url, key = (config.deployment.base_url, "deployment.base_url") if proxy is None else (proxy.url, "deployment.proxy")
    for step in way_to(url, min(5.0, config.timing.request), key):
        reached = step.well
        yield step
    if reached and (tls := look_at_tls(config, redactor_for(config).clean)) is not None:
        reached = tls.well or not config.deployment.verify
        yield tls
    if reached:
        yield from asyncio.run(_collected(_talk(config)))
    if config.result_destination is not None:
        yield asyncio.run(_receiver(config))
    else:
        yield Step("receiver", "none: the clauses on deliveries (DST) are not exercised without [result_destination]")


async def _collected(steps: AsyncIterator[Step]) -> list[Step]:
    return [step async for step in steps]


async def _talk(config: Config) -> AsyncIterator[Step]:
    redactor = redactor_for(config)
    recorder = Recorder(redactor, None)
    async with DeploymentClient(config, dial_guard(config), WaitingBudget(_NO_CALLS), recorder) as client:
        try:
            trigger = await client.trigger({}, purpose=_TRIGGER)
            poll = await client.poll([_UNKNOWN_ID], purpose="a poll for an id that no call has")
        except ExchangeError as error:
            yield Step("path", str(error), well=False, fix="see what the steps above found, then try again")
            return
        finally:
            recorder.close()
    cause = _cause(trigger, poll, config, redactor.clean)
    if cause is not None:
        yield Step("path", cause.came, well=False, fix=cause.fix)
        return
    where = urlsplit(config.deployment.base_url).path.rstrip("/")
    yield Step("path", f"{where}/v2/call and {where}/v2/callresult are answered")
    yield _refusal(trigger)
    yield _poll(poll)
    if (skew := _clock(poll)) is not None:
        yield skew


def _cause(trigger: Trigger, poll: Poll, config: Config, clean: Callable[[str], str]) -> Cause | None:
    """Why no trigger can work here, found as by a check; most refusals of an empty trigger are no reason."""
    port = look_at(config) if trigger.status is None or poll.status is None else None
    cause = diagnose([_symptom(trigger)], config.deployment, port, clean, _TRIGGER)
    if cause is None or cause.kind in _FAIR:
        return None
    if cause.kind in _PATHS and (trigger.status != poll.status or trigger.json.readable):
        return None
    return cause


def _symptom(answer: Answer) -> Symptom:
    headers = {} if answer.headers is None else {name.lower(): value for name, value in answer.headers.items()}
    return Symptom(answer.status, headers, answer.body)


def _refusal(trigger: Trigger) -> Step:
    outcome = f"an empty trigger was {trigger.describe_outcome()}"
    if trigger.status is not None and 400 <= trigger.status < 500 and trigger.found_id is None:
        return Step("trigger", f"{outcome}: refused, as it must be (REQ-16)")
    return Step("trigger", outcome, well=False, fix="it should be refused with a 4xx status; see clause REQ-16")


def _poll(poll: Poll) -> Step:
    outcome = f"a poll for an unknown id was {poll.describe_outcome()}"
    if poll.status == 200 and poll.json.readable:
        return Step("poll", outcome)
    if poll.status is not None and 400 <= poll.status < 500:
        return Step("poll", f"{outcome}: refused, as it may be (RES-06)")
    return Step(
        "poll", outcome, well=False, fix="it should be answered 200 with CallResults, or refused with a 4xx status"
    )


def _clock(answer: Answer) -> Step | None:
    shown = answer.headers.get("date") if answer.headers is not None else None
    try:
        theirs = parsedate_to_datetime(shown) if shown else None
    except ValueError:
        return None
    if theirs is None:
        return None
    theirs = theirs.replace(tzinfo=UTC) if theirs.tzinfo is None else theirs
    ours: datetime = clock.wall()
    seconds = (theirs - ours).total_seconds()
    if abs(seconds) <= _CLOCKS_DIFFER:
        return Step("clock", "the deployment's clock and this machine's agree within seconds")
    ahead = "ahead of" if seconds > 0 else "behind"
    return Step("clock", f"the deployment's clock is {abs(seconds):.0f} s {ahead} this machine's",
                fix="set both by NTP: dates in Retry-After, tokens and certificates depend on them")  # fmt: skip


async def _receiver(config: Config) -> Step:
    assert config.result_destination is not None  # noqa: S101 - the caller has looked
    receiver = Receiver(config.result_destination)
    try:
        await receiver.start()
    except ConfigError as error:
        return Step("receiver", error.problem, well=False, fix=error.fix)
    try:
        url, reached = receiver.public_url, await reaches(receiver)
    finally:
        await receiver.stop()
    host = urlsplit(url).hostname or ""
    if (host == "localhost" or host.startswith("127.")) and not config.deployment.is_loopback:
        return Step("receiver", f"result_destination.public_url names this machine as {host}, which the deployment "
                    "cannot reach", well=False, fix="write an address that the deployment reaches into it")  # fmt: skip
    if not reached:
        return Step("receiver", f"this machine cannot reach its receiver by result_destination.public_url ({url})",
                    well=False, fix="forward that address to result_destination.listen; behind NAT this may still work "
                    "from the deployment")  # fmt: skip
    return Step("receiver", f"{url} leads to this machine's receiver; whether the deployment reaches it, a check shows")
