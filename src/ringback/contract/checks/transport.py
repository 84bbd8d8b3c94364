"""TRN: how an answer travels."""

from __future__ import annotations

from ringback.contract.checks.violation import AnswerRead, TriggerRead, Violation

__all__ = [
    "content_type_is_json",
    "is_one_json_text",
    "members_are_named_once",
    "poll_is_post_only",
    "trigger_is_post_only",
]


def trigger_is_post_only(answer: TriggerRead) -> Violation | None:
    """TRN-03: a trigger sent by a method other than POST is refused and names no call."""
    if answer.status is None or answer.exchange.method == "POST":
        return None
    if answer.found_id is None and _refuses_the_method(answer):
        return None
    return Violation("TRN-03", f"{answer.exchange.method} /v2/call was {answer.describe_outcome()}")


def poll_is_post_only(answer: AnswerRead) -> Violation | None:
    """TRN-03: a poll sent by a method other than POST is refused and reports no call."""
    if answer.status is None or answer.exchange.method == "POST":
        return None
    if _refuses_the_method(answer) and not _reports_calls(answer.json.value):
        return None
    return Violation("TRN-03", f"{answer.exchange.method} /v2/callresult was {answer.describe_outcome()}")


def _refuses_the_method(answer: AnswerRead) -> bool:
    """Whether the answer is 4xx or 501, or a 2xx answer to OPTIONS, by which a server describes itself."""
    to_options = answer.exchange.method == "OPTIONS" and answer.status is not None and answer.status // 100 == 2
    return answer.refused or answer.status == 501 or to_options


def _reports_calls(value: object) -> bool:
    return isinstance(value, dict) and bool(value.get("CallResults"))


def content_type_is_json(answer: AnswerRead) -> Violation | None:
    """TRN-04: a 200 answer has the content type application/json; parameters are allowed."""
    if answer.status != 200 or answer.headers is None:
        return None
    content_type = answer.headers.get("content-type", "")
    if content_type.split(";", maxsplit=1)[0].strip().lower() == "application/json":
        return None
    return Violation("TRN-04", f"a 200 answer has Content-Type: {content_type or '(none)'}")


def is_one_json_text(answer: AnswerRead) -> Violation | None:
    """TRN-05: the body of a 200 answer is one JSON text, as RFC 8259 defines it."""
    if answer.status != 200 or answer.json.problem is None:
        return None
    return Violation("TRN-05", f"a 200 answer is not one JSON text: {answer.json.problem}")


def members_are_named_once(answer: AnswerRead) -> Violation | None:
    """TRN-06: no object in an answer of any status names a member twice."""
    if answer.status is None or not answer.json.twice:
        return None
    return Violation("TRN-06", f"an answer ({answer.status}) names {answer.json.twice[0]} twice in one object")
