"""The contract's rules on one answer: pure functions, one for each rule, that return a `Violation` or None.

Contract tests, generated requests, stateful tests and replay all use these. Nothing here sends, waits or knows of a
run; rules on a call's whole record are in `ringback.suite.calls.lifecycle`.
"""

from __future__ import annotations

from ringback.contract.checks.poll import (
    answers_200,
    call_results_is_an_array,
    empty_poll_is_2xx_or_4xx,
    entries_are_complete,
    ids_not_asked_for,
    invalid_poll_is_refused,
    names_only_asked_ids,
    states_are_documented,
)
from ringback.contract.checks.robustness import is_answered, is_no_server_error, repeats_no_token, shows_no_internals
from ringback.contract.checks.transport import (
    content_type_is_json,
    is_one_json_text,
    members_are_named_once,
    poll_is_post_only,
    trigger_is_post_only,
)
from ringback.contract.checks.trigger import (
    acceptance_is_200,
    carries_a_unique_id,
    invalid_trigger_is_not_accepted,
    refusal_is_4xx,
    refusal_names_no_call,
    seems_accepted,
)
from ringback.contract.checks.violation import Violation

__all__ = [
    "Violation",
    "acceptance_is_200",
    "answers_200",
    "call_results_is_an_array",
    "carries_a_unique_id",
    "content_type_is_json",
    "empty_poll_is_2xx_or_4xx",
    "entries_are_complete",
    "ids_not_asked_for",
    "invalid_poll_is_refused",
    "invalid_trigger_is_not_accepted",
    "is_answered",
    "is_no_server_error",
    "is_one_json_text",
    "members_are_named_once",
    "names_only_asked_ids",
    "poll_is_post_only",
    "refusal_is_4xx",
    "refusal_names_no_call",
    "repeats_no_token",
    "seems_accepted",
    "shows_no_internals",
    "states_are_documented",
    "trigger_is_post_only",
]
