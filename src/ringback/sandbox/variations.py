"""All registered faults and dialects, and how they are combined with the conforming behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ringback.sandbox import dialects, faults  # noqa: F401 - importing them registers them
from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import SandboxVariation, dialect, fault, table
from ringback.sandbox.settings import SandboxError, SandboxSettings

__all__ = ["DIALECTS", "FAULTS", "SandboxVariation", "compose", "table"]

_SECTIONS = ("TRN", "REQ", "ACK", "RES", "STA", "DST", "ROB")


def _place(variation: SandboxVariation) -> tuple[int, str]:
    clause = variation.clauses[0]
    return _SECTIONS.index(clause[:3]), clause


FAULTS: Final[Mapping[str, SandboxVariation]] = MappingProxyType(
    {variation.name: variation for variation in sorted(fault.variations.values(), key=_place)}
)
"""Faults by name, in the contract's order."""
DIALECTS: Final[Mapping[str, SandboxVariation]] = dialect.variations


def compose(settings: SandboxSettings) -> type[SandboxBehaviour]:
    """Return the behaviour with all faults and dialects of the settings; raises SandboxError."""
    layers = [fault.get(name).behaviour for name in settings.faults]
    layers += [dialect.get(name).behaviour for name in settings.dialects]
    if not layers:
        return SandboxBehaviour
    try:
        return type("ComposedBehaviour", (*dict.fromkeys(layers), SandboxBehaviour), {})
    except TypeError:  # one is a subclass of the other and is named after it
        names = ", ".join((*settings.faults, *settings.dialects))
        raise SandboxError(f"{names} exclude each other: name one of them") from None
