"""The rules by which triggers and polls are accepted.

Each rule is a method or a class attribute of its own, so that a dialect or a fault can replace it. Refusals name
documented parameters and never quote the request.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson

from ringback.sandbox.messages import AcceptedTrigger, JsonObject, Refusal, Request
from ringback.sandbox.settings import SandboxSettings

REQUIRED = (
    "Project",
    "Tenant",
    "ConversationId",
    "AccessToken",
    "ScenarioPath",
    "OrchestratorUrl",
    "ScenarioInputParameters",
)
OPTIONAL = ("EndUser", "Locale", "ResultDestination", "SendResultImmediately")
END_USER = ("Name", "Phone", "Email")
REQUIRED_INPUTS = ("_DisplayNumber", "_Destination")
_URL_TEXT = re.compile(r"[\x21-\x7e]+")


class Admission:
    """Accepts or refuses triggers and polls."""

    required: ClassVar[tuple[str, ...]] = REQUIRED
    """Parameters that must be present."""
    filled: ClassVar[tuple[str, ...]] = REQUIRED
    """Parameters that must be neither null nor an empty string."""
    texts: ClassVar[tuple[str, ...]] = (*REQUIRED[:-1], "Locale", "ResultDestination")
    """Parameters that are strings."""
    required_inputs: ClassVar[tuple[str, ...]] = REQUIRED_INPUTS
    filled_inputs: ClassVar[tuple[str, ...]] = REQUIRED_INPUTS

    settings: SandboxSettings

    def admit(self, request: Request) -> AcceptedTrigger:
        """Return a valid trigger; raises Refusal."""
        body = self.read_trigger(request)
        inputs = self.check(body, request)
        return AcceptedTrigger(body, inputs, request.body)

    def check(self, body: JsonObject, request: Request) -> dict[str, str]:
        """Apply every rule to a trigger's body and return its scenario inputs; raises Refusal."""
        del request  # the documented rules concern the body only
        self.check_present(body)
        self.check_filled(body)
        self.check_types(body)
        inputs = self.read_inputs(body)
        self.check_inputs(inputs)
        self.check_token(body)
        self.check_result_destination(body)
        return inputs

    def read_json(self, request: Request) -> Any:
        """Return the JSON value of a body; raises Refusal if it is not JSON."""
        try:
            return orjson.loads(request.body)
        except orjson.JSONDecodeError:
            raise Refusal(400, "the body is not JSON") from None

    def read_trigger(self, request: Request) -> JsonObject:
        """Return the JSON object in a trigger's body."""
        body = self.read_json(request)
        if not isinstance(body, dict):
            raise Refusal(400, "the body is not a JSON object")
        return body

    def check_present(self, body: JsonObject) -> None:
        """Refuse a body that lacks a required parameter."""
        for name in self.required:
            if name not in body:
                raise Refusal(400, f"{name} is required")

    def check_filled(self, body: JsonObject) -> None:
        """Refuse null and the empty string for a required parameter."""
        for name in self.filled:
            value = body.get(name, ...)
            if value is None or value == "":
                raise Refusal(400, f"{name} must not be empty")

    def check_types(self, body: JsonObject) -> None:
        """Refuse a documented parameter of a wrong JSON type."""
        for name in self.texts:
            value = body.get(name)
            if value is not None and not isinstance(value, str):
                raise Refusal(400, f"{name} must be a string")
        self.check_end_user(body.get("EndUser"))
        self.check_flag(body.get("SendResultImmediately"))

    def check_end_user(self, end_user: Any) -> None:
        """Refuse an EndUser that is not an object of strings."""
        if end_user is None:
            return
        if not isinstance(end_user, dict):
            raise Refusal(400, "EndUser must be an object")
        for name in END_USER:
            value = end_user.get(name)
            if value is not None and not isinstance(value, str):
                raise Refusal(400, f"EndUser.{name} must be a string")

    def check_flag(self, flag: Any) -> None:
        """Refuse a SendResultImmediately that is not a boolean."""
        if flag is not None and flag is not True and flag is not False:
            raise Refusal(400, "SendResultImmediately must be true or false")

    def read_inputs(self, body: JsonObject) -> dict[str, str]:
        """Return the scenario inputs by name."""
        entries = body.get("ScenarioInputParameters")
        if entries is None:
            return {}
        if not isinstance(entries, list):
            raise Refusal(400, "ScenarioInputParameters must be an array")
        inputs: dict[str, str] = {}
        for entry in entries:
            name, value = self.read_entry(entry)
            if name in inputs and name in REQUIRED_INPUTS:
                raise Refusal(400, f"{name} is given twice")
            inputs[name] = value
        return inputs

    def read_entry(self, entry: Any) -> tuple[str, str]:
        """Return name and value of one scenario input."""
        if isinstance(entry, dict):
            name = entry.get("Name")
            value = entry.get("Value")
            if isinstance(name, str) and isinstance(value, str):
                return name, value
        raise Refusal(400, "each entry of ScenarioInputParameters must have a string Name and a string Value")

    def check_inputs(self, inputs: dict[str, str]) -> None:
        """Refuse scenario inputs without a display number or a destination."""
        for name in self.required_inputs:
            if name not in inputs:
                raise Refusal(400, f"ScenarioInputParameters lacks {name}")
        for name in self.filled_inputs:
            if inputs.get(name) == "":
                raise Refusal(400, f"{name} must not be empty")

    def check_token(self, body: JsonObject) -> None:
        """Refuse a wrong access token, or the right one for another project."""
        token = body.get("AccessToken")
        project = body.get("Project")
        if token is not None and not self.is_token(token):
            raise Refusal(401, "the access token is not valid for this project")
        if project is not None and project != self.settings.project:
            raise Refusal(401, "the access token is not valid for this project")

    def is_token(self, token: str) -> bool:
        """Whether `token` is the project's access token."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.settings.access_token.encode())

    def check_result_destination(self, body: JsonObject) -> None:
        """Refuse a ResultDestination that is not an http or https URL."""
        url = body.get("ResultDestination")
        if url is not None and not is_http_url(url):
            raise Refusal(400, "ResultDestination must be an http or https URL")

    def read_poll(self, request: Request) -> list[str]:
        """Return the ids that a poll asks for; raises Refusal."""
        body = self.read_json(request)
        if not isinstance(body, dict):
            raise Refusal(400, "the body is not a JSON object")
        ids = body.get("UniqueIds")
        if not isinstance(ids, list):
            raise Refusal(400, "UniqueIds must be an array of strings")
        for unique_id in ids:
            if not isinstance(unique_id, str):
                raise Refusal(400, "UniqueIds must be an array of strings")
        return ids


def is_http_url(text: str) -> bool:
    """Whether `text` is an absolute http or https URL in printable ASCII."""
    if not _URL_TEXT.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
