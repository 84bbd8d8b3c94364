"""What `ringback doctor` looks at: the way to a deployment, its answers to two harmless requests, and the receiver.

Its trigger is an empty JSON object: nothing in it can be dialled, and it passes dial guard and budget like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ringback import clock
from ringback.config import Config, ConfigError
from ringback.deployment import Answer, DeploymentClient, ExchangeError, Poll, Recorder, Trigger
from ringback.deployment.access import dial_guard, redactor_for
from ringback.deployment.budget import WaitingBudget
from ringback.first_steps.network import look_at, look_at_tls
from ringback.first_steps.steps import Step
from ringback.receiver import Receiver, reaches

__all__ = ["examine"]

_UNKNOWN_ID = "ringback-doctor-knows-no-call"
_NO_CALLS = 1
"""The budget of the empty trigger: the guard lets it pass only with a place reserved."""
_CLOCKS_DIFFER = 30.0
"""Seconds between two clocks that are worth a word; a Date header has whole seconds."""


def examine(config: Config) -> Iterator[Step]:
    """All steps in order; what builds on a step that failed is left out."""
    reached = True
    proxy = config.deployment.proxy
    url, key = (config.deployment.base_url, "deployment.base_url") if proxy is None else (proxy.url, "deployment.proxy")
    for step in look_at(url, min(5.0, config.timing.request), key):
        reached = step.well
        yield step
    if reached and (tls := look_at_tls(config)) is not None:
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
    recorder = Recorder(redactor_for(config), None)
    async with DeploymentClient(config, dial_guard(config), WaitingBudget(_NO_CALLS), recorder) as client:
        try:
            trigger = await client.trigger({}, purpose="an empty trigger, which places no call")
            poll = await client.poll([_UNKNOWN_ID], purpose="a poll for an id that no call has")
        except ExchangeError as error:
            yield Step("answer", str(error), well=False, fix="see docs/troubleshooting.md for what it means")
            return
        finally:
            recorder.close()
    yield _path(trigger, poll, config)
    yield _refusal(trigger)
    yield _poll(poll)
    if (skew := _clock(poll)) is not None:
        yield skew


def _path(trigger: Trigger, poll: Poll, config: Config) -> Step:
    where = urlsplit(config.deployment.base_url).path.rstrip("/")
    paths = f"{where}/v2/call and {where}/v2/callresult"
    if trigger.status is None and poll.status is None:
        fix = "ask the deployment's operator: it takes connections and does not answer"
        return Step("path", f"a trigger was {trigger.describe_outcome()}", well=False, fix=fix)
    if trigger.status == poll.status and trigger.status in {404, 405, 501} and not trigger.json.readable:
        return Step("path", f"{paths} were both {trigger.describe_outcome()}", well=False,
                    fix="correct the path in deployment.base_url; it ends before /v2")  # fmt: skip
    if trigger.status is not None and 300 <= trigger.status < 400:
        target = trigger.headers.get("location", "") if trigger.headers is not None else ""
        where = f"{paths} are redirected with {trigger.status}{f' to {target}' if target else ''}"
        fix = "write the address to which it redirects into deployment.base_url, without /v2/call"
        return Step("path", where, well=False, fix=fix)
    if trigger.status in {407, 415, 426}:
        return Step("path", f"a trigger was {trigger.describe_outcome()}", well=False,
                    fix="ask the operator which headers, proxy or protocol the deployment demands")  # fmt: skip
    return Step("path", f"{paths} are answered")


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
