"""The campaign: its baseline, the controls of refused probes, and the budget."""

from __future__ import annotations

import pytest

from ringback.deployment import Unreachable
from ringback.deployment.errors import NothingWorks
from ringback.suite.campaign import AT_ONCE, RESERVE
from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.expect import must_be_accepted, must_not_be_accepted
from ringback.suite.history import copies_are_refused
from ringback.suite.probes import Probe, accepted, combined, either, refused
from ringback.suite.probes.baseline import BASELINE
from ringback.suite.probes.drafts import Draft
from ringback.suite.session import Session

from .tiny import LINES, Asked, Tiny, running, settings


def dropping(parameter: str) -> Probe:
    return accepted(f"without {parameter}", lambda draft: draft.drop(parameter))


def judged(session: Session, probe: Probe) -> None:
    """Judge a probe as the fixtures of the contract tests do."""
    outcome = session.record.outcome(probe)
    session.record.outcome(BASELINE)
    if probe.expect == "accepted":
        must_be_accepted(outcome, session.campaign.baseline)
    else:
        must_not_be_accepted(outcome, session.campaign.baseline, "REQ-10")


NO_LOCALE, NO_TENANT = dropping("Locale"), refused("lacking Tenant", lambda draft: draft.drop("Tenant"))


def test_a_conforming_deployment_meets_every_expectation() -> None:
    probes = [NO_LOCALE, NO_TENANT]
    with running(Tiny(lambda asked: 200 if "Tenant" in asked.body else 400), probes) as session:
        for probe in (BASELINE, *probes):
            judged(session, probe)
        assert session.campaign.fallback is None
        assert session.budget.accepted == 2


# -- the baseline -----------------------------------------------------------------------------------------------------


def test_a_part_that_the_only_accepted_form_lacks_cannot_be_changed() -> None:
    nameless = accepted("a nameless EndUser", lambda draft: draft.set("EndUser", {**draft.body["EndUser"], "Name": ""}))
    with running(Tiny(lambda asked: 400 if "EndUser" in asked.body else 200), [nameless, NO_LOCALE], pool=3) as session:
        with pytest.raises(Inconclusive, match=r"the only trigger that is accepted \(without EndUser\) lacks"):
            judged(session, nameless)
        judged(session, NO_LOCALE)
        assert len(session.record.accepted_calls()) == 3


@pytest.mark.parametrize(
    ("decide", "form"),
    [
        (lambda asked: 400 if asked.header == "" else 200, {"absent", "named"}),
        (lambda asked: 200 if asked.header == "Collections" else 400, {"named"}),
        (lambda asked: 200 if asked.header is None else 400, {"absent"}),
    ],
    ids=["refuses the empty header", "needs the project's name", "refuses any header"],
)
def test_another_header_form_is_the_baseline_if_the_documented_one_is_refused(decide: object, form: set[str]) -> None:
    tiny = Tiny(decide)  # type: ignore[arg-type]  # lambdas of a parametrisation have no type
    with running(tiny, [NO_LOCALE], pool=4) as session:
        with pytest.raises(Deviation, match="400"):
            judged(session, BASELINE)
        judged(session, NO_LOCALE)
        assert session.campaign.fallback is not None
        assert session.campaign.fallback.header in form
        assert len(session.record.accepted_calls()) >= 4


def test_the_required_parameters_are_the_baseline_if_the_example_is_refused() -> None:
    with running(Tiny(lambda asked: 400 if "EndUser" in asked.body else 200), [NO_LOCALE]) as session:
        with pytest.raises(Deviation):
            judged(session, BASELINE)
        judged(session, NO_LOCALE)


@pytest.mark.parametrize("status", [401, 403, 404, 415, 426, 302])
def test_a_refusal_of_everything_for_a_reason_of_ours_is_one_open_question(status: int) -> None:
    with running(tiny := Tiny(lambda _: status), [NO_LOCALE, NO_TENANT], burst=True, pool=5) as session:
        for probe in (BASELINE, NO_LOCALE, NO_TENANT):
            with pytest.raises(Inconclusive, match=f"every valid trigger with {status}"):
                judged(session, probe)
        cause = session.record.cause()
        assert cause is not None
        assert cause.ours
        with pytest.raises(NothingWorks, match=str(status)):
            session.send.poll(["x"], "a poll")
        assert len(tiny.triggers) == 3
        assert not tiny.polls


