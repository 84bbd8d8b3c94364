"""REQ: what a trigger may and must carry."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ringback import checks
from ringback.contract.near_misses import near_miss_tokens
from ringback.deployment import Trigger
from ringback.suite.deviation import Deviation, Inconclusive, NotExercised, must_all_hold
from ringback.suite.history import dialled
from ringback.suite.probes import Probe, accepted, combined, refused
from ringback.suite.probes.baseline import BASELINE, NO_VARIABLE
from ringback.suite.probes.common import (
    LINE_CALLS,
    ORDERS,
    WITHOUT_SEND_RESULT_IMMEDIATELY,
    in_another_order,
    may_be_reordered,
)
from ringback.suite.probes.drafts import OPTIONAL, REQUIRED, REQUIRED_TEXTS, Draft
from ringback.suite.probes.outcome import Outcome
from ringback.suite.probes.samples import AWKWARD_VALUES, NAMES_IN_MANY_SCRIPTS
from ringback.suite.session import Session

Check = Callable[[Probe], Outcome]
Change = Callable[[Draft], None]

DECLARE = (
    "; without a variable it is accepted. If the project takes only variables that it defines, declare them in "
    '[variables], such as: customerName = "sample"'
)
PERSON = ("Name", "Phone", "Email")
"""The members of EndUser. The example has all of them, other tests none or one."""


def without(*parameters: str) -> Change:
    """Leave parameters out."""
    return lambda draft: draft.drop(*parameters)


def giving(parameter: str, value: object) -> Change:
    """Send this value for a parameter."""
    return lambda draft: draft.set(parameter, value)


def with_variables(count: int) -> Change:
    """Send this many project variables."""
    return lambda draft: draft.some_variables(count)


def valued(value: object) -> Change:
    """Send one project variable, with this value."""

    def change(draft: Draft) -> None:
        draft.some_variables(0)
        draft.body["ScenarioInputParameters"].append({"Name": draft.variable, "Value": value})

    return change


def knowing(*members: str) -> Change:
    """Send an EndUser with only these members."""
    return lambda draft: draft.set("EndUser", {m: v for m, v in draft.body["EndUser"].items() if m in members})


def also_named(name: str) -> Change:
    """Append this to the EndUser's name."""

    def change(draft: Draft) -> None:
        if "EndUser" in draft.body:
            person = draft.body["EndUser"]
            draft.set("EndUser", {**person, "Name": f"{person['Name']} {name}"})

    return change


def raw(make: Callable[[bytes], bytes]) -> Change:
    """Send a body that is made from the valid body's bytes."""
    return lambda draft: draft.malformed(make)


def input_value(name: str, make: Callable[[str], object]) -> Change:
    """Send another Value for one input parameter."""

    def change(draft: Draft) -> None:
        entry = draft.input(name)
        entry["Value"] = make(entry["Value"])

    return change


def without_value(name: str) -> Change:
    """Leave out the Value of one input parameter."""
    return lambda draft: draft.input(name).pop("Value")


def in_list(parameter: str) -> Change:
    """Send a parameter's right value as the only element of an array."""
    return lambda draft: draft.set(parameter, [draft.body[parameter]])


def as_an_object(draft: Draft) -> None:
    """Send the input parameters as members of one object."""
    draft.set("ScenarioInputParameters", {e["Name"]: e["Value"] for e in draft.body["ScenarioInputParameters"]})


def person(member: str, make: Callable[[str], object]) -> Change:
    """Send another value for one member of EndUser."""

    def change(draft: Draft) -> None:
        draft.set("EndUser", {**draft.body["EndUser"], member: make(draft.body["EndUser"][member])})

    return change


def with_token(make: Callable[[str], str]) -> Change:
    """Send an access token that is made from the right one."""
    return lambda draft: draft.set("AccessToken", make(draft.body["AccessToken"]))


def wrong_token_alone(draft: Draft) -> None:
    """Send an access token with a letter appended, and only the required parameters."""
    draft.set("AccessToken", draft.body["AccessToken"] + "x")
    draft.drop(*OPTIONAL)


def with_entry(entry: object) -> Change:
    """Send one more entry of ScenarioInputParameters."""
    return lambda draft: draft.body["ScenarioInputParameters"].append(entry)


def made_up(name: str, value: str) -> Change:
    """Send one more project variable, which is made up."""
    return lambda draft: draft.made_up_variable(name, value)


def letters(index: int) -> str:
    """A name for the variable with this index."""
    return "variable_" + chr(ord("a") + index)


