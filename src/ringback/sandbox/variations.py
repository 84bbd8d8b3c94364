"""All faults and dialects, registered, and how they are put on top of the faithful behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ringback.sandbox.behaviour import Behaviour
from ringback.sandbox.catalogue import Variation, table
from ringback.sandbox.dialects import dialect
from ringback.sandbox.faults import fault
from ringback.sandbox.settings import SandboxError, SandboxSettings

__all__ = ["DIALECTS", "FAULTS", "Variation", "compose", "dialect", "fault", "table"]

FAULTS: Final[Mapping[str, Variation]] = fault.variations
DIALECTS: Final[Mapping[str, Variation]] = dialect.variations


def compose(settings: SandboxSettings) -> type[Behaviour]:
    """Return the behaviour that has all faults and dialects of the settings; raises SandboxError."""
    layers = [fault.get(name).behaviour for name in settings.faults]
    layers += [dialect.get(name).behaviour for name in settings.dialects]
    if not layers:
        return Behaviour
    try:
        return type("ComposedBehaviour", (*dict.fromkeys(layers), Behaviour), {})
    except TypeError:  # one builds on the other, and they came in the wrong order
        names = ", ".join((*settings.faults, *settings.dialects))
        raise SandboxError(f"{names} exclude each other: name one of them") from None
