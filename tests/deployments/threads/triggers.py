"""Reads triggers, with the rules for them and the faults in these rules."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.deployments.threads.ways import Crashed, Dropped, Hung, Refused, Settings, Ways

Object: TypeAlias = dict[str, Any]

REQUIRED = ("Project", "Tenant", "ConversationId", "AccessToken", "ScenarioPath", "OrchestratorUrl")
OPTIONAL = ("EndUser", "Locale", "ResultDestination", "SendResultImmediately")
RESERVED = ("_DisplayNumber", "_Destination")
NOBODY = ""
"""The number of an order without one; only faults accept such an order."""

ABSENT_PASSES = {
    "tenant-defaulted": "Tenant",
    "orchestrator-optional": "OrchestratorUrl",
    "conversation-made-up": "ConversationId",
    "absent-token-accepted": "AccessToken",
}
NULL_PASSES = {"null-scenario": "ScenarioPath", "null-tenant": "Tenant"}
EMPTY_PASSES = {"empty-conversation": "ConversationId"}


@dataclass(frozen=True)
class Order:
    """An accepted trigger: the number to call and where to send the result. `raw` is its body."""

    number: str
    conversation: str
    has_end_user: bool
    destination: str | None
    immediate: bool
    flag_given: bool
    token: str
    raw: bytes


def parse(raw: bytes, ways: Ways) -> object:
    """The JSON value of a body; raises Refused if it has none."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if ways.fault("encoding-500"):
            raise Crashed from error
        raise Refused("json", "The body is not UTF-8.") from None
    if ways.fault("nul-500", "drops-nul") and "\\u0000" in text:
        raise Crashed if ways.fault("nul-500") else Dropped
    try:
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, ways),
            parse_constant=_no_constant,
            parse_int=lambda digits: _integer(digits, ways),
        )
    except RecursionError as error:
        if ways.fault("deep-500"):
            raise Crashed from error
        raise Refused("json", "The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        return _repaired(text, error, ways)
    except ValueError:
        raise Refused("json", "The body holds a number that is out of range.") from None


def _object(pairs: list[tuple[str, Any]], ways: Ways) -> Object:
    made = dict(pairs)
    if len(made) < len(pairs):
        if ways.fault("names-twice-500"):
            raise Crashed
        if ways.dialect.strict:
            raise Refused("json", "The body gives a name twice.")
    return made


def _integer(digits: str, ways: Ways) -> int:
    if ways.fault("huge-number-500") and len(digits) > 19:
        raise Crashed
    return int(digits)


def _no_constant(name: str) -> float:
    raise Refused("json", f"{name} is not JSON.")


def _repaired(text: str, error: json.JSONDecodeError, ways: Ways) -> object:
    cut_off = bool(text.strip()) and error.pos >= len(text.rstrip()) - 1
    if ways.dialect.ignores_the_rest and error.msg == "Extra data":
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    if ways.fault("cut-off-repaired") and cut_off:
        for tail in ("}", '"}', "]}", "}]}", '"}]}'):
            try:
                return json.loads(text + tail)
            except ValueError:
                continue
    if ways.fault("awaits-the-rest") and text.lstrip().startswith("{") and error.msg != "Extra data":
        raise Hung
    if ways.fault("drops-bad-json") and text:
        raise Dropped
    if ways.fault("bad-json-quoted"):
        raise Refused("json", f"No JSON at {error.pos} of: {text[:2000]}")
    raise Refused("json", f"The body is not JSON: {error.msg} at character {error.pos}.")


class TriggerDesk:
    """Reads triggers: checks form, then credentials, then the number (or credentials first)."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.settings: Settings = ways.settings

    def read(self, raw: bytes, project_header: str | None) -> Order:
        """The order in a body; raises Refused if it is not valid."""
        body = self._body(raw)
        self._headers(project_header)
        if self.ways.dialect.token_first:
            self._credentials(body)
        try:
            for name in REQUIRED:
                self._required(body, name)
            self._optional(body)
            values = self._values(body)
        except Refused as refused:
            if self.ways.fault("request-quoted"):
                raise Refused("shape", f"{refused.reason} The request was {json.dumps(body)}") from None
            raise
        self._texts(body)
        self._credentials(body)
        return self._order(body, values, raw)

    def _body(self, raw: bytes) -> Object:
        body = parse(raw, self.ways)
        if isinstance(body, list):
            if self.ways.fault("array-500"):
                raise Crashed
            if self.ways.fault("array-of-one") and len(body) == 1:
                body = body[0]
        if self.ways.fault("text-in-text") and isinstance(body, str):
            body = parse(body.encode("utf-8", "replace"), self.ways)
        if not isinstance(body, dict):
            raise Refused("shape", "The body is not a JSON object.")
        if self.ways.dialect.strict and not set(body) <= {*REQUIRED, *OPTIONAL, "ScenarioInputParameters"}:
            raise Refused("shape", "The body holds a parameter that is not known.")
        return body

    def _headers(self, project: str | None) -> None:
        refused = (
            (self.ways.fault("empty-header-refused") and project == "")
            or (self.ways.fault("header-needed") and project is None)
            or (self.ways.fault("header-named-refused") and project == self.settings.project)
        )
        if refused:
            raise Refused("shape", "The header Project is not as it should be.")

    def _required(self, body: Object, name: str) -> None:
        if name not in body:
            if self.ways.of_fault(ABSENT_PASSES) == name:
                return
            raise Refused("shape", f"{name} is missing.")
        value = body[name]
        if value is None and self.ways.of_fault(NULL_PASSES) == name:
            return
        if value == "" and self.ways.of_fault(EMPTY_PASSES) == name:
            return
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name == "ConversationId" and is_number and self.ways.fault("number-for-text"):
            return
        if not isinstance(value, str) or not value:
            raise Refused("shape", f"{name} must be text, and not empty.")

    def _optional(self, body: Object) -> None:
        given = {name: body[name] for name in OPTIONAL if name in body}
        if self.ways.dialect.strict and None in given.values():
            raise Refused("shape", "An optional parameter is null.")
        given = {name: value for name, value in given.items() if value is not None}
        self._end_user(given.get("EndUser", {}))
        for name in ("Locale", "ResultDestination"):
            unlooked = name == "Locale" and self.ways.fault("locale-unlooked")
            if not isinstance(given.get(name, ""), str) and not unlooked:
                raise Refused("shape", f"{name} must be text.")
        self._flag(given.get("SendResultImmediately"))
        self._combination(set(given))

    def _end_user(self, user: object) -> None:
        if isinstance(user, list) and self.ways.fault("attribute-500"):
            raise Crashed
        if isinstance(user, str) and self.ways.fault("end-user-as-text"):
            return
        if not isinstance(user, dict):
            raise Refused("shape", "EndUser must be an object.")
        looked_at = ("Phone", "Email") if self.ways.fault("end-user-unlooked") else ("Name", "Phone", "Email")
        if self.ways.dialect.strict and (None in user.values() or not set(user) <= {"Name", "Phone", "Email"}):
            raise Refused("shape", "EndUser holds null, or a member that is not known.")
        for name in looked_at:
            if not isinstance(user.get(name), str | None):
                raise Refused("shape", f"EndUser.{name} must be text.")

    def _flag(self, flag: object) -> None:
        if isinstance(flag, str) and flag in ("true", "false") and self.ways.fault("flag-as-text"):
            return
        if type(flag) is int and flag in (0, 1) and self.ways.fault("flag-as-number"):
            return
        if flag is not None and not isinstance(flag, bool):
            raise Refused("shape", "SendResultImmediately must be true or false.")
        if (flag is False and self.ways.fault("false-is-missing")) or (
            flag is True and self.ways.fault("true-refused")
        ):
            raise Refused("shape", "SendResultImmediately must have a value that is licensed.")

    def _combination(self, given: set[str]) -> None:
        sends, flagged = "ResultDestination" in given, "SendResultImmediately" in given
        refused = {
            "full-example-refused": given == set(OPTIONAL),
            "some-option-needed": not given & {"EndUser", "Locale"},
            "bare-trigger-refused": not given,
            "locale-needed": "Locale" not in given,
            "flag-needed": sends and not flagged,
            "destination-needed": flagged and not sends,
        }
        if self.ways.of_fault(refused):
            raise Refused("shape", "These optional parameters can't be taken together.")

    def _values(self, body: Object) -> dict[str, str]:
        """What the entries of ScenarioInputParameters say of the reserved names."""
        entries = body.get("ScenarioInputParameters")
        if self.ways.fault("parameters-as-object") and isinstance(entries, dict):
            entries = [{"Name": name, "Value": value} for name, value in entries.items()]
        if not isinstance(entries, list):
            raise Refused("shape", "ScenarioInputParameters must be a list.")
        pairs = [self._entry(entry) for entry in entries]
        self._arrangement(pairs)
        values: dict[str, str] = {}
        for name, value in pairs:
            if name not in RESERVED and self.ways.fault("reserved-before-variables"):
                break
            if name in RESERVED and name in values:
                raise Refused("shape", f"{name} is given twice.")
            if name in RESERVED:
                values[name] = value
        self._reserved(values)
        return values

    def _entry(self, entry: object) -> tuple[str, str]:
        if not isinstance(entry, dict):
            raise Refused("shape", "An entry of ScenarioInputParameters is not an object.")
        name, value = entry.get("Name"), entry.get("Value")
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool) and name not in RESERVED
        if numeric and self.ways.fault("value-as-number"):
            value = str(value)
        if not isinstance(name, str) or not isinstance(value, str):
            raise Refused("shape", "Name and Value of an entry must be text.")
        return name, value

    def _arrangement(self, pairs: list[tuple[str, str]]) -> None:
        variables = sum(name not in RESERVED for name, _ in pairs)
        refused = {
            "sixteen-entries": len(pairs) > 16,
            "variable-needed": variables == 0,
            "one-variable-refused": variables == 1,
            "display-number-first": bool(pairs) and pairs[0][0] != "_DisplayNumber",
        }
        if self.ways.of_fault(refused):
            raise Refused("shape", "The entries of ScenarioInputParameters are not as they should be.")

    def _reserved(self, values: Mapping[str, str]) -> None:
        passes = {"destination-checked-later": "_Destination", "display-number-optional": "_DisplayNumber"}
        for name in RESERVED:
            if name not in values and self.ways.of_fault(passes) != name:
                raise Refused("shape", f"ScenarioInputParameters lacks {name}.")
            empty_passes = name == "_Destination" and self.ways.fault("empty-destination")
            if values.get(name) == "" and not empty_passes:
                raise Refused("shape", f"{name} is empty.")

    def _texts(self, body: Object) -> None:
        """What the values may be made of; only faults, and what is no Unicode at all, are refused."""
        try:
            whole = json.dumps(body, ensure_ascii=False)
            whole.encode()
        except (UnicodeEncodeError, RecursionError) as error:
            if self.ways.fault("surrogate-500"):
                raise Crashed from error
            raise Refused("shape", "A text is not Unicode, or nested too deeply.") from None
        entries = body["ScenarioInputParameters"]
        values = [entry["Value"] for entry in entries] if isinstance(entries, list) else []
        texts = [value for value in values if isinstance(value, str)]
        if self.ways.fault("long-value-500") and any(len(text) > 32 * 1024 for text in texts):
            raise Crashed
        user = body.get("EndUser") or {}
        refused = {
            "latin-only": any(character > "\xff" for character in whole),
            "three-byte-text": any(character > "\uffff" for character in whole),
            "empty-variable-refused": "" in texts,
            "line-break-refused": any("\n" in text or "\r" in text for text in texts),
            "percent-refused": any(re.search(r"%(?![0-9A-Fa-f]{2})", text) for text in texts),
            "phone-needed": "EndUser" in body and "Phone" not in user,
            "empty-end-user-refused": body.get("EndUser") == {},
            "email-with-name": "Email" in user and "Name" not in user,
        }
        if self.ways.of_fault(refused):
            raise Refused("shape", "A text can't be stored.")
        if self.ways.fault("firewall") and any(character in text for text in texts for character in "<>'"):
            raise Refused("firewall", "The request was blocked.")

    def _credentials(self, body: Object) -> None:
        token, project, tenant = body.get("AccessToken"), body.get("Project"), body.get("Tenant")
        project_known = project == self.settings.project or self.ways.fault("token-anywhere")
        absent = token is None and self.ways.fault("absent-token-accepted")
        if project_known and (absent or (isinstance(token, str) and self._token_fits(token))):
            if tenant not in (None, self.settings.tenant):
                raise Refused("shape", "The tenant is not known.")
            return
        if self.ways.fault("wrong-token-quoted"):
            raise Refused("token", f"No project {project} with the token {token}.")
        raise Refused("token", "Project and AccessToken do not belong together.")

    def _token_fits(self, token: str) -> bool:
        real = self.settings.access_token
        if token == real:
            return True
        near = {
            "token-case-blind": token.casefold() == real.casefold(),
            "token-prefix": len(token) >= 4 and real.startswith(token),
            "token-appended": token.startswith(real),
            "token-trimmed": token.strip() == real,
            "token-ends-alike": len(token) == len(real) and (token[:4], token[-4:]) == (real[:4], real[-4:]),
        }
        return bool(self.ways.of_fault(near))

    def _order(self, body: Object, values: Mapping[str, str], raw: bytes) -> Order:
        number = values.get("_Destination", NOBODY)
        if number not in self.settings.lines and number != NOBODY:
            raise Refused("number", "The number is not cleared for calls.", reference=number)
        destination = body.get("ResultDestination")
        return Order(
            number=number,
            conversation=str(body.get("ConversationId") or ""),
            has_end_user="EndUser" in body,
            destination=destination or None,
            immediate=body.get("SendResultImmediately") in (True, "true"),
            flag_given=body.get("SendResultImmediately") is not None,
            token=str(body.get("AccessToken")),
            raw=raw,
        )
