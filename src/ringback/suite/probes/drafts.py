"""Drafts: the documents' example with configured values, ready to be changed in one aspect.

Every number in a draft is a configured line or the configured caller id. All other text that is made up here has no
digits, so that it cannot be read as a number.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote

from ringback.config import Config
from ringback.deployment.client import JSON_HEADERS, encode
from ringback.deployment.errors import ExchangeError

__all__ = ["HEADER_FORMS", "OPTIONAL", "REQUIRED", "REQUIRED_TEXTS", "Draft", "DraftMaker", "HeaderForm", "NotTried"]

REQUIRED_TEXTS = ("Project", "Tenant", "ConversationId", "AccessToken", "ScenarioPath", "OrchestratorUrl")
"""The required parameters that are strings."""
REQUIRED = (*REQUIRED_TEXTS, "ScenarioInputParameters")
OPTIONAL = ("EndUser", "Locale", "ResultDestination", "SendResultImmediately")

HeaderForm = Literal["empty", "absent", "named"]
"""The header `Project`: empty as in the documents' example, absent, or the project's name."""

HEADER_FORMS: tuple[HeaderForm, ...] = ("empty", "absent", "named")

WITHOUT_DIGITS = "https://orchestrator.invalid"
"""An OrchestratorUrl without digits, for bodies in which the configured one might be read as a number."""
NOWHERE = "https://results.invalid/ringback"
"""A ResultDestination that does not resolve, for runs without a receiver."""


_MADE_UP = {"greeting": "good morning", "topic": "appointment"}
"""Project variables of the example, where none are declared."""


class NotTried(ExchangeError):
    """The project's variables do not allow this trigger."""


@dataclass(slots=True)
class Draft:
    """A trigger that may still be changed. If `content` is set, it is sent instead of `body`."""

    body: dict[str, Any]
    headers: list[tuple[str, str]]
    line: str
    content: bytes | None = None
    method: str = "POST"
    delivery_key: str | None = None
    query: str = ""
    declared: tuple[tuple[str, str], ...] | None = None
    """The only project variables that may be sent, with their values; None: made-up ones are sent."""

    def in_conversation(self, word: str) -> Draft:
        """The same draft with another ConversationId."""
        body = {**self.body, "ConversationId": f"ringback-{word}"}
        return replace(self, body=body, content=None)

    def drop(self, *parameters: str) -> None:
        """Leave parameters out."""
        for parameter in parameters:
            self.body.pop(parameter, None)

    def set(self, parameter: str, value: object) -> None:
        """Give a parameter a value of any type."""
        self.body[parameter] = value

    def input(self, name: str) -> dict[str, Any]:
        """The entry of ScenarioInputParameters with that name."""
        return next(e for e in self.body["ScenarioInputParameters"] if e["Name"] == name)

    def drop_input(self, *names: str) -> None:
        """Leave entries of ScenarioInputParameters out."""
        entries = self.body["ScenarioInputParameters"]
        self.body["ScenarioInputParameters"] = [e for e in entries if e["Name"] not in names]

    def some_variables(self, count: int) -> None:
        """Send this many project variables, or all that are declared if they are fewer; raises `NotTried` for none."""
        names = [*_MADE_UP, *(f"variable_{chr(ord('a') + at)}" for at in range(count - len(_MADE_UP)))]
        known = [(name, _MADE_UP.get(name, "some text")) for name in names] if self.declared is None else self.declared
        if count and not known:
            raise NotTried("the project has no variables that could be sent")
        self._variables(dict(known[:count]))

    def made_up_variable(self, name: str, value: str) -> None:
        """Send one more project variable; raises `NotTried` if the project's are declared."""
        if self.declared is not None:
            raise NotTried("the project's variables are declared, and others are not sent")
        self.body["ScenarioInputParameters"].append({"Name": name, "Value": value})

    @property
    def variable(self) -> str:
        """The name of a project variable that may be sent."""
        return next(iter(dict(self.declared or _MADE_UP)))

    def _variables(self, values: Mapping[str, object]) -> None:
        entries = [self.input("_DisplayNumber"), self.input("_Destination")]
        self.body["ScenarioInputParameters"] = entries + [{"Name": n, "Value": v} for n, v in values.items()]

    def malformed(self, make: Callable[[bytes], bytes]) -> None:
        """Send the bytes that `make` returns for this trigger's bytes: a body that can be read in several ways.

        Such a body may hold no number but lines: the line also is the display number, and other values with digits are
        left out or replaced by words.
        """
        number = next((e["Value"] for e in self.body["ScenarioInputParameters"] if e["Name"] == "_Destination"), "")
        for entry in self.body["ScenarioInputParameters"]:
            if entry["Name"] == "_DisplayNumber":
                entry["Value"] = number
        self.body["ScenarioInputParameters"] = [
            e for e in self.body["ScenarioInputParameters"]
            if e["Name"].startswith("_") or not any(map(str.isdigit, f"{e['Name']}{e['Value']}"))
        ]  # fmt: skip
        self.drop("ResultDestination")
        self.delivery_key = None
        for parameter, words in (("OrchestratorUrl", WITHOUT_DIGITS), ("Locale", "en-US")):
            if any(map(str.isdigit, str(self.body.get(parameter, "")))):
                self.body[parameter] = words
        self.content = make(self.bytes)

    def as_query(self, method: str) -> None:
        """Send the parameters that are text in the query, by this method, without a body.

        As in `malformed`, it holds no number but the line.
        """
        number = self.input("_Destination")["Value"]
        fields = {name: self.body[name] for name in REQUIRED_TEXTS}
        if any(map(str.isdigit, fields["OrchestratorUrl"])):
            fields["OrchestratorUrl"] = WITHOUT_DIGITS
        fields |= {"_DisplayNumber": number, "_Destination": number}
        self.query = "&".join(
            f"{name}={quote(value, safe='' if name == 'AccessToken' else ':/')}" for name, value in fields.items()
        )
        self.content, self.method, self.delivery_key = b"", method, None

    def order(self, arrange: Callable[[list[Any]], list[Any]]) -> None:
        """Rearrange the entries of ScenarioInputParameters."""
        self.body["ScenarioInputParameters"] = arrange(self.body["ScenarioInputParameters"])

    @property
    def bytes(self) -> bytes:
        """What is sent as the body."""
        return self.content if self.content is not None else encode(self.body)


