"""The budget of accepted calls: never one over, given back on refusals, kept where a call may have been placed."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.deployment import BudgetSpent, CallBudget, Trigger
from tests.virtual_time import run

from .hostile import Request, Script, body, http, serving, talking_to
from .hostile import settings as settings_of

OUTCOMES = st.lists(st.sampled_from(["accepted", "possible", "both", "refused"]), min_size=1, max_size=40)


@given(limit=st.integers(1, 12), outcomes=OUTCOMES, seed=st.integers(0, 999))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_at_once_the_limit_holds(limit: int, outcomes: list[str], seed: int) -> None:
    async def main() -> None:
        budget = CallBudget(limit)
        order = random.Random(seed)
        under_way = most = spent = refused = 0

        async def place(outcome: str) -> None:
            nonlocal under_way, most, spent, refused
            try:
                await budget.reserve()
            except BudgetSpent:
                refused += 1
                return
            under_way += 1
            most = max(most, under_way + spent)
            for _ in range(order.randrange(4)):
                await asyncio.sleep(0)
            under_way -= 1
            spent += outcome != "refused"
            await budget.settle(accepted=outcome in {"accepted", "both"}, possible=outcome in {"possible", "both"})

        await asyncio.wait_for(asyncio.gather(*(place(outcome) for outcome in outcomes)), 10)
        dialled = sum(outcome != "refused" for outcome in outcomes)
        assert most <= limit
        assert budget.accepted + budget.possible == spent <= limit
        assert budget.left == limit - spent
        assert (refused > 0) <= (dialled >= limit), "refused although places were left"

    run(main())


def test_who_waits_for_a_place_gets_it_when_another_is_given_back() -> None:
    async def main() -> None:
        budget = CallBudget(1)
        await budget.reserve()
        waiting = asyncio.create_task(budget.reserve())
        await asyncio.sleep(0.01)
        assert not waiting.done(), "what is reserved may yet be given back"
        await budget.settle(accepted=False)
        await asyncio.wait_for(waiting, 2)
        assert budget.left == 0

    run(main())


def test_who_waits_for_a_place_is_told_when_the_last_one_is_spent() -> None:
    async def main() -> None:
        budget = CallBudget(1)
        await budget.reserve()
        waiting = [asyncio.create_task(budget.reserve()) for _ in range(3)]
        await asyncio.sleep(0.01)
        await budget.settle(accepted=False, possible=True)
        ends = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 2)
        assert all(isinstance(end, BudgetSpent) for end in ends)
        assert "1 accepted calls" in str(ends[0]) or "budget of 1" in str(ends[0])

    run(main())


def test_who_stops_waiting_takes_no_place() -> None:
    async def main() -> None:
        budget = CallBudget(1)
        await budget.reserve()
        waiting = asyncio.create_task(budget.reserve())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await budget.settle(accepted=False)
        assert budget.left == 1

    run(main())


async def _slow_answer(request: Request, status: int) -> bytes:
    await asyncio.sleep(0.02 * (request.nth % 4))
    return http(status, {"UniqueId": f"call-{request.nth}"} if status == 200 else {"error": "no"})


def _mixed(pattern: str) -> Script:
    """Answers the n-th trigger by the n-th letter: accepts, refuses, times out, closes, or says 200 and empty."""

    async def script(request: Request) -> bytes | None:
        kind = pattern[(request.nth - 1) % len(pattern)]
        if kind == "t":
            await asyncio.sleep(30)
        if kind in "tc":
            return None
        return http(200, {}) if kind == "e" else await _slow_answer(request, 200 if kind == "a" else 400)

    return script


@pytest.mark.parametrize("pattern", ["a", "ar", "rrra", "ac", "aetc", "e", "c"])
def test_triggers_at_once_never_place_one_call_too_many(pattern: str) -> None:
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
                assert dialled == budget.accepted + budget.possible <= limit
                assert budget.accepted == sum(a.accepted for a in answers)
                assert len(answers) == len(server.requests)
                assert len(answers) == 24 or dialled == limit

    run(main())


def test_a_refused_trigger_that_dials_all_the_same_is_counted() -> None:
    """A deployment that accepts what it should refuse spends money as well."""

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
