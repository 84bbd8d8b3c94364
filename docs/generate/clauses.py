"""`docs/clauses.md`: the clause catalogue, with an example of each clause that passes and one that fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docs.generate.examples import Example, recorded
from docs.generate.page import GENERATED, page

from ringback.contract.clauses import CLAUSES, SECTIONS, Clause, Level
from ringback.contract.description import clause_ids_in_description
from ringback.sandbox import FAULTS

__all__ = ["render"]

_BINDS = {
    Level.MUST: ("The documentation says so.", "fails the run"),
    Level.SHOULD: (
        "The documentation, HTTP or JSON imply it; clients break without it.",
        "fails the run, unless the run is for `must` alone",
    ),
    Level.ADVISORY: ("Good practice beyond the documentation.", "is a warning"),
}


_ACCEPTED = frozenset({*(f"REQ-0{number}" for number in range(1, 10)), "DST-07"})
"""Clauses of triggers that a conforming deployment accepts: any of them may get the recorded answer."""


def render() -> str:
    """Return the page as Markdown, with a line feed at its end."""
    return page(_lines())


def _lines() -> Iterator[str]:
    yield "# Clauses"
    yield ""
    yield GENERATED
    yield ""
    yield (
        f"The {len(CLAUSES)} requirements on a deployment of the Outbound Call Trigger API that Ringback checks. "
        "Tests, reports and `openapi.yaml` (under `x-clauses`) refer to them by id."
    )
    yield ""
    yield (
        "The examples come from runs against the [sandbox](tutorial.md): one that passes, and one with a fault that "
        "breaks the clause. `ringback sandbox --list-faults` lists the faults."
    )
    yield ""
    yield "| level | clauses | where it comes from | a deviation |"
    yield "|---|---|---|---|"
    for level, (origin, consequence) in _BINDS.items():
        count = sum(clause.level is level for clause in CLAUSES.values())
        yield f"| {level} | {count} | {origin} | {consequence} |"
    places, examples = clause_ids_in_description(), recorded()
    for section, title in SECTIONS.items():
        members = [clause for clause in CLAUSES.values() if clause.section == section]
        yield ""
        yield f"## {section} · {title}"
        yield ""
        yield "| id | level | clause |"
        yield "|---|---|---|"
        for clause in members:
            yield f"| [{clause.id}](#{clause.id.lower()}) | {clause.level} | {clause.title} |"
        for clause in members:
            yield from _entry(clause, places.get(clause.id, []), examples[clause.id])


def _entry(clause: Clause, pointers: list[str], example: Example) -> Iterator[str]:
    yield ""
    yield f"### {clause.id}"
    yield ""
    yield f"**{clause.title}** ({clause.level})"
    yield ""
    yield clause.statement
    yield ""
    yield f"- Basis: {clause.basis}"
    yield f"- Expected: {clause.expects}"
    yield f"- To fix: {clause.fix}"
    if pointers:
        yield f"- In openapi.yaml: {', '.join(f'`{pointer}`' for pointer in pointers)}"
    yield from _shown(clause.id, example)


def _shown(clause: str, example: Example) -> Iterator[str]:
    fault = FAULTS[example.fault]
    yield ""
    yield f'<details markdown="1"><summary>Examples: the sandbox, and its fault <code>{fault.name}</code></summary>'
    trigger = example.broken_request.startswith("POST /v2/call\n")
    same = example.broken_request == example.sound_request or clause in _ACCEPTED
    if same and example.broken_request:
        yield from _block("Request", example.broken_request)
        yield from _block("Passes, if it is accepted" if clause in _ACCEPTED else "Passes", example.sound_answer)
    elif example.sound_request and not (trigger and clause.startswith("DST")):
        yield from _block("Passes", f"{example.sound_request}\n\n{example.sound_answer}")
    else:
        yield from ("", f"Passes: {example.expected}.")
    yield ""
    yield f"Fails. {fault.description} Reported: *{_inline(example.observed)}*"
    if example.broken_request:
        texts = [example.broken_answer] if same else [example.broken_request, example.broken_answer]
        yield from _block("", "\n\n".join(texts))
    yield ""
    yield "</details>"


def _block(title: str, text: str) -> Iterator[str]:
    yield ""
    if title:
        yield f"{title}:"
        yield ""
    yield "```http"
    yield from text.splitlines()
    yield "```"


def _inline(text: str) -> str:
    """Text of a run inside a line of Markdown."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", text)