@pytest.mark.parametrize("status", [401, 404, 415, 503])
def test_a_deployment_that_refuses_one_form_only_is_still_accused_of_that(status: int) -> None:
    """It answers 401 to the empty header alone: the token is right, and REQ-01 is broken."""
    with running(Tiny(lambda asked: status if asked.header == "" else 200), [NO_LOCALE], pool=3) as session:
        assert session.record.cause() is None
        with pytest.raises(Deviation, match=str(status)):
            judged(session, BASELINE)
        judged(session, NO_LOCALE)
        assert len(session.record.accepted_calls()) >= 3


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_of_one_probe_is_not_a_cause(status: int) -> None:
    with running(Tiny(lambda asked: 200 if "Locale" in asked.body else status), [NO_LOCALE]) as session:
        assert session.record.cause() is None
        judged(session, BASELINE)
        with pytest.raises(Deviation, match=str(status)):
            judged(session, NO_LOCALE)


@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_a_deployment_that_accepts_no_valid_trigger_fails_one_clause(status: int) -> None:
    with running(tiny := Tiny(lambda _: status), [NO_LOCALE, NO_TENANT]) as session:
        with pytest.raises(Deviation, match=f"every valid trigger with {status}"):
            judged(session, BASELINE)
        for probe in (NO_LOCALE, NO_TENANT):
            with pytest.raises(Inconclusive, match="see REQ-01"):
                judged(session, probe)
        assert session.budget.accepted == 0
        assert len(tiny.triggers) == 3 or status < 500


def test_refusals_of_several_kinds_are_one_failure_too() -> None:
    with running(Tiny(lambda asked: 400 if asked.header == "" else 422), [NO_LOCALE]) as session:
        with pytest.raises(Deviation, match="refused every form of a valid trigger"):
            judged(session, BASELINE)
        with pytest.raises(Inconclusive, match="see REQ-01"):
            judged(session, NO_LOCALE)


def test_a_200_without_an_id_ends_the_campaign_before_it_spends_more() -> None:
    tiny = Tiny(id_of=lambda _n: None)
    with running(tiny, [NO_LOCALE, NO_TENANT], burst=True, identical=3, pool=12) as session:
        assert len(tiny.triggers) == 1
        assert (session.budget.accepted, session.budget.may_have_dialled) == (0, 1)
        with pytest.raises(Inconclusive, match="ACK-02"):
            judged(session, NO_LOCALE)


def test_a_closed_port_makes_every_outcome_inconclusive_after_one_attempt() -> None:
    session = Session(settings(9), 1, None)
    session.open()
    try:
        from ringback.suite.plan import Plan

        session.begin(Plan((NO_LOCALE, NO_TENANT), True, 3, 12, 0, ()))
        session.record.placed()
        for probe in (BASELINE, NO_LOCALE, NO_TENANT):
            assert isinstance(session.record.outcome(probe).trouble, Unreachable)
        assert len(session.recorder.exchanges) == 1
        assert session.budget.left == 60
    finally:
        session.close()


# -- controls ---------------------------------------------------------------------------------------------------------


def test_a_refused_probe_is_a_deviation_if_its_control_is_accepted() -> None:
    with running(Tiny(lambda asked: 200 if "Locale" in asked.body else 400), [NO_LOCALE]) as session:
        with pytest.raises(Deviation, match="without Locale") as caught:
            judged(session, NO_LOCALE)
        assert caught.value.evidence
        outcome = session.record.outcome(NO_LOCALE)
        assert outcome.control is not None
        assert outcome.control.accepted


def test_a_refused_probe_is_inconclusive_if_its_control_is_refused_too() -> None:
    tiny = Tiny(lambda asked: 200 if asked.nth == 1 else 503)
    reported = "a plain valid trigger was not accepted either"
    with running(tiny, [NO_LOCALE]) as session, pytest.raises(Inconclusive, match=reported):
        judged(session, NO_LOCALE)


