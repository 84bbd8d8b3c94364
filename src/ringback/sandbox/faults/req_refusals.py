"""Faults of refusals: of triggers that must be accepted (REQ-01 to REQ-09), and in a wrong form (REQ-16)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from ringback.sandbox.admission import END_USER, OPTIONAL, REQUIRED, REQUIRED_INPUTS
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import AcceptedTrigger, JsonObject, Refusal, Request, SandboxAnswer


def _refuses(name: str, clause: str, description: str, refused: Callable[[JsonObject, Request], bool]) -> None:
    """Register a fault that refuses valid triggers for which `refused` is true."""

    @fault(name, clause, description=description)
    class Refuses(SandboxBehaviour):
        def check(self, body: JsonObject, request: Request) -> dict[str, str]:
            inputs = super().check(body, request)
            if refused(body, request):
                raise Refusal(400, "the request is not valid")
            return inputs


def _entries(body: JsonObject) -> list[str]:
    return [entry["Name"] for entry in body["ScenarioInputParameters"]]


def _variables(body: JsonObject) -> int:
    return sum(name not in REQUIRED_INPUTS for name in _entries(body))


# REQ-01, REQ-02, REQ-03, REQ-06

_refuses(
    "empty-project-header-refused",
    "REQ-01",
    "Refuses triggers whose header Project is empty.",
    lambda _, request: request.header(b"project") == b"",
)
_refuses(
    "full-trigger-refused",
    "REQ-01",
    "Refuses triggers that carry every documented parameter.",
    lambda body, _: all(name in body for name in (*REQUIRED, *OPTIONAL)),
)
_refuses(
    "required-only-refused",
    "REQ-02",
    "Refuses triggers that carry only required parameters.",
    lambda body, _: not any(name in body for name in OPTIONAL),
)


def _misses(parameter: str) -> Callable[[JsonObject, Request], bool]:
    others = tuple(name for name in OPTIONAL if name != parameter)
    return lambda body, _: parameter not in body and all(name in body for name in others)


for _parameter, _name in (
    ("EndUser", "end-user"),
    ("Locale", "locale"),
    ("ResultDestination", "result-destination"),
    ("SendResultImmediately", "send-result-immediately"),
):
    _refuses(
        f"{_name}-required",
        "REQ-03",
        f"Refuses triggers that leave out {_parameter} and no other optional parameter.",
        _misses(_parameter),
    )
_refuses(
    "flag-needs-destination",
    "REQ-03",
    "Refuses SendResultImmediately without a ResultDestination.",
    lambda body, _: "SendResultImmediately" in body and "ResultDestination" not in body,
)
_refuses(
    "project-header-required",
    "REQ-06",
    "Refuses triggers without a header Project.",
    lambda _, request: request.header(b"project") is None,
)
_refuses(
    "named-project-header-refused",
    "REQ-06",
    "Refuses triggers whose header Project is not empty.",
    lambda _, request: bool(request.header(b"project")),
)

# REQ-04, REQ-05

_refuses(
    "variable-required", "REQ-04", "Refuses triggers without a project variable.", lambda body, _: _variables(body) == 0
)
_refuses(
    "single-variable-refused",
    "REQ-04",
    "Refuses triggers with one project variable.",
    lambda body, _: _variables(body) == 1,
)
_refuses(
    "ten-variables-at-most",
    "REQ-04",
    "Refuses triggers with more than ten project variables.",
    lambda body, _: _variables(body) > 10,
)
_refuses(
    "display-number-must-be-first",
    "REQ-05",
    "Refuses triggers whose first scenario input is not _DisplayNumber.",
    lambda body, _: _entries(body)[0] != "_DisplayNumber",
)
_refuses(
    "destination-must-be-second",
    "REQ-05",
    "Refuses triggers whose second scenario input is not _Destination.",
    lambda body, _: _entries(body)[1] != "_Destination",
)
_refuses(
    "destination-last-refused",
    "REQ-05",
    "Refuses triggers whose _Destination comes after a project variable.",
    lambda body, _: any(name not in REQUIRED_INPUTS for name in _entries(body)[: _entries(body).index("_Destination")]),
)


@fault("inputs-by-position", "REQ-05")
class _InputsByPosition(SandboxBehaviour):
    """Dials the value of the second scenario input, whatever its name."""

    def outcome(self, order: AcceptedTrigger) -> str:
        number = order.body["ScenarioInputParameters"][1]["Value"]
        return self.states.get(number, "Invalid Number")


@fault("unknown-variables-refused", "REQ-04")
class _UnknownVariablesRefused(SandboxBehaviour):
    """Takes only the variables that its project defines, customerName and dueDate."""

    def check_inputs(self, inputs: dict[str, str]) -> None:
        super().check_inputs(inputs)
        if not inputs.keys() <= {*REQUIRED_INPUTS, "customerName", "dueDate"}:
            raise Refusal(400, "the project has no such variable")
        if "dueDate" in inputs and re.fullmatch(r"\d{4}-\d\d-\d\d", inputs["dueDate"]) is None:
            raise Refusal(400, "dueDate must be a day")


# REQ-07

_refuses(
    "empty-end-user-refused", "REQ-07", "Refuses an EndUser without members.", lambda body, _: body.get("EndUser") == {}
)
for _member in END_USER:
    _refuses(
        f"end-user-{_member.lower()}-required",
        "REQ-07",
        f"Refuses an EndUser that has members but no {_member}.",
        lambda body, _, member=_member: bool(body.get("EndUser")) and member not in body["EndUser"],  # type: ignore[misc]
    )

# REQ-08


def _texts(body: JsonObject) -> Iterator[str]:
    """Yield the free texts of a trigger: the end user's name, names and values of project variables."""
    end_user: dict[str, Any] = body.get("EndUser") or {}
    yield end_user.get("Name") or ""
    for entry in body["ScenarioInputParameters"]:
        if entry["Name"] not in REQUIRED_INPUTS:
            yield entry["Name"]
            yield entry["Value"]


