"""The registers of faults and dialects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.settings import did_you_mean


@dataclass(frozen=True, slots=True)
class SandboxVariation:
    """A fault or a dialect: the clauses that it breaks or concerns, and a description in one line."""

    name: str
    clauses: tuple[str, ...]
    description: str
    behaviour: type[SandboxBehaviour]


class Register:
    """Faults or dialects by name. Decorate a subclass of `SandboxBehaviour` to register it."""

    def __init__(self, kind: Literal["fault", "dialect"]) -> None:
        self.kind = kind
        self._variations: dict[str, SandboxVariation] = {}
        self.variations: Mapping[str, SandboxVariation] = MappingProxyType(self._variations)

    def __call__(
        self, name: str, *clauses: str, description: str = ""
    ) -> Callable[[type[SandboxBehaviour]], type[SandboxBehaviour]]:
        """Register the decorated class; its description is by default the first line of its docstring."""
        if name in self._variations:
            raise ValueError(f"two {self.kind}s are named {name}")

        def add(behaviour: type[SandboxBehaviour]) -> type[SandboxBehaviour]:
            text = description or (behaviour.__doc__ or "").strip().partition("\n")[0]
            self._variations[name] = SandboxVariation(name, clauses, text, behaviour)
            return behaviour

        return add

    def get(self, name: str) -> SandboxVariation:
        """Return the variation of that name; raises SandboxError with the nearest name."""
        try:
            return self._variations[name]
        except KeyError:
            raise did_you_mean(
                self.kind, name, self._variations, f"ringback sandbox --list-{self.kind}s lists them"
            ) from None


fault = Register("fault")
dialect = Register("dialect")


def table(variations: Mapping[str, SandboxVariation]) -> str:
    """Return variations as text: name, clauses and description, aligned."""
    rows = [(item.name, " ".join(item.clauses), item.description) for item in variations.values()]
    names = max(len(row[0]) for row in rows)
    clauses = max(len(row[1]) for row in rows)
    lines = (f"{name:{names}}  {touched:{clauses}}  {text}" for name, touched, text in rows)
    return "\n".join(line.rstrip() for line in lines)
