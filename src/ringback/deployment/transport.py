"""The one way by which check and replay send requests.

Each request passes the dial guard, the budget, the trigger rate and pauses that a 429 requested, in this order. It is
then sent once. A trigger is always sent on a new connection: on a stale one, Ringback could not know whether the
trigger arrived. Answers are read up to a size limit, and recorded. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

import httpx

from ringback import clock
from ringback.config import Config
from ringback.contract.endpoints import POLL_PATH
from ringback.deployment.answers import Answer, Trigger
from ringback.deployment.budget import Fate, WaitingBudget, fate_of, places
from ringback.deployment.connections import PROXY_STATUSES, Trace, client_ssl_context, httpx_proxy, needs_credentials
from ringback.deployment.credentials import Credentials
from ringback.deployment.errors import ExchangeError, Interrupted, NotSent, Unreachable, failure_of, reason_of, root_of
from ringback.deployment.evidence import Recorder
from ringback.deployment.guard import DialGuard
from ringback.deployment.pace import AnswerBounds, RetryAllowance, TimeLimit, TriggerRate, retry_after
from ringback.deployment.reading import BodyDecoder

__all__ = ["GuardedTransport"]

_CONNECT_TRIES = 3
_CONNECT_PAUSE = 0.2

_LONGEST_MESSAGE = 200
"""Characters of a message about a failure."""


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A request on its way."""

    request: httpx.Request
    body: bytes
    """What is sent: the request's body with the token in force."""
    purpose: str
    endpoint: str
    """The path below the base URL."""
    paced: bool

    @property
    def is_poll(self) -> bool:
        """Whether it is sent to the endpoint of polls; anything else may place a call."""
        return self.endpoint.rstrip("/") == POLL_PATH


