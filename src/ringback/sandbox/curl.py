"""The two documented requests as shell commands for a running sandbox."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from ringback.sandbox.messages import POLL_PATH, TRIGGER_PATH
from ringback.sandbox.settings import SandboxSettings

_FIND_ID = r"""sed 's/.*"UniqueId" *: *"\([^"]*\)".*/\1/'"""


def curl_lines(settings: SandboxSettings, base_url: str, ca_bundle: Path | None) -> str:
    """Return shell commands that trigger a call and poll its result."""
    ca = f" --cacert {shlex.quote(str(ca_bundle))}" if ca_bundle else ""
    trigger = shlex.quote(json.dumps(example_trigger(settings), indent=2))
    return f"""\
# place a call
UNIQUE_ID=$(curl --silent --show-error --location{ca} {shlex.quote(base_url + TRIGGER_PATH)} \\
--header 'Content-Type: application/json' \\
--header 'Project;' \\
--data-raw {trigger} | {_FIND_ID}); echo "$UNIQUE_ID"

# ask how it went
curl --silent --show-error --location{ca} {shlex.quote(base_url + POLL_PATH)} \\
--header 'Content-Type: application/json' \\
--data '{{
  "UniqueIds": [
    "'"$UNIQUE_ID"'"
  ]
}}'
"""


def example_trigger(settings: SandboxSettings) -> dict[str, object]:
    """Return the documented example of a trigger with its placeholders filled in."""
    number = settings.lines.get("answered") or next(iter(settings.lines.values()), "5550000001")
    return {
        "Project": settings.project,
        "ConversationId": "conversation-1",
        "AccessToken": settings.access_token,
        "ScenarioPath": settings.scenario_path,
        "OrchestratorUrl": settings.orchestrator_url,
        "Tenant": settings.tenant,
        "EndUser": {"Name": "John Doe", "Phone": number, "Email": "johndoe@example.com"},
        "Locale": settings.locale,
        "ScenarioInputParameters": [
            {"Name": "_DisplayNumber", "Value": settings.display_number},
            {"Name": "_Destination", "Value": number},
            {"Name": "variable1", "Value": "value1"},
            {"Name": "variable2", "Value": "value2"},
        ],
        "ResultDestination": "http://127.0.0.1:8099/results",
        "SendResultImmediately": False,
    }
