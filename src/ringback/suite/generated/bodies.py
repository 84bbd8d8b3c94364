"""The bodies of generated requests: variations of the valid trigger, and invalid bodies that are safe to send.

Generated data never chooses a number, a token or a URL: these are configured values, and made-up text has no digits.
The dial guard checks this again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from ringback.contract.description import load_description
from ringback.contract.endpoints import TRIGGER_PATH
from ringback.suite.generated.runs import Stage, falsify
from ringback.suite.probes.drafts import OPTIONAL, Draft, NotTried
from ringback.suite.probes.samples import AWKWARD_VALUES, NAMES_IN_MANY_SCRIPTS

__all__ = ["ASPECTS", "TriggerVariation", "drawn_variations", "made_safe", "strict_description", "variations"]

_PERSON = ("Name", "Phone", "Email")
_PLAIN = "text"


@dataclass(frozen=True, slots=True)
class TriggerVariation:
    """How a valid trigger differs from the plain one; the contract allows each aspect."""

    name: str | None = None
    """The end user's name; None: the plain one."""
    values: tuple[str, ...] | None = None
    """Values of the project variables; None: the plain ones."""
    count: int | None = None
    """The number of project variables; None: the usual one."""
    left_out: tuple[str, ...] = ()
    members: tuple[str, ...] | None = None
    """The members of EndUser; None: all."""
    order: tuple[int, ...] | None = None
    """Ranks by which the input parameters are sorted; None: the usual order."""
    immediately: bool | None = None

    def change(self, draft: Draft) -> None:
        """Make a valid trigger this variation."""
        person = draft.body.get("EndUser")
        if isinstance(person, dict):
            person = {m: v for m, v in person.items() if self.members is None or m in self.members}
            if self.name is not None and "Name" in person:
                person["Name"] = self.name
            draft.set("EndUser", person)
        self._change_variables(draft)
        if self.immediately is not None and "SendResultImmediately" in draft.body:
            draft.set("SendResultImmediately", self.immediately)
        draft.drop(*self.left_out)

    def _change_variables(self, draft: Draft) -> None:
        if draft.declared is not None:
            with contextlib.suppress(NotTried):
                draft.some_variables(self.count if self.count is not None else 2)
        elif self.count is not None or self.values is not None:
            values = self.values or ()
            count = self.count if self.count is not None else max(2, len(values))
            plain = [values[at] if at < len(values) else _PLAIN for at in range(count)]
            draft.some_variables(0)
            for at, value in enumerate(plain):
                draft.made_up_variable(f"variable_{chr(ord('a') + at)}", value)
        if (ranks := self.order) is not None:
            draft.order(lambda entries: [e for _, e in sorted(zip(_cycled(ranks, len(entries)), entries, strict=True),
                                                              key=lambda pair: pair[0])])  # fmt: skip

    def differs_in(self, aspect: str) -> bool:
        """Whether it differs from the plain trigger in that aspect."""
        return any(getattr(self, name) != getattr(PLAIN, name) for name in ASPECTS[aspect])

    def only(self, aspect: str) -> TriggerVariation:
        """This aspect alone; the rest is plain."""
        return replace(PLAIN, **{name: getattr(self, name) for name in ASPECTS[aspect]})

    def pieces(self, aspect: str) -> list[TriggerVariation]:
        """The smallest parts of this aspect that may be refused."""
        pieces: list[TriggerVariation] = []
        if aspect == "REQ-08":
            pieces += [replace(PLAIN, name=self.name)] if self.name is not None else []
            pieces += [replace(PLAIN, values=(value,)) for value in self.values or ()]
        elif aspect == "REQ-03":
            pieces = [replace(PLAIN, left_out=(parameter,)) for parameter in self.left_out]
        return pieces if len(pieces) > 1 else []

    def without(self, aspect: str) -> TriggerVariation:
        """This variation with that aspect plain."""
        return replace(self, **{name: getattr(PLAIN, name) for name in ASPECTS[aspect]})


PLAIN = TriggerVariation()

ASPECTS: Mapping[str, tuple[str, ...]] = {
    "REQ-08": ("name", "values"),
    "REQ-04": ("count",),
    "REQ-03": ("left_out",),
    "REQ-07": ("members",),
    "REQ-05": ("order",),
    "REQ-09": ("immediately",),
}
"""Clause -> the fields of a variation that it allows."""


