"""Faults of REQ-16: deployments that refuse invalid triggers with a wrong status or with a UniqueId."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from ringback.sandbox.behaviour import SandboxBehaviour
from ringback.sandbox.catalogue import fault
from ringback.sandbox.messages import Refusal, Request, SandboxAnswer


def _refuses_badly(
    name: str,
    description: str,
    answer: Callable[[Refusal], SandboxAnswer],
    applies: Callable[[Refusal], bool] | None = None,
) -> None:
    """Register a fault that answers refused triggers (those that it `applies` to) with `answer(refusal)`."""

    @fault(name, "REQ-16", description=description)
    class RefusesBadly(SandboxBehaviour):
        def trigger(self, request: Request) -> SandboxAnswer:
            try:
                return super().trigger(request)
            except Refusal as refusal:
                if refusal.status in (413, 415, 429) or (applies and not applies(refusal)):
                    raise
                return answer(refusal)


def _error(refusal: Refusal) -> bytes:
    return orjson.dumps({"error": refusal.reason})


_refuses_badly(
    "refused-with-200",
    "Refuses with status 200 and an error in the body.",
    lambda refusal: SandboxAnswer(200, _error(refusal)),
)
_refuses_badly("refused-with-204", "Refuses with status 204.", lambda _: SandboxAnswer(204, content_type=None))
_refuses_badly(
    "refused-with-redirect",
    "Refuses with a redirect to a login page.",
    lambda _: SandboxAnswer(302, headers=[(b"location", b"/login")]),
)
_refuses_badly(
    "refused-with-null-id",
    "Refuses with status 200 and a UniqueId of null.",
    lambda _: SandboxAnswer(200, b'{"UniqueId":null}'),
)
_refuses_badly(
    "refused-with-id",
    "Refuses with a 4xx status and a UniqueId.",
    lambda refusal: SandboxAnswer(refusal.status, b'{"UniqueId":"00000000000000000000000000000000"}'),
)
_refuses_badly(
    "wrong-token-refused-with-200",
    "Refuses a wrong AccessToken with status 200 and an error in the body.",
    lambda refusal: SandboxAnswer(200, _error(refusal)),
    lambda refusal: refusal.status == 401,
)
_refuses_badly(
    "missing-refused-with-200",
    "Refuses a missing parameter with status 200 and an error in the body.",
    lambda refusal: SandboxAnswer(200, _error(refusal)),
    lambda refusal: refusal.reason.endswith("is required"),
)
