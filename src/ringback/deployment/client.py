"""Talking to a deployment: triggers and polls as the contract suite sends them.

`DeploymentClient` builds requests and returns `Trigger` and `Poll` answers. `transport` guards and paces each request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

import httpx

from ringback.config import Config
from ringback.contract.endpoints import POLL_PATH, TRIGGER_PATH
from ringback.deployment.answers import Answer, Poll, Trigger
from ringback.deployment.budget import WaitingBudget
from ringback.deployment.evidence import Recorder
from ringback.deployment.guard import DialGuard
from ringback.deployment.reading import ids_in
from ringback.deployment.transport import GuardedTransport

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
        self._base_url = httpx.URL(config.deployment.base_url)
        self._headers = {
            "Connection": "keep-alive",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": config.deployment.user_agent,
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.aclose()

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
        request = self._request(method, TRIGGER_PATH, query, content, headers)
        got = await self.transport.send(request, purpose=purpose, places_a_call=expect_call, paced=paced)
        answer = Trigger(*got.fields, sent=purpose, line=line, valid=expect_call)
        self.history.append(answer)
        for unique_id in {answer.unique_id, answer.found_id} - {None}:
            self.recorder.redactor.add_known_id(str(unique_id))
        return answer

    async def poll(self, ids: Iterable[str], *, purpose: str = "poll", paced: bool = True) -> Poll:
        """Send a poll for `ids` in the documented form; `paced` is False for polls that are sent at once."""
        asked = tuple(ids)
        return await self.poll_with({"UniqueIds": list(asked)}, asked=asked, purpose=purpose, paced=paced)

    async def poll_with(
        self,
        content: bytes | Mapping[str, Any] | list[Any] | str | None,
        *,
        asked: Iterable[str] | None = None,
        headers: Iterable[tuple[str, str]] = JSON_HEADERS,
        method: str = "POST",
        query: str = "",
        purpose: str = "poll",
        paced: bool = True,
    ) -> Poll:
        """Send a poll with any body. `asked` are the ids that its answer may name (None: every value in the body)."""
        body = content if isinstance(content, bytes) else encode(content)
        request = self._request(method, POLL_PATH, query, body, headers)
        got = await self.transport.send(request, purpose=purpose, paced=paced)
        answer = Poll(*got.fields, asked=ids_in(body) if asked is None else tuple(asked), valid=asked is not None)
        self.history.append(answer)
        return answer

    def _request(
        self, method: str, path: str, query: str, content: object, headers: Iterable[tuple[str, str]]
    ) -> httpx.Request:
        body = content if isinstance(content, bytes) else encode(content)
        merged = httpx.Headers(self._headers)
        merged.update(httpx.Headers(list(headers)))
        below = httpx.URL(f"{path}?{query}" if query else path).raw_path
        url = self._base_url.copy_with(raw_path=self._base_url.raw_path.rstrip(b"/") + below)
        return httpx.Request(method, url, headers=merged, content=body)


def encode(content: object) -> bytes:
    """A JSON text in UTF-8, with escapes only where it holds lone surrogates."""
    try:
        return json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(content).encode()
