"""A configuration that is being made: values without secrets, and what the user still has to do.

A value that contains a known secret is never taken over. A number becomes a line only by `Draft.lines`, which the
caller fills with what the user confirmed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ringback.config.environment import known_keys
from ringback.contract.endpoints import TRIGGER_PATH
from ringback.deployment.redaction import Redactor
from ringback.first_steps.curl import CurlRequest
from ringback.first_steps.steps import Step

__all__ = ["REQUIRED", "Draft", "draft_from"]

REQUIRED = ("base_url", "project", "scenario_path", "orchestrator_url", "display_number")
"""The keys of `[deployment]` without which nothing can be checked."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|<[^>]*>|\$\{?\w|x{3,}|^\W*$|^your\b", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)\}?")
_SHORTEST_SECRET = 4
"""Shorter secrets are found in other values by chance."""
_OF_HTTP = {
    "content-type", "content-length", "accept", "accept-encoding", "accept-language", "user-agent", "host", "project",
    "connection", "origin", "referer", "cache-control", "pragma", "dnt", "priority", "te", "upgrade-insecure-requests",
    "expect", "transfer-encoding",
}  # fmt: skip
"""Headers that Ringback sets itself or that say nothing to a deployment; `Sec-` headers likewise."""
_IN_BODY = {
    "Project": "project", "Tenant": "tenant", "ScenarioPath": "scenario_path", "OrchestratorUrl": "orchestrator_url",
    "Locale": "locale",
}  # fmt: skip


@dataclass(slots=True)
class Draft:
    """The values of `[deployment]`, lines, and what a curl command had besides."""

    deployment: dict[str, object] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    result_destination: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    exports: dict[str, str] = field(default_factory=dict)
    """Environment variable -> where its value is found."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Label -> secret or personal value that must not be shown or written."""
    dialled: str | None = None
    """The number that the curl command dials. It is no line until the user says so."""
    variables: list[str] = field(default_factory=list)
    """The names of the project variables that the curl command sends."""
    notes: list[str] = field(default_factory=list)
    in_the_way: list[Step] = field(default_factory=list)
    """What prevents reaching the deployment from here."""

    @property
    def token_variable(self) -> str:
        """The variable that holds the token."""
        return str(self.deployment.get("access_token_env", "RINGBACK_ACCESS_TOKEN"))

    def put(self, key: str, value: object, source: str = "the curl command") -> None:
        """Take over a value, unless the configuration has no such key, or a secret is in the value."""
        if key not in known_keys(["deployment"]):
            self.notes.append(f"{source} has a value for {key}, which a configuration can't say")
        elif self.redactor().clean_secrets(str(value)) != str(value):
            self.notes.append(f"deployment.{key} was left out: its value in {source} contains a secret")
        else:
            self.deployment[key] = value

    def missing(self) -> list[str]:
        """What still has to be filled in."""
        return [f"deployment.{key}" for key in REQUIRED if key not in self.deployment] + (
            [] if self.lines else ["lines"]
        )

    def fill(self, template: str) -> str:
        """The template with the values of this draft; what is missing becomes a comment."""
        text = template
        for key in known_keys(["deployment"]):
            if key in self.deployment:
                text = _set(text, "deployment", key, _toml(self.deployment[key]))
            elif key in REQUIRED:
                text = _set(text, "deployment", key, None)
        if "access_token_file" in self.deployment:
            text = _set(text, "deployment", "access_token_env", None)
        for state in known_keys(["lines"]):
            text = _set(text, "lines", state, _toml(self.lines[state]) if state in self.lines else None)
        for key, value in self.result_destination.items():
            text = _set(text, "result_destination", key, _toml(value))
        return text

    def redactor(self) -> Redactor:
        """A redactor of the token and of everything else that must not be shown or written."""
        redactor = Redactor(
            self.token or "", {**self.lines, **({"_Destination": self.dialled} if self.dialled else {})}
        )
        for label, secret in self.secrets.items():
            if len(secret) >= _SHORTEST_SECRET:
                redactor.add_secret(secret, label)
        return redactor


def draft_from(requests: Iterable[CurlRequest], beside: Path) -> Draft:
    """What curl commands tell about a deployment; `beside` is the folder of the configuration file."""
    every = list(requests)
    triggers = [request for request in every if request.path.rstrip("/").endswith(TRIGGER_PATH)]
    request = next(iter((*triggers, *every)))
    draft = Draft(notes=list(request.notes))
    body = _body(request, draft)
    _secrets(request, body, draft)
    _connection(request, draft, beside)
    for name, key in _IN_BODY.items():
        if (value := _plain(body.get(name))) is not None:
            draft.put(key, value)
    _parameters(body, draft)
    if _plain(body.get("ResultDestination")) is not None:
        draft.notes.append(
            "the ResultDestination of the curl command was not taken over: Ringback receives results itself, "
            "at the address that --public-url names"
        )
    return draft


def _body(request: CurlRequest, draft: Draft) -> dict[str, Any]:
    if request.body is None:
        return {}
    try:
        body = json.loads(request.body, strict=False)
    except ValueError:
        draft.notes.append(
            "the body of the curl command is not JSON, so only its address was read; copy the whole command"
        )
        return {}
    return body if isinstance(body, dict) else {}


