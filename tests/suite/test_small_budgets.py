"""Budgets that do not suffice for everything: what is sent in which order, in how few calls, and what is left open."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from ringback import clock
from ringback.receiver import AddressBehaviour, Delivery
from ringback.suite.campaign import AT_ONCE
from ringback.suite.deviation import Deviation, Inconclusive
from ringback.suite.expect import must_be_accepted, must_not_be_accepted
from ringback.suite.history import apart
from ringback.suite.plan import Plan, make_plan
from ringback.suite.probes import Destination, Probe, accepted, either, refused
from ringback.suite.probes.bundles import LINE, bundled
from ringback.suite.probes.drafts import NotTried
from ringback.suite.session import Session

from .tiny import LINES, Asked, Tiny, running

RESULT = ("ResultDestination", "SendResultImmediately")


def without(parameter: str) -> Probe:
    return accepted(f"without {parameter}", lambda draft: draft.drop(parameter), touches=(parameter,), line=None)


def flag(value: bool) -> Probe:
    return accepted(
        f"flag {value}",
        lambda draft: draft.set("SendResultImmediately", value),
        touches=("SendResultImmediately",),
        line=None,
    )


def judged(session: Session, probe: Probe) -> None:
    must_be_accepted(session.record.outcome(probe), session.campaign.baseline)


BUSY = accepted("a call to the line busy", line="busy", touches=(LINE, *RESULT))
DEAD = accepted("a closed port", destination=Destination(dead=True), touches=RESULT)
HEADER = accepted("no header", header="absent", touches=("header",), line=None)


# -- bundles ----------------------------------------------------------------------------------------------------------


def test_bundles_keep_the_order_of_their_probes_if_they_are_tight() -> None:
    probes = [HEADER, without("Locale"), DEAD, BUSY, without("EndUser")]
    first, second = bundled(probes, tightly=True)
    assert first.carried == (probes[0], probes[1], DEAD, probes[4])
    assert (first.troubled, first.probe.line) == (True, "answered")
    assert (second.carried, second.bound) == ((BUSY,), True)


def test_a_failing_destination_has_a_trigger_of_its_own_if_bundles_are_not_tight() -> None:
    assert [bundle.carried for bundle in bundled([HEADER, DEAD])] == [(HEADER,), (DEAD,)]


def test_the_baseline_is_the_first_call_to_its_line() -> None:
    """So the probe for that line need not come before those at once, unlike the others; its line is kept."""
    answered = accepted("a call to the line answered", touches=(LINE, *RESULT))
    first, second = bundled([answered, BUSY])
    assert [(one.line, one.bound) for one in (first, second)] == [("busy", True), ("answered", False)]


@pytest.mark.parametrize("at_once", [None, 1])
def test_a_probe_for_a_line_dials_it_among_those_at_once(at_once: int | None) -> None:
    answered = accepted("a call to the line answered", touches=(LINE, *RESULT))
    lines = {name: number if at_once is None else {"number": number, "at_once": 1} for name, number in LINES.items()}
    with running(Tiny(), [HEADER, flag(True), answered], burst=True, lines=lines) as session:
        draft = session.record.outcome(answered).draft
        assert draft is not None
        assert draft.line == "answered"
        assert draft.input("_Destination")["Value"] == LINES["answered"]


def test_calls_to_lines_that_are_not_configured_are_not_planned() -> None:
    """They would be placed on another line, where they show nothing."""
    answered = accepted("a call to the line answered", touches=(LINE, *RESULT))
    plan = Plan((HEADER, BUSY, answered), True, 0, 0, 0, ())
    assert plan.for_lines(["rejected"]).probes == (HEADER, answered)
    assert plan.for_lines(["answered", "busy"]).probes == plan.probes


def test_what_the_declared_variables_rule_out_is_in_no_bundle() -> None:
    made_up = accepted("a made-up variable", lambda d: d.made_up_variable("x", "y"), touches=("more",), line=None)
    tiny = Tiny()
    with running(tiny, [made_up, HEADER], variables={"customerName": "sample"}) as session:
        assert isinstance(session.record.outcome(made_up).trouble, NotTried)
        assert session.record.outcome(HEADER).accepted
        assert len(tiny.triggers) == 2


# -- order ------------------------------------------------------------------------------------------------------------


def item(clause: str, *sent: Probe, parameter: Probe | None = None) -> Any:
    """What the plan reads of a collected test."""
    markers = {"clause": [SimpleNamespace(args=(clause,))], "sends": [SimpleNamespace(args=sent)]}
    return SimpleNamespace(
        callspec=SimpleNamespace(params={"probe": parameter} if parameter is not None else {}),
        iter_markers=lambda name: markers.get(name, []),
        get_closest_marker=lambda name: next(iter(markers.get(name, [])), None),
    )


def test_a_probe_has_its_turn_where_it_comes_first_in_a_clause() -> None:
    first, second, third = without("Locale"), without("EndUser"), without("Tenant")
    plan = make_plan(
        [
            *(item("REQ-03", parameter=probe) for probe in (first, second, third)),
            item("DST-02", third, first),
        ]
    )
    assert plan.turns == {first: 0, second: 1, third: 0}


def test_a_small_budget_is_spent_in_the_order_of_turns() -> None:
    late, early = accepted("late", line=None), accepted("early", line=None)
    plan = Plan((late, early), True, 0, 25, 0, (), turns={late: 1, early: 0})
    with running(Tiny(), plan=plan, budget={"calls": 3}) as session:
        judged(session, early)
        with pytest.raises(Inconclusive, match="budget of 3 calls is spent"):
            judged(session, late)


def test_what_may_explain_a_refused_example_comes_first() -> None:
    """The example, which carries `false`, is refused; with `true` it is accepted."""
    others = [accepted(f"other {letter}", line=None) for letter in "abcdefgh"]
    false = flag(False)
    families = {**dict.fromkeys(others, "REQ-03"), false: "REQ-09"}
    plan = Plan((*others, false), True, 2, 25, 0, (), families, turns=dict.fromkeys(others, 0))
    tiny = Tiny(lambda asked: 400 if asked.body.get("SendResultImmediately") is False else 200)
    with running(tiny, plan=plan, budget={"calls": 6}) as session, pytest.raises(Deviation, match="flag False"):
        judged(session, false)


# -- what calls are spent on ------------------------------------------------------------------------------------------


def test_a_refused_bundle_is_taken_apart_by_halves() -> None:
    probes = [without(name) for name in ("Locale", "EndUser", "ResultDestination", "SendResultImmediately")]
    probes += [accepted(f"one more, {name}", touches=(name,), line=None) for name in "abcd"]
    tiny = Tiny(lambda asked: 400 if "EndUser" not in asked.body else 200)
    with running(tiny, probes) as session:
        for probe in probes:
            if probe is not probes[1]:
                judged(session, probe)
        with pytest.raises(Deviation, match="without EndUser"):
            judged(session, probes[1])
        assert session.budget.accepted == 5, "the baseline, three halves, and one control"


def test_a_refusal_whose_control_the_budget_does_not_allow_is_open() -> None:
    def hiccup(asked: Asked) -> int:
        return 503 if "Locale" not in asked.body else 200

    probe = without("Locale")
    with (
        running(Tiny(hiccup), [accepted("one before"), probe], pool=25, budget={"calls": 3}) as session,
        pytest.raises(Inconclusive, match="budget of 3 calls is spent"),
    ):
        judged(session, probe)


def test_a_bundle_that_fails_with_its_destination_is_covered_by_no_other_clause() -> None:
    """Its halves decide about DST-07; that the whole was answered 500 is the same deviation."""
    hosts: list[str] = []

    def unreachable(asked: Asked) -> int:
        hosts.append(urlsplit(asked.body["ResultDestination"]).netloc)
        return 500 if hosts[-1] != hosts[0] else 200

    tiny = Tiny(unreachable)
    section = {"listen": "127.0.0.1:0"}
    with running(tiny, [HEADER, DEAD], burst=True, budget={"calls": 8}, result_destination=section) as session:
        failed = {answer.exchange.id for answer in session.record.history if answer.status == 500}
        assert len(failed) > 2
        assert failed <= apart(session)
        assert session.record.outcome(HEADER).accepted


def test_the_controls_of_a_refusal_may_take_the_reserved_place() -> None:
    probe = without("Locale")
    tiny = Tiny(lambda asked: 400 if "Locale" not in asked.body else 200)
    with (
        running(tiny, [accepted("one before"), probe], pool=25, budget={"calls": 4}) as session,
        pytest.raises(Deviation, match="without Locale"),
    ):
        judged(session, probe)


def test_a_trigger_that_may_be_refused_leaves_a_place_for_those_that_must_be() -> None:
    wrong = refused("a wrong token", lambda draft: draft.set("AccessToken", "wrong"), last=True)
    nulls = either("nulls", lambda draft: draft.set("Locale", None), ordinary=True)
    plan = Plan((nulls, wrong, *(accepted(f"one {n}", line=None) for n in "abcdef")), True, 0, 25, 0, ())
    with running(Tiny(), plan=plan, budget={"calls": 5}) as session:
        with pytest.raises(Deviation, match="a wrong token"):
            must_not_be_accepted(session.record.outcome(wrong), session.campaign.baseline, "REQ-15")
        assert session.budget.accepted == 5


def test_polls_are_sent_at_once_with_any_budget() -> None:
    with running(Tiny(), [HEADER], burst=True, budget={"calls": 5}) as session:
        assert len(session.campaign.burst.polls) == AT_ONCE
        assert session.campaign.burst.triggers == []


@pytest.mark.parametrize("calls", [18, 20, 24, 60])
def test_a_bundle_that_is_refused_is_taken_apart_with_any_budget(calls: int) -> None:
    """Sixteen are sent at once only if places are left for what a refusal among them needs."""
    first, second = without("Locale"), without("EndUser")
    tiny = Tiny(lambda asked: 400 if "EndUser" not in asked.body else 200)
    with running(tiny, [first, second], burst=True, identical=3, pool=21, budget={"calls": calls}) as session:
        judged(session, first)
        with pytest.raises(Deviation, match="without EndUser"):
            judged(session, second)


@pytest.mark.parametrize(("calls", "placed"), [(60, 18), (20, 17)])
def test_a_call_is_placed_while_an_address_is_slow_unless_few_are_left(calls: int, placed: int) -> None:
    slow = accepted("slow", destination=Destination(True, AddressBehaviour(seconds=1)), touches=RESULT)
    section = {"listen": "127.0.0.1:0"}
    with running(Tiny(), [slow], burst=True, budget={"calls": calls}, result_destination=section) as session:
        draft = session.record.outcome(slow).draft
        assert draft is not None
        delivery = Delivery(draft.delivery_key, clock.monotonic(), "POST", "/", (), b"", 200)
        for _ in range(2):
            session._loop.run(session.campaign.delivered(delivery))
        assert session.budget.accepted == placed


WRONG_TOKENS = [
    refused(f"wrong {letter}", lambda draft: draft.set("AccessToken", "wrong"), last=True) for letter in "abcde"
]


def token_is_wrong(asked: Asked) -> bool:
    return bool(asked.body["AccessToken"] == "wrong")


@pytest.mark.parametrize(("calls", "valid"), [(60, 16), (23, 16), (22, 15), (21, 14), (19, 13), (17, 13), (16, 0)])
def test_some_of_those_at_once_are_invalid_if_calls_are_lacking(calls: int, valid: int) -> None:
    tiny = Tiny(lambda asked: 401 if token_is_wrong(asked) else 200)
    with running(tiny, [HEADER, *WRONG_TOKENS], burst=True, identical=3, budget={"calls": calls}) as session:
        burst = session.campaign.burst
        assert (burst.at_once, len(burst.triggers)) == (AT_ONCE if valid else 0, valid)
        for probe in WRONG_TOKENS:
            must_not_be_accepted(session.record.outcome(probe), session.campaign.baseline, "REQ-15")
        assert sum(map(token_is_wrong, tiny.triggers)) == len(WRONG_TOKENS)
        assert session.record.outcome(HEADER).accepted


def test_an_invalid_trigger_that_is_accepted_among_others_is_found() -> None:
    with running(Tiny(), [HEADER, *WRONG_TOKENS], burst=True, budget={"calls": 20}) as session:
        with pytest.raises(Deviation, match="wrong a"):
            must_not_be_accepted(session.record.outcome(WRONG_TOKENS[0]), session.campaign.baseline, "REQ-15")
        assert session.budget.accepted <= 20


def test_an_invalid_trigger_that_is_not_refused_among_others_is_sent_by_itself() -> None:
    answered: list[int] = []

    def busy(asked: Asked) -> int:
        if not token_is_wrong(asked):
            return 200
        answered.append(503 if len(answered) < 3 else 401)
        return answered[-1]

    with running(Tiny(busy), [HEADER, *WRONG_TOKENS], burst=True, budget={"calls": 20}) as session:
        for probe in WRONG_TOKENS:
            must_not_be_accepted(session.record.outcome(probe), session.campaign.baseline, "REQ-15")
        assert answered.count(401) == len(WRONG_TOKENS)
