"""Reads requests: JSON texts, triggers, polls, credentials. It decides what is refused; `rendering` writes refusals."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .dialects import Dialect
from .faults import Fault

REQUIRED_TEXTS = ("Project", "Tenant", "ConversationId", "AccessToken", "ScenarioPath", "OrchestratorUrl")
OPTIONAL = ("EndUser", "Locale", "ResultDestination", "SendResultImmediately")
ENTRIES = "ScenarioInputParameters"
SHORTEST_PREFIX = 8  # characters of the token, for token-prefix-enough
TOKEN_REMEMBERED = 3.0  # seconds

JsonObject = dict[str, Any]


class Problem(NamedTuple):
    """What is wrong with a field; `kind` is missing, null, empty, type, unknown or other."""

    field: str
    kind: str

    @property
    def message(self) -> str:
        """The message for the client, without the value."""
        return {
            "missing": "is required",
            "null": "must not be null",
            "empty": "must not be empty",
            "type": "has the wrong type",
            "unknown": "is not known",
        }.get(self.kind, self.kind)


class Refused(Exception):
    """The request is refused with a 4xx status (None: the dialect's status for parameters)."""

    def __init__(self, *problems: Problem, status: int | None = None) -> None:
        super().__init__(*problems)
        self.problems = problems
        self.status = status


@dataclass(frozen=True)
class Trigger:
    """A valid trigger, except that its number may not be a line. `immediate` is None if it was left out."""

    conversation: str
    number: str
    destination: str
    immediate: bool | None
    token: str
    body: JsonObject


def values_of(body: JsonObject) -> list[Any]:
    """The Values of the entries that are objects."""
    entries = body.get(ENTRIES)
    return [entry.get("Value") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _any_text(body: JsonObject, found: Callable[[str], object]) -> bool:
    return any(isinstance(value, str) and found(value) for value in values_of(body))


# What a fault accepts, by field and kind of problem.
FORGIVEN: dict[str, tuple[str, str]] = {
    "tenant-defaulted": ("Tenant", "missing"),
    "orchestrator-not-required": ("OrchestratorUrl", "missing"),
    "display-number-not-required": ("_DisplayNumber", "missing"),
    "empty-path-satisfies": ("ScenarioPath", "empty"),
    "null-conversation-satisfies": ("ConversationId", "null"),
    "empty-destination-dialled": ("_Destination", "empty"),
    "conversation-of-any-type": ("ConversationId", "type"),
    "immediate-of-any-type": ("SendResultImmediately", "type"),
    "enduser-of-any-type": ("EndUser", "type"),
    "enduser-members-of-any-type": ("EndUser.", "type"),
    "values-of-any-type": ("Value", "type"),
}

# What a fault wrongly refuses, by the field that it names.
REFUSED_TOO: dict[str, tuple[str, Callable[[JsonObject], bool]]] = {
    "all-parameters-refused": ("body", lambda body: len(body) > len(REQUIRED_TEXTS) + len(OPTIONAL)),
    "nothing-optional-refused": ("EndUser", lambda body: not any(name in body for name in OPTIONAL)),
    "immediate-needed-beside-destination": (
        "SendResultImmediately",
        lambda body: "ResultDestination" in body and "SendResultImmediately" not in body,
    ),
    "locale-needed-beside-enduser": ("Locale", lambda body: "EndUser" in body and "Locale" not in body),
    "variables-at-most-ten": (ENTRIES, lambda body: len(values_of(body)) > 12),
    "variables-needed": (ENTRIES, lambda body: len(values_of(body)) == 2),
    "reserved-names-first": (
        ENTRIES,
        lambda body: {entry["Name"] for entry in body[ENTRIES][:2]} != {"_DisplayNumber", "_Destination"},
    ),
    "enduser-needs-phone": (
        "EndUser.Phone",
        lambda body: isinstance(body.get("EndUser"), dict) and not body["EndUser"].get("Phone"),
    ),
    "empty-enduser-refused": ("EndUser", lambda body: body.get("EndUser") == {}),
    "astral-refused": ("body", lambda body: bool(re.search("[\U00010000-\U0010ffff]", str(body)))),
    "markup-refused": (ENTRIES, lambda body: _any_text(body, re.compile("[<>]").search)),
    "line-breaks-refused": (ENTRIES, lambda body: _any_text(body, re.compile("[\r\n]").search)),
    "empty-variable-refused": (ENTRIES, lambda body: "" in values_of(body)),
    "false-refused": ("SendResultImmediately", lambda body: body.get("SendResultImmediately") is False),
}


def _as_sql_pattern(pattern: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(sign, re.escape(sign)) for sign in pattern), re.IGNORECASE | re.DOTALL)


# How a fault compares a token (given, right).
SAME_TOKEN: dict[str, Callable[[str, str], bool]] = {
    "token-of-any-case": lambda given, right: given.lower() == right.lower(),
    "token-prefix-enough": lambda given, right: len(given) >= SHORTEST_PREFIX and right.startswith(given),
    "token-appendix-ignored": lambda given, right: given[: len(right)] == right,
    "token-trimmed": lambda given, right: given.strip() == right,
    "token-as-pattern": lambda given, right: (
        given == right or ("%" in given and bool(_as_sql_pattern(given).fullmatch(right)))
    ),
}


class Reader:
    """Reads bodies with one dialect and one fault."""

    def __init__(self, project: str, access_token: str, tenant: str, dialect: Dialect, fault: Fault) -> None:
        self._project = project
        self._access_token = access_token
        self._tenant = tenant
        self._dialect = dialect
        self._fault = fault
        self._right_token_seen = float("-inf")

    # JSON texts

    def document(self, raw: bytes) -> Any:
        """The JSON value of a body; raises Refused if it is not JSON, or cannot be stored."""
        if self._fault("invalid-utf-8-500"):
            raw.decode()
        try:
            document = self._parsed(raw.decode())
            if not self._fault("surrogate-500"):
                json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            if self._fault("deep-nesting-500") and isinstance(error, RecursionError):
                raise
            raise Refused(Problem("body", "is not JSON")) from error
        self._break_down_over(document)
        return document

    def _parsed(self, text: str) -> Any:
        decoder = json.JSONDecoder(
            parse_constant=_no_constant,
            parse_int=_sixty_four_bits if self._fault("huge-number-500") else None,
            object_pairs_hook=self._object,
        )
        if self._dialect.ignores_the_rest:
            return decoder.raw_decode(text.lstrip())[0]
        try:
            document = decoder.decode(text)
        except ValueError:
            if not self._fault("closing-brace-optional"):
                raise
            document = decoder.decode(text + "}")
        if self._fault("json-in-a-string-accepted") and isinstance(document, str):
            return decoder.decode(document)
        return document

    def _object(self, pairs: list[tuple[str, Any]]) -> JsonObject:
        members = dict(pairs)
        if len(members) < len(pairs):
            if self._fault("names-twice-500"):
                raise LookupError("more than one row where one was expected")
            if self._dialect.strict:
                raise ValueError("a name is given twice")
        return members

    def _break_down_over(self, document: Any) -> None:
        if not self._fault("nul-500", "long-value-500", "surrogate-500"):
            return
        for text in _texts(document):
            if self._fault("surrogate-500"):
                text.encode()
            if self._fault("nul-500") and "\0" in text:
                raise RuntimeError("invalid byte sequence for a text column")
            if self._fault("long-value-500") and len(text) > 60_000:
                raise RuntimeError("value too long for a text column")

    # triggers

    def trigger(self, raw: bytes) -> Trigger:
        """The trigger in a body; raises Refused with all problems, including wrong credentials."""
        body = self.document(raw)
        if self._fault("array-of-one-accepted") and isinstance(body, list) and len(body) == 1:
            body = body[0]
        if not isinstance(body, dict):
            raise Refused(Problem("body", "must be an object"))
        if self._dialect.credentials_first:
            self._check_credentials(body)
        if self._fault("missing-parameter-500") and "ScenarioPath" not in body:
            raise KeyError("ScenarioPath")
        if self._fault("null-enduser-500") and body.get("EndUser", {}) is None:
            raise AttributeError("'NoneType' object has no attribute 'items'")
        problems = [problem for problem in self._problems(body) if not self._forgives(problem)]
        too_strict = REFUSED_TOO.get(self._fault.name)
        if too_strict and not problems and too_strict[1](body):
            problems = [Problem(too_strict[0], "is not acceptable")]
        if problems:
            raise Refused(*problems)
        self._check_credentials(body)
        return self._accepted(body)

    def _accepted(self, body: JsonObject) -> Trigger:
        immediate = body.get("SendResultImmediately")
        return Trigger(
            conversation=str(body.get("ConversationId")),
            number=next(entry["Value"] for entry in body[ENTRIES] if entry["Name"] == "_Destination"),
            destination=body.get("ResultDestination") or "",
            immediate=None if immediate is None else bool(immediate),
            token=body["AccessToken"],
            body=body,
        )

    def _forgives(self, problem: Problem) -> bool:
        field, kind = FORGIVEN.get(self._fault.name, ("", ""))
        return problem.kind == kind and (problem.field == field or (field[-1:] == "." and problem.field[:8] == field))

    def _problems(self, body: JsonObject) -> Iterator[Problem]:
        for name in REQUIRED_TEXTS:
            yield from _text_problems(body, name)
        yield from self._entry_problems(body)
        for name, kind in (
            ("EndUser", dict),
            ("Locale", str),
            ("ResultDestination", str),
            ("SendResultImmediately", bool),
        ):
            yield from self._optional_problems(body, name, name, kind)
        user = body.get("EndUser")
        if isinstance(user, dict):
            for name in ("Name", "Phone", "Email"):
                yield from self._optional_problems(user, name, f"EndUser.{name}", str)
        if self._dialect.strict:
            yield from (Problem(name, "unknown") for name in body if name not in (*REQUIRED_TEXTS, *OPTIONAL, ENTRIES))
            if isinstance(body.get("Tenant"), str) and body["Tenant"] != self._tenant:
                yield Problem("Tenant", "unknown")

    def _optional_problems(self, holder: JsonObject, name: str, field: str, kind: type) -> Iterator[Problem]:
        value = holder.get(name)
        if name in holder and value is None and self._dialect.strict:
            yield Problem(field, "null")
        if value is not None and not isinstance(value, kind):
            yield Problem(field, "type")

    def _entry_problems(self, body: JsonObject) -> Iterator[Problem]:
        if ENTRIES not in body:
            yield Problem(ENTRIES, "missing")
            return
        entries = body[ENTRIES]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            yield Problem(ENTRIES, "null" if entries is None else "type")
            return
        for entry in entries:
            yield from (Problem(name, "type") for name in ("Name", "Value") if not isinstance(entry.get(name), str))
        values = {entry["Name"]: entry.get("Value") for entry in entries if isinstance(entry.get("Name"), str)}
        yield from (Problem(name, "missing") for name in ("_DisplayNumber", "_Destination") if name not in values)
        yield from (Problem(name, "empty") for name in ("_DisplayNumber", "_Destination") if values.get(name) == "")

    # credentials

    def _check_credentials(self, body: JsonObject) -> None:
        given, project = body.get("AccessToken"), body.get("Project")
        now = time.monotonic()
        if isinstance(given, str) and self._same_token(given) and self._same_project(project):
            self._right_token_seen = now
        elif not (self._fault("token-remembered") and now - self._right_token_seen < TOKEN_REMEMBERED):
            raise Refused(Problem("AccessToken", "is not the project's"), status=self._dialect.token_status)

    def _same_token(self, given: str) -> bool:
        compare = SAME_TOKEN.get(self._fault.name, str.__eq__)
        return compare(given, self._access_token)

    def _same_project(self, project: object) -> bool:
        return project == self._project or self._fault("token-of-any-project")

    # polls

    def poll(self, raw: bytes) -> list[str] | None:
        """The ids in a poll; None for all ids, which only faults return."""
        try:
            body = self.document(raw)
        except Refused:
            if self._fault("unreadable-poll-is-empty"):
                return []
            raise
        if not isinstance(body, dict):
            if self._fault("array-as-poll-500") and isinstance(body, list):
                raise AttributeError("'list' object has no attribute 'get'")
            raise Refused(Problem("body", "must be an object"))
        if self._dialect.strict and body.keys() - {"UniqueIds"}:
            raise Refused(*(Problem(name, "unknown") for name in body.keys() - {"UniqueIds"}))
        if "UniqueIds" not in body:
            return self._ids_left_out()
        return self._ids(body["UniqueIds"])

    def _ids_left_out(self) -> list[str] | None:
        if self._fault("missing-list-is-empty"):
            return []
        if self._fault("missing-list-reports-all"):
            return None
        raise Refused(Problem("UniqueIds", "missing"))

    def _ids(self, ids: Any) -> list[str] | None:
        if isinstance(ids, str) and self._fault("bare-id-accepted"):
            return [ids]
        if not isinstance(ids, list):
            if self._fault("wrong-type-reports-all"):
                return None
            raise Refused(Problem("UniqueIds", "type"))
        if not ids and self._fault("empty-list-reports-all"):
            return None
        texts = [text for text in ids if isinstance(text, str)]
        if len(texts) < len(ids) and not self._fault("other-types-skipped"):
            raise Refused(Problem("UniqueIds", "type"))
        if not ids and self._dialect.empty_list_refused:
            raise Refused(Problem("UniqueIds", "empty"))
        if self._fault("many-ids-500") and len(texts) > 99:
            raise RuntimeError("too many variables in one statement")
        largest = 12 if self._fault("batches-over-twelve-refused") else self._dialect.largest_batch
        if len(texts) > largest:
            raise Refused(Problem("UniqueIds", "holds too many"), status=413)
        return texts


def _text_problems(body: JsonObject, name: str) -> Iterator[Problem]:
    value = body.get(name)
    if name not in body:
        yield Problem(name, "missing")
    elif value is None:
        yield Problem(name, "null")
    elif not isinstance(value, str):
        yield Problem(name, "type")
    elif not value.strip():
        yield Problem(name, "empty")


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        yield from document
        for value in document.values():
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _sixty_four_bits(digits: str) -> int:
    if len(digits.lstrip("-")) > 19 or not -(2**63) <= int(digits) < 2**63:
        raise OverflowError("integer too large for a column")
    return int(digits)