ALONE_LEFT_OUT = [
    *(
        accepted(f"without {p}", without(p), line=None, touches=("one parameter left out", p))
        for p in OPTIONAL
        if p != "SendResultImmediately"
    ),
    WITHOUT_SEND_RESULT_IMMEDIATELY,
]
VARIABLES = [
    accepted(what, with_variables(count), line=None, touches=("variables",))
    for what, count in {
        "no project variable": 0,
        "one project variable": 1,
        "20 project variables, or all that are declared": 20,
    }.items()
]
HEADERS = [
    accepted("no header Project", header="absent", line=None, touches=("header",)),
    accepted("the header Project naming the project", header="named", line=None, touches=("header",)),
]
PERSONS = [
    accepted(f"EndUser with {' and '.join(members) or 'no member'}", knowing(*members), line=None, touches=("EndUser",))
    for members in [(), *((member,) for member in PERSON)]
]
NAMES = combined(
    "names in many scripts",
    tuple(accepted(f"a name in {script}", also_named(name)) for script, name in NAMES_IN_MANY_SCRIPTS.items()),
    touches=("EndUser",),
)
VALUES = combined(
    "awkward values of variables",
    tuple(
        accepted(f"a variable {what}", made_up(letters(index), value))
        for index, (what, value) in enumerate(AWKWARD_VALUES.items())
    ),
    touches=("variables",),
)
FLAGS = [
    LINE_CALLS["answered"],
    accepted(
        "SendResultImmediately false",
        giving("SendResultImmediately", False),
        line=None,
        touches=("SendResultImmediately",),
    ),
]

LACKING = [
    *(refused(f"without {p}", without(p)) for p in REQUIRED),
    # Many deployments check a trigger by another rule where it has no EndUser.
    *(refused(f"without {p} and all optional parameters", without(p, *OPTIONAL)) for p in REQUIRED),
]
LACKING_INPUT = [
    refused("without _DisplayNumber", lambda draft: draft.drop_input("_DisplayNumber")),
    refused("without _Destination", lambda draft: draft.drop_input("_Destination")),
    refused("with no input parameter at all", giving("ScenarioInputParameters", [])),
]
HOLLOW = (
    [refused(f"{p} null", giving(p, None)) for p in REQUIRED]
    + [refused(f"{p} empty", giving(p, "")) for p in REQUIRED_TEXTS]
    + [
        refused(f"{name} {what}", change)
        for name in ("_Destination", "_DisplayNumber")
        for what, change in (
            ("empty", input_value(name, lambda _: "")),
            ("null", input_value(name, lambda _: None)),
            ("without Value", without_value(name)),
        )
    ]
)
MISTYPED = (
    [refused(f"{p} a number", giving(p, 5)) for p in (*REQUIRED_TEXTS, "Locale")]
    + [refused(f"{p} in an array", in_list(p)) for p in (*REQUIRED_TEXTS, "Locale")]
    + [refused(f"{p} an object", giving(p, {})) for p in (*REQUIRED_TEXTS, "Locale", "ResultDestination")]
    + [refused(f"{p} true", giving(p, True)) for p in (*REQUIRED_TEXTS, "Locale", "ResultDestination")]
    + [
        refused('SendResultImmediately "true"', giving("SendResultImmediately", "true")),
        refused("SendResultImmediately a number", giving("SendResultImmediately", 1)),
        refused("EndUser a string", giving("EndUser", "Ada Tester")),
        # Not an empty one: PHP's usual reader takes [] and {} for the same.
        refused("EndUser an array", giving("EndUser", ["Ada Tester"])),
        refused("EndUser's Name a number", giving("EndUser", {"Name": 5})),
        refused("EndUser's Phone a number", person("Phone", lambda v: int(v.lstrip("+")))),
        refused("EndUser's Email an array", person("Email", lambda v: [v])),
        refused("ScenarioInputParameters a string", giving("ScenarioInputParameters", "_DisplayNumber")),
        refused("ScenarioInputParameters an object", as_an_object),
        refused("an input parameter that is a string", with_entry("topic")),
        refused("an input parameter without Value",
                lambda d: d.body["ScenarioInputParameters"].append({"Name": d.variable})),
        refused("an input parameter without Name", with_entry({"Value": "x"})),
        refused("a variable's Value a number", valued(5)),
        refused("a variable's Value null", valued(None)),
        refused("a variable's Value an object", valued({})),
        refused("a variable's Name an object",
                with_entry({"Name": {}, "Value": "x"})),
        refused("_Destination a number", input_value("_Destination", lambda v: int(v.lstrip("+")))),
        refused("_Destination in an array", input_value("_Destination", lambda v: [v])),
        refused("_DisplayNumber true", input_value("_DisplayNumber", lambda _: True)),
    ]
)  # fmt: skip
NOT_AN_OBJECT = [
    refused("an empty body", raw(lambda _: b"")),
    refused("a body that is not JSON", raw(lambda _: b"Project=demo&Tenant=Default")),
    refused("a body without its last character", raw(lambda body: body[:-1])),
    refused("a body cut off in the middle", raw(lambda body: body[: body.index(b'"ScenarioPath"')])),
    refused("the trigger in an array", raw(lambda body: b"[" + body + b"]")),
    refused("a JSON string", raw(lambda _: b'"trigger"')),
    refused("the trigger as text, in a JSON string", raw(lambda body: json.dumps(body.decode()).encode())),
    refused("the JSON value null", raw(lambda _: b"null")),
    refused("the JSON value true", raw(lambda _: b"true")),
]  # fmt: skip
WRONG_TOKENS = [
    *(refused(f"the access token {how}", with_token(make), last=True) for how, make in near_miss_tokens().items()),
    refused(
        "the right token with another project",
        lambda draft: draft.set("Project", draft.body["Project"] + "-other"),
        last=True,
    ),
    refused("a wrong access token without all optional parameters", wrong_token_alone, last=True),
]
NEGATIVES = [*LACKING, *LACKING_INPUT, *HOLLOW, *MISTYPED, *NOT_AN_OBJECT, *WRONG_TOKENS]