def _secrets(request: CurlRequest, body: dict[str, Any], draft: Draft) -> None:
    """Set token and secrets first: `put` must know them."""
    token = body.get("AccessToken")
    in_variable = _VARIABLE.fullmatch(token) if isinstance(token, str) else None
    if in_variable is not None:
        draft.deployment["access_token_env"] = in_variable[1]
    else:
        draft.token = _plain(token)
    headers: dict[str, str] = {}
    exports: dict[str, str] = {}
    for name, content in request.headers:
        lower = name.lower()
        if lower in _OF_HTTP or lower.startswith("sec-") or not re.fullmatch(r"[A-Za-z0-9-]+", name):
            continue
        named = _VARIABLE.fullmatch(content)
        variable = named[1] if named else re.sub(r"\W", "_", name).upper()
        headers[name] = f"env:{variable}"
        exports[variable] = f"the value of the header {name}"
        if named is None and _plain(content) is not None:
            draft.secrets[f"${variable}"] = content
            secret = content.rpartition(" ")[2]
            draft.secrets[f"<{name}>"] = secret
    user = body.get("EndUser")
    for name, personal in user.items() if isinstance(user, dict) else ():
        if isinstance(personal, str) and len(personal) >= _SHORTEST_SECRET:
            draft.secrets[f"<EndUser.{name}>"] = personal
    if headers:
        draft.put("headers", headers)
        draft.exports = exports if "headers" in draft.deployment else {}


def _connection(request: CurlRequest, draft: Draft, beside: Path) -> None:
    url = request.url if "://" in request.url else f"http://{request.url}"
    rest, mark, _ = url.partition("?")
    scheme, _, where = rest.partition("://")
    authority, slash, path = where.partition("/")
    if "@" in authority:
        draft.notes.append("the user name and password in the URL were left out")
        authority = authority.rpartition("@")[2]
    if mark:
        draft.notes.append("the query of the URL was left out")
    path = re.sub(r"/v2(/call(result)?)?/?$", "", slash + path).rstrip("/")
    base_url = f"{scheme.lower()}://{authority}{path}"
    if request.url and not _PLACEHOLDER.search(base_url) and authority and urlsplit(base_url).hostname:
        draft.put("base_url", base_url)
    if request.insecure:
        draft.put("verify", False)
        draft.notes.append(
            "the curl command does not verify the certificate (-k), so verify = false; better name ca_bundle"
        )
    cert, _, password = (request.cert or "").partition(":")
    if password:
        draft.secrets["<the password of the client certificate>"] = password
        draft.notes.append("the client certificate has a password; export its key without one")
    for key, name in (("ca_bundle", request.cacert), ("client_cert", cert), ("client_key", request.key)):
        if name and Path(name).expanduser().is_file():
            file = Path(name).expanduser()
            draft.put(key, name if beside.resolve() == Path.cwd() else str(file.resolve()))
        elif name:
            draft.notes.append(f"deployment.{key} was left out: the file of the curl command is not here")
    if request.proxy:
        scheme, mark, where = request.proxy.rpartition("://")
        draft.put("proxy", f"{scheme or 'http'}://{where.rpartition('@')[2]}")
        if "@" in where:
            draft.notes.append("the user name and password of the proxy were left out")


def _parameters(body: dict[str, Any], draft: Draft) -> None:
    for name, value in _pairs(body.get("ScenarioInputParameters")):
        if name == "_DisplayNumber":
            if _plain(value) is not None:
                draft.put("display_number", value)
        elif name == "_Destination":
            draft.dialled = value if re.fullmatch(r"\+?[0-9]{3,15}", value) else None
        elif _plain(name) is not None:
            draft.variables.append(name)


def _pairs(parameters: object) -> Iterator[tuple[str, str]]:
    for entry in parameters if isinstance(parameters, list) else ():
        if isinstance(entry, dict):
            name, value = entry.get("Name"), entry.get("Value")
            if isinstance(name, str) and isinstance(value, str):
                yield name, value


def _plain(value: object) -> str | None:
    """A text that is no placeholder; None for anything else."""
    return value if isinstance(value, str) and value.isprintable() and not _PLACEHOLDER.search(value) else None


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(name)} = {_toml(member)}" for name, member in value.items()) + " }"
    return str(value).lower() if isinstance(value, bool) else json.dumps(str(value), ensure_ascii=False)


def _set(text: str, section: str, key: str, value: str | None) -> str:
    """Set a key of a section in a template, in the line that has it or below the heading; None makes it a comment."""
    before, heading, rest = re.split(rf"(?m)^((?:# )?\[{section}\].*\n)", text, maxsplit=1)
    block, follows = re.match(r"(?s)(.*?)((?:^(?:# )?\[.*)?)\Z", rest, re.MULTILINE).groups()  # type: ignore[union-attr]  # matches any text
    line = re.search(rf"(?m)^(?:# )?{key} = (?:\"[^\"\n]*\"|[^#\n]*?)(?P<comment> *#.*)?$", block)
    comment = line["comment"] or "" if line else ""
    if value is None:
        new = f"# {key} = {comment.lstrip() or '# missing'}" if line is None else re.sub(r"^(?:# )?", "# ", line[0])
    else:
        heading = heading.removeprefix("# ")
        new = f"{key} = {value}" + (f"  {comment.lstrip()}" if comment else "")
    block = f"{new}\n{block}" if line is None else block[: line.start()] + new + block[line.end() :]
    return before + heading + block + follows
