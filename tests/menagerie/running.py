"""Commands against a misbehaving server, and what each of them must leave behind whatever the server does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import xmlschema

import ringback as package
from ringback.rundir.exchanges import read_exchanges
from tests.cli.commands import Case, Ended
from tests.redaction.detector import find_secrets

from .framework import LINES, TOKEN, Stage

__all__ = [
    "MAX_TIME",
    "PATIENCE",
    "case",
    "configuration",
    "must_be_sound",
    "run_must_be_sound",
    "verdict_of",
]

MAX_TIME = 12.0
"""Seconds given to `--max-time`."""
PATIENCE = 60.0
"""Seconds given to it with a server that must not be accused."""
_MEGABYTES = 400
_TIMER_LATE = 30.0
"""Seconds by which a machine with many times more processes than processors may wake the timer late."""
_PROCESSOR_SECONDS = 20.0
"""Processor time of a command: wall time would measure the machine."""
_IMPATIENT = 'request = "2s"\nsettle = "1s"\ndelivery = "500ms"\nqueued_delivery = "1s"'
_PATIENT = 'request = "30s"\nsettle = "30s"\ndelivery = "30s"\nqueued_delivery = "30s"'
"""Times that a busy machine cannot exceed, for the servers that must not be accused."""
SOURCE = Path(package.__file__).parent
_JUNIT = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "reporting" / "schemas" / "junit-10.xsd"))
_SCHEMA = json.loads((SOURCE / "reporting" / "formats" / "verdict.schema.json").read_text())


def configuration(stage: Stage, ca_bundle: str = "") -> str:
    """A configuration file with short times."""
    receiver = '\n[result_destination]\nlisten = "127.0.0.1:0"\n' if stage.server.receives else ""
    trusted = f'ca_bundle = "{ca_bundle}"\n' if ca_bundle else ""
    lines = "\n".join(f'{name} = "{number}"' for name, number in LINES.items())
    timing = _PATIENT if stage.server.conforms else _IMPATIENT
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
{timing}
poll_interval = "100ms"

[load]
budget_calls = 300
poll_interval = "200ms"

[gate]
scenario = "lifecycle"
rate = 20
duration = "1s"
{receiver}"""


def verdict_of(run: Path) -> dict[str, Any]:
    """The verdict that a run left, valid by its schema."""
    document = json.loads((run / "verdict.json").read_text())
    jsonschema.validate(document, _SCHEMA)
    return dict(document)


def case(stage: Stage, *arguments: str, ca_bundle: str = "", **files: str) -> Case:
    """A command against a server."""
    configured = {"ringback.toml": configuration(stage, ca_bundle), **files}
    return Case(arguments, configured, {"RINGBACK_ACCESS_TOKEN": TOKEN})


def must_be_sound(end: Ended, *, codes: set[int]) -> None:
    """Assert what holds of every command, whatever the deployment did: its end, its files, and no secret anywhere."""
    printed = end.out + end.err
    assert "Traceback" not in printed
    assert "internal error" not in printed
    assert end.code in codes, printed[-2000:]
    assert end.peak < _MEGABYTES
    assert end.seconds < _PROCESSOR_SECONDS
    assert not any(ord(c) < 32 and c not in "\n\r\t" for c in printed)
    for path in end.folder.rglob("*"):
        if path.is_file() and path.name != "ringback.toml":
            content = path.read_bytes()
            leaks = find_secrets(content, TOKEN, list(LINES.values()), ())
            assert not leaks, (path.name, [(leak.how, leak.excerpt) for leak in leaks[:3]])
            assert b"internal error" not in content, path.name
    assert not find_secrets(printed.encode(), TOKEN, list(LINES.values()), ())


def run_must_be_sound(run: Path, max_time: float = MAX_TIME) -> None:
    """Assert that the reports of a run are valid, and that it sent nothing after its time."""
    verdict_of(run)
    last = max((sent.at for sent in read_exchanges(run) if sent.at is not None), default=0.0)
    assert last <= 1.2 * max_time + _TIMER_LATE, "a request was sent after the run's time limit"
    _JUNIT.validate(str(run / "junit.xml"))
