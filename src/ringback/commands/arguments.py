"""Values of command-line options: durations, rates, addresses. Each raises `ConfigError` for what it can't read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.config import ConfigError
from ringback.config.scalars import parse_duration

if TYPE_CHECKING:
    from ringback.loadgen.run import MasterAddress

__all__ = ["arrivals_per_second", "duration", "duration_if_given", "master_address"]


def duration(text: str) -> float:
    """Seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        problem, _, fix = str(error).partition("; ")
        raise ConfigError("command line", None, f"{text}: {problem}", fix) from None


def duration_if_given(text: str | None) -> float | None:
    """Seconds; None for an option that was not given."""
    return None if text is None else duration(text)


def arrivals_per_second(text: str) -> float:
    """A rate of the open model."""
    try:
        rate = float(text)
    except ValueError:
        raise ConfigError("--rate", None, f"{text} is not a number", "write arrivals per second, or max") from None
    if not 0 < rate <= 1_000_000:
        raise ConfigError("--rate", None, f"must be above 0, at most 1,000,000, not {text}", "write a number, or max")
    return rate


def master_address(role: str | None, address: str) -> MasterAddress | None:
    """The address of the master; None if the run uses this machine only."""
    from ringback.loadgen.run import MASTER_PORT, MasterAddress

    if role is None:
        if address:
            raise ConfigError("--master", None, "needs --role", "add --role master or --role worker")
        return None
    host, _, port = address.rpartition(":") if address.rpartition(":")[2].isdigit() else (address, "", "")
    if role == "worker" and not host:
        raise ConfigError("--master", None, "missing; a worker needs its master's address", "add --master HOST[:PORT]")
    number = int(port) if port else MASTER_PORT
    if not 0 < number < 65_536:
        raise ConfigError("--master", None, f"{port} is not a port", "write a number from 1 to 65535")
    return MasterAddress(host.strip("[]") or "*", number)
