"""An embedded deployment of the API: conforming unless configured with dialects or faults.

    with launch(SandboxSettings(port=0, ring_seconds=0.3)) as sandbox:
        httpx.post(f"{sandbox.base_url}/v2/call", ...)

This package does not import the rest of Ringback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from ringback.sandbox.curl import curl_lines
from ringback.sandbox.launch import launch, serve_forever
from ringback.sandbox.settings import RunningSandbox, SandboxError, SandboxSettings

if TYPE_CHECKING:
    from ringback.sandbox.catalogue import SandboxVariation

    DIALECTS: Mapping[str, SandboxVariation]
    FAULTS: Mapping[str, SandboxVariation]

__all__ = [
    "DIALECTS",
    "FAULTS",
    "RunningSandbox",
    "SandboxError",
    "SandboxSettings",
    "SandboxVariation",
    "curl_lines",
    "launch",
    "list_text",
    "serve_forever",
]


def list_text(kind: Literal["faults", "dialects"]) -> str:
    """Return the faults or the dialects as a table: name, clauses, description."""
    from ringback.sandbox.variations import DIALECTS, FAULTS, table

    return table(FAULTS if kind == "faults" else DIALECTS)


def __getattr__(name: str) -> object:
    # Importing the registers imports the server too. A process that only launches a sandbox does not need it.
    if name in ("FAULTS", "DIALECTS", "SandboxVariation"):
        from ringback.sandbox import variations

        return getattr(variations, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
