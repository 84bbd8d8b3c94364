"""Values of options that typer does not check: rates, durations, the address of a master. Each raises `ConfigError`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ringback.config.durations import parse_duration
from ringback.config.errors import ConfigError

if TYPE_CHECKING:
    from ringback.loadgen.run import MasterAddress

__all__ = ["check_closed", "duration", "duration_if_given", "limits", "master_address", "rate"]

_LIMIT = re.compile(r"\s*([a-z0-9_.]+)\s*([<>=].*)")


def rate(text: str) -> float:
    """Arrivals per second."""
    try:
        number = float(text)
    except ValueError:
        raise ConfigError("--rate", None, f"{text} is not a number", "write arrivals per second, or max") from None
    if not 0 < number <= 1_000_000:
        raise ConfigError("--rate", None, f"must be above 0, at most 1,000,000, not {text}", "write a number, or max")
    return number


def check_closed(rate: str | None, users: int | None, think: str | None) -> None:
    """Whether the options of the closed model fit each other."""
    if users is not None and rate is not None:
        raise ConfigError("--users", None, "users wait for answers, so there is no rate", "omit --rate or --users")
    if think is not None and users is None:
        raise ConfigError("--think", None, "needs --users", "add --users N")


def limits(texts: Iterable[str]) -> dict[str, str]:
    """Limits as flags of the configuration: `limits.METRIC` -> operator and bound."""
    found = {}
    for text in texts:
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise ConfigError(
                "--limit", None, f"{text} is not a limit", "write one such as 'trigger.latency_ms.p99 < 300'"
            )
        if f"limits.{match[1]}" in found:
            raise ConfigError("--limit", None, f"{match[1]} has two limits", "give each metric one limit")
        found[f"limits.{match[1]}"] = match[2]
    return found


def master_address(role: str | None, address: str, wait: str | None = None) -> MasterAddress | None:
    """The address of the master, and how long to wait there; None if the run uses this machine only."""
    from ringback.loadgen.run import MASTER_PORT, MasterAddress

    if role is None:
        if address:
            raise ConfigError("--master", None, "needs --role", "add --role master or --role worker")
        if wait is not None:
            raise ConfigError("--wait", None, "needs --role", "add --role master or --role worker")
        return None
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]") or (":" in host.strip("[]") and not host.endswith("]")):
        host, port = address, ""  # no port, or an IPv6 address without one
    if role == "worker" and not host:
        raise ConfigError("--master", None, "missing; a worker needs its master's address", "add --master HOST[:PORT]")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ConfigError("--master", None, f"{port} is not a port", "write a number from 1 to 65535")
    number = int(port) if port else MASTER_PORT
    found = MasterAddress(host.strip("[]") or "*", number)
    return found if wait is None else replace(found, patience=duration(wait))


def duration(text: str) -> float:
    """Seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError.of("command line", None, f"{text}: {error}") from None


def duration_if_given(text: str | None) -> float | None:
    """Seconds; None for an option that was not given."""
    return None if text is None else duration(text)