@pytest.mark.clause("REQ-01")
@pytest.mark.sends(BASELINE)
def test_every_documented_parameter(suite: Session, accepts: Check) -> None:
    """A trigger with every documented parameter, and an empty header Project, is accepted."""
    suite.record.placed()
    fallback = suite.campaign.fallback
    if fallback is not None and fallback.clause != "REQ-01":
        raise Inconclusive(f"not accepted, but accepted with this change: {fallback.title} (see {fallback.clause})")
    accepts(BASELINE)


ONLY_REQUIRED = accepted("only the required parameters", base="required", line=None)


@pytest.mark.clause("REQ-02")
@pytest.mark.sends(ONLY_REQUIRED)
def test_only_the_required_parameters(accepts: Check) -> None:
    """A trigger with only the required parameters is accepted."""
    accepts(ONLY_REQUIRED)


@pytest.mark.clause("REQ-03")
@pytest.mark.parametrize("probe", ALONE_LEFT_OUT)
def test_one_optional_parameter_left_out(accepts: Check, probe: Probe) -> None:
    """A trigger without one of the optional parameters is accepted."""
    accepts(probe)


@pytest.mark.clause("REQ-04")
@pytest.mark.parametrize("probe", VARIABLES)
def test_any_number_of_project_variables(suite: Session, accepts: Check, probe: Probe) -> None:
    """A trigger with no, one or many project variables is accepted."""
    if suite.config.variables == ():
        raise NotExercised("the project is declared to have no variables")
    try:
        accepts(probe)
    except Deviation as refused_variables:
        if suite.campaign.fallback is NO_VARIABLE and suite.config.variables is None:
            refused_variables.observed += DECLARE
        raise


@pytest.mark.clause("REQ-05")
@pytest.mark.parametrize("probe", ORDERS)
def test_any_order_of_input_parameters(accepts: Check, probe: Probe) -> None:
    """A trigger with the input parameters in another order is accepted."""
    accepts(probe)


@pytest.mark.clause("REQ-05")
@pytest.mark.after_final
@pytest.mark.sends(*ORDERS, LINE_CALLS["answered"])
def test_calls_with_another_order_of_input_parameters(suite: Session) -> None:
    """Calls with the input parameters in another order end in the state of their line."""
    calls = suite.record.steady_calls()
    usual = [c for c in calls if not may_be_reordered(c)]
    if any(c.state != c.known_state for c in usual):
        raise Inconclusive("control calls in the usual order also ended in a wrong state (see STA-03 and ROB-03)")
    wrong = [c for c in calls if in_another_order(c) and c.state not in {None, c.known_state}]
    for call in wrong:
        if any(c.line == call.line for c in usual):
            raise Deviation(
                f"a call with {' and '.join(in_another_order(call))} ended as {call.state}; in the usual order calls "
                f"to the line end as {call.known_state}",
                evidence=[call.trigger],
            )
    if wrong:
        raise Inconclusive(f"no call in the usual order to the line {wrong[0].line} shows how calls to it end")


@pytest.mark.clause("REQ-06")
@pytest.mark.parametrize("probe", HEADERS)
def test_the_header_project_absent_or_named(accepts: Check, probe: Probe) -> None:
    """A trigger without the header Project, or with the project's name in it, is accepted."""
    accepts(probe)


