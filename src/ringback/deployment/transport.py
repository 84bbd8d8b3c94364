"""The one transport of all httpx clients of check and replay.

Each request passes the dial guard, the budget, the trigger rate and pauses that a 429 requested, in this order. It is
then sent once. A trigger is always sent on a new connection: on a stale one, Ringback could not know whether the
trigger arrived. Answers are read up to a size limit, and recorded. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx

from ringback import clock
from ringback.config import Config
from ringback.deployment.budget import Fate, WaitingBudget, fate_of, places
from ringback.deployment.credentials import Credentials
from ringback.deployment.errors import ExchangeError, Interrupted, NotSent, Unreachable, failure_of, reason_of, root_of
from ringback.deployment.evidence import Exchange, Recorder
from ringback.deployment.guard import DialGuard
from ringback.deployment.pace import AnswerBounds, RetryAllowance, TimeLimit, TriggerRate, retry_after
from ringback.deployment.reading import BodyDecoder
from ringback.deployment.tls import client_ssl_context
from ringback.deployment.tunnel import PROXY_STATUSES, Trace, httpx_proxy, needs_credentials

__all__ = ["TRIGGER_PATH", "Attempt", "GuardedTransport", "Intent", "NoAnswer"]

TRIGGER_PATH = "/v2/call"
POLL_PATH = "/v2/callresult"

_CONNECT_TRIES = 3
_CONNECT_PAUSE = 0.2

_LONGEST_MESSAGE = 200
"""Characters of a message about a failure."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What the transport must know about a request; passed in its extensions as `ringback`."""

    purpose: str = ""
    places_a_call: bool = False
    """Whether a conforming deployment accepts it."""
    id_in: Callable[[int, bytes], str | None] = field(default=lambda _status, _body: None)
    """Returns the id of a call in any spelling, from status and body of a trigger's answer."""
    paced: bool = True
    """False if the sender has already waited for the trigger rate, to send several triggers at once."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was sent: its exchange, its begin and end (`clock.monotonic`), and the decoded body."""

    exchange: Exchange
    begun: float
    ended: float
    body: bytes


