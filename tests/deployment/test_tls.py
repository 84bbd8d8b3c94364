"""TLS: which deployments the client accepts, and what `inspect_tls` finds."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from ringback.deployment import Unreachable
from ringback.deployment.connections import accepts_outdated_tls, inspect_tls

from .authority import Authority
from .hostile import Server, accepts, body, serving, settings, talking_to


def config_for(server: Server, bundle: Path | None = None, **more: Any) -> Any:
    trust = {"ca_bundle": str(bundle)} if bundle else {}
    return settings(server.base_url, deployment={**trust, **more}, timing={"request": "3s"})


def wrong_host(tls: Authority) -> ssl.SSLContext:
    return tls.context("ivr.example.com")


def expired(tls: Authority) -> ssl.SSLContext:
    return tls.context(until=datetime.now(UTC) - timedelta(days=1))


def right(tls: Authority) -> ssl.SSLContext:
    return tls.context()


@asynccontextmanager
async def quietly() -> AsyncIterator[None]:
    """Silence asyncio's log of failed handshakes, which these tests cause."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    yield


@pytest.mark.parametrize(
    ("context", "trusted", "reason"),
    [
        (right, False, "unable to get local issuer certificate"),
        (wrong_host, True, "IP address mismatch"),
        (expired, True, "certificate has expired"),
    ],
    ids=["unknown CA", "wrong host", "expired"],
)
def test_nothing_is_sent_to_an_untrusted_deployment(
    tls: Authority, context: Callable[[Authority], ssl.SSLContext], trusted: bool, reason: str
) -> None:
    async def main() -> None:
        async with quietly(), serving(accepts, context=context(tls)) as server:
            config = config_for(server, tls.bundle if trusted else None)
            async with talking_to(config) as client:
                for send in (lambda: client.trigger(body(), expect_call=True), lambda: client.poll(["x"])):
                    with pytest.raises(Unreachable) as caught:
                        await send()
                    assert caught.value.tls
                    assert reason in str(caught.value)
                assert client.transport.budget.left == 50
            assert server.requests == []
            seen = await asyncio.to_thread(inspect_tls, config)
            assert seen is not None
            assert seen.problem is not None
            assert reason in seen.problem

    asyncio.run(main())


def test_a_trusted_deployment_is_accepted(tls: Authority) -> None:
    async def main() -> None:
        async with quietly(), serving(accepts, context=right(tls)) as server:
            config = config_for(server, tls.bundle)
            async with talking_to(config) as client:
                assert (await client.trigger(body(), expect_call=True)).accepted
                assert (await client.poll(["x"])).status == 200
            seen = await asyncio.to_thread(inspect_tls, config)
            assert seen is not None
            assert (seen.problem, seen.unreachable) == (None, None)
            assert seen.version in {"TLSv1.2", "TLSv1.3"}
            assert await asyncio.to_thread(accepts_outdated_tls, config) is None

    asyncio.run(main())


@pytest.mark.parametrize("in_san", [True, False], ids=["in the subjectAltName", "in the common name only"])
def test_only_the_subject_alt_name_names_the_host(tmp_path: Path, in_san: bool) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = ["localhost"] if in_san else []
    authority.issue_cert(*names, common_name="localhost").configure_cert(context)

    async def main() -> None:
        async with quietly(), serving(accepts, context=context) as server:
            url = server.base_url.replace("127.0.0.1", "localhost")
            config = settings(url, deployment={"ca_bundle": str(bundle)}, timing={"request": "3s"})
            seen = await asyncio.to_thread(inspect_tls, config)
            assert seen is not None
            assert seen.unreachable is None
            assert (seen.problem is None) == in_san

    asyncio.run(main())


def test_verify_false_accepts_any_certificate_and_inspection_still_reports_it(tls: Authority) -> None:
    async def main() -> None:
        async with quietly(), serving(accepts, context=expired(tls)) as server:
            config = config_for(server, verify=False)
            async with talking_to(config) as client:
                assert (await client.trigger(body(), expect_call=True)).accepted
            seen = await asyncio.to_thread(inspect_tls, config)
            assert seen is not None
            assert seen.problem is not None

    asyncio.run(main())


def test_a_configured_client_certificate_is_presented(tls: Authority, tmp_path: Path) -> None:
    async def main() -> None:
        context = right(tls)
        context.load_verify_locations(str(tls.bundle))
        context.verify_mode = ssl.CERT_REQUIRED
        mine = tls.ca.issue_cert("tester@example.com")
        cert, key = tmp_path / "client.pem", tmp_path / "client.key"
        mine.cert_chain_pems[0].write_to_path(str(cert))
        mine.private_key_pem.write_to_path(str(key))
        async with quietly(), serving(accepts, context=context) as server:
            config = config_for(server, tls.bundle, client_cert=str(cert), client_key=str(key))
            async with talking_to(config) as client:
                assert (await client.trigger(body(), expect_call=True)).accepted
            async with talking_to(config_for(server, tls.bundle)) as client:
                # In TLS 1.3 the server checks the client's certificate only after the client has sent its request.
                try:
                    assert (await client.poll(["x"])).failure is not None
                except Unreachable as error:
                    assert error.tls
            assert len(server.requests) == 1

    asyncio.run(main())


def test_plain_http_behind_an_https_url_is_unreachable_over_tls() -> None:
    async def main() -> None:
        async with quietly(), serving(accepts) as server:
            config = settings(server.base_url.replace("http:", "https:"), timing={"request": "1s"})
            async with talking_to(config) as client:
                with pytest.raises(Unreachable):
                    await client.trigger(body(), expect_call=True)
            assert server.requests == []

    asyncio.run(main())


def test_a_handshake_without_an_answer_times_out() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            config = settings(f"https://127.0.0.1:{silent.getsockname()[1]}", timing={"request": "200ms"})
            async with talking_to(config) as client:
                async with asyncio.timeout(60):
                    with pytest.raises(Unreachable):
                        await client.trigger(body(), expect_call=True)
                assert client.transport.budget.left == 50

    asyncio.run(main())


def test_a_deployment_that_speaks_outdated_tls_only(tls: Authority) -> None:
    context = right(tls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    async def main() -> None:
        async with quietly(), serving(accepts, context=context) as server:
            config = config_for(server, tls.bundle)
            seen = await asyncio.to_thread(inspect_tls, config)
            assert seen is not None
            assert seen.problem is not None
            assert "no TLS 1.2" in seen.problem
            assert await asyncio.to_thread(accepts_outdated_tls, config) in {"TLSv1", "TLSv1.1"}
            async with talking_to(config) as client:
                with pytest.raises(Unreachable):
                    await client.poll(["x"])

    asyncio.run(main())


def test_plain_http_is_not_inspected() -> None:
    config = settings("http://127.0.0.1:9")
    assert inspect_tls(config) is None
    assert accepts_outdated_tls(config) is None


def test_inspecting_a_closed_port_reports_it_unreachable() -> None:
    seen = inspect_tls(settings("https://127.0.0.1:9"))
    assert seen is not None
    assert seen.unreachable
    assert seen.problem is None