@pytest.mark.clause("REQ-07")
@pytest.mark.parametrize("probe", PERSONS)
def test_any_subset_of_the_end_users_members(accepts: Check, probe: Probe) -> None:
    """A trigger whose EndUser has some of its members is accepted."""
    accepts(probe)


@pytest.mark.clause("REQ-08")
@pytest.mark.sends(NAMES, VALUES)
def test_text_in_any_script_and_with_awkward_characters(accepts: Check) -> None:
    """Names in many scripts, and variables that are empty or hold special characters, are accepted.

    Where the project's variables are declared, their values are not varied: then the clause is not exercised, unless
    names show a deviation.
    """
    accepts(NAMES)
    accepts(VALUES)


@pytest.mark.clause("REQ-09")
@pytest.mark.parametrize("probe", FLAGS, ids=["true", "false"])
def test_send_result_immediately_either_way(accepts: Check, probe: Probe) -> None:
    """A trigger with SendResultImmediately true, or false, is accepted."""
    accepts(probe)


@pytest.mark.clause("REQ-10")
@pytest.mark.parametrize("probe", LACKING)
def test_a_required_parameter_left_out(does_not_accept: Check, probe: Probe) -> None:
    """A trigger without one of the required parameters is not accepted."""
    does_not_accept(probe)


@pytest.mark.clause("REQ-11")
@pytest.mark.parametrize("probe", LACKING_INPUT)
def test_a_required_input_parameter_left_out(does_not_accept: Check, probe: Probe) -> None:
    """A trigger without _DisplayNumber or _Destination is not accepted."""
    does_not_accept(probe)


@pytest.mark.clause("REQ-12")
@pytest.mark.parametrize("probe", HOLLOW)
def test_null_or_empty_in_place_of_a_required_value(does_not_accept: Check, probe: Probe) -> None:
    """A trigger with a required parameter that is null or empty is not accepted."""
    does_not_accept(probe)


@pytest.mark.clause("REQ-13")
@pytest.mark.parametrize("probe", MISTYPED)
def test_a_parameter_of_the_wrong_type(does_not_accept: Check, probe: Probe) -> None:
    """A trigger with a parameter of the wrong JSON type is not accepted."""
    does_not_accept(probe)


@pytest.mark.clause("REQ-14")
@pytest.mark.parametrize("probe", NOT_AN_OBJECT)
def test_a_body_that_is_not_a_json_object(does_not_accept: Check, probe: Probe) -> None:
    """A body that is not a JSON object is not accepted."""
    does_not_accept(probe)


@pytest.mark.clause("REQ-15")
@pytest.mark.parametrize("probe", WRONG_TOKENS)
def test_credentials_that_nearly_match(does_not_accept: Check, probe: Probe) -> None:
    """A trigger with an access token that is not exactly the project's is not accepted."""
    does_not_accept(probe)


def answer_by_itself(suite: Session, outcome: Outcome) -> Trigger | None:
    """The answer to a probe, or to the same trigger sent by itself if that was 5xx; None if ROB-01 covers it."""
    answer = outcome.answer
    if answer is None or not checks.is_no_server_error(answer):
        return answer
    if outcome.probe in (*MISTYPED, *NOT_AN_OBJECT):
        return None
    return (
        suite.send.trigger(outcome.draft, f"{outcome.probe.title}, sent again") if outcome.draft is not None else answer
    )


@pytest.mark.clause("REQ-16")
@pytest.mark.sends(*NEGATIVES)
def test_all_invalid_triggers(suite: Session) -> None:
    """Every trigger that is not accepted is answered 4xx, without a UniqueId."""
    outcomes = [suite.record.outcome(probe) for probe in NEGATIVES]
    must_all_hold(checks.refusal_names_no_call, [o.answer for o in outcomes if o.answer is not None])
    must_all_hold(checks.refusal_is_4xx, [a for o in outcomes if (a := answer_by_itself(suite, o)) is not None])
    if suite.campaign.baseline is None:
        raise Inconclusive("no valid trigger was accepted, so a refusal proves nothing")


@pytest.mark.clause("REQ-16")
@pytest.mark.at_end
@pytest.mark.pool(1)
@pytest.mark.sends(*NEGATIVES, LINE_CALLS["answered"])
def test_refused_triggers_place_no_call(suite: Session) -> None:
    """No result is delivered for a refused trigger."""
    suite.record.settled_calls()
    for answer in dialled(suite, lambda draft: draft.method == "POST"):
        raise Deviation("a refused trigger placed a call: its result was delivered", evidence=[answer])
