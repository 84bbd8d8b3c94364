"""Commands against a misbehaving server, and what each of them must leave behind whatever the server does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

import ringback as ringback_package
from tests.cli.commands import Ended, ringback

from .framework import LINES, TOKEN, Stage

__all__ = ["MAX_TIME", "against", "configuration", "verdict_of"]

MAX_TIME = 20.0
"""Seconds given to `--max-time`."""
_MEGABYTES = 400
SOURCE = Path(ringback_package.__file__).parent
_SCHEMA = json.loads((SOURCE / "reporting" / "formats" / "verdict.schema.json").read_text())


def configuration(stage: Stage, ca_bundle: str = "") -> str:
    """A configuration file with short times."""
    receiver = '\n[result_destination]\nlisten = "127.0.0.1:0"\n' if stage.server.receives else ""
    trusted = f'ca_bundle = "{ca_bundle}"\n' if ca_bundle else ""
    lines = "\n".join(f'{name} = "{number}"' for name, number in LINES.items())
    return f"""\
[deployment]
base_url = "{stage.base_url}"
project = "Collections"
scenario_path = "/ivr/collections"
orchestrator_url = "https://orchestrator.example.com"
display_number = "200"
{trusted}
[lines]
{lines}

[budget]
calls = 300
triggers_per_second = 500

[timing]
request = "500ms"
settle = "2s"
poll_interval = "100ms"
delivery = "500ms"
queued_delivery = "1s"

[load]
budget_calls = 300
poll_interval = "200ms"

[gate]
scenario = "lifecycle"
rate = 20
duration = "1s"
{receiver}"""


def against(stage: Stage, folder: Path, *arguments: str, ca_bundle: str = "", seconds: float = 90) -> Ended:
    """Run a command against a server."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ringback.toml").write_text(configuration(stage, ca_bundle))
    return ringback(*arguments, folder=folder, seconds=seconds, RINGBACK_ACCESS_TOKEN=TOKEN)


def verdict_of(run: Path) -> dict[str, Any]:
    """The verdict that a run left, valid by its schema."""
    document = json.loads((run / "verdict.json").read_text())
    jsonschema.validate(document, _SCHEMA)
    return dict(document)