def test_a_refusal_that_is_not_repeated_is_inconclusive() -> None:
    refusals: list[Asked] = []

    def once(asked: Asked) -> int:
        if "Locale" not in asked.body and not refusals:
            refusals.append(asked)
            return 400
        return 200

    with running(Tiny(once), [NO_LOCALE]) as session, pytest.raises(Inconclusive, match="accepted when sent again"):
        judged(session, NO_LOCALE)


def naming(word: str) -> Probe:
    def change(draft: Draft) -> None:
        draft.body["EndUser"]["Name"] += f" {word}"

    return accepted(f"a name with {word}", change)


def test_halving_finds_the_refused_part_of_a_combination() -> None:
    words = ("alpha", "beta", "gamma", "delta", "epsilon")
    probe = combined("names with all of them", tuple(naming(word) for word in words))
    tiny = Tiny(lambda asked: 400 if "gamma" in asked.body["EndUser"]["Name"] else 200)
    with running(tiny, [probe]) as session:
        with pytest.raises(Deviation, match="a name with gamma"):
            judged(session, probe)
        assert session.budget.accepted <= 6, "halving, not trying each"


def test_an_accepted_combination_costs_one_call() -> None:
    probe = combined("names with both", (naming("alpha"), naming("beta")))
    tiny = Tiny()
    with running(tiny, [probe]) as session:
        judged(session, probe)
        assert len(tiny.triggers) == 2
        assert "alpha beta" in tiny.triggers[1].body["EndUser"]["Name"]


TOUCHING = [
    accepted("without Locale", lambda draft: draft.drop("Locale"), touches=("one left out", "Locale")),
    accepted("without EndUser", lambda draft: draft.drop("EndUser"), touches=("one left out", "EndUser")),
    accepted("no variable", lambda draft: draft.some_variables(0), touches=("variables",)),
    accepted("reversed", lambda draft: draft.order(lambda entries: entries[::-1]), touches=("order",)),
    accepted("no header", header="absent", touches=("header",)),
]


@pytest.mark.parametrize("burst", [False, True])
def test_probes_that_touch_different_parts_share_a_trigger(burst: bool) -> None:
    tiny = Tiny()
    with running(tiny, TOUCHING, burst=burst) as session:
        for probe in TOUCHING:
            judged(session, probe)
        assert len(tiny.triggers) == 1 + (AT_ONCE if burst else 2)
        first, second = (session.record.outcome(probe).answer for probe in TOUCHING[:2])
        assert first is not second
        assert all(session.record.outcome(probe).answer is first for probe in TOUCHING[2:])
        many = next(asked for asked in tiny.triggers if asked.header is None)
        assert many.inputs.keys() == {"_DisplayNumber", "_Destination"}


@pytest.mark.parametrize("burst", [False, True])
def test_a_refused_bundle_is_taken_apart(burst: bool) -> None:
    tiny = Tiny(lambda asked: 400 if asked.header is None else 200)
    with running(tiny, TOUCHING, burst=burst) as session:
        for probe in TOUCHING[:-1]:
            judged(session, probe)
        with pytest.raises(Deviation, match="no header"):
            judged(session, TOUCHING[-1])


def test_copies_that_are_refused_because_their_conversation_exists_are_refused_by_themselves_too() -> None:
    seen: set[str] = set()

    def once(asked: Asked) -> int:
        known = asked.body["ConversationId"] in seen
        seen.add(asked.body["ConversationId"])
        return 409 if known else 200

    with running(Tiny(once), burst=True, identical=3, pool=12) as session:
        burst = session.campaign.burst
        refused = [answer for answer in burst.triggers if not answer.accepted]
        assert len(refused) == 2
        assert [burst.alone[answer.exchange.id].accepted for answer in refused] == [False, False]


