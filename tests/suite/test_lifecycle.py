"""What a sequence of observations proves of a call: tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.deployment import Exchange, Trigger
from ringback.receiver import Delivery
from ringback.suite.calls import Call, Calls, Observation
from ringback.suite.calls.lifecycle import (
    early_delivery,
    early_final,
    early_in_a_batch,
    late_delivery,
    late_final,
    longest_life,
    lost_final,
    was_not_early,
)

NONE = Exchange(0, "", "", 0, 0, "", "", (), "", 0)
PENDING = ""
A, B, E = "Answered", "Busy", "Error"


def observed(*reported: tuple[float, str, str]) -> Call:
    """A call to the line `answered`, accepted at 0; each poll: when, "one" or "batch", the word."""
    call = Call("id", Trigger(NONE, 0, 0, 200), "answered")
    for at, kind, word in reported:
        call.observations.append(Observation(at, at + 0.01, (word,) if word else (), kind == "one", NONE))
    return call


TYPICAL = 2.0


@pytest.mark.parametrize(
    ("reported", "finding"),
    [
        ([], "none"),
        ([(1, "batch", PENDING)], "none"),
        ([(1, "batch", PENDING), (2, "batch", A), (3, "batch", A)], "none"),
        ([(2, "batch", A), (3, "batch", "answered"), (4, "batch", "ANSWERED")], "none"),
        ([(0.1, "one", B), (2, "one", A)], "early"),
        ([(0.1, "batch", B), (0.2, "one", B), (2, "batch", A), (2.1, "one", A)], "early"),
        ([(0.1, "batch", B), (0.2, "one", PENDING), (2, "batch", A), (2.1, "one", A)], "none"),
        ([(0.1, "one", A), (0.5, "one", PENDING), (2, "one", A)], "early"),
        ([(2, "one", A), (2.5, "one", PENDING), (3, "one", A)], "lost"),
        ([(2, "one", A), (3, "one", PENDING)], "lost"),
        ([(2, "one", A), (3, "one", E)], "lost"),
        ([(2, "batch", A), (3, "batch", PENDING), (3.1, "one", PENDING)], "lost"),
        ([(2, "batch", A), (3, "batch", PENDING), (3.1, "one", A)], "none"),
        ([(2, "batch", A), (3, "batch", E), (3.1, "one", A)], "none"),
        ([(2, "batch", A), (3, "batch", PENDING)], "none"),
        ([(0.1, "one", B), (2, "one", A), (3, "one", PENDING)], "early and lost"),
    ],
)
def test_a_sequence_of_observations_proves(reported: list[tuple[float, str, str]], finding: str) -> None:
    call = observed(*reported)
    early, lost = early_final(call, TYPICAL), lost_final(call, TYPICAL)
    assert (early is not None, lost is not None) == ("early" in finding, "lost" in finding)


@pytest.mark.parametrize(
    ("reported", "early"),
    [
        ([(0.1, "batch", B), (0.2, "one", PENDING), (2, "one", A)], True),
        ([(0.1, "batch", B), (0.2, "one", A)], False),
        ([(0.1, "one", PENDING), (0.2, "batch", B), (2, "one", A)], False),
        ([(0.1, "batch", A), (0.2, "one", PENDING), (2, "one", A)], False),
        ([(0.1, "batch", B), (0.2, "one", PENDING), (2, "one", B)], False),
    ],
)
def test_a_state_reported_too_early_in_a_batch(reported: list[tuple[float, str, str]], early: bool) -> None:
    assert (early_in_a_batch(observed(*reported)) is not None) == early


def test_the_deviation_names_the_poll_that_shows_it() -> None:
    call = observed((0.1, "one", B), (2, "one", A), (4, "one", PENDING))
    early, lost = early_final(call, TYPICAL), lost_final(call, TYPICAL)
    assert early is not None
    assert lost is not None
    assert early[1].asked_at == 0.1
    assert "Busy" in early[0]
    assert lost[1].asked_at == 4
    assert "no state any more" in lost[0]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([PENDING, A, "Ringing"])), max_size=20))
def test_a_call_that_goes_from_pending_to_final_is_neither_early_nor_lost(steps: list[tuple[bool, str]]) -> None:
    forward = sorted((word for _, word in steps), key=lambda word: word == A)
    kinds = ["one" if alone else "batch" for alone, _ in steps]
    call = observed(*((n + 1, kinds[n], word) for n, word in enumerate(forward)))
    assert early_final(call, 1.0) is None
    assert lost_final(call, 1.0) is None


def test_the_first_of_several_calls_with_one_id_is_watched() -> None:
    calls = Calls()
    first, second = observed((1, "one", A)), observed()
    calls.add(first)
    calls.add(second)
    assert (len(calls), calls.watched, calls.shared_ids()) == (2, [first], [(first, second)])
    assert (calls.ringing, calls.typical_age()) == (0, 1)


def test_a_call_is_settled_from_the_last_time_it_became_final() -> None:
    call = observed((0.5, "one", A), (1, "one", PENDING), (2, "one", A), (3, "batch", PENDING))
    assert call.settled is not None
    assert call.settled.asked_at == 2
    assert call.first_final is not None
    assert call.first_final.asked_at == 0.5


def test_the_typical_age_is_that_of_calls_that_were_seen_in_progress() -> None:
    calls = Calls()
    too_soon = [observed((0.1, "one", A)) for _ in range(3)]
    for index, call in enumerate([*too_soon, observed((0.1, "one", A), (1, "one", PENDING), (2, "one", A))]):
        call.unique_id = f"call {index}"
        calls.add(call)
    assert calls.typical_age() == 2


SETTLE = 3.0


@pytest.mark.parametrize(
    ("reported", "late_at"),
    [
        ([(2.9, "one", PENDING), (3.4, "one", A)], None),
        ([(2.9, "one", PENDING), (4.5, "one", A)], None),
        ([(3.1, "batch", PENDING), (3.2, "one", A)], None),
        ([(1.0, "one", A), (4.0, "one", PENDING)], None),
        ([(3.1, "one", PENDING), (4.5, "one", A)], 3.1),
        ([(2.0, "one", PENDING), (3.1, "batch", PENDING), (4.4, "one", PENDING), (4.5, "batch", A)], 4.4),
        ([(3.1, "one", "Ringing")], 3.1),
        ([(3.0, "one", PENDING)], None),
    ],
)
def test_a_call_is_late_if_a_poll_sent_after_its_settle_time_found_it_in_progress(
    reported: list[tuple[float, str, str]], late_at: float | None
) -> None:
    """The sending of a poll for the call alone counts; what may have happened between two polls does not."""
    late = late_final(observed(*reported), SETTLE)
    assert (late.asked_at if late is not None else None) == late_at


def delivered(at: float, unique_id: str = "id", lag: float = 0.0) -> Delivery:
    return Delivery("key", at, "POST", "/key", (), f'{{"UniqueId": "{unique_id}"}}'.encode(), 200, lag)


@pytest.mark.parametrize(
    ("deliveries", "late"),
    [
        ([], None),
        ([delivered(2.0)], None),
        ([delivered(7.0)], None),
        ([delivered(7.51)], 0.5),
        ([delivered(7.51, lag=0.2)], 0.3),
        ([delivered(7.51, lag=0.6)], None),
        ([delivered(3.0, "another"), delivered(7.51)], 0.5),
        ([delivered(3.0), delivered(9.0)], None),
        ([delivered(9.0, "another")], None),
    ],
)
def test_a_delivery_is_late_by_its_own_instant(deliveries: list[Delivery], late: float | None) -> None:
    """Five seconds from the answer (at 2.01) that first showed the call final; our own lag does not count."""
    call = observed((1.5, "batch", PENDING), (2.0, "batch", A))
    call.deliveries = deliveries
    assert late_delivery(call, 5.0) == (None if late is None else pytest.approx(late))


def test_a_delivery_to_a_call_that_is_not_final_is_not_late() -> None:
    call = observed((1.5, "one", PENDING))
    call.deliveries = [delivered(60)]
    assert late_delivery(call, 5.0) is None


@pytest.mark.parametrize(
    ("reported", "at", "batches_count", "early"),
    [
        ([(1, "one", PENDING), (4, "one", A)], 3.0, True, None),
        ([(3.5, "one", PENDING), (4, "one", A)], 3.0, True, None),
        ([(3.5, "one", PENDING), (4, "one", A)], 1.0, True, 2.5),
        ([(1.5, "one", PENDING), (4, "one", A)], 0.3, True, 1.2),
        ([(3.5, "batch", PENDING), (4, "one", A)], 1.0, True, 2.5),
        ([(3.5, "batch", PENDING), (4, "one", A)], 1.0, False, None),
        ([(3.5, "one", PENDING)], 1.0, True, None),
    ],
)
def test_a_delivery_is_early_if_polls_sent_after_it_found_the_call_in_progress(
    reported: list[tuple[float, str, str]], at: float, batches_count: bool, early: float | None
) -> None:
    call = observed(*reported)
    call.deliveries = [delivered(at)]
    found = early_delivery(call, batches_count=batches_count)
    assert (found[0] if found is not None else None) == (None if early is None else pytest.approx(early))


@pytest.mark.parametrize(
    ("reported", "at", "shown"),
    [
        ([(3.9, "one", PENDING), (4, "one", A)], 3.9, True),
        ([(4, "one", A)], 5.0, True),
        ([(4, "one", A)], 3.0, True),
        ([(4, "one", A)], 1.0, False),
        ([(0.4, "one", A)], 0.05, False),
        ([(0.4, "one", A)], 0.35, True),
        ([(0.4, "one", PENDING)], 0.35, False),
        ([(4, "one", A)], None, False),
    ],
)
def test_a_delivery_is_known_not_to_be_early_if_a_poll_soon_after_it_found_the_call_final(
    reported: list[tuple[float, str, str]], at: float | None, shown: bool
) -> None:
    call = observed(*reported)
    call.deliveries = [] if at is None else [delivered(at)]
    assert was_not_early(call) is shown


@pytest.mark.parametrize(
    ("calls", "life"),
    [
        ([], None),
        ([[(1, "batch", PENDING)]], None),
        ([[(1, "batch", PENDING), (2, "one", A)], [(3, "one", A)]], 3.01),
        ([[(2, "one", A)], [(1, "one", B), (9, "one", B)]], 2.01),
        ([[(2, "one", A)], [(1, "one", B), (9, "one", A)]], None),
        ([[(2, "one", A), (3, "one", E)]], None),
    ],
    ids=["no calls", "none final", "two", "a wrong one that stays does not count", "wrong first", "taken back"],
)
def test_how_long_calls_last(calls: list[list[tuple[float, str, str]]], life: float | None) -> None:
    """Where a call was reported wrong before it was reported right, a wrong state may still become the right one."""
    assert longest_life(observed(*reported) for reported in calls) == life