class DraftMaker:
    """Makes valid triggers from the configuration; the same seed makes the same triggers."""

    def __init__(self, config: Config, seed: int) -> None:
        self.config = config
        self._random = random.Random(f"drafts {seed}")

    def word(self, letters: int = 16) -> str:
        """Random letters, for names that must be unique and without digits."""
        return "".join(self._random.choices("abcdefghijkmnpqrstuvwxyz", k=letters))

    def line(self, name: str) -> str:
        """The name of that line if it is configured, else the first configured one."""
        lines = self.config.lines.configured
        return name if name in lines else next(iter(lines))

    def example(self, line: str, header: HeaderForm = "empty", destination: str | None = None) -> Draft:
        """Every documented parameter as in the documents' example, dialling the line with this name."""
        deployment, number = self.config.deployment, self.config.lines.configured[line]
        body: dict[str, Any] = {
            "Project": deployment.project,
            "ConversationId": f"ringback-{self.word()}",
            "AccessToken": deployment.access_token.get_secret_value(),
            "ScenarioPath": deployment.scenario_path,
            "OrchestratorUrl": deployment.orchestrator_url,
            "Tenant": deployment.tenant,
            "EndUser": {"Name": "Ada Tester", "Phone": number, "Email": "ada.tester@example.com"},
            "Locale": deployment.locale,
            "ScenarioInputParameters": [
                {"Name": "_DisplayNumber", "Value": deployment.display_number},
                {"Name": "_Destination", "Value": number},
            ],
            "ResultDestination": destination or NOWHERE,
            "SendResultImmediately": False,
        }
        draft = Draft(body, [*JSON_HEADERS, *self.header(header)], line, declared=self.config.variables)
        with contextlib.suppress(NotTried):
            draft.some_variables(2)
        return draft

    def required(self, line: str, header: HeaderForm = "empty") -> Draft:
        """Only the required parameters, and only the required input parameters."""
        draft = self.example(line, header)
        draft.drop(*OPTIONAL)
        draft.some_variables(0)
        return draft

    def header(self, form: HeaderForm) -> list[tuple[str, str]]:
        """The header `Project` in one of its forms."""
        if form == "absent":
            return []
        name = self.config.deployment.project if form == "named" else ""
        return [("Project", _header_text(name))]


def _header_text(value: str) -> str:
    """A value for a header: stripped, and escaped as in JSON unless it is printable ASCII."""
    value = value.strip()
    return value if value.isascii() and value.isprintable() else json.dumps(value)[1:-1]