@pytest.mark.parametrize("burst", [False, True])
def test_a_part_that_the_baseline_lacks_does_not_cost_the_rest_of_its_bundle(burst: bool) -> None:
    nameless = accepted(
        "a nameless EndUser",
        lambda draft: draft.set("EndUser", {**draft.body["EndUser"], "Name": ""}),
        touches=("EndUser",),
    )
    with running(Tiny(lambda asked: 400 if "EndUser" in asked.body else 200), [nameless, *TOUCHING], burst=burst) as s:
        with pytest.raises(Inconclusive, match="lacks the part that is to be changed"):
            judged(s, nameless)
        for probe in TOUCHING:
            judged(s, probe)


@pytest.mark.parametrize("burst", [False, True])
def test_a_bundle_that_is_refused_although_each_part_is_accepted_is_a_deviation(burst: bool) -> None:
    tiny = Tiny(lambda asked: 400 if asked.header is None and "Locale" not in asked.body else 200)
    with running(tiny, TOUCHING, burst=burst) as session:
        with pytest.raises(Deviation, match="each part of it alone is accepted"):
            judged(session, TOUCHING[0])
        for probe in TOUCHING[1:]:
            judged(session, probe)


def test_a_bundle_that_is_refused_among_others_only_shows_in_the_burst() -> None:
    refusals: list[int] = []

    def crowded(asked: Asked) -> int:
        if "Locale" not in asked.body and not refusals:
            refusals.append(asked.nth)
            return 503
        return 200

    with running(Tiny(crowded), TOUCHING, burst=True) as session:
        for probe in TOUCHING:
            judged(session, probe)
        [alone] = session.campaign.burst.alone.values()
        assert alone.accepted


def test_a_copy_that_is_refused_for_its_conversation_is_refused_by_itself_too() -> None:
    tiny = Tiny()
    tiny.decide = lambda asked: 409 if asked.body["ConversationId"] in [
        earlier.body["ConversationId"] for earlier in tiny.triggers[: asked.nth - 1]
    ] else 200  # fmt: skip
    with running(tiny, burst=True, identical=3, pool=20) as session:
        session.record.placed()
        burst = session.campaign.burst
        assert [answer.status for answer in burst.triggers if not answer.accepted] == [409, 409]
        assert [answer.status for answer in burst.alone.values() if answer is not None] == [409, 409]
        assert copies_are_refused(session)
    with running(Tiny(), burst=True, identical=3, pool=20) as session:
        session.record.placed()
        assert not copies_are_refused(session)


def test_accepted_invalid_triggers_are_a_deviation_and_only_a_few_are_sent() -> None:
    probes = [refused(f"lacking one thing or {n}", lambda draft: draft.drop("Tenant")) for n in "abcdefghijklmnop"]
    with running(Tiny(), probes) as session:
        ends = []
        for probe in probes:
            with pytest.raises((Deviation, Inconclusive)) as caught:
                judged(session, probe)
            ends.append(caught.type)
        assert ends.count(Deviation) >= 1
        assert session.budget.accepted < len(probes), "a few accepted ones prove it"


def test_a_probe_that_may_be_either_is_watched_if_it_is_accepted() -> None:
    probe = either("an odd one", lambda draft: draft.set("Odd", "yes"))
    with running(Tiny(), [probe]) as session:
        call = session.record.outcome(probe).call
        assert call is not None
        assert session.record.wait_until(lambda: call.state == "Answered", 5)
        assert call not in session.record.final_calls(), "nothing is held against it"


# -- many -------------------------------------------------------------------------------------------------------------


NULLS = either("nulls", lambda draft: draft.set("ResultDestination", None), ordinary=True)


@pytest.mark.parametrize("burst", [False, True])
def test_a_call_of_an_ordinary_trigger_that_may_be_refused_is_one_of_the_planned_ones(burst: bool) -> None:
    tiny = Tiny()
    section = {"listen": "127.0.0.1:0"}
    with running(tiny, [NULLS], burst=burst, pool=5, result_destination=section) as session:
        call = session.record.outcome(NULLS).call
        assert call is not None
        assert call.regular
        assert call.delivery_key is None
        assert len(session.record.calls) == (17 if burst else 5)


