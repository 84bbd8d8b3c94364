"""Runs plain `schemathesis run openapi.yaml` against a deployment, with the description filled in as a user would.

`openapi.yaml` itself has no valid credentials: nearly every trigger would be refused. Filled in for all deployments are

* project, access token and number to dial as enumerations, the other parameters with the configured value or, where the
  deployment accepts any, another; all examples likewise;
* the caller id and the number to dial as the first two scenario inputs, variables after them;
* a ResultDestination that accepts every delivery.

Where the contract leaves a choice, the description is widened so that no natural deployment is accused: EndUser.Email
(any text), the UniqueId of a result (an empty id may be repeated), and refusals (any 4xx, any body or none). `TUNING`
has what only some stacks need. Phases, checks and numbers of examples are otherwise the defaults.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ringback.resources import openapi_path
from tests.deployments.running import Account, Deployed

__all__ = ["Driven", "drive", "filled_in", "sink"]

LONGEST_SECONDS = 600.0
"""A longer run is ended and judged by its output so far; its calls are unknown then, and counted as 0."""
REQUEST_SECONDS = 5.0
_FAILED = "\N{CROSS MARK}"
"""The mark of a phase with a failure."""

_ANY_TEXT = frozenset({"ScenarioPath", "OrchestratorUrl", "Locale", "_DisplayNumber"})
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
_REFUSALS = '[checks.negative_data_rejection]\nexpected-statuses = ["4xx", "5xx"]\n'
"""A refusal may have any 4xx status; another check covers 5xx."""
_NOT_IMPLEMENTED = '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", "501"]\n'


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a user of one stack would change after false alarms for its natural deployment."""

    open: frozenset[str] = _ANY_TEXT
    """Parameters that may have any value."""
    nulls: bool = True
    """It accepts null for optional parameters."""
    blanks: bool = True
    """It accepts white space for a required text."""
    empty_list: bool = True
    """It answers a poll with an empty list."""
    largest_batch: int | None = None
    """The largest number of ids in a poll."""
    empty_display_number: bool = False
    """It accepts an empty caller id."""
    exclude: tuple[str, ...] = ()
    """Checks that require what the contract does not."""
    not_implemented: bool = False
    """It answers unknown methods with 501, as the contract allows."""


TUNING = {
    "sandbox": Tuning(open=_ANY_TEXT | {"Tenant", "_Destination"}),
    "threads": Tuning(
        open=_ANY_TEXT | {"ResultDestination"}, largest_batch=25, exclude=("unsupported_method",), not_implemented=True
    ),
    "node": Tuning(empty_list=False),
    "wsgi": Tuning(open=_ANY_TEXT | {"Tenant", "ResultDestination"}, blanks=False, empty_display_number=True),
    "go": Tuning(open=_ANY_TEXT | {"Tenant"}),
    "php": Tuning(open=_ANY_TEXT | {"Tenant"}),
    "ruby": Tuning(open=_ANY_TEXT | {"Tenant"}),
    "java": Tuning(open=_ANY_TEXT | {"Tenant"}),
}
"""The contract leaves each of these open, but a schema must choose."""


@dataclass(frozen=True, slots=True)
class Driven:
    """The result of one run."""

    code: int
    calls: int
    """Triggers that were answered with a UniqueId."""
    seconds: float
    printed: str
    findings: tuple[str, ...] = ()
    """The titles of its failures."""


def drive(deployment: Deployed, folder: Path, seed: int, destination: str) -> Driven:
    """Run schemathesis against a deployment; its files stay in `folder`. `destination` receives results."""
    tuning = TUNING[deployment.variant.stack]
    description, settings, har = folder / "openapi.yaml", folder / "schemathesis.toml", folder / "exchanges.har"
    described = filled_in(deployment.account, destination, tuning)
    description.write_text(yaml.safe_dump(described, sort_keys=False, allow_unicode=True), encoding="utf-8")
    settings.write_text(_REFUSALS + (_NOT_IMPLEMENTED if tuning.not_implemented else ""), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", settings.name]
    command += ["run", description.name, "--url", deployment.base_url, "--seed", str(seed), "--no-color"]
    command += ["--request-timeout", f"{REQUEST_SECONDS:g}", "--generation-database", "none"]
    command += ["--report", "har", "--report-har-path", har.name, "--output-sanitize", "false"]
    if deployment.ca_bundle is not None:
        command += ["--tls-verify", str(deployment.ca_bundle)]
    if tuning.exclude:
        command += ["--exclude-checks", ",".join(tuning.exclude)]
    began = time.monotonic()
    code = _run(command, folder)
    seconds = time.monotonic() - began
    printed = (folder / "printed.txt").read_text(encoding="utf-8", errors="replace")
    if code is None:
        code = 1 if _FAILED in printed else 0
    return Driven(code, _accepted(har), seconds, printed, _failures(printed))


def _run(command: list[str], folder: Path) -> int | None:
    """The exit code, or None if it was ended; its output goes to a file."""
    with (folder / "printed.txt").open("wb") as stream:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=LONGEST_SECONDS,
                check=False,
                env={k: v for k, v in os.environ.items() if not k.startswith("SCHEMATHESIS")},
            )
        except subprocess.TimeoutExpired:
            return None
    return done.returncode


