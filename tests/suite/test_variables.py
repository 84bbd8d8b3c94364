"""Project variables: where they are declared only they are sent, and what they don't allow is not exercised."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ringback.config import ConfigError
from ringback.config.environment import as_environment
from ringback.config.loading import gather
from ringback.deployment.access import dial_guard
from ringback.suite.deviation import NotExercised
from ringback.suite.expect import must_be_accepted
from ringback.suite.generated.bodies import TriggerVariation
from ringback.suite.probes import Probe, accepted, combined
from ringback.suite.probes.drafts import DraftMaker, NotTried
from ringback.suite.probes.fields import ALL_ODD, ODD_TEXTS

from .tiny import Asked, Tiny, running, settings

DECLARED = {"customerName": "sample", "dueDate": "2027-01-31", "balance": "1200.50"}


def variables_of(asked: Asked) -> dict[str, str]:
    return {name: value for name, value in asked.inputs.items() if not name.startswith("_")}


def only_declared(asked: Asked) -> int:
    """Takes only the declared variables; `dueDate` must be a day."""
    sent = variables_of(asked)
    return 200 if sent.keys() <= DECLARED.keys() and sent.get("dueDate", "2027-01-31") == "2027-01-31" else 400


def some(count: int) -> Probe:
    return accepted(f"{count} variables", lambda draft: draft.some_variables(count))


SOME = {count: some(count) for count in (0, 1, 2, 25)}
MADE_UP = accepted("made up", lambda draft: draft.made_up_variable("variable_a", "say hello"))
NAMED = accepted("named", lambda draft: draft.set("Locale", "en-US"))


def sent_variables(tiny: Tiny) -> list[dict[str, str]]:
    return [variables_of(asked) for asked in tiny.triggers]


def test_only_declared_variables_are_sent_with_their_values_and_many_means_all() -> None:
    tiny = Tiny(only_declared)
    with running(tiny, [*SOME.values(), MADE_UP], variables=DECLARED) as session:
        for probe in SOME.values():
            must_be_accepted(session.record.outcome(probe), session.campaign.baseline)
        with pytest.raises(NotExercised, match="declared"):
            must_be_accepted(session.record.outcome(MADE_UP), session.campaign.baseline)
    for sent in sent_variables(tiny):
        assert sent.items() <= DECLARED.items()
    assert {len(sent) for sent in sent_variables(tiny)} == {0, 1, 2, 3}


def test_of_a_combination_the_parts_that_are_not_allowed_are_left_out() -> None:
    tiny = Tiny(only_declared)
    both, neither = combined("both", (MADE_UP, NAMED)), combined("neither", (MADE_UP,))
    with running(tiny, [both, neither], variables=DECLARED) as session:
        must_be_accepted(session.record.outcome(both), session.campaign.baseline)
        with pytest.raises(NotExercised):
            must_be_accepted(session.record.outcome(neither), session.campaign.baseline)


def test_a_project_without_variables_is_sent_none() -> None:
    tiny = Tiny(lambda asked: 400 if variables_of(asked) else 200)
    with running(tiny, [SOME[0], SOME[1]], variables={}) as session:
        must_be_accepted(session.record.outcome(SOME[0]), session.campaign.baseline)
        assert session.campaign.fallback is None
        with pytest.raises(NotExercised):
            must_be_accepted(session.record.outcome(SOME[1]), session.campaign.baseline)
    assert sent_variables(tiny) == [{}] * len(tiny.triggers)


def test_nothing_declared_and_every_variable_refused_is_one_deviation() -> None:
    def family(probe: Probe) -> str:
        return "REQ-04" if probe in SOME.values() else "REQ-08"

    tiny = Tiny(only_declared)
    with running(tiny) as session:
        session.campaign._families = {probe: family(probe) for probe in (*SOME.values(), MADE_UP)}
        refused = session.record.outcome(SOME[1])
        assert refused.answer is not None
        assert refused.answer.refused
        with pytest.raises(NotExercised):  # the same refusal for the same reason: REQ-04 reports it
            must_be_accepted(session.record.outcome(MADE_UP), session.campaign.baseline)


@pytest.mark.parametrize("declared", [DECLARED, {"one": "value"}, {}])
def test_generated_and_odd_triggers_name_no_other_variable(declared: dict[str, str]) -> None:
    config = settings(9, variables=declared)
    guard = dial_guard(config, None)
    for count in (None, 0, 1, 12):
        plain = DraftMaker(config, 1).example("answered")
        varied = copy.deepcopy(plain)
        TriggerVariation(values=('say "hello"',), count=count, order=(3, 1, 2)).change(varied)
        guard.check("http://127.0.0.1:9/v2/call", varied.headers, varied.bytes)
        names = {entry["Name"] for entry in varied.body["ScenarioInputParameters"]}
        assert names <= {"_DisplayNumber", "_Destination", *declared}
    for probe in (ALL_ODD, *ODD_TEXTS.values()):
        draft = copy.deepcopy(DraftMaker(config, 1).example("answered"))
        probe.change(draft)
        guard.check("http://127.0.0.1:9/v2/call", draft.headers, draft.bytes)
        assert {e["Name"] for e in draft.body["ScenarioInputParameters"]} <= {
            "_DisplayNumber",
            "_Destination",
            *declared,
        }


def test_a_malformed_body_leaves_out_variables_with_digits() -> None:
    config = settings(9, variables=DECLARED)
    draft = DraftMaker(config, 1).example("answered")
    draft.malformed(lambda body: body[:-1])
    dial_guard(config, None).check("http://127.0.0.1:9/v2/call", draft.headers, draft.bytes)
    assert b"2027" not in draft.bytes


def test_without_any_variable_none_can_be_sent() -> None:
    draft = DraftMaker(settings(9, variables={}), 1).example("answered")
    draft.some_variables(0)
    with pytest.raises(NotTried):
        draft.some_variables(1)


# -- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [DECLARED, {"Ünal.x y": 'a "quoted" \\ text'}, {}])
def test_declared_variables_keep_their_case_in_other_processes(declared: dict[str, str]) -> None:
    config = settings(9, variables=declared)
    assert dict(config.variables or ()) == declared
    again = gather(None, as_environment(config)).build()
    assert again.variables == config.variables


@pytest.mark.parametrize(
    ("declared", "key", "problem"),
    [
        ({"contact": "+1 (555) 999-8877"}, "variables.contact", "may be a telephone number"),
        ({"_Destination": "5550000001"}, "variables._Destination", "not a project variable"),
        ({"count": 5}, "variables.count", "not text"),
    ],
)
def test_variables_that_are_not_sent_are_configuration_errors(declared: dict[str, Any], key: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings(9, variables=declared)
    assert key in str(error.value)
    assert problem in str(error.value)
    assert "999" not in str(error.value)


def test_a_variable_that_might_be_dialled_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"variables\.destination"):
        dial_guard(settings(9, variables={"destination": "5559"}), None)
    dial_guard(settings(9, variables={"destination": "5550000001"}), None)


def test_a_single_variable_of_the_environment_says_how_all_are_written() -> None:
    with pytest.raises(ConfigError, match="RINGBACK_VARIABLES"):
        gather(None, {"RINGBACK_CONFIG": "", "RINGBACK_VARIABLES__CUSTOMERNAME": "x"})