class GuardedTransport:
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

    async def send(
        self, request: httpx.Request, *, purpose: str = "", places_a_call: bool = False, paced: bool = True
    ) -> Answer:
        """Send one request; raises `ExchangeError` if there is nothing to judge.

        `places_a_call`: a conforming deployment accepts it. `paced` is False for requests that are sent at once: their
        sender has already waited for the trigger rate.
        """
        body = await request.aread()
        request.headers.update(self._credentials.headers)
        self._guard.check(str(request.url), request.headers.multi_items(), body)
        if self._useless is not None:
            raise copy.copy(self._useless)
        outgoing = _Outgoing(request, body, purpose, request.url.path.removeprefix(self._prefix), paced)
        if outgoing.is_poll:
            return await self._patiently(outgoing)
        count = places(body)
        await self._unless_closed(self.budget.take(count, valid=places_a_call))
        sent, fate = False, Fate.FREE
        try:
            answer = await self._patiently(outgoing)
            sent, fate = True, _fate(outgoing, answer)
            return answer
        except (_CutOff, _CutShort, _Forwarded):
            sent, fate = True, Fate.MAY_HAVE_DIALLED
            raise
        finally:
            await asyncio.shield(self.budget.give(fate, count, valid=places_a_call, sent=sent))

    async def _patiently(self, outgoing: _Outgoing) -> Answer:
        endpoint = outgoing.endpoint
        attempt = 0
        self.bounds.check(outgoing.request.url.path)
        while True:
            spaced = outgoing.paced or attempt > 0
            await self._unless_closed(self.retry_allowance.open(endpoint, spaced=spaced))
            if not outgoing.is_poll:
                if spaced:
                    await self._unless_closed(self.rate.wait())
                await self._unless_closed(self._credentials.refresh())
                outgoing = replace(outgoing, body=self._credentials.with_current_token(outgoing.body))
            answer = await self._sent(outgoing)
            if answer.status != 429 or answer.headers is None or _fate(outgoing, answer) is not Fate.FREE:
                return answer
            asked = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
            self.retry_allowance.note(endpoint, asked, attempt, spaced=spaced)
            attempt += 1

    async def _sent(self, outgoing: _Outgoing) -> Answer:
        if outgoing.is_poll:
            # A kept-alive connection may have been closed meanwhile; if so, the poll is sent again on a new one.
            with contextlib.suppress(_StaleConnection):
                return await self._once(self._pooled, outgoing, kept_alive=True)
        return await self._once(self._fresh, outgoing, kept_alive=False)

    async def _once(self, transport: httpx.AsyncHTTPTransport, outgoing: _Outgoing, *, kept_alive: bool) -> Answer:
        host, port = outgoing.request.url.host, outgoing.request.url.port
        for attempt in range(_CONNECT_TRIES):
            trace = Trace(tunnelled=self._tunnelled)
            begun = clock.monotonic()
            try:
                try:
                    return await self._exchange(transport, outgoing, trace, begun)
                finally:
                    self._reached = self._reached or (trace.sent_at is not None and self._proxy is None)
            except httpx.ProxyError as error:
                raise self._proxy_refused(outgoing, begun, str(error)) from None
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if isinstance(root_of(error), ssl.SSLError):
                    self._record(outgoing, begun, failure="TLS handshake failed")
                    raise self._unreachable(f"TLS with {host} failed: {reason_of(error)}", tls=True) from None
                if attempt == _CONNECT_TRIES - 1:
                    self._record(outgoing, begun, failure="no connection")
                    direct = f"{host}:{port or ''}".rstrip(":")
                    where = direct if self._proxy is None else f"the proxy {self._proxy.where}"
                    raise self._unreachable(f"no connection to {where}: {reason_of(error)}") from None
                await asyncio.sleep(_CONNECT_PAUSE * (attempt + 1))
            except asyncio.CancelledError:
                if trace.sent_at is None:
                    raise
                self._record(outgoing, trace.sent_at, failure="interrupted")
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
                    refused = self._proxy_refused(outgoing, trace.sent_at or begun, "nothing")
                    raise _Forwarded(str(refused)) from None
                ended = clock.monotonic()
                sent = trace.sent_at or begun
                path, begun_to_answer = outgoing.request.url.path, failed.status is not None
                self.bounds.failed(path, failure, ended - sent, failed.size, begun=begun_to_answer)
                return self._record(
                    outgoing, sent, failed.status, failed.headers, failed.body, ended=ended, failure=failure
                )
        raise AssertionError("unreachable code")

    async def _exchange(
        self, transport: httpx.AsyncHTTPTransport, outgoing: _Outgoing, trace: Trace, begun: float
    ) -> Answer:
        sent_headers, body = outgoing.request.headers, outgoing.body
        if len(body) != len(outgoing.request.content):
            sent_headers = sent_headers.copy()
            sent_headers["Content-Length"] = str(len(body))
        request = httpx.Request(
            outgoing.request.method, outgoing.request.url, headers=sent_headers, content=body,
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
                    response = await transport.handle_async_request(request)
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
                self._record(outgoing, trace.sent_at, failure="interrupted")
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
            refused = self._proxy_refused(outgoing, sent, reason)
            raise refused if status == 407 else _Forwarded(str(refused))
        self._reached = True
        self.bounds.came(request.url.path, ended - sent, decoder.received)
        reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
        return self._record(outgoing, sent, status, headers, bytes(decoder.body), ended=ended, reason=reason)

    def _proxy_refused(self, outgoing: _Outgoing, begun: float, answer: str) -> Unreachable:
        """Record that the proxy answered instead of the deployment."""
        assert self._proxy is not None  # noqa: S101 - there is one that answered
        reason = f"the proxy {self._proxy.where} answered {answer}{needs_credentials(answer)}"
        self._record(outgoing, begun, failure=reason)
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
        self, outgoing: _Outgoing, begun: float, status: int | None = None, headers: httpx.Headers | None = None,
        body: bytes = b"", *, ended: float | None = None, failure: str | None = None, reason: str = "",
    ) -> Answer:  # fmt: skip
        """Record what became of a request; without `ended`, it ended now."""
        request, ended = outgoing.request, clock.monotonic() if ended is None else ended
        exchange = self._recorder.record(
            purpose=outgoing.purpose, begun=begun, ended=ended, method=request.method, url=str(request.url),
            request_headers=self._credentials.shown(request.headers.multi_items()), request_body=outgoing.body,
            status=status, reason=reason, response_headers=headers.multi_items() if headers is not None else (),
            response_body=body, failure=failure,
        )  # fmt: skip
        return Answer(exchange, begun, ended, status, headers, body, failure)

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


def _fate(outgoing: _Outgoing, answer: Answer) -> Fate:
    """Whether a request that was answered in this way placed a call."""
    found = None if outgoing.is_poll else Trigger(*answer.fields).found_id
    return fate_of(answer.status, answer.body, found, whole=answer.failure is None)


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
