"""What `diagnose` concludes from the first valid triggers, and what it quotes."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ringback.deployment import Redactor
from ringback.deployment.causes import Port, Symptom, diagnose
from ringback.deployment.port import dead_addresses
from tests.deployment.hostile import LINE, TOKEN, settings

from .servers import accepting, serving

DEPLOYMENT = settings("http://ivr.example.com:22222/base").deployment


def said(*symptoms: Symptom, port: Port | None = None) -> str | None:
    cause = diagnose(symptoms, DEPLOYMENT, port, Redactor(TOKEN, {"answered": LINE}).clean)
    return None if cause is None else cause.sentence


def test_one_accepted_trigger_or_different_refusals_are_no_cause() -> None:
    assert said() is None
    assert said(Symptom(401), Symptom(200, accepted=True)) is None
    assert said(Symptom(400), Symptom(500)) is None
    assert said(Symptom(500), Symptom(401)) is None
    assert said(Symptom(200, body=b'{"UniqueID": 5}')) is None
    assert said(Symptom()) is None
    assert said(Symptom(), Symptom(401), port=Port("tls")) is not None


def test_the_path_of_the_base_url_is_part_of_the_fix() -> None:
    assert "whether the API is at /base/v2/call there" in str(said(Symptom(404)))
    assert 'set base_url = "https://ivr.example.com:22222/base"' in str(said(Symptom(), port=Port("tls")))


@pytest.mark.parametrize(
    "body",
    [
        f"token {TOKEN} for {LINE}",
        "x" * 90 + f" {TOKEN}",
        f"<html><title>{''.join(f'&#{ord(c)};' for c in TOKEN)}</title>",
        f"<!doctype html><p>{TOKEN}</p>",
    ],
)
@pytest.mark.parametrize("status", [401, 403, 500, 400])
def test_what_is_quoted_holds_no_secret_not_even_a_part(body: str, status: int) -> None:
    sentence = str(said(Symptom(status, {"server": TOKEN}, body.encode())))
    assert TOKEN[:8] not in sentence
    assert LINE not in sentence


def test_a_redirect_shows_no_secret() -> None:
    sentence = str(said(Symptom(302, {"location": f"https://{TOKEN}:x@example.com/v2/call?t={TOKEN}"})))
    assert TOKEN not in sentence
    assert 'set base_url = "https://example.com"' in sentence


@pytest.mark.parametrize("location", ["", "//[", "https://[::1", "https://x:99999/", "\x1b]0;hi\x07", "javascript:1"])
def test_a_hostile_location_is_harmless(location: str) -> None:
    sentence = str(said(Symptom(301, {"location": location}, b"\x1b[2J\x07 hello \xe2\x80\xae")))
    assert sentence.isprintable()


def test_a_page_of_comments_takes_no_time() -> None:
    assert "HTML" not in str(said(Symptom(403, body=b"<!-- -->" * 10_000)))


def test_an_address_that_does_not_answer_beside_one_that_does_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(accepting) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = int(server.base_url.rpartition(":")[2])
        found = [("127.0.0.1", unused.getsockname()[1]), ("127.0.0.1", port)]
        entries: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in found]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
        assert dead_addresses(settings("http://deployment.example")) == ["127.0.0.1"]
        entries.pop(0)
        assert dead_addresses(settings("http://deployment.example")) == []
