"""Talking to a deployment: triggers and polls as the contract suite sends them.

`DeploymentClient` builds requests and returns `Trigger` and `Poll` answers. `transport` guards and paces each request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self

import httpx

from ringback.config import Config
from ringback.deployment.answers import Answer, Poll, Trigger
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.evidence import Exchange, Recorder
from ringback.deployment.guard import DialGuard
from ringback.deployment.reading import ids_in
from ringback.deployment.transport import POLL_PATH, TRIGGER_PATH, Attempt, GuardedTransport, Intent, NoAnswer

__all__ = ["DeploymentClient"]

JSON_HEADERS = (("Content-Type", "application/json"),)


class DeploymentClient:
    """An async client of one deployment. Use it as an async context manager, in one event loop."""

    def __init__(self, config: Config, guard: DialGuard, budget: WaitingBudget, recorder: Recorder) -> None:
        self.config = config
        self.recorder = recorder
        self.history: list[Answer] = []
        """All answers, in the order in which they ended."""
        self.transport = GuardedTransport(config, guard, budget, recorder)
        self._http = httpx.AsyncClient(
            transport=self.transport,
            base_url=config.deployment.base_url,
            follow_redirects=False,
            # The documents do not mention cookies: none are stored, so that no request depends on another.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,  # noqa: S113 - the transport bounds each exchange as a whole
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": config.deployment.user_agent,
            },
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def trigger(
        self,
        content: bytes | Mapping[str, Any],
        *,
        headers: Iterable[tuple[str, str]] = JSON_HEADERS,
        method: str = "POST",
        query: str = "",
        purpose: str = "trigger",
        line: str | None = None,
        expect_call: bool = False,
        paced: bool = True,
    ) -> Trigger:
        """Send one trigger, once. Raises `ExchangeError` if not even a missing answer can be judged."""
        intent = Intent(purpose, places_a_call=expect_call, id_in=_id_in, paced=paced)
        got = await self._send(method, TRIGGER_PATH, query, content, headers, intent)
        answer = Trigger(**_fields(got), sent=purpose, line=line, valid=expect_call)
        self.history.append(answer)
        for unique_id in {answer.unique_id, answer.found_id} - {None}:
            self.recorder.redactor.add_known_id(str(unique_id))
        return answer

    async def poll(
        self,
        ids: Iterable[str],
        *,
        purpose: str = "poll",
    ) -> Poll:
        """Send a poll for `ids` in the documented form."""
        asked = tuple(ids)
        return await self.poll_with({"UniqueIds": list(asked)}, asked=asked, purpose=purpose)

    async def poll_with(
        self,
        content: bytes | Mapping[str, Any] | list[Any] | str | None,
        *,
        asked: Iterable[str] | None = None,
        headers: Iterable[tuple[str, str]] = JSON_HEADERS,
        method: str = "POST",
        query: str = "",
        purpose: str = "poll",
    ) -> Poll:
        """Send a poll with any body. `asked` are the ids that its answer may name (None: every value in the body)."""
        body = content if isinstance(content, bytes) else encode(content)
        got = await self._send(method, POLL_PATH, query, body, headers, Intent(purpose))
        answer = Poll(**_fields(got), asked=ids_in(body) if asked is None else tuple(asked), valid=asked is not None)
        self.history.append(answer)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: str,
        content: object,
        headers: Iterable[tuple[str, str]],
        intent: Intent,
    ) -> Answer:
        body = content if isinstance(content, bytes) else encode(content)
        request = self._http.build_request(
            method,
            f"{path}?{query}" if query else path,
            content=body,
            headers=list(headers),
            extensions={"ringback": intent},
        )
        try:
            response = await self._http.send(request)
        except NoAnswer as lost:
            got = lost.attempt
            return Answer(got.exchange, got.begun, got.ended, lost.status, lost.headers, got.body, lost.failure)
        got = response.extensions["ringback"]
        assert isinstance(got, Attempt)  # noqa: S101 - our transport put it there
        return Answer(got.exchange, got.begun, got.ended, response.status_code, response.headers, got.body)


def encode(content: object) -> bytes:
    """A JSON text in UTF-8, with escapes only where it holds lone surrogates."""
    try:
        return json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(content).encode()


def _id_in(status: int, body: bytes) -> str | None:
    return Trigger(_NO_EXCHANGE, 0, 0, status, None, body).found_id


def _fields(answer: Answer) -> dict[str, Any]:
    names = ("exchange", "begun", "ended", "status", "headers", "body", "failure")
    return {name: getattr(answer, name) for name in names}


_NO_EXCHANGE = Exchange(0, "", "", 0, 0, "", "", (), "", 0)
