"""What sections have in common: `Section`, and types of values (durations, numbers, URLs, addresses)."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from ringback.config.durations import parse_duration, written_duration

__all__ = [
    "BaseUrl",
    "Count",
    "HttpUrl",
    "ListenAddress",
    "MetricsReceiver",
    "PhoneNumber",
    "Seconds",
    "Section",
    "not_a_boolean",
    "phone_number",
    "port_remark",
]

_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_DOCUMENTED_PORT = 22222
_EMERGENCY = frozenset({"000", "110", "112", "113", "118", "119", "911", "988", "999"})


def not_a_boolean(value: object) -> object:
    """The value; ValueError for true and false, which Python takes for numbers."""
    if isinstance(value, bool):
        raise ValueError("not a number; write digits")
    return value


def phone_number(value: object) -> str:
    """The telephone number; ValueError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f'a telephone number is text; put it in quotes: "{value}"')
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise ValueError("not a telephone number; write 3 to 15 digits, with + in front if the deployment wants it")
    if value.lstrip("+") in _EMERGENCY:
        raise ValueError("an emergency number in some country; use your own test line")
    return value


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('not a URL; write it as text, such as "https://ivr.example.com:22222"')
    if any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("a URL has no blanks; remove them")
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError('not a URL; write it like "https://ivr.example.com:22222"') from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError('not an http or https URL; write it like "https://ivr.example.com:22222"')
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user name or password; remove them")
    return value


def _metrics_receiver(value: object) -> str:
    if value == "env":
        return "env"
    url = _url(value)
    if urlsplit(url).query or urlsplit(url).fragment:
        raise ValueError("has a query or fragment; credentials belong into OTEL_EXPORTER_OTLP_HEADERS")
    return url


def _base_url(value: object) -> str:
    url = _url(value)
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ValueError("has a query or fragment; end the URL before ? or #")
    if parts.path.rstrip("/").endswith(("/v2/call", "/v2/callresult", "/v2")):
        raise ValueError("includes /v2; end the URL before it, because Ringback adds /v2/call and /v2/callresult")
    return url.rstrip("/")


def port_remark(base_url: str) -> str:
    """A remark if the URL names no port; empty otherwise."""
    parts = urlsplit(base_url)
    if parts.port is not None:
        return ""
    used = 443 if parts.scheme == "https" else 80
    return f"no port, so {used} is used; the documented one is {_DOCUMENTED_PORT}"


def _listen(value: object) -> tuple[str, int]:
    if isinstance(value, str):
        host, colon, port = value.rpartition(":")
        if colon and host and port.isascii() and port.isdigit() and int(port) <= 65535:
            return host.strip("[]"), int(port)
    raise ValueError('not an address to listen on; write host:port, such as "0.0.0.0:8099"')


def _written_address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


Count = Annotated[int, BeforeValidator(not_a_boolean)]
Seconds = Annotated[float, BeforeValidator(parse_duration), PlainSerializer(written_duration, when_used="json")]
"""A duration in seconds; a configuration writes it with its unit."""
PhoneNumber = Annotated[str, BeforeValidator(phone_number)]
"""A telephone number: 3 to 15 digits, optionally after a plus sign."""
HttpUrl = Annotated[str, BeforeValidator(_url)]
"""An http or https URL without credentials."""
MetricsReceiver = Annotated[str, BeforeValidator(_metrics_receiver)]
"""The URL of an OTLP receiver, or `env` for the one that the variables of OpenTelemetry name."""
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
"""The URL to which `/v2/call` is appended, without a slash at its end."""
ListenAddress = Annotated[
    tuple[str, int], BeforeValidator(_listen), PlainSerializer(_written_address, when_used="json")
]
"""Host and port to listen on; a configuration writes `host:port`."""


class Section(BaseModel):
    """A section: frozen, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )
