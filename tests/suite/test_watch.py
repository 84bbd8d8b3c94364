"""The watch: batches, controls by polls for one call, and its end if nothing answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from ringback import clock
from ringback.suite.calls.lifecycle import early_final, lost_final
from ringback.suite.calls.watch import BATCH
from tests.deployment.hostile import Request

from .tiny import Tiny, results, running


def test_every_call_is_seen_to_its_state_in_batches() -> None:
    tiny = Tiny()
    with running(tiny, pool=25) as session:
        calls = session.record.final_calls(25)
        assert all(call.state == call.known_state for call in calls)
        assert session.record.calls.ringing == 0
        assert max(map(len, tiny.polls)) == BATCH
        typical = session.record.calls.typical_age()
        assert typical is not None
        assert typical < 10
        for call in calls:
            assert early_final(call, typical) is None
            assert lost_final(call, typical) is None


def test_a_batch_that_leaves_out_final_calls_does_not_show_that_calls_lost_their_state() -> None:
    """From its third poll on, each batch leaves out the call asked for last; polls for one call are right."""

    def leaves_out(ids: list[str], tiny: Tiny) -> Any:
        reported = {i: s for i in ids if (s := tiny.state(i)) is not None}
        if len(ids) > 1 and len(tiny.polls) > 12:
            reported.pop(ids[-1], None)
        return results(reported)

    with running(Tiny(report=leaves_out), pool=5) as session:
        calls = session.record.final_calls(5)
        watch = session.campaign.watch
        assert session.record.wait_until(lambda: len(watch.contradicted) > 0, 20)
        poll, call, alone = watch.contradicted[0]
        assert len(poll.asked) > 1
        assert call.unique_id not in {e.unique_id for e in poll.entries}
        assert alone.final == call.known_state
        assert [lost_final(c, None) for c in calls] == [None] * 5


def test_calls_that_lose_their_state_are_seen_to_lose_it() -> None:
    def forgets(ids: list[str], tiny: Tiny) -> Any:
        known = {i: tiny.calls[i] for i in ids if i in tiny.calls}
        return results({i: c.state for i, c in known.items() if 0.1 < clock.monotonic() - c.at < 2.0})

    with running(Tiny(report=forgets), pool=3) as session:
        calls = session.record.final_calls(3)
        assert session.record.wait_until(
            lambda: all(lost_final(c, session.record.calls.typical_age()) for c in calls), 20
        )


def test_calls_are_polled_one_by_one_if_batches_fail() -> None:
    def one_at_a_time(ids: list[str], tiny: Tiny) -> Any:
        return (400, {}) if len(ids) > 1 else results({i: s for i in ids if (s := tiny.state(i)) is not None})

    with running(Tiny(report=one_at_a_time), pool=4) as session:
        assert len(session.record.final_calls(4)) == 4
        assert session.campaign.watch.failed


def test_waiting_for_calls_that_never_end_stops_after_the_settle_time() -> None:
    with running(Tiny(ring=60), pool=2, timing={"settle": "500ms"}) as session:
        began = clock.monotonic()
        assert session.record.final_calls(0) == []
        assert clock.monotonic() - began == pytest.approx(0.5, abs=0.1)


@dataclass
class Counting(Tiny):
    """Counts how many polls are under way at once."""

    under_way: int = 0
    most: int = 0

    async def answer(self, request: Request) -> bytes:
        if request.path != "/v2/callresult":
            return await super().answer(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.02)
        self.under_way -= 1
        return await super().answer(request)


def test_polls_of_tests_and_rounds_do_not_meet() -> None:
    """A deployment that mixes up answers to polls at once mixes up only those that are sent at once on purpose."""
    tiny = Counting()
    with running(tiny, pool=3) as session:
        calls = session.record.final_calls(3)
        tiny.most, rounds = 0, session.campaign.watch.rounds
        for _ in range(40):
            session.send.poll([calls[0].unique_id], "poll for one call")
            session.send.poll_with({"UniqueIds": 5}, "an odd poll")
        assert session.campaign.watch.rounds > rounds
        assert tiny.most == 1
        session.send.polls_at_once([[call.unique_id] for call in calls], "polls at once")
        assert tiny.most == 3


def test_waiting_ends_when_its_time_is_up() -> None:
    with running(Tiny(), pool=1) as session:
        began = clock.monotonic()
        assert not session.record.wait_until(lambda: False, 0.3)
        assert clock.monotonic() - began == pytest.approx(0.3, abs=0.001)
        assert session.record.wait_until(lambda: True, 60)


@pytest.mark.parametrize("word", ["answered", "NO_ANSWER", "Ringing", "", "Completed"])
def test_words_are_recorded_as_they_were_written(word: str) -> None:
    def report(ids: list[str], _tiny: Tiny) -> Any:
        return results(dict.fromkeys(ids, word))

    with running(Tiny(report=report), timing={"settle": "300ms"}) as session:
        [call] = session.record.accepted_calls()
        session.record.wait_until(lambda: bool(call.observations), 5)
        assert call.observations[0].words == ((word,) if word else ())
        assert call.observations[0].final == {"answered": "Answered", "NO_ANSWER": "No Answer"}.get(word)
