"""The baseline: the documents' example as a probe, and the triggers to try if a deployment does not accept it.

Every other probe is a change to a trigger that is accepted, so that one deviation does not hide all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ringback.suite.probes.drafts import HEADER_FORMS, OPTIONAL, Draft, HeaderForm
from ringback.suite.probes.probe import accepted, unchanged

__all__ = ["BASELINE", "FALLBACKS", "NO_VARIABLE", "UNLIKE_THE_EXAMPLE", "Fallback"]


@dataclass(frozen=True, slots=True)
class Fallback:
    """A valid trigger to start from if the documents' example is not accepted."""

    title: str
    clause: str
    """The clause by which the example should be accepted in this respect."""
    header: HeaderForm = "empty"
    base: Literal["example", "required"] = "example"
    adjust: Callable[[Draft], None] = unchanged


def _without(parameter: str) -> Callable[[Draft], None]:
    return lambda draft: draft.drop(parameter)


NO_VARIABLE = Fallback("no project variable", "REQ-04", adjust=lambda draft: draft.some_variables(0))

FALLBACKS = (
    Fallback("no header Project", "REQ-01", "absent"),
    Fallback("the header Project naming the project", "REQ-01", "named"),
    Fallback("SendResultImmediately true", "REQ-09", adjust=lambda draft: draft.set("SendResultImmediately", True)),
    NO_VARIABLE,
    Fallback("one project variable", "REQ-04", adjust=lambda draft: draft.some_variables(1)),
    Fallback(
        "the input parameters reversed", "REQ-05", adjust=lambda draft: draft.order(lambda entries: entries[::-1])
    ),
    *(Fallback(f"without {parameter}", "REQ-01", adjust=_without(parameter)) for parameter in OPTIONAL),
    *(
        Fallback(f"only the required parameters, header Project {form}", "REQ-01", form, "required")
        for form in HEADER_FORMS
    ),
)

UNLIKE_THE_EXAMPLE = (
    Fallback("the header Project naming the project", "REQ-01", "named"),
    Fallback("only the required parameters, header Project absent", "REQ-01", "absent", "required"),
)
"""Forms that have the least in common with the example: what refuses them too does not refuse the form."""

BASELINE = accepted("every documented parameter, with the header Project empty", header="empty")