@pytest.mark.parametrize("burst", [False, True])
def test_an_ordinary_trigger_that_may_be_refused_needs_no_controls(burst: bool) -> None:
    tiny = Tiny(lambda asked: 400 if asked.body["ResultDestination"] is None else 200)
    with running(tiny, [NULLS], burst=burst, pool=5) as session:
        assert session.record.outcome(NULLS).not_accepted
        assert session.record.outcome(NULLS).control is None
        assert len(session.record.calls) == (16 if burst else 5)


def test_sixteen_triggers_leave_at_once_and_identical_ones_are_identical() -> None:
    tiny = Tiny()
    with running(tiny, burst=True, identical=3, pool=25) as session:
        burst = session.campaign.burst
        assert (burst.at_once, len(burst.triggers), len(burst.polls), burst.trouble) == (AT_ONCE, 16, 16, None)
        raw = [asked.raw for asked in tiny.triggers]
        assert max(raw.count(one) for one in set(raw)) == 3
        assert len(session.campaign.identical) == 3
        assert len(session.record.calls.watched) == 25
        assert {asked.inputs["_Destination"] for asked in tiny.triggers} == set(LINES.values())


def test_a_lower_trigger_rate_limits_how_many_leave_at_once() -> None:
    with running(Tiny(), burst=True, budget={"triggers_per_second": 5}) as session:
        assert session.campaign.burst.at_once == 5


def test_where_calls_share_ids_what_is_reported_of_them_proves_nothing_else() -> None:
    with running(Tiny(), pool=5) as session:
        session.record.ids_must_differ()
    with (
        running(Tiny(id_of=lambda _: "call-of-all"), pool=5) as session,
        pytest.raises(Inconclusive, match="ACK-03"),
    ):
        session.record.ids_must_differ()


@pytest.mark.parametrize("calls", [1, 3, 10, 20])
def test_no_plan_exceeds_the_budget(calls: int) -> None:
    tiny = Tiny()
    probes = [NO_LOCALE, dropping("EndUser"), dropping("ResultDestination"), NO_TENANT]
    with running(tiny, probes, burst=True, identical=3, pool=25, budget={"calls": calls}) as session:
        assert len(tiny.calls) == session.budget.accepted <= calls
        assert session.budget.accepted >= calls - RESERVE


def test_a_small_budget_is_spent_on_refusals_first_and_still_has_places_for_others() -> None:
    strict = Tiny(lambda asked: 200 if "Tenant" in asked.body else 400)
    with running(strict, [NO_LOCALE, NO_TENANT], burst=True, identical=3, pool=25, budget={"calls": 5}) as session:
        assert "Tenant" not in strict.triggers[1].body
        judged(session, NO_TENANT)
        judged(session, NO_LOCALE)
        assert session.budget.left == 1


def test_a_budget_too_small_for_sixteen_at_once_is_spent_on_a_copy_and_on_taking_apart() -> None:
    """The first valid probe is refused: its controls come before the others, which the budget does not reach."""
    tiny = Tiny(lambda asked: 400 if "Locale" not in asked.body else 200)
    probes = [NO_LOCALE, *(dropping("EndUser") for _ in range(9))]
    with running(tiny, probes, burst=True, identical=3, pool=25, budget={"calls": 8}) as session:
        outcome = session.record.outcome(NO_LOCALE)
        assert outcome.not_accepted
        assert outcome.control is not None
        assert outcome.control.accepted
        assert outcome.again is not None
        assert tiny.triggers[0].raw == tiny.triggers[1].raw
        assert session.campaign.burst.triggers == []


def test_an_accepted_invalid_trigger_is_found_with_a_budget_of_two_calls() -> None:
    with running(Tiny(), [NO_LOCALE, NO_TENANT], pool=25, budget={"calls": 2}) as session:
        with pytest.raises(Deviation, match="lacking Tenant"):
            judged(session, NO_TENANT)
        with pytest.raises(Inconclusive, match="budget"):
            judged(session, NO_LOCALE)


def test_a_probe_that_was_not_planned_is_sent_on_request() -> None:
    tiny = Tiny()
    with running(tiny) as session:
        judged(session, NO_LOCALE)
        assert "Locale" not in tiny.triggers[-1].body