def _failures(printed: str) -> tuple[str, ...]:
    """The distinct titles in its output, such as `- Server error`."""
    titles = [line[2:].strip() for line in printed.splitlines() if line.startswith("- ")]
    return tuple(dict.fromkeys(titles))


def _accepted(har: Path) -> int:
    """Count the triggers that were answered with a UniqueId."""
    if not har.is_file():
        return 0
    entries = json.loads(har.read_text(encoding="utf-8"))["log"]["entries"]
    return sum(1 for entry in entries if _is_accepted(entry))


def _is_accepted(entry: dict[str, Any]) -> bool:
    if not entry["request"]["url"].split("?")[0].endswith("/v2/call"):
        return False
    try:
        body = json.loads(entry["response"]["content"].get("text") or "null")
    except ValueError:
        return False
    return isinstance(body, dict) and bool(body.get("UniqueId"))


# The description


def filled_in(account: Account, destination: str, tuning: Tuning) -> dict[str, Any]:
    """`openapi.yaml` filled in for one deployment."""
    description: dict[str, Any] = yaml.safe_load(_with_examples(account, destination))
    schemas = description["components"]["schemas"]
    trigger = schemas["TriggerRequest"]["properties"]
    required = schemas["TriggerRequest"]["required"]
    lines = list(account.lines.values())
    for name, value in _fixed(account, destination).items():
        trigger[name] = _known([value], tuning if name in tuning.open else None, required=name in required)
    if not tuning.blanks:
        trigger["ConversationId"]["pattern"] = _NOT_BLANK
    shown, dialled = (tuning if name in tuning.open else None for name in ("_DisplayNumber", "_Destination"))
    schemas["ScenarioInputParameters"] = {
        "type": "array",
        "minItems": 2,
        "prefixItems": [
            _input("_DisplayNumber", _known([account.display_number], shown, required=not tuning.empty_display_number)),
            _input("_Destination", _known(lines, dialled, required=True)),
        ],
        "items": {"$ref": "#/components/schemas/ScenarioInputParameter"},
    }
    schemas["EndUser"]["properties"]["Email"].pop("format")
    schemas["CallResult"]["properties"]["UniqueId"] = {"type": "string"}
    ids = schemas["PollRequest"]["properties"]["UniqueIds"]
    if not tuning.empty_list:
        ids["minItems"] = 1
    if tuning.largest_batch is not None:
        ids["maxItems"] = tuning.largest_batch
    for refusal in description["components"]["responses"].values():
        del refusal["content"]
    if tuning.nulls:
        _allow_nulls(schemas)
    return description


def _with_examples(account: Account, destination: str) -> str:
    """The text of `openapi.yaml` with the values of its examples replaced."""
    text = openapi_path().read_text(encoding="utf-8")
    lines = list(account.lines.values())
    for example, value in {
        "5550000001": lines[0],
        "5550000002": lines[1],
        "Project: Collections": f"Project: {account.project}",
        "Tenant: Default": f"Tenant: {account.tenant}",
        "token-of-the-project": account.access_token,
        "/ivr/collections": account.scenario_path,
        "https://orchestrator.example.com": account.orchestrator_url,
        "http://tester.example.com:8099/results": destination,
    }.items():
        text = text.replace(example, value)
    return text


def _fixed(account: Account, destination: str) -> dict[str, str]:
    return {
        "Project": account.project,
        "Tenant": account.tenant,
        "AccessToken": account.access_token,
        "ScenarioPath": account.scenario_path,
        "OrchestratorUrl": account.orchestrator_url,
        "Locale": account.locale,
        "ResultDestination": destination,
    }


def _known(values: list[str], others: Tuning | None, *, required: bool) -> dict[str, Any]:
    """A schema for one of the values, or for any other value where `others` allows it."""
    known: dict[str, Any] = {"type": "string", "enum": values}
    if others is None:
        return known
    text = {"type": "string"} | ({"minLength": 1} if required else {})
    return {"anyOf": [known, text if others.blanks or not required else text | {"pattern": _NOT_BLANK}]}


def _input(name: str, value: dict[str, Any]) -> dict[str, Any]:
    properties = {"Name": {"type": "string", "enum": [name]}, "Value": value}
    return {"type": "object", "required": ["Name", "Value"], "properties": properties}


def _allow_nulls(schemas: dict[str, Any]) -> None:
    trigger, person = schemas["TriggerRequest"]["properties"], schemas["EndUser"]["properties"]
    for table, names in (
        (trigger, ("EndUser", "Locale", "ResultDestination", "SendResultImmediately")),
        (person, ("Name", "Phone", "Email")),
    ):
        for name in names:
            table[name] = {"anyOf": [deepcopy(table[name]), {"type": "null"}]}


# The receiver


class _Sink(http.server.BaseHTTPRequestHandler):
    """Accepts every request."""

    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = _take  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """A receiver of results on this machine, for the length of a `with` block; its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/results"
    finally:
        server.shutdown()
        server.server_close()
