"""Faults of REQ-10 to REQ-15: deployments that accept triggers which they must refuse."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import orjson

from ringback.sandbox.admission import REQUIRED, REQUIRED_INPUTS
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import JsonObject, Refusal, Request, SandboxAnswer

# REQ-10, REQ-11


def _accepts_without(parameter: str) -> None:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", parameter).lower()

    @fault(f"no-{words}-accepted", "REQ-10", description=f"Accepts triggers without {parameter}.")
    class AcceptsWithout(SandboxBehaviour):
        required = tuple(name for name in REQUIRED if name != parameter)

        def check_inputs(self, inputs: dict[str, str]) -> None:
            if inputs or parameter != "ScenarioInputParameters":
                super().check_inputs(inputs)

        def read_inputs(self, body: JsonObject) -> dict[str, str]:
            inputs = super().read_inputs(body)
            if not inputs and "ScenarioInputParameters" in body:
                raise Refusal(400, "ScenarioInputParameters is empty")
            return inputs


for _parameter in REQUIRED:
    _accepts_without(_parameter)


@fault("no-tenant-without-end-user-accepted", "REQ-10")
class _NoTenantWithoutEndUserAccepted(SandboxBehaviour):
    """Accepts triggers with neither Tenant nor EndUser."""

    def check_present(self, body: JsonObject) -> None:
        super().check_present(body if "EndUser" in body else {"Tenant": "", **body})


@fault("no-display-number-accepted", "REQ-11")
class _NoDisplayNumberAccepted(SandboxBehaviour):
    """Accepts triggers without _DisplayNumber."""

    required_inputs = ("_Destination",)


@fault("no-destination-accepted", "REQ-11")
class _NoDestinationAccepted(SandboxBehaviour):
    """Accepts triggers without _Destination."""

    required_inputs = ("_DisplayNumber",)


# REQ-12


@fault("null-accepted", "REQ-12")
class _NullAccepted(SandboxBehaviour):
    """Accepts null for any required parameter that is a string."""

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled({name: value for name, value in body.items() if value is not None})


@fault("empty-string-accepted", "REQ-12")
class _EmptyStringAccepted(SandboxBehaviour):
    """Accepts an empty ConversationId, ScenarioPath, OrchestratorUrl or Tenant."""

    filled = ("Project", "AccessToken", "ScenarioInputParameters")

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled(body)
        if any(body.get(name, "") is None for name in REQUIRED):
            raise Refusal(400, "a required parameter is null")


@fault("null-conversation-id-accepted", "REQ-12")
class _NullConversationIdAccepted(SandboxBehaviour):
    """Accepts null for ConversationId only."""

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled({**body, "ConversationId": body.get("ConversationId") or "none"})
        if body.get("ConversationId") == "":
            raise Refusal(400, "ConversationId must not be empty")


@fault("empty-token-accepted", "REQ-12")
class _EmptyTokenAccepted(SandboxBehaviour):
    """Accepts an empty AccessToken as if there were none."""

    filled = tuple(name for name in REQUIRED if name != "AccessToken")

    def check_filled(self, body: JsonObject) -> None:
        super().check_filled(body)
        if body.get("AccessToken", "") is None:
            raise Refusal(400, "AccessToken must not be null")

    def is_token(self, token: str) -> bool:
        return token == "" or super().is_token(token)


@fault("empty-destination-accepted", "REQ-12")
class _EmptyDestinationAccepted(SandboxBehaviour):
    """Accepts an empty _Destination."""

    filled_inputs = ("_DisplayNumber",)


@fault("empty-display-number-accepted", "REQ-12")
class _EmptyDisplayNumberAccepted(SandboxBehaviour):
    """Accepts an empty _DisplayNumber."""

    filled_inputs = ("_Destination",)


def _accepts_without_value(name: str) -> None:
    """Register a fault that accepts an entry of a required scenario input without Value."""
    word = {"_Destination": "destination", "_DisplayNumber": "display-number"}[name]

    @fault(f"{word}-without-value-accepted", "REQ-12", description=f"Accepts an entry {name} without Value.")
    class AcceptsWithoutValue(SandboxBehaviour):
        filled_inputs = tuple(one for one in REQUIRED_INPUTS if one != name)

        def read_entry(self, entry: Any) -> tuple[str, str]:
            if isinstance(entry, dict) and entry.get("Name") == name and "Value" not in entry:
                return name, ""
            found = super().read_entry(entry)
            if found == (name, ""):
                raise Refusal(400, f"{name} must not be empty")
            return found


for _input in REQUIRED_INPUTS:
    _accepts_without_value(_input)


# REQ-13


def _converts(name: str, description: str, convert: Callable[[JsonObject], None]) -> None:
    """Register a fault that converts values of a wrong type before it checks them."""

    @fault(name, "REQ-13", description=description)
    class Converts(SandboxBehaviour):
        def read_trigger(self, request: Request) -> JsonObject:
            body = super().read_trigger(request)
            convert(body)
            return body


def _texts_from_scalars(body: JsonObject) -> None:
    for name in ("Project", "Tenant", "ConversationId", "ScenarioPath", "OrchestratorUrl", "Locale"):
        value = body.get(name)
        if isinstance(value, int | float):
            body[name] = str(value)


def _project_from_anything(body: JsonObject) -> None:
    for name in ("ConversationId", "Tenant", "ScenarioPath"):
        if isinstance(body.get(name), list | dict):
            body[name] = orjson.dumps(body[name]).decode()


def _path_from_true(body: JsonObject) -> None:
    if body.get("ScenarioPath") is True:
        body["ScenarioPath"] = "true"


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


_converts("numbers-for-strings", "Accepts numbers and booleans where strings belong.", _texts_from_scalars)
_converts("lists-for-strings", "Accepts arrays and objects where strings belong.", _project_from_anything)
_converts("text-for-flag", 'Accepts "true" and "false" for SendResultImmediately.', _flag_from_text)
_converts("number-for-flag", "Accepts 0 and 1 for SendResultImmediately.", _flag_from_number)
_converts("number-for-value", "Accepts a scenario input whose Value is a number.", _values_from_numbers)
_converts("text-for-end-user", "Accepts a string for EndUser.", _end_user_from_text)
_converts("true-made-a-path", "Converts true to text for ScenarioPath.", _path_from_true)
_converts("list-for-end-user", "Accepts an array for EndUser.", _end_user_from_list)
_converts("object-for-inputs", "Accepts an object for ScenarioInputParameters.", _inputs_from_object)


# REQ-14


def _accepts_body(name: str, description: str, fits: Callable[[bytes, Any], bool]) -> None:
    """Register a fault that accepts bodies for which `fits` is true, although they are not JSON objects."""

    @fault(name, "REQ-14", description=description)
    class AcceptsBody(SandboxBehaviour):
        def trigger(self, request: Request) -> SandboxAnswer:
            try:
                value = orjson.loads(request.body)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict) or not fits(request.body.strip(), value):
                return super().trigger(request)
            return self.render({"UniqueId": self.random_hex()}, request)


_accepts_body("empty-body-accepted", "Accepts a trigger without a body.", lambda text, _: not text)
_accepts_body("array-accepted", "Accepts a trigger that is an array.", lambda _, value: isinstance(value, list))
_accepts_body("string-accepted", "Accepts a trigger that is a JSON string.", lambda _, value: isinstance(value, str))
_accepts_body(
    "cut-off-accepted",
    "Accepts a trigger whose JSON breaks off.",
    lambda text, value: value is None and text.startswith(b"{"),
)
_accepts_body(
    "not-json-accepted",
    "Accepts a trigger that is not JSON at all.",
    lambda text, value: value is None and text not in (b"", b"null") and not text.startswith((b"{", b"[", b'"')),
)


# REQ-15


def _accepts_token(name: str, description: str, takes: Callable[[str, str], bool]) -> None:
    """Register a fault that accepts each token for which `takes(sent, right)` is true."""

    @fault(name, "REQ-15", description=description)
    class AcceptsToken(SandboxBehaviour):
        def is_token(self, token: str) -> bool:
            return takes(token, self.settings.access_token) or super().is_token(token)


_accepts_token("any-token-accepted", "Accepts any AccessToken.", lambda _sent, _right: True)
_accepts_token(
    "token-case-ignored",
    "Compares AccessTokens without regard to case.",
    lambda sent, right: sent.lower() == right.lower(),
)
_accepts_token(
    "token-prefix-accepted",
    "Accepts the beginning of the AccessToken.",
    lambda sent, right: len(sent) > 1 and right.startswith(sent),
)
_accepts_token(
    "token-appended-accepted",
    "Accepts the AccessToken with something appended.",
    lambda sent, right: sent.startswith(right),
)
_accepts_token(
    "token-trimmed", "Accepts the AccessToken with blanks around it.", lambda sent, right: sent.strip() == right
)
_accepts_token(
    "token-normalized",
    "Accepts look-alikes of the AccessToken, as Unicode's NFKC does.",
    lambda sent, right: unicodedata.normalize("NFKC", sent) == right,
)
_accepts_token(
    "token-length-compared", "Accepts any AccessToken of the right length.", lambda sent, right: len(sent) == len(right)
)


@fault("any-project-accepted", "REQ-15")
class _AnyProjectAccepted(SandboxBehaviour):
    """Accepts the right AccessToken with the name of another Project."""

    def check_token(self, body: JsonObject) -> None:
        super().check_token({**body, "Project": self.settings.project})


@fault("any-token-accepted-without-end-user", "REQ-15")
class _AnyTokenAcceptedWithoutEndUser(SandboxBehaviour):
    """Accepts any AccessToken where a trigger has no EndUser."""

    def check_token(self, body: JsonObject) -> None:
        if "EndUser" in body:
            super().check_token(body)
