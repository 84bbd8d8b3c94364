"""The receiver: an address for each call, configured answers, and any request is accepted."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
import trustme

from ringback import clock
from ringback.config import ConfigError, ResultDestination
from ringback.intake import FLOODED, KEPT_PER_ADDRESS, MAX_BODY, MAX_CONNECTIONS, READ_BODY, SLOWEST, undone
from ringback.receiver import AddressBehaviour, Delivery, Receiver
from ringback.suite.calls.deliveries import names, reported_state
from tests.virtual_time import VirtualLoop, run


def listening_on(listen: str = "127.0.0.1:0", **more: object) -> ResultDestination:
    return ResultDestination.model_validate({"listen": listen, **more})


@contextlib.asynccontextmanager
async def receiving(settings: ResultDestination | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(settings or listening_on())
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


def client(**options: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, timeout=10, **options)  # type: ignore[arg-type]


def test_each_call_has_an_address_of_its_own() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            (one, url), (other, _) = receiver.address(), receiver.address()
            assert one != other
            assert not any(character.isdigit() for character in one + other)
            assert (await http.post(url, json={"UniqueId": "a"})).status_code == 200
            assert (await http.get(f"{url}?UniqueId=b%2Fc")).status_code == 200
            assert (await http.put(f"{url}/call-d/", content=b"\xff")).status_code == 200
            reported = receiver.to(one)
            assert [d.method for d in reported] == ["POST", "GET", "PUT"]
            assert '{"UniqueId":"a"}' in reported[0].text.replace(" ", "")
            assert reported[1].target == f"/{one}?UniqueId=b%2Fc"
            assert "UniqueId=b/c" in reported[1].text
            assert reported[2].target == f"/{one}/call-d/"
            assert ("content-type", "application/json") in reported[0].headers
            assert receiver.to(other) == receiver.to(None) == receiver.to("unknown") == []

    run(main())


@pytest.mark.parametrize("unique_id", ["call 7?x=1&y=%20+#a", "b/c", "100%25", "вызов-☎"])
def test_an_id_is_found_in_the_url_whatever_it_looks_like(unique_id: str) -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            key, url = receiver.address()
            await http.get(f"{url}?{urlencode({'UniqueId': unique_id, 'CallState': 'No Answer'})}")
            await http.post(f"{url}/{quote(unique_id, safe='')}")
            assert [names(d, unique_id) for d in receiver.to(key)] == [True, True]
            assert reported_state(receiver.to(key)[0], unique_id) == "No Answer"

    run(main())


def test_a_delivery_read_after_a_stall_of_our_loop_may_have_arrived_before_it() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            _, url = receiver.address()
            await asyncio.sleep(1)
            await http.post(url)
            loop.clock.advance(0.4)
            await http.post(url)
            await asyncio.sleep(2)
            await http.post(url)
            assert [d.lag for d in receiver.deliveries] == pytest.approx([0, 0.4, 0], abs=0.06)
            assert [d.at - d.arrived for d in receiver.deliveries] == pytest.approx([0, 0.4, 0], abs=0.06)

    run(main())


def test_an_address_answers_as_configured() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            _, url = receiver.address(AddressBehaviour((503, 500, 204)))
            assert [(await http.post(url)).status_code for _ in range(4)] == [503, 500, 204, 204]
            assert [d.status for d in receiver.deliveries] == [503, 500, 204, 204]
            _, slow = receiver.address(AddressBehaviour(seconds=0.3))
            began = clock.monotonic()
            posting = asyncio.create_task(http.post(slow))
            while len(receiver.deliveries) < 5:
                assert not posting.done(), "recorded as soon as it was read, though answered later"
                await asyncio.sleep(0.01)
            assert (await posting).status_code == 200
            assert clock.monotonic() - began == pytest.approx(0.3, abs=0.02)

    run(main())


def test_on_delivery_is_called_for_each_delivery() -> None:
    async def main() -> None:
        heard: list[Delivery] = []

        async def hear(delivery: Delivery) -> None:
            heard.append(delivery)

        async with receiving() as receiver, client() as http:
            receiver.on_delivery = hear
            key, url = receiver.address()
            await http.post(url, content=b"x")
            await http.post(f"{receiver.public_url}/unknown", content=b"y")
            assert [(d.key, d.body) for d in heard] == [(key, b"x"), (None, b"y")]
            assert heard == receiver.deliveries

    run(main())


def test_a_delivery_to_an_unknown_path_is_answered_and_recorded_without_a_key() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            for path in ("/", "/favicon.ico", "/..%2f..%2fetc/passwd", "/" + "a" * 5000, "/%ff%fe", "/?" + "q" * 5000):
                assert (await http.get(receiver.public_url + path)).status_code == 200
            assert [d.key for d in receiver.deliveries] == [None] * 6

    run(main())


def test_the_check_of_the_public_url_is_not_recorded_as_a_delivery() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            assert (await http.get(receiver.probe_url)).status_code == 200
            assert receiver.deliveries == []

    run(main())


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        ("gzip", gzip.compress(b"call-abc", mtime=0)),
        ("X-GZip", gzip.compress(b"call-abc", mtime=0)),
        ("deflate", zlib.compress(b"call-abc")),
        ("deflate", zlib.compress(b"call-abc", wbits=-15)),
        ("deflate, gzip", gzip.compress(zlib.compress(b"call-abc"), mtime=0)),
        ("identity", b"call-abc"),
    ],
)
def test_a_content_coding_is_undone(coding: str, encoded: bytes) -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:

            async def chunks() -> AsyncIterator[bytes]:
                yield encoded[:4]
                yield encoded[4:]

            key, url = receiver.address()
            await http.request("PATCH", url, content=chunks(), headers={"Content-Encoding": coding})
            (delivery,) = receiver.to(key)
            assert (delivery.method, delivery.body, delivery.coded) == ("PATCH", b"call-abc", "")

    run(main())


def test_an_unknown_or_broken_content_coding_is_named_and_a_bomb_is_cut() -> None:
    assert undone(b"x", "br") == (b"x", "br")
    assert undone(b"no gzip", "gzip") == (b"no gzip", "gzip")
    bomb, coded = undone(gzip.compress(b"x" * 50_000_000), "gzip")
    assert len(bomb) == MAX_BODY
    assert coded == ""


def test_only_the_beginning_of_an_enormous_delivery_is_recorded() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            key, url = receiver.address()
            assert (await http.post(url, content=b"x" * (4 * MAX_BODY))).status_code == 200
            assert [len(d.body) for d in receiver.to(key)] == [MAX_BODY]

    run(main())


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00" * 200 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /{key} HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /{key} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /{key} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /{key} HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
        b"POST /{key} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf of it",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /{key} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: A\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["zeros", "no path", "negative length", "two lengths", "bad chunk", "huge header", "half a body", "TLS",
         "websocket", "HTTP/2"],
)  # fmt: skip
def test_a_hostile_sender_does_not_disturb_others(raw: bytes) -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            key, url = receiver.address()
            port = int(receiver.public_url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(OSError):
                writer.write(raw.replace(b"{key}", key.encode()))
                await writer.drain()
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 5)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            assert all(d.method == "GET" for d in receiver.to(key)), "no other request was recorded as a delivery"
            before = len(receiver.to(key))
            assert (await http.post(url, content=b"good")).status_code == 200
            assert len(receiver.to(key)) == before + 1

    run(main())


def test_empty_lines_before_a_request_are_ignored() -> None:
    async def main() -> None:
        async with receiving() as receiver:
            key, url = receiver.address()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(receiver.public_url.rpartition(":")[2]))
            request = f"POST {urlsplit(url).path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n\r\n".encode()
            for before in (b"\r\n", b"\r\n\r\n", b""):
                writer.write(before)
                await writer.drain()
                writer.write(request)
                assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            writer.close()
            assert [delivery.body for delivery in receiver.to(key)] == [b"\r\n"] * 3

    run(main())


@pytest.mark.parametrize(
    "head",
    ["POST {} HTTP/1.1", "POST {}?state=No Answer HTTP/1.1\r\nHost: x", "POST {}?name=ö HTTP/1.1\r\nHost: x"],
)
def test_requests_that_are_not_valid_http_are_counted(head: str) -> None:
    async def main() -> None:
        async with receiving() as receiver:
            key, url = receiver.address()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(receiver.public_url.rpartition(":")[2]))
            writer.write((head.format(urlsplit(url).path) + "\r\nContent-Length: 0\r\n\r\n").encode())
            assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
            writer.close()
            assert (receiver.unreadable, receiver.to(key)) == (1, [])

    run(main())


def test_many_deliveries_at_once_are_all_recorded() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            addresses = [receiver.address() for _ in range(60)]
            answers = await asyncio.gather(*(http.post(url, content=key.encode()) for key, url in addresses))
            assert {answer.status_code for answer in answers} == {200}
            assert all([d.body for d in receiver.to(key)] == [key.encode()] for key, _ in addresses)

    run(main())


def test_results_can_be_received_over_tls(tmp_path: Path) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    context = ssl.create_default_context()
    ca.configure_trust(context)

    async def main() -> None:
        settings = listening_on(tls_cert=str(cert), tls_key=str(key))
        async with receiving(settings) as receiver, client(verify=context) as http:
            assert receiver.public_url.startswith("https://127.0.0.1:")
            own, url = receiver.address()
            assert (await http.post(url, content=b"x")).status_code == 200
            assert len(receiver.to(own)) == 1
            assert receiver.dead_address().startswith("http")

    run(main())


def test_an_invalid_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no")

    async def main() -> None:
        receiver = Receiver(listening_on(tls_cert=str(tmp_path / "c.pem"), tls_key=str(tmp_path / "c.pem")))
        with pytest.raises(ConfigError, match=r"result_destination\.tls_cert"):
            await receiver.start()

    run(main())


@pytest.mark.parametrize("host", ["192.0.2.7", "no-such-host.invalid", "a..b"])
def test_an_address_of_another_machine_is_a_configuration_error(host: str) -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match=r"result_destination\.listen"):
            await Receiver(listening_on(f"{host}:8099", public_url="http://tester.example")).start()

    run(main())


def test_a_port_in_use_is_a_configuration_error() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
            with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
                await Receiver(listening_on(f"127.0.0.1:{port}")).start()

    run(main())


def test_the_dead_address_does_not_answer() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.post(receiver.dead_address())
            assert receiver.deliveries == []

    run(main())


def test_the_public_url_is_the_configured_one() -> None:
    async def main() -> None:
        settings = listening_on(public_url="https://tester.example.com:8099/results/")
        async with receiving(settings) as receiver:
            key, url = receiver.address()
            assert url == f"https://tester.example.com:8099/results/{key}"
            assert receiver.dead_address().startswith("http://tester.example.com:")

    run(main())


def test_a_delivery_behind_a_path_prefix_finds_its_address() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            key, _ = receiver.address()
            await http.post(f"{receiver.public_url}/results/{key}/more?x=1")
            assert [d.key for d in receiver.deliveries] == [key]

    run(main())


def test_after_stop_the_port_is_free_and_the_deliveries_stay() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            key, url = receiver.address(AddressBehaviour(seconds=30))
            hanging = asyncio.create_task(http.post(url))
            while not receiver.to(key):
                await asyncio.sleep(0.01)
            began = clock.monotonic()
            await receiver.stop()
            assert clock.monotonic() - began < 5, "stopping does not wait for a slow address"
            assert (await hanging).status_code == 200, "and it has its answer early"
            assert len(receiver.to(key)) == 1
            with socket.socket() as free:
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                free.bind(("127.0.0.1", int(url.split("/")[2].rpartition(":")[2])))

    run(main())


def test_an_address_keeps_a_hundred_deliveries_and_counts_the_rest() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            (key, url), (other, other_url) = receiver.address(), receiver.address()
            for _ in range(KEPT_PER_ADDRESS + 3):
                assert (await http.post(url, content=b"x")).status_code == 200
            assert (await http.post(other_url, content=b"y")).status_code == 200
            assert (len(receiver.to(key)), receiver.dropped, len(receiver.to(other))) == (KEPT_PER_ADDRESS, 3, 1)

    run(main())


def test_a_delivery_that_does_not_end_is_refused_and_counted() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            key, url = receiver.address()
            assert (await http.post(url, content=b"x" * (READ_BODY + 1))).status_code == 413
            assert (await http.post(url, content=b"y")).status_code == 200
            assert [len(d.body) for d in receiver.to(key)] == [MAX_BODY, 1]
            assert receiver.dropped == 1

    run(main())


def test_connections_that_complete_no_request_are_closed() -> None:
    async def main() -> None:
        async with receiving() as receiver:
            port = int(receiver.public_url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le")
            begun = clock.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            assert clock.monotonic() - begun == pytest.approx(SLOWEST, abs=0.1)
            assert receiver.dropped == 1
            writer.close()

    run(main())


def test_there_are_only_so_many_connections_at_a_time() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            port = int(receiver.public_url.rpartition(":")[2])
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS + 5)]
            for reader, _ in held[MAX_CONNECTIONS:]:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
            assert receiver.dropped == 5
            for _, writer in held:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            key, url = receiver.address()
            assert (await http.post(url, content=b"x")).status_code == 200
            assert len(receiver.to(key)) == 1

    run(main())


def test_a_flood_ends_the_listening() -> None:
    async def main() -> None:
        async with receiving() as receiver, client() as http:
            _, url = receiver.address()
            for _ in range(FLOODED):
                receiver.intake.drop()
            with pytest.raises(httpx.TransportError):
                await http.post(url, content=b"x")
            # The run goes on, and its further calls still need addresses.
            _, other = receiver.address()
            assert urlsplit(other).netloc == urlsplit(url).netloc
            receiver.dead_address()

    run(main())
