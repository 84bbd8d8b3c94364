"""Starts one deployment of the catalogue as a process, and writes the `ringback.toml` to check it with."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ringback.sandbox import SandboxSettings, launch

from .catalogue import DeploymentVariant, program

__all__ = ["RING_SECONDS", "TOKEN_VARIABLE", "Account", "Deployed", "deployed", "settings_of"]

RING_SECONDS = 0.3
DELIVERY_SECONDS = 0.1
QUEUED_DELIVERY_SECONDS = 0.5
TOKEN_VARIABLE = "RINGBACK_ACCESS_TOKEN"

START_SECONDS = 60.0
STOP_SECONDS = 5.0
_READY = "listening on "

_STATES = {
    "answered": "Answered",
    "busy": "Busy",
    "error": "Error",
    "invalid_number": "Invalid Number",
    "no_answer": "No Answer",
    "rejected": "Rejected",
    "temporarily_unavailable": "Temporarily Unavailable",
}
_JUST_IN_TIME = {"settle": "8s", "delivery": "4s", "queued_delivery": "30s", "request": "10s"}
_TIMING = {
    "fault": {"settle": "8s", "delivery": "4s", "queued_delivery": "5s", "request": "4s"},
    "conforming": {"settle": "90s", "delivery": "20s", "queued_delivery": "30s", "request": "10s"},
    "sent-just-in-time": _JUST_IN_TIME,
    "final-just-in-time": _JUST_IN_TIME,
}
"""By the variant's name or kind. Short for faults, because Ringback waits in full for what a fault prevents."""
_TRIGGERS_PER_SECOND = {"sandbox": 200}
"""Limits of stacks; all others have 40 triggers a second."""


@dataclass(frozen=True, slots=True)
class Account:
    """The credentials and lines of a client."""

    project: str = "Collections"
    tenant: str = "Default"
    access_token: str = field(default="kV7q-Trm2XbN-9dLw4Zs", repr=False)
    scenario_path: str = "/ivr/collections"
    orchestrator_url: str = "https://orchestrator.example.com"
    display_number: str = "200"
    locale: str = "en-US"
    lines: dict[str, str] = field(
        default_factory=lambda: {line: f"555010000{digit}" for digit, line in enumerate(_STATES, start=1)}
    )


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment that answers requests, and its files."""

    variant: DeploymentVariant
    base_url: str
    ca_bundle: Path | None
    account: Account
    config: Path
    """A `ringback.toml`; the token is in the variable `TOKEN_VARIABLE`."""
    errors: Path
    """The standard error of the process."""

    def unknown_numbers(self) -> list[str]:
        """What an independent deployment logged about dialled numbers that are not lines."""
        return [line for line in self.errors.read_text(errors="replace").splitlines() if "STRANGER DIALLED" in line]


@contextlib.contextmanager
def deployed(variant: DeploymentVariant, folder: Path) -> Iterator[Deployed]:
    """Run one deployment for the length of a `with` block. Creates `folder` for its files.

    Raises RuntimeError (the sandbox: SandboxError) when it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    account, errors = Account(), folder / "deployment.err"
    errors.touch()
    start = _sandbox if variant.stack == "sandbox" else _independent
    with start(variant, account, folder, errors) as (base_url, ca_bundle):
        config = folder / "ringback.toml"
        config.write_text(_configuration(variant, account, base_url, ca_bundle), encoding="utf-8")
        yield Deployed(variant, base_url, ca_bundle, account, config, errors)


@contextlib.contextmanager
def _sandbox(
    variant: DeploymentVariant, account: Account, folder: Path, errors: Path
) -> Iterator[tuple[str, Path | None]]:
    names = () if variant.name is None else (variant.name,)
    settings = SandboxSettings(
        port=0,
        project=account.project,
        tenant=account.tenant,
        access_token=account.access_token,
        scenario_path=account.scenario_path,
        orchestrator_url=account.orchestrator_url,
        display_number=account.display_number,
        locale=account.locale,
        lines=account.lines,
        ring_seconds=RING_SECONDS,
        queued_delivery_seconds=QUEUED_DELIVERY_SECONDS,
        settle_limit_seconds=8.0,
        delivery_limit_seconds=4.0,
        faults=names if variant.kind == "fault" else (),
        dialects=names if variant.kind == "conforming" else (),
    )
    with launch(settings) as sandbox:
        yield sandbox.base_url, sandbox.ca_bundle


@contextlib.contextmanager
def _independent(
    variant: DeploymentVariant, account: Account, folder: Path, errors: Path
) -> Iterator[tuple[str, None]]:
    settings = folder / "settings.json"
    settings.write_text(json.dumps(settings_of(account)), encoding="utf-8")
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            [*program(variant), "--settings", str(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            process_group=0,
        )
    try:
        assert process.stdout is not None
        yield _address(process.stdout, variant, errors), None
    finally:
        _stop(process)


def settings_of(account: Account) -> dict[str, object]:
    """The content of an independent program's settings file."""
    return {
        "project": account.project,
        "tenant": account.tenant,
        "access_token": account.access_token,
        "lines": {number: _STATES[line] for line, number in account.lines.items()},
        "ring_seconds": RING_SECONDS,
        "delivery_seconds": DELIVERY_SECONDS,
        "queued_delivery_seconds": QUEUED_DELIVERY_SECONDS,
    }


def _address(stream: IO[str], variant: DeploymentVariant, errors: Path) -> str:
    """The base URL that a program prints when it is ready."""
    first: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(stream, first), daemon=True).start()
    try:
        line = first.get(timeout=START_SECONDS)
    except queue.Empty:
        raise RuntimeError(f"{variant.label} did not start within {START_SECONDS:g} s") from None
    if not line.startswith(_READY):
        raise RuntimeError(f"{variant.label} did not start: {line!r} {errors.read_text(errors='replace')}")
    return line.removeprefix(_READY).strip()


def _read(stream: IO[str], first: queue.Queue[str]) -> None:
    """Pass on the first line, then read the rest: a full pipe would block the program."""
    with contextlib.suppress(ValueError):  # the stream is closed when the program has ended
        first.put(stream.readline())
        while stream.read(65536):
            pass


def _stop(process: subprocess.Popen[str]) -> None:
    """End a program and the processes that it has started."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def _configuration(variant: DeploymentVariant, account: Account, base_url: str, ca_bundle: Path | None) -> str:
    rate = _TRIGGERS_PER_SECOND.get(variant.stack, 40)
    sections: dict[str, dict[str, object]] = {
        "deployment": {
            "base_url": base_url,
            "access_token_env": TOKEN_VARIABLE,
            "project": account.project,
            "tenant": account.tenant,
            "scenario_path": account.scenario_path,
            "orchestrator_url": account.orchestrator_url,
            "display_number": account.display_number,
            "locale": account.locale,
            **({"ca_bundle": str(ca_bundle)} if ca_bundle else {}),
        },
        "lines": dict(account.lines),
        "budget": {"calls": 60, "triggers_per_second": rate},
        "timing": {"poll_interval": "100ms", **(_TIMING.get(variant.name or "") or _TIMING[variant.kind])},
        "result_destination": {"listen": "127.0.0.1:0"},
    }
    text = (
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for section, table in sections.items()
    )
    return "\n".join(text)
