"""What generated requests are made of: valid triggers in many variations, and spoilt bodies made safe to send.

What is generated never chooses a number, a token or a URL: configured values stand in their places, and made-up text
holds no digits. The dial guard refuses what slips through.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from ringback.contract.description import load_description
from ringback.suite.probes.drafts import OPTIONAL, Draft
from ringback.suite.probes.samples import AWKWARD_VALUES, NAMES_IN_MANY_SCRIPTS

__all__ = ["ASPECTS", "Variation", "made_safe", "strict_description", "variations"]

_PERSON = ("Name", "Phone", "Email")
_FREE_TEXTS = ("ConversationId", "Locale")
_PLAIN = "text"


@dataclass(frozen=True, slots=True)
class Variation:
    """How a valid trigger differs from the plain one: each aspect by itself is something that the contract allows."""

    name: str | None = None
    """The end user's name, if it is not the plain one."""
    values: tuple[str, ...] | None = None
    """Values of the project variables, if not the plain ones."""
    count: int | None = None
    """How many project variables there are, if not as many as usual."""
    left_out: tuple[str, ...] = ()
    members: tuple[str, ...] | None = None
    """The members of EndUser, if not all."""
    order: tuple[int, ...] | None = None
    """Ranks by which the input parameters are sorted, if not in the usual order."""
    immediately: bool | None = None

    def applied(self, plain: Draft) -> Draft:
        """The plain trigger with all of this changed; the plain one stays as it is."""
        draft = Draft(copy.deepcopy(plain.body), plain.headers, plain.line, None, plain.method, plain.delivery_key)
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
        if "ResultDestination" not in draft.body:
            draft.delivery_key = None
        return draft

    def _change_variables(self, draft: Draft) -> None:
        if self.count is not None or self.values is not None:
            values = self.values or ()
            count = self.count if self.count is not None else max(2, len(values))
            plain = [values[at] if at < len(values) else _PLAIN for at in range(count)]
            draft.variables({f"variable_{chr(ord('a') + at)}": value for at, value in enumerate(plain)})
        if (ranks := self.order) is not None:
            draft.order(lambda entries: [e for _, e in sorted(zip(_cycled(ranks, len(entries)), entries, strict=True),
                                                              key=lambda pair: pair[0])])  # fmt: skip

    def differs_in(self, aspect: str) -> bool:
        """Whether it has that aspect at all."""
        return any(getattr(self, name) != getattr(PLAIN, name) for name in ASPECTS[aspect])

    def only(self, aspect: str) -> Variation:
        """This aspect, and all else plain."""
        return replace(PLAIN, **{name: getattr(self, name) for name in ASPECTS[aspect]})

    def pieces(self, aspect: str) -> list[Variation]:
        """This aspect cut into the smallest parts that could each be to blame."""
        pieces: list[Variation] = []
        if aspect == "REQ-08":
            pieces += [replace(PLAIN, name=self.name)] if self.name is not None else []
            pieces += [replace(PLAIN, values=(value,)) for value in self.values or ()]
        elif aspect == "REQ-03":
            pieces = [replace(PLAIN, left_out=(parameter,)) for parameter in self.left_out]
        return pieces if len(pieces) > 1 else []

    def without(self, aspect: str) -> Variation:
        """All but this aspect."""
        return replace(self, **{name: getattr(PLAIN, name) for name in ASPECTS[aspect]})


PLAIN = Variation()

ASPECTS: Mapping[str, tuple[str, ...]] = {
    "REQ-08": ("name", "values"),
    "REQ-04": ("count",),
    "REQ-03": ("left_out",),
    "REQ-07": ("members",),
    "REQ-05": ("order",),
    "REQ-09": ("immediately",),
}
"""The clause that promises an aspect -> the parts of a variation that make it."""


def _cycled(ranks: Sequence[int], count: int) -> list[tuple[int, int]]:
    return [(ranks[at % len(ranks)], at) for at in range(count)]


def variations() -> st.SearchStrategy[Variation]:
    """Valid triggers, each different in most aspects."""
    names = st.sampled_from(list(NAMES_IN_MANY_SCRIPTS.values()))
    values = st.sampled_from(list(AWKWARD_VALUES.values()) + list(NAMES_IN_MANY_SCRIPTS.values()))
    return st.builds(
        Variation,
        name=st.lists(names, min_size=1, max_size=3).map(" ".join),
        values=st.lists(values, min_size=2, max_size=5).map(tuple),
        count=st.none() | st.integers(0, 12),
        left_out=st.lists(st.sampled_from([p for p in OPTIONAL if p != "EndUser"]), max_size=2, unique=True).map(tuple),
        members=st.none() | st.lists(st.sampled_from(_PERSON), unique=True).map(lambda m: tuple(sorted(m))),
        order=st.none() | st.lists(st.integers(0, 9), min_size=2, max_size=8).map(tuple),
        immediately=st.booleans(),
    )


def strict_description(parameter: str | None = None) -> dict[str, Any]:
    """`openapi.yaml` with room for nothing but the documented members: what schemathesis spoils is spoilt in them.

    With a trigger's parameter, triggers have that one alone, so that it is spoilt and little time goes into the others.
    """
    description = load_description()
    schemas = description["components"]["schemas"]
    for name in ("TriggerRequest", "EndUser", "ScenarioInputParameter", "PollRequest"):
        schemas[name]["additionalProperties"] = False
    # Other tests send the header in each of its forms.
    description["paths"]["/v2/call"]["post"].pop("parameters", None)
    if parameter is not None:
        trigger = schemas["TriggerRequest"]
        trigger["properties"] = {parameter: trigger["properties"][parameter]}
        trigger["required"] = [parameter]
    return description


def made_safe(body: Any, valid: Mapping[str, Any], parameter: str) -> Any:
    """The valid trigger with one parameter as it was spoilt, or what was spoilt altogether.

    The right value stands wherever there is any text of its own, and small values elsewhere.
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
    """The right value in place of one of its type; what is empty stays empty."""
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
    """A value of the same type that nobody could take for a number to dial."""
    small: dict[type, Callable[[], Any]] = {
        int: lambda: 5,
        float: lambda: 0.5,
        str: lambda: _PLAIN if value else "",
        list: lambda: [_small(inner) for inner in value[:2]],
        dict: lambda: dict(zip(["member"], map(_small, value.values()), strict=False)),
    }
    return small.get(type(value), lambda: value)()