def _cycled(ranks: Sequence[int], count: int) -> list[tuple[int, int]]:
    return [(ranks[at % len(ranks)], at) for at in range(count)]


def variations() -> st.SearchStrategy[TriggerVariation]:
    """Valid triggers, each different in most aspects."""
    names = st.sampled_from(list(NAMES_IN_MANY_SCRIPTS.values()))
    values = st.sampled_from(list(AWKWARD_VALUES.values()) + list(NAMES_IN_MANY_SCRIPTS.values()))
    return st.builds(
        TriggerVariation,
        name=st.lists(names, min_size=1, max_size=3).map(" ".join),
        values=st.lists(values, min_size=2, max_size=5).map(tuple),
        count=st.none() | st.integers(0, 12),
        left_out=st.lists(st.sampled_from([p for p in OPTIONAL if p != "EndUser"]), max_size=2, unique=True).map(tuple),
        members=st.none() | st.lists(st.sampled_from(_PERSON), unique=True).map(lambda m: tuple(sorted(m))),
        order=st.none() | st.lists(st.integers(0, 9), min_size=2, max_size=8).map(tuple),
        immediately=st.booleans(),
    )


def drawn_variations(seed: int, count: int) -> list[TriggerVariation]:
    """The first variations that a seed draws, the plain trigger apart."""
    found: list[TriggerVariation] = []

    def keep(variation: TriggerVariation, _stage: Stage) -> None:
        found.append(variation)

    # Hypothesis begins with the simplest example, which is close to the plain trigger.
    falsify(variations(), keep, seed=seed, examples=count + 1, shrinking=0)
    return found[1:]


def strict_description(parameter: str | None = None) -> dict[str, Any]:
    """`openapi.yaml` without room for undocumented members, so that schemathesis makes documented ones invalid.

    With a `parameter`, triggers have only that one.
    """
    description = load_description()
    schemas = description["components"]["schemas"]
    for name in ("TriggerRequest", "EndUser", "ScenarioInputParameter", "PollRequest"):
        schemas[name]["additionalProperties"] = False
    # Other tests vary the header.
    description["paths"][TRIGGER_PATH]["post"].pop("parameters", None)
    if parameter is not None:
        trigger = schemas["TriggerRequest"]
        trigger["properties"] = {parameter: trigger["properties"][parameter]}
        trigger["required"] = [parameter]
    return description


def made_safe(body: Any, valid: Mapping[str, Any], parameter: str) -> Any:
    """The valid trigger with one parameter as generated, or a generated body that is not an object.

    Generated text is replaced by the right value, other generated values by small ones.
    """
    if not isinstance(body, dict):
        return body if isinstance(body, bytes) else _small(body)
    safe = {name: value for name, value in valid.items() if name != parameter}
    for name, value in body.items():
        if name != parameter:
            safe["Unknown"] = _small(value)
        elif isinstance(value, list) and isinstance(valid[name], list):
            safe[name] = [_entry(entry, valid[name]) for entry in value[:6]]
        elif isinstance(value, dict) and isinstance(valid[name], dict):
            safe[name] = {m: _as(value[m], right) for m, right in valid[name].items() if m in value}
        else:
            safe[name] = _as(value, valid[name])
    return safe


def _as(value: Any, right: Any) -> Any:
    """The right value for a value of its type, unless that is empty; else a small value."""
    if type(value) is type(right) and value != "":
        return right
    return _small(value)


def _entry(entry: Any, valid: Sequence[Mapping[str, Any]]) -> Any:
    if not isinstance(entry, dict):
        return _small(entry)
    right: Mapping[str, Any] = next(
        (e for e in valid if e["Name"] == entry.get("Name")), {"Name": "topic", "Value": "appointment"}
    )
    return {member: _as(entry[member], right[member]) for member in ("Name", "Value") if member in entry}


def _small(value: Any) -> Any:
    """A value of the same type that cannot be read as a number to dial."""
    small: dict[type, Callable[[], Any]] = {
        int: lambda: 5,
        float: lambda: 0.5,
        str: lambda: _PLAIN if value else "",
        list: lambda: [_small(inner) for inner in value[:2]],
        dict: lambda: dict(zip(["member"], map(_small, value.values()), strict=False)),
    }
    return small.get(type(value), lambda: value)()
