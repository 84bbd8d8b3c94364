"""Faults of what a trigger must carry: deployments that accept what they must refuse, or refuse it badly.

Those that refuse what they must accept are in `req`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from ringback.sandbox.admission import REQUIRED, REQUIRED_INPUTS
from ringback.sandbox.behaviour import Behaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import Answer, JsonObject, Refusal, Request

# REQ-10, REQ-11


def _does_without(parameter: str) -> None:
    class DoesWithout(Behaviour):
        required = tuple(name for name in REQUIRED if name != parameter)

        def check_inputs(self, inputs: dict[str, str]) -> None:
            if inputs or parameter != "ScenarioInputParameters":
                super().check_inputs(inputs)

        def read_inputs(self, body: JsonObject) -> dict[str, str]:
            inputs = super().read_inputs(body)
            if not inputs and "ScenarioInputParameters" in body:
                raise Refusal(400, "ScenarioInputParameters is empty")
            return inputs

    DoesWithout.__doc__ = f"Accepts triggers without {parameter}."
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", parameter).lower()
    fault(f"no-{words}-accepted", "REQ-10")(DoesWithout)


for _parameter in REQUIRED:
    _does_without(_parameter)


@fault("no-display-number-accepted", "REQ-11")
class _NoDisplayNumberAccepted(Behaviour):
    """Accepts triggers without _DisplayNumber."""

    required_inputs = ("_Destination",)


@fault("no-destination-accepted", "REQ-11")
class _NoDestinationAccepted(Behaviour):
    """Accepts triggers without _Destination."""

    required_inputs = ("_DisplayNumber",)


# REQ-12


@fault("null-accepted", "REQ-12")
class _NullAccepted(Behaviour):
    """Takes null for any required parameter that is a string."""

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled({name: value for name, value in body.items() if value is not None})


@fault("empty-string-accepted", "REQ-12")
class _EmptyStringAccepted(Behaviour):
    """Takes an empty ConversationId, ScenarioPath, OrchestratorUrl or Tenant."""

    filled = ("Project", "AccessToken", "ScenarioInputParameters")

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled(body)
        if any(body.get(name, "") is None for name in REQUIRED):
            raise Refusal(400, "a required parameter is null")


@fault("null-conversation-id-accepted", "REQ-12")
class _NullConversationIdAccepted(Behaviour):
    """Takes null for ConversationId, and for nothing else."""

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled({**body, "ConversationId": body.get("ConversationId") or "none"})
        if body.get("ConversationId") == "":
            raise Refusal(400, "ConversationId must not be empty")


@fault("empty-token-accepted", "REQ-12")
class _EmptyTokenAccepted(Behaviour):
    """Takes an empty AccessToken for no token, and lets it pass."""

    filled = tuple(name for name in REQUIRED if name != "AccessToken")

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled(body)
        if body.get("AccessToken", "") is None:
            raise Refusal(400, "AccessToken must not be null")

    def is_token(self, token: str) -> bool:
        return token == "" or super().is_token(token)


@fault("empty-destination-accepted", "REQ-12")
class _EmptyDestinationAccepted(Behaviour):
    """Takes an empty _Destination."""

    filled_inputs = ("_DisplayNumber",)


# REQ-13


def _coerces(name: str, description: str, coerce: Callable[[JsonObject], None]) -> None:
    """Register a fault that makes something acceptable of wrong types before looking at them."""

    class Coerces(Behaviour):
        def read_trigger(self, request: Request) -> JsonObject:
            body = super().read_trigger(request)
            coerce(body)
            return body

    Coerces.__doc__ = description
    fault(name, "REQ-13")(Coerces)


def _texts_from_scalars(body: JsonObject) -> None:
    for name in ("Project", "Tenant", "ConversationId", "ScenarioPath", "OrchestratorUrl", "Locale"):
        value = body.get(name)
        if isinstance(value, int | float):
            body[name] = str(value)


def _project_from_anything(body: JsonObject) -> None:
    for name in ("ConversationId", "Tenant", "ScenarioPath"):
        if isinstance(body.get(name), list | dict):
            body[name] = orjson.dumps(body[name]).decode()


def _flag_from_text(body: JsonObject) -> None:
    if body.get("SendResultImmediately") in ("true", "false", "True", "False"):
        body["SendResultImmediately"] = body["SendResultImmediately"].lower() == "true"


def _flag_from_number(body: JsonObject) -> None:
    if type(body.get("SendResultImmediately")) is int:
        body["SendResultImmediately"] = bool(body["SendResultImmediately"])


def _values_from_numbers(body: JsonObject) -> None:
    entries = body.get("ScenarioInputParameters")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and type(entry.get("Value")) in (int, float, bool):
            entry["Value"] = str(entry["Value"])


def _end_user_from_text(body: JsonObject) -> None:
    if isinstance(body.get("EndUser"), str):
        body["EndUser"] = {"Name": body["EndUser"]}


def _end_user_from_list(body: JsonObject) -> None:
    if isinstance(body.get("EndUser"), list):
        body["EndUser"] = {}


def _inputs_from_object(body: JsonObject) -> None:
    inputs: Any = body.get("ScenarioInputParameters")
    if isinstance(inputs, dict):
        display, destination = REQUIRED_INPUTS
        found = {display: "200", destination: "none", **inputs}
        body["ScenarioInputParameters"] = [{"Name": name, "Value": str(found[name])} for name in found]


_coerces("numbers-for-strings", "Takes numbers and booleans where strings belong.", _texts_from_scalars)
_coerces("lists-for-strings", "Takes arrays and objects where strings belong.", _project_from_anything)
_coerces("text-for-flag", 'Takes "true" and "false" for SendResultImmediately.', _flag_from_text)
_coerces("number-for-flag", "Takes 0 and 1 for SendResultImmediately.", _flag_from_number)
_coerces("number-for-value", "Takes a scenario input whose Value is a number.", _values_from_numbers)
_coerces("text-for-end-user", "Takes a string for EndUser.", _end_user_from_text)
_coerces("list-for-end-user", "Takes an array for EndUser.", _end_user_from_list)
_coerces("object-for-inputs", "Takes an object for ScenarioInputParameters.", _inputs_from_object)


# REQ-14


def _swallows(name: str, description: str, fits: Callable[[bytes, Any], bool]) -> None:
    """Register a fault that places a call for bodies that fit, though they are no JSON objects."""

    class Swallows(Behaviour):
        def trigger(self, request: Request) -> Answer:
            try:
                value = orjson.loads(request.body)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict) or not fits(request.body.strip(), value):
                return super().trigger(request)
            return self.render({"UniqueId": self.random_hex()}, request)

    Swallows.__doc__ = description
    fault(name, "REQ-14")(Swallows)


_swallows("empty-body-accepted", "Accepts a trigger without a body.", lambda text, _: not text)
_swallows("array-accepted", "Accepts a trigger that is an array.", lambda _, value: isinstance(value, list))
_swallows("string-accepted", "Accepts a trigger that is a JSON string.", lambda _, value: isinstance(value, str))
_swallows(
    "cut-off-accepted",
    "Accepts a trigger whose JSON breaks off.",
    lambda text, value: value is None and text.startswith(b"{"),
)
_swallows(
    "not-json-accepted",
    "Accepts a trigger that is not JSON at all.",
    lambda text, value: value is None and text not in (b"", b"null") and not text.startswith((b"{", b"[", b'"')),
)


# REQ-15


def _mistakes(name: str, description: str, takes: Callable[[str, str], bool]) -> None:
    """Register a fault that takes wrong tokens: `takes(sent, right)`."""

    class Mistakes(Behaviour):
        def is_token(self, token: str) -> bool:
            return takes(token, self.settings.access_token) or super().is_token(token)

    Mistakes.__doc__ = description
    fault(name, "REQ-15")(Mistakes)


_mistakes("any-token-accepted", "Accepts any AccessToken.", lambda _sent, _right: True)
_mistakes(
    "token-case-ignored",
    "Compares AccessTokens without regard to case.",
    lambda sent, right: sent.lower() == right.lower(),
)
_mistakes(
    "token-prefix-accepted",
    "Accepts the beginning of the AccessToken.",
    lambda sent, right: len(sent) > 1 and right.startswith(sent),
)
_mistakes(
    "token-appended-accepted",
    "Accepts the AccessToken with something appended.",
    lambda sent, right: sent.startswith(right),
)
_mistakes("token-trimmed", "Accepts the AccessToken with blanks around it.", lambda sent, right: sent.strip() == right)
_mistakes(
    "token-length-compared", "Accepts any AccessToken of the right length.", lambda sent, right: len(sent) == len(right)
)


@fault("any-project-accepted", "REQ-15")
class _AnyProjectAccepted(Behaviour):
    """Accepts the right AccessToken with the name of another Project."""

    def check_token(self, body: JsonObject) -> None:
        super().check_token({**body, "Project": self.settings.project})


# REQ-16


def _refuses_badly(
    name: str, description: str, answer: Callable[[Refusal], Answer], applies: Callable[[Refusal], bool] | None = None
) -> None:
    """Register a fault that words the refusals of triggers (those that it `applies` to) as `answer` does."""

    class RefusesBadly(Behaviour):
        def trigger(self, request: Request) -> Answer:
            try:
                return super().trigger(request)
            except Refusal as refusal:
                if refusal.status in (413, 415, 429) or (applies and not applies(refusal)):
                    raise
                return answer(refusal)

    RefusesBadly.__doc__ = description
    fault(name, "REQ-16")(RefusesBadly)


def _error(refusal: Refusal) -> bytes:
    return orjson.dumps({"error": refusal.reason})


_refuses_badly(
    "refused-with-200",
    "Refuses with status 200 and an error in the body.",
    lambda refusal: Answer(200, _error(refusal)),
)
_refuses_badly("refused-with-204", "Refuses with status 204.", lambda _: Answer(204, content_type=None))
_refuses_badly(
    "refused-with-redirect",
    "Refuses with a redirect to a login page.",
    lambda _: Answer(302, headers=[(b"location", b"/login")]),
)
_refuses_badly(
    "refused-with-null-id",
    "Refuses with status 200 and a UniqueId of null.",
    lambda _: Answer(200, b'{"UniqueId":null}'),
)
_refuses_badly(
    "refused-with-id",
    "Refuses with a 4xx status, but gives a UniqueId.",
    lambda refusal: Answer(refusal.status, b'{"UniqueId":"00000000000000000000000000000000"}'),
)
_refuses_badly(
    "wrong-token-refused-with-200",
    "Refuses a wrong AccessToken with status 200 and an error in the body.",
    lambda refusal: Answer(200, _error(refusal)),
    lambda refusal: refusal.status == 401,
)
_refuses_badly(
    "missing-refused-with-200",
    "Refuses a missing parameter with status 200 and an error in the body.",
    lambda refusal: Answer(200, _error(refusal)),
    lambda refusal: refusal.reason.endswith("is required"),
)
