"""Messages that quote a status line, a header or a chunk are redacted first and then cut."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ringback.deployment import Unreachable
from tests.redaction.detector import find_secrets
from tests.redaction.spellings import SPELLINGS

from .authority import Authority
from .hostile import LINE, TOKEN, Request, body, http, serving, settings, talking_to

STRANGER, ADDRESS = "15559998877", "somebody@example.com"
SECRETS = (TOKEN, LINE, STRANGER, ADDRESS)
SPELT = ("plain", "upper case", "Base64", "Base64 twice", "URL, all", "hexadecimal with colons", "JSON, all")
PLACES = {
    "status": "HTTP/1.1 4x0 {}\r\nContent-Length: 0\r\n\r\n",
    "status, far behind": "HTTP/1.1 4x0 " + "x" * 95 + " {}\r\nContent-Length: 0\r\n\r\n",
    "protocol": "{} 200 OK\r\n\r\n",
    "reason": "HTTP/1.1 400 {}\r\nContent-Length: 2\r\n\r\n{{}}",
    "header's name": "HTTP/1.1 200 OK\r\n{} x: y\r\n\r\n",
    "no header": "HTTP/1.1 200 OK\r\n{}\r\n\r\n",
    "header's value": "HTTP/1.1 200 OK\r\nX-A: {}\x01\r\n\r\n",
    "length": "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
    "transfer coding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: {}\r\n\r\n",
    "content coding": "HTTP/1.1 200 OK\r\nContent-Encoding: {}\r\nContent-Length: 2\r\n\r\n{{}}",
    "content coding, far behind": "HTTP/1.1 200 OK\r\nContent-Encoding: "
    + "x" * 30
    + " {}\r\nContent-Length: 2\r\n\r\n{{}}",
    "chunk's length": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n",
    "chunk's extension": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;{}\r\n{{}}\r\nx\r\n",
    "trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{} x\r\n\r\n",
    "redirect": "HTTP/1.1 302 Found\r\nLocation: https://x.example/{}\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_secrets_are_in_no_message_and_no_evidence(place: str, tmp_path: Path) -> None:
    spellings = [SPELLINGS[name](secret) for name in SPELT for secret in SECRETS]

    async def script(request: Request) -> bytes | None:
        spelt = spellings[request.nth - 1]
        await request.send(PLACES[place].format(spelt).encode())
        return None

    async def main() -> list[str]:
        said: list[str] = []
        async with (
            serving(script) as server,
            talking_to(settings(server.base_url, budget={"calls": 100}), tmp_path / "exchanges.ndjson") as client,
        ):
            for _ in spellings:
                answer = await client.trigger(body())  # after three valid triggers without an answer, no more are sent
                said += [
                    str(answer.failure),
                    answer.describe_outcome(),
                    answer.describe_answer(),
                    json.dumps(answer.exchange.as_json()),
                ]
        return said

    said = asyncio.run(main())
    assert len(said) == 4 * len(spellings)
    written = (tmp_path / "exchanges.ndjson").read_bytes()
    for data in ("\n".join(said).encode(), written):
        assert not find_secrets(data, TOKEN, [LINE], [STRANGER, ADDRESS])


def test_a_message_is_cut_after_it_is_clean() -> None:
    async def script(request: Request) -> bytes | None:
        await request.send(b"HTTP/1.1 4x0 " + b"x" * (150 + request.nth) + TOKEN.encode() + b"y" * 500 + b"\r\n\r\n")
        return None

    async def main() -> None:
        async with serving(script) as server, talking_to(settings(server.base_url)) as client:
            for _ in range(30):
                answer = await client.trigger(body())
                assert answer.failure is not None
                assert len(answer.failure) <= 201
                assert not any(TOKEN[:size] in answer.failure for size in range(6, len(TOKEN)))

    asyncio.run(main())


def test_an_address_that_holds_a_secret_is_not_repeated() -> None:
    """The user's base URL may contain one, and so may OpenSSL's message about a certificate."""

    async def main() -> None:
        async with talking_to(settings(f"http://{TOKEN.lower()}.invalid:9")) as client:
            with pytest.raises(Unreachable) as caught:
                await client.poll(["x"])
            assert not find_secrets(str(caught.value).encode(), TOKEN)
            with pytest.raises(Unreachable) as caught:
                await client.poll(["x"])
            assert not find_secrets(str(caught.value).encode(), TOKEN)

    asyncio.run(main())


def test_a_certificate_for_somebody_else(tmp_path: Path) -> None:
    async def main() -> None:
        authority = Authority.new(tmp_path)

        async def script(_request: Request) -> bytes:
            return http(200, {})

        async with serving(script, context=authority.context(f"{TOKEN.lower()}.example.com")) as server:
            config = settings(
                server.base_url, deployment={"ca_bundle": str(authority.bundle), "base_url": server.base_url}
            )
            async with talking_to(config) as client:
                with pytest.raises(Unreachable) as caught:
                    await client.poll(["x"])
                assert caught.value.tls
                assert not find_secrets(str(caught.value).encode(), TOKEN)

    asyncio.run(main())
