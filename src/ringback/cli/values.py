"""Values of options that typer does not check: rates, durations, the address of a master. Each raises `ConfigError`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.config.durations import parse_duration
from ringback.config.errors import ConfigError

if TYPE_CHECKING:
    from ringback.loadgen.run import MasterAddress

__all__ = ["duration", "duration_if_given", "master_address", "rate"]


def rate(text: str) -> float:
    """Arrivals per second."""
    try:
        number = float(text)
    except ValueError:
        raise ConfigError("--rate", None, f"{text} is not a number", "write arrivals per second, or max") from None
    if not 0 < number <= 1_000_000:
        raise ConfigError("--rate", None, f"must be above 0, at most 1,000,000, not {text}", "write a number, or max")
    return number


def master_address(role: str | None, address: str) -> MasterAddress | None:
    """The address of the master; None if the run uses this machine only."""
    from ringback.loadgen.run import MASTER_PORT, MasterAddress

    if role is None:
        if address:
            raise ConfigError("--master", None, "needs --role", "add --role master or --role worker")
        return None
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]") or (":" in host.strip("[]") and not host.endswith("]")):
        host, port = address, ""  # no port, or an IPv6 address without one
    if role == "worker" and not host:
        raise ConfigError("--master", None, "missing; a worker needs its master's address", "add --master HOST[:PORT]")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ConfigError("--master", None, f"{port} is not a port", "write a number from 1 to 65535")
    number = int(port) if port else MASTER_PORT
    return MasterAddress(host.strip("[]") or "*", number)


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
