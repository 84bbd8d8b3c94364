"""The call budget is never exceeded. A place is free again only if nothing was sent, or after a 4xx without an id."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.config import ConfigError
from ringback.deployment import BudgetSpent, CallBudget, Trigger
from ringback.deployment.budget import Fate, WaitingBudget, fate_of, places
from ringback.loadgen.run import check_budget
from tests.virtual_time import run

from .hostile import Request, Script, body, http, serving, talking_to
from .hostile import settings as settings_of

STEPS = st.lists(st.sampled_from(["reserve", *Fate]), max_size=300)
ID = "7e57ca11"


# -- the rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "content", "unique_id", "fate"),
    [
        (200, '{"UniqueId": "7e57ca11"}', ID, Fate.ACCEPTED),
        (202, '{"UniqueId": "7e57ca11"}', ID, Fate.ACCEPTED),
        (200, "{}", None, Fate.MAY_HAVE_DIALLED),
        (200, "", None, Fate.MAY_HAVE_DIALLED),
        (204, "", None, Fate.MAY_HAVE_DIALLED),
        (None, "", None, Fate.MAY_HAVE_DIALLED),
        (302, "", None, Fate.MAY_HAVE_DIALLED),
        (101, "", None, Fate.MAY_HAVE_DIALLED),
        (500, '{"error": "no"}', None, Fate.MAY_HAVE_DIALLED),
        (502, "", None, Fate.MAY_HAVE_DIALLED),
        (504, "<html>", None, Fate.MAY_HAVE_DIALLED),
        (500, '{"UniqueId": "7e57ca11"}', ID, Fate.MAY_HAVE_DIALLED),
        (409, '{"UniqueId": "7e57ca11"}', ID, Fate.MAY_HAVE_DIALLED),
        (409, '{"UniqueId": 12345}', None, Fate.MAY_HAVE_DIALLED),
        (409, '{"uniqueId": "7e57ca11"}', None, Fate.MAY_HAVE_DIALLED),
        (409, '{"error": {"unique_id": "7e57ca11"}}', None, Fate.MAY_HAVE_DIALLED),
        (409, '{"callId": 5}', None, Fate.MAY_HAVE_DIALLED),
        (409, "<e><UniqueId>7e57ca11</UniqueId></e>", None, Fate.MAY_HAVE_DIALLED),
        (409, "Unique-Id: 7e57ca11", None, Fate.MAY_HAVE_DIALLED),
        (409, "call id=7e57ca11 exists", None, Fate.MAY_HAVE_DIALLED),
        (400, '{"detail": "no UniqueId was given for it, see CallResults"}', None, Fate.FREE),
        (409, '{"uniqueIdentifier": "7e57ca11"}', None, Fate.MAY_HAVE_DIALLED),
        (409, '{"call": {"state": "new", "id": 4}}', None, Fate.MAY_HAVE_DIALLED),
        (409, '{"\\u0063allId": 5}', None, Fate.MAY_HAVE_DIALLED),
        (400, "", None, Fate.FREE),
        (404, "<html>not found</html>", None, Fate.FREE),
        (400, '{"type": "about:blank", "traceId": "00-0af7", "requestId": 17}', None, Fate.FREE),
        (400, '{"UniqueId": null, "error": "AccessToken"}', None, Fate.FREE),
        (400, '{"UniqueId": "", "error": "AccessToken"}', None, Fate.FREE),
        (400, "<e><UniqueId/><UniqueId></UniqueId></e>", None, Fate.FREE),
        (400, '{"error": "recall identity"}', None, Fate.FREE),
        (429, "", None, Fate.FREE),
    ],
)
def test_what_an_answer_means_for_the_budget(
    status: int | None, content: str, unique_id: str | None, fate: Fate
) -> None:
    assert fate_of(status, content.encode(), unique_id) is fate


def test_a_refusal_that_broke_off_may_have_had_an_id() -> None:
    assert fate_of(400, b"{", None, whole=False) is Fate.MAY_HAVE_DIALLED


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 1),
        (b"{}", 1),
        (b'[{"Name": "_Destination", "Value": "5550000001"}]', 1),
        (b'{"p": [{"Name": "_Destination"}], "ResultDestination": "x"}', 1),
        (b'{"p": [{"Name": "_Destination"}]}{"p": [{"Name": "_destination"}]}', 2),
        (b'[{"_Destination": ""}, {"_Destination": ""}, {"_Destination": ""}]', 3),
        (b'[{"_D\\u0065stination": ""}, {"_D%65stination": ""}]', 2),
        ('[{"_Destination": ""}, {"_Destination": ""}]'.encode("utf-16"), 2),
    ],
)
def test_a_body_may_be_several_triggers(content: bytes, count: int) -> None:
    assert places(content) == count


@given(st.integers(0, 12), STEPS)
def test_any_outcomes_of_triggers_never_exceed_the_budget(limit: int, steps: list[str | Fate]) -> None:
    """Compared with an independent count: a reserved place that is not free again is a call, or may be one."""
    budget = CallBudget(limit)
    on_their_way = calls = indeterminate = 0
    for step in steps:
        if isinstance(step, str):
            room = on_their_way + calls < limit
            assert budget.reserve() is room
            on_their_way += room
        elif on_their_way:
            budget.settle(step)
            on_their_way -= 1
            calls += step is not Fate.FREE
            indeterminate += step is Fate.MAY_HAVE_DIALLED
        assert calls + on_their_way <= limit
        assert budget.left == limit - calls - on_their_way
        assert budget.indeterminate == indeterminate + on_their_way


def test_a_body_of_two_triggers_takes_two_places_and_may_have_dialled_twice() -> None:
    budget = CallBudget(3)
    assert budget.reserve(2)
    assert not budget.reserve(2)
    budget.settle(Fate.ACCEPTED, 2)
    assert (budget.accepted, budget.may_have_dialled, budget.left) == (1, 1, 1)


def test_without_a_limit_places_are_never_refused() -> None:
    budget = CallBudget(None)
    for _ in range(1000):
        assert budget.reserve()
        budget.settle(Fate.ACCEPTED)
    assert budget.left > 0
    assert budget.indeterminate == 0


def test_a_configured_deployment_needs_a_budget() -> None:
    config = settings_of("http://127.0.0.1:1")
    assert check_budget(config, embedded=True) is None
    with pytest.raises(ConfigError, match=r"load\.budget_calls: missing.*; set the number"):
        check_budget(config, embedded=False)
    assert check_budget(settings_of("http://127.0.0.1:1", load={"budget_calls": 7}), embedded=False) == 7


# -- triggers without readable answers --------------------------------------------------------------------------------


def settled(*fates: Fate, valid: bool = True) -> CallBudget:
    budget = CallBudget(60)
    for fate in fates:
        assert budget.reserve()
        budget.settle(fate, valid=valid)
    return budget


def test_three_valid_triggers_without_a_readable_answer_end_the_run() -> None:
    budget = settled(*[Fate.MAY_HAVE_DIALLED] * 3)
    assert budget.in_the_dark
    assert not budget.reserve()
    assert "stopped after 3 valid triggers" in budget.why_spent


@pytest.mark.parametrize("readable", [Fate.ACCEPTED, Fate.FREE])
def test_after_one_readable_answer_the_run_goes_on(readable: Fate) -> None:
    assert not settled(Fate.MAY_HAVE_DIALLED, Fate.MAY_HAVE_DIALLED, readable, *[Fate.MAY_HAVE_DIALLED] * 9).in_the_dark


def test_invalid_triggers_without_a_readable_answer_do_not_count() -> None:
    assert not settled(*[Fate.MAY_HAVE_DIALLED] * 9, valid=False).in_the_dark


def test_triggers_that_were_not_sent_do_not_count() -> None:
    budget = settled(Fate.MAY_HAVE_DIALLED, Fate.MAY_HAVE_DIALLED)
    budget.reserve()
    budget.settle(Fate.FREE, valid=True, sent=False)
    budget.reserve()
    budget.settle(Fate.MAY_HAVE_DIALLED, valid=True)
    assert budget.in_the_dark


# -- waiting for a place ----------------------------------------------------------------------------------------------


@given(
    limit=st.integers(1, 12),
    outcomes=st.lists(st.sampled_from(Fate), min_size=1, max_size=40),
    seed=st.integers(0, 999),
)
@settings(max_examples=150, deadline=None)
def test_triggers_at_once_never_exceed_the_limit(limit: int, outcomes: list[Fate], seed: int) -> None:
    async def main() -> None:
        budget = WaitingBudget(limit)
        order = random.Random(seed)
        under_way = most = spent = refused = 0

        async def place(fate: Fate) -> None:
            nonlocal under_way, most, spent, refused
            try:
                await budget.take()
            except BudgetSpent:
                refused += 1
                return
            under_way += 1
            most = max(most, under_way + spent)
            for _ in range(order.randrange(4)):
                await asyncio.sleep(0)  # lets other tasks run
            under_way -= 1
            spent += fate is not Fate.FREE
            await budget.give(fate, valid=False, sent=True)

        await asyncio.wait_for(asyncio.gather(*(place(fate) for fate in outcomes)), 10)
        dialled = sum(fate is not Fate.FREE for fate in outcomes)
        assert most <= limit
        assert budget.accepted + budget.may_have_dialled == spent <= limit
        assert budget.left == limit - spent
        assert (refused > 0) <= (dialled >= limit), "refused although places were left"

    run(main())


async def waiting_for(budget: WaitingBudget) -> asyncio.Task[None]:
    """A task that waits for a place."""
    task = asyncio.create_task(budget.take())
    for _ in range(5):
        await asyncio.sleep(0)  # lets it run until it waits
    assert not task.done(), "a reserved place may become free"
    return task


def test_a_waiting_sender_gets_a_place_that_becomes_free() -> None:
    async def main() -> None:
        budget = WaitingBudget(1)
        await budget.take()
        waiting = await waiting_for(budget)
        await budget.give(Fate.FREE, valid=True, sent=True)
        await asyncio.wait_for(waiting, 10)
        assert budget.left == 0

    run(main())


def test_a_waiting_sender_is_refused_when_the_last_place_is_spent() -> None:
    async def main() -> None:
        budget = WaitingBudget(1)
        await budget.take()
        waiting = [await waiting_for(budget) for _ in range(3)]
        await budget.give(Fate.MAY_HAVE_DIALLED, valid=True, sent=True)
        ends = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)
        assert all(isinstance(end, BudgetSpent) for end in ends)
        assert str(ends[0]) == "the budget of 1 calls is spent"

    run(main())


def test_a_sender_that_stops_waiting_takes_no_place() -> None:
    async def main() -> None:
        budget = WaitingBudget(1)
        await budget.take()
        waiting = await waiting_for(budget)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await budget.give(Fate.FREE, valid=True, sent=True)
        assert budget.left == 1

    run(main())


# -- through the transport --------------------------------------------------------------------------------------------


async def _slow_answer(request: Request, status: int) -> bytes:
    await asyncio.sleep(0.02 * (request.nth % 4))
    return http(status, {"UniqueId": f"call-{request.nth}"} if status == 200 else {"error": "no"})


def _mixed(pattern: str) -> Script:
    """Answers the n-th trigger by the n-th letter: accepts, refuses, times out, closes, or sends an empty 200."""

    async def script(request: Request) -> bytes | None:
        kind = pattern[(request.nth - 1) % len(pattern)]
        if kind == "t":
            await asyncio.sleep(30)
        if kind in "tc":
            return None
        return http(200, {}) if kind == "e" else await _slow_answer(request, 200 if kind == "a" else 400)

    return script


@pytest.mark.parametrize("pattern", ["a", "ar", "rrra", "ac", "aetc", "e", "c"])
def test_triggers_at_once_never_place_too_many_calls(pattern: str) -> None:
    limit = 5

    async def main() -> None:
        async with serving(_mixed(pattern)) as server:
            config = settings_of(
                server.base_url, budget={"calls": limit}, timing={"request": "400ms"}
            )  # fmt: skip
            async with talking_to(config) as client:
                sent = await asyncio.gather(
                    *(client.trigger(body(), expect_call=True) for _ in range(24)), return_exceptions=True
                )
                answers = [one for one in sent if isinstance(one, Trigger)]
                assert all(isinstance(one, Trigger | BudgetSpent) for one in sent)
                dialled = sum(pattern[i % len(pattern)] != "r" for i in range(len(server.requests)))
                budget = client.transport.budget
                assert dialled == budget.accepted + budget.may_have_dialled <= limit
                assert budget.accepted == sum(a.accepted for a in answers)
                assert len(answers) == len(server.requests)
                assert len(answers) == 24 or dialled == limit or budget.in_the_dark

    run(main())


def test_an_invalid_trigger_that_is_accepted_is_counted() -> None:
    """A deployment that accepts an invalid trigger still spends money."""

    async def main() -> None:
        async with (
            serving(_mixed("a")) as server,
            talking_to(settings_of(server.base_url, budget={"calls": 2})) as client,
        ):
            for _ in range(2):
                await client.trigger({"Project": "Collections"}, expect_call=False)
            with pytest.raises(BudgetSpent):
                await client.trigger({"Project": "Collections"}, expect_call=False)
            assert client.transport.budget.accepted == 2
            assert len(server.requests) == 2

    run(main())


def test_polls_cost_nothing() -> None:
    async def main() -> None:
        async def tells(_request: Request) -> bytes:
            return http(200, {"CallResults": [{"UniqueId": "call-x", "CallState": "Busy", "CallRequestId": ""}]})

        async with serving(tells) as server, talking_to(settings_of(server.base_url, budget={"calls": 1})) as client:
            for _ in range(3):
                await client.poll(["call-x"])
            assert client.transport.budget.left == 1

    run(main())