def _has(pattern: str) -> Callable[[JsonObject, Request], bool]:
    search = re.compile(pattern).search
    return lambda body, _: any(search(text) for text in _texts(body))


_refuses(
    "emoji-refused",
    "REQ-08",
    "Refuses characters beyond the basic multilingual plane.",
    _has(r"[\U00010000-\U0010ffff]"),
)
_refuses("latin-only", "REQ-08", "Refuses scripts other than Latin.", _has(r"[\u0370-\uffff]"))
_refuses("accents-refused", "REQ-08", "Refuses letters beyond ASCII.", _has(r"[\u00c0-\u024f]"))
_refuses("quotes-refused", "REQ-08", "Refuses quotation marks in values.", _has(r"[\"']"))
_refuses("percent-refused", "REQ-08", "Refuses percent signs in values.", _has("%"))
_refuses("angle-brackets-refused", "REQ-08", "A filter refuses values that look like markup.", _has("[<>]"))
_refuses("backslash-refused", "REQ-08", "Refuses backslashes in values.", _has(r"\\"))
_refuses("line-break-refused", "REQ-08", "Refuses values of several lines.", _has(r"[\r\n]"))
_refuses(
    "empty-value-refused",
    "REQ-08",
    "Refuses a project variable whose value is empty.",
    lambda body, _: any(entry["Value"] == "" for entry in body["ScenarioInputParameters"]),
)

# REQ-09

_refuses(
    "true-refused",
    "REQ-09",
    "Refuses SendResultImmediately true.",
    lambda body, _: body.get("SendResultImmediately") is True,
)
_refuses(
    "false-refused",
    "REQ-09",
    "Refuses SendResultImmediately false.",
    lambda body, _: body.get("SendResultImmediately") is False,
)

# REQ-16


def _refuses_badly(
    name: str,
    description: str,
    answer: Callable[[Refusal], SandboxAnswer],
    applies: Callable[[Refusal], bool] | None = None,
) -> None:
    """Register a fault that answers refused triggers (those that it `applies` to) with `answer(refusal)`."""

    @fault(name, "REQ-16", description=description)
    class RefusesBadly(SandboxBehaviour):
        def trigger(self, request: Request) -> SandboxAnswer:
            try:
                return super().trigger(request)
            except Refusal as refusal:
                if refusal.status in (413, 415, 429) or (applies and not applies(refusal)):
                    raise
                return answer(refusal)


def _error(refusal: Refusal) -> bytes:
    return orjson.dumps({"error": refusal.reason})


_refuses_badly(
    "refused-with-200",
    "Refuses with status 200 and an error in the body.",
    lambda refusal: SandboxAnswer(200, _error(refusal)),
)
_refuses_badly("refused-with-204", "Refuses with status 204.", lambda _: SandboxAnswer(204, content_type=None))
_refuses_badly(
    "refused-with-redirect",
    "Refuses with a redirect to a login page.",
    lambda _: SandboxAnswer(302, headers=[(b"location", b"/login")]),
)
_refuses_badly(
    "refused-with-null-id",
    "Refuses with status 200 and a UniqueId of null.",
    lambda _: SandboxAnswer(200, b'{"UniqueId":null}'),
)
_refuses_badly(
    "refused-with-id",
    "Refuses with a 4xx status and a UniqueId.",
    lambda refusal: SandboxAnswer(refusal.status, b'{"UniqueId":"00000000000000000000000000000000"}'),
)
_refuses_badly(
    "wrong-token-refused-with-200",
    "Refuses a wrong AccessToken with status 200 and an error in the body.",
    lambda refusal: SandboxAnswer(200, _error(refusal)),
    lambda refusal: refusal.status == 401,
)
_refuses_badly(
    "missing-refused-with-200",
    "Refuses a missing parameter with status 200 and an error in the body.",
    lambda refusal: SandboxAnswer(200, _error(refusal)),
    lambda refusal: refusal.reason.endswith("is required"),
)
