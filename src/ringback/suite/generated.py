"""Requests that schemathesis makes from openapi.yaml, sent through our transport.

What is generated never gets to choose a number, a token or a URL: wherever a generated part could hold one, the
configured value stands in its place, and the dial guard refuses what slips through. Accepted calls are kept to a few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ringback.contract.description import load_description
from ringback.deployment import Answer, NotSent
from ringback.deployment.client import JSON_HEADERS, encode
from ringback.suite.drafts import Draft
from ringback.suite.session import Session

__all__ = ["CALLS", "generated_polls", "generated_triggers"]

CALLS = 2
"""Generated triggers that may be accepted; further ones carry a wrong token."""
_TRIGGERS = 20
_POLLS = 20

Judge = Callable[[Answer | None], None]


def generated_triggers(suite: Session, judge: Judge) -> None:
    """Send triggers with one part or another spoilt, and hold each answer against `judge`."""
    valid = suite.maker.example(suite.maker.line("answered")).body
    accepted = 0

    def send(body: Any) -> None:
        nonlocal accepted
        content = _safe(body, valid)
        if isinstance(content, dict) and accepted >= CALLS:
            content = {**content, "AccessToken": "wrong"}
        draft = Draft(
            {},
            list(JSON_HEADERS),
            suite.maker.line("answered"),
            content if isinstance(content, bytes) else encode(content),
        )
        try:
            answer = suite.trigger(draft, "generated from openapi.yaml, and spoilt")
        except NotSent:
            return
        accepted += answer.accepted
        judge(answer)

    _each(suite, "/v2/call", ("negative",), _TRIGGERS, send)


def generated_polls(suite: Session, judge: Judge) -> None:
    """Send polls as described, and spoilt, and hold each answer against `judge`."""

    def send(body: Any) -> None:
        try:
            judge(suite.poll_with(_bytes(body), "poll generated from openapi.yaml"))
        except NotSent:
            return

    _each(suite, "/v2/callresult", ("positive", "negative"), _POLLS, send)


def _each(suite: Session, path: str, modes: tuple[str, ...], count: int, send: Callable[[Any], None]) -> None:
    # Both take most of a second to import, and only these two tests need them.
    import hypothesis
    import schemathesis
    from hypothesis import HealthCheck, Phase

    operation = schemathesis.openapi.from_dict(load_description())[path]["POST"]
    for mode in modes:

        def one(case: Any) -> None:
            send(case.body)

        test = hypothesis.given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))(one)
        test = hypothesis.settings(
            max_examples=count // len(modes), database=None, deadline=None, phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
        )(test)  # fmt: skip
        hypothesis.seed(suite.seed)(test)()


def _safe(body: Any, valid: dict[str, Any]) -> Any:
    """A generated body with configured values wherever it holds a value of the right type."""
    if not isinstance(body, dict):
        return _bytes(body)
    safe: dict[str, Any] = {}
    for name, value in body.items():
        right = valid.get(name)
        safe[name] = right if right is not None and type(value) is type(right) else value
    return safe


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    try:
        return encode(body)
    except TypeError:  # schemathesis's mark for no body at all
        return b""