class NoAnswer(httpx.TransportError):
    """The request was sent, but had no complete answer: `timeout`, `connection closed`, or another reason."""

    def __init__(self, failure: str, attempt: Attempt, status: int | None, headers: httpx.Headers | None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.attempt = attempt
        self.status = status
        self.headers = headers


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests as the module's docstring describes. Use it in one event loop."""

    def __init__(self, config: Config, guard: DialGuard, budget: WaitingBudget, recorder: Recorder) -> None:
        self._guard = guard
        self._recorder = recorder
        self._timeout = config.timing.request
        self._prefix = httpx.URL(config.deployment.base_url).path.rstrip("/")
        self.bounds = AnswerBounds(config.timing.request)
        self.budget = budget
        self.rate = TriggerRate(config.budget.triggers_per_second)
        self.retry_allowance = RetryAllowance(max(30.0, config.timing.settle))
        self._closed = asyncio.Event()
        self._limits: set[TimeLimit] = set()
        self._reached = False
        self._credentials = Credentials(config.deployment)
        self._proxy = config.deployment.proxy
        self._tunnelled = self._proxy is not None and config.deployment.base_url.startswith("https:")
        self._useless: ExchangeError | None = None
        """Why no more is sent: no connection was ever made, or nothing works. Further requests fail at once."""
        context, proxy = client_ssl_context(config), httpx_proxy(config)
        self._fresh = httpx.AsyncHTTPTransport(
            verify=context, proxy=proxy, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
        )
        self._pooled = httpx.AsyncHTTPTransport(
            verify=context, proxy=proxy,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30),
        )  # fmt: skip

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises `NoAnswer`, or `ExchangeError` if there is nothing to judge."""
        intent: Intent = request.extensions.get("ringback", Intent())
        body = await request.aread()
        request.headers.update(self._credentials.headers)
        self._guard.check(str(request.url), request.headers.multi_items(), body)
        if self._useless is not None:
            raise copy.copy(self._useless)
        endpoint = request.url.path.removeprefix(self._prefix)
        if endpoint.rstrip("/") == POLL_PATH:
            return await self._patiently(request, body, intent, endpoint)
        count = places(body)
        await self._unless_closed(self.budget.take(count, valid=intent.places_a_call))
        sent, fate = False, Fate.FREE
        try:
            response = await self._patiently(request, body, intent, endpoint)
            sent, fate = True, self._fate(response.status_code, response.content, intent)
            return response
        except NoAnswer as lost:
            sent, fate = True, self._fate(lost.status, lost.attempt.body, intent, whole=False)
            raise
        except (_CutOff, _CutShort, _Forwarded):
            sent, fate = True, Fate.MAY_HAVE_DIALLED
            raise
        finally:
            await asyncio.shield(self.budget.give(fate, count, valid=intent.places_a_call, sent=sent))

    def _fate(self, status: int | None, body: bytes, intent: Intent, *, whole: bool = True) -> Fate:
        return fate_of(status, body, None if status is None else intent.id_in(status, body), whole=whole)

    async def _patiently(self, request: httpx.Request, body: bytes, intent: Intent, endpoint: str) -> httpx.Response:
        attempt = 0
        self.bounds.check(request.url.path)
        while True:
            await self._unless_closed(self.retry_allowance.open(endpoint))
            if endpoint.rstrip("/") != POLL_PATH:
                if intent.paced or attempt:
                    await self._unless_closed(self.rate.wait())
                await self._unless_closed(self._credentials.refresh())
                body = self._credentials.with_current_token(body)
            response = await self._sent(request, body, intent)
            if response.status_code != 429 or self._fate(429, response.content, intent) is not Fate.FREE:
                return response
            asked = retry_after(response.headers.get("retry-after"), response.headers.get("date"))
            self.retry_allowance.note(endpoint, asked, attempt)
            attempt += 1

    async def _sent(self, request: httpx.Request, body: bytes, intent: Intent) -> httpx.Response:
        is_poll = request.url.path.endswith(POLL_PATH)
        if is_poll:
            # A kept-alive connection may have been closed meanwhile; if so, the poll is sent again on a new one.
            with contextlib.suppress(_StaleConnection):
                return await self._once(self._pooled, request, body, intent, kept_alive=True)
        return await self._once(self._fresh, request, body, intent, kept_alive=False)

    async def _once(
        self,
        transport: httpx.AsyncHTTPTransport,
        request: httpx.Request,
        body: bytes,
        intent: Intent,
        *,
        kept_alive: bool,
    ) -> httpx.Response:
        for attempt in range(_CONNECT_TRIES):
            trace = Trace(tunnelled=self._tunnelled)
            begun = clock.monotonic()
            try:
                try:
                    return await self._exchange(transport, request, body, intent, trace, begun)
                finally:
                    self._reached = self._reached or (trace.sent_at is not None and self._proxy is None)
            except httpx.ProxyError as error:
                raise self._proxy_refused(request, body, intent, begun, str(error)) from None
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if isinstance(root_of(error), ssl.SSLError):
                    self._record(request, body, intent, begun, clock.monotonic(), failure="TLS handshake failed")
                    raise self._unreachable(
                        f"TLS with {request.url.host} failed: {reason_of(error)}", tls=True
                    ) from None
                if attempt == _CONNECT_TRIES - 1:
                    self._record(request, body, intent, begun, clock.monotonic(), failure="no connection")
                    where = f"{request.url.host}:{request.url.port or ''}".rstrip(":")
                    where = where if self._proxy is None else f"the proxy {self._proxy.where}"
                    raise self._unreachable(f"no connection to {where}: {reason_of(error)}") from None
                await asyncio.sleep(_CONNECT_PAUSE * (attempt + 1))
            except asyncio.CancelledError:
                if trace.sent_at is None:
                    raise
                self._record(request, body, intent, trace.sent_at, clock.monotonic(), failure="interrupted")
                raise _CutOff from None
            except httpx.LocalProtocolError as error:
                raise NotSent(
                    self._message(f"not sent: no HTTP request can be made of it ({reason_of(error)})")
                ) from None
            except _Failed as failed:
                failure = self._message(failed.failure)
                if kept_alive and not trace.new and failed.failure == "connection closed":
                    raise _StaleConnection from None
                if self._proxy is not None and not self._tunnelled and failed.failure.startswith("connection closed"):
                    # The connection was the proxy's, which answers 502 if the deployment closes its own.
                    refused = self._proxy_refused(request, body, intent, trace.sent_at or begun, "nothing")
                    raise _Forwarded(str(refused)) from None
                ended = clock.monotonic()
                sent = trace.sent_at or begun
                self.bounds.failed(
                    request.url.path, failure, ended - sent, failed.size, begun=failed.status is not None
                )
                exchange = self._record(
                    request, body, intent, sent, ended, status=failed.status, headers=failed.headers,
                    answer=failed.body, failure=failure,
                )  # fmt: skip
                answer = Attempt(exchange, sent, ended, failed.body)
                raise NoAnswer(failure, answer, failed.status, failed.headers) from None
        raise AssertionError("unreachable code")

    async def _exchange(
        self,
        transport: httpx.AsyncHTTPTransport,
        request: httpx.Request,
        body: bytes,
        intent: Intent,
        trace: Trace,
        begun: float,
    ) -> httpx.Response:
        sent_headers = request.headers
        if len(body) != len(request.content):
            sent_headers = request.headers.copy()
            sent_headers["Content-Length"] = str(len(body))
        outgoing = httpx.Request(
            request.method, request.url, headers=sent_headers, content=body,
            extensions={"trace": trace, "timeout": {"connect": self._timeout}},
        )  # fmt: skip
        status: int | None = None
        headers: httpx.Headers | None = None
        decoder = BodyDecoder("")
        if self._closed.is_set():  # here, because retries pass here too
            raise Interrupted
        try:
            async with asyncio.timeout(None) as deadline:
                limit = TimeLimit(self._timeout, deadline)
                self._limits.add(limit)
                watch = asyncio.get_running_loop().create_task(limit.watch(lambda: trace.sent_at))
                try:
                    response = await transport.handle_async_request(outgoing)
                    status, headers = response.status_code, response.headers
                    decoder = BodyDecoder(headers.get("content-encoding", ""))
                    try:
                        async for piece in response.aiter_raw():
                            if not decoder.feed(piece):
                                break
                    finally:
                        await response.aclose()
                finally:
                    watch.cancel()
                    self._limits.discard(limit)
        except TimeoutError:
            if self._closed.is_set():
                if trace.sent_at is None:
                    raise Interrupted from None
                self._record(request, body, intent, trace.sent_at, clock.monotonic(), failure="interrupted")
                raise _CutShort from None
            if trace.sent_at is None:
                raise httpx.ConnectTimeout(f"no connection within {self._timeout:g} s") from None
            raise _Failed("timeout", status, headers, decoder) from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError) as error:
            raise _Failed(failure_of(error, status), status, headers, decoder) from None
        except ssl.SSLError as error:  # an alert in place of an answer, which httpcore passes on as it is
            raise _Failed(f"TLS failed: {reason_of(error)}", status, headers, decoder) from None
        decoder.end()
        if decoder.problem is not None:
            raise _Failed(decoder.problem, status, headers, decoder)
        ended = clock.monotonic()
        sent = trace.sent_at or begun
        if self._proxy is not None and not self._tunnelled and status in PROXY_STATUSES:
            reason = f"{status} {response.reason_phrase}"
            refused = self._proxy_refused(request, body, intent, sent, reason)
            raise refused if status == 407 else _Forwarded(str(refused))
        self._reached = True
        answer = bytes(decoder.body)
        self.bounds.came(request.url.path, ended - sent, decoder.received)
        exchange = self._record(request, body, intent, sent, ended, status=status, headers=headers, answer=answer)
        undone = {b"content-encoding", b"transfer-encoding"}
        plain = [(name, value) for name, value in headers.raw if name.lower() not in undone]
        attempt = Attempt(exchange, sent, ended, answer)
        return httpx.Response(status, headers=plain, content=answer, extensions={"ringback": attempt}, request=request)

    def _proxy_refused(
        self, request: httpx.Request, body: bytes, intent: Intent, begun: float, answer: str
    ) -> Unreachable:
        """Record that the proxy answered instead of the deployment."""
        assert self._proxy is not None  # noqa: S101 - there is one that answered
        reason = f"the proxy {self._proxy.where} answered {answer}{needs_credentials(answer)}"
        self._record(request, body, intent, begun, clock.monotonic(), failure=reason)
        return self._unreachable(reason)

    def _unreachable(self, reason: str, *, tls: bool = False) -> Unreachable:
        error = Unreachable(self._message(reason), tls=tls)
        if not self._reached:
            self._useless = error
        return error

    def give_up(self, error: ExchangeError) -> None:
        """Send nothing from now on: each further request raises a copy of this error."""
        self._useless = error

    def _message(self, text: str) -> str:
        """Redact a message that may quote the deployment, then cut it. Every message of this transport passes here."""
        clean = self._recorder.redactor.clean(text)
        return clean if len(clean) <= _LONGEST_MESSAGE else f"{clean[:_LONGEST_MESSAGE]}…"

    def _record(
        self, request: httpx.Request, body: bytes, intent: Intent, begun: float, ended: float, *,
        status: int | None = None, headers: httpx.Headers | None = None, answer: bytes = b"",
        failure: str | None = None,
    ) -> Exchange:  # fmt: skip
        return self._recorder.record(
            purpose=intent.purpose, begun=begun, ended=ended, method=request.method, url=str(request.url),
            request_headers=self._credentials.shown(request.headers.multi_items()), request_body=body, status=status,
            response_headers=headers.multi_items() if headers is not None else (), response_body=answer,
            failure=failure,
        )  # fmt: skip

    def interrupt(self) -> None:
        """Send no more requests, and end those in progress with `Interrupted`."""
        self._closed.set()
        for limit in self._limits:
            limit.end()

    async def _unless_closed(self, wait: Coroutine[Any, Any, None]) -> None:
        """Run `wait`; raises `Interrupted` if the transport is closed first."""
        waiting, closed = asyncio.ensure_future(wait), asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({waiting, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise Interrupted
            waiting.result()
        finally:
            closed.cancel()
            if not waiting.done():
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._fresh.aclose()
        await self._pooled.aclose()


class _StaleConnection(Exception):
    """A kept-alive connection turned out to be closed."""


class _CutOff(asyncio.CancelledError):
    """The task was cancelled after sending the request and before the answer."""


class _CutShort(Interrupted):
    """The run was interrupted after sending the request and before the answer."""


class _Forwarded(Unreachable):
    """The proxy may have forwarded the request, but answered in place of the deployment."""


class _Failed(Exception):
    def __init__(self, failure: str, status: int | None, headers: httpx.Headers | None, decoder: BodyDecoder) -> None:
        self.failure, self.status, self.headers = failure, status, headers
        self.body, self.size = bytes(decoder.body), decoder.received
