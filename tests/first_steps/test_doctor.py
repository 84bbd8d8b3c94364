"""`ringback doctor`: what it finds on servers with one thing wrong each, and that it can dial nothing."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from ringback.config import Config
from ringback.config.proxy import Proxy
from ringback.config.scalars import port_remark
from ringback.first_steps.doctor import examine
from ringback.first_steps.network import way_to
from ringback.first_steps.steps import Step
from tests.deployment.hostile import settings

POLLED = (200, '{"CallResults": []}')
REFUSED = (400, '{"error": "Project is missing"}')


@dataclass
class Served:
    """A server with one answer for each path, and what it got."""

    port: int = 0
    trigger: tuple[int, str] = REFUSED
    poll: tuple[int, str] = POLLED
    headers: Mapping[str, str] = field(default_factory=dict)
    got: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving(served: Served, tls: ssl.SSLContext | None = None) -> Iterator[Served]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            served.got.append((self.path, body.decode()))
            status, text = served.poll if self.path.endswith("/callresult") else served.trigger
            self.send_response_only(status)
            for name, value in {"Content-Type": "application/json", **served.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # broken handshakes are expected
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def steps_of(config: Config) -> dict[str, Step]:
    return {step.name: step for step in examine(config)}


def seen(served: Served, **sections: Any) -> dict[str, Step]:
    with serving(served):
        return steps_of(settings(f"http://127.0.0.1:{served.port}", **sections))


def test_a_conforming_deployment_has_nothing_in_the_way() -> None:
    served = Served(headers={"Date": format_datetime(datetime.now(UTC), usegmt=True)})
    steps = seen(served, result_destination={"listen": "127.0.0.1:0"})
    assert list(steps) == ["name", "route", "path", "trigger", "poll", "clock", "receiver"]
    assert [step for step in steps.values() if not step.well] == []
    assert "127.0.0.1 has 1 address (" in steps["name"].found
    assert "refused, as it must be (REQ-16)" in steps["trigger"].found
    assert "leads to this machine's receiver" in steps["receiver"].found


def test_nothing_that_it_sends_can_be_dialled() -> None:
    served = Served(trigger=(200, '{"UniqueId": "u-1"}'))
    steps = seen(served)
    assert [(path, body) for path, body in served.got if path == "/v2/call"] == [("/v2/call", "{}")]
    assert json.loads(served.got[1][1]) == {"UniqueIds": ["ringback-doctor-knows-no-call"]}
    assert len(served.got) == 2
    assert not steps["trigger"].well
    assert "refused with a 4xx" in steps["trigger"].fix


@pytest.mark.parametrize("trigger", [(401, "{}"), (404, '{"error": "no such project"}'), (422, "{}")])
@pytest.mark.parametrize("poll", [POLLED, (404, '{"error": "no such call"}'), (400, "{}")])
def test_every_fair_refusal_is_well(trigger: tuple[int, str], poll: tuple[int, str]) -> None:
    steps = seen(Served(trigger=trigger, poll=poll))
    assert [step for step in steps.values() if not step.well] == []


@pytest.mark.parametrize(
    ("served", "step", "fix"),
    [
        (Served(trigger=(404, "<html>"), poll=(404, "<html>")), "path", "check whether the API is at /v2/call there"),
        (
            Served(trigger=(308, ""), poll=(308, ""), headers={"Location": "https://x/v2/call"}),
            "path",
            'set base_url = "https://x"',
        ),
        (Served(trigger=(200, "<html><title>Log in</title>")), "path", "a firewall, a proxy or a login page answers"),
        (Served(trigger=(415, "")), "path", "whether something in between changes the header Content-Type"),
        (Served(trigger=(500, "oops")), "trigger", "see clause REQ-16"),
        (Served(poll=(500, "oops")), "poll", "answered 200 with CallResults"),
        (Served(poll=(200, "<html>")), "poll", "answered 200 with CallResults"),
    ],
)
def test_what_is_in_the_way_has_a_fix(served: Served, step: str, fix: str) -> None:
    found = seen(served)[step]
    assert not found.well
    assert fix in found.fix


def test_a_clock_that_is_off_is_worth_a_word() -> None:
    late = datetime.now(UTC) - timedelta(minutes=10)
    found = seen(Served(headers={"Date": format_datetime(late, usegmt=True)}))["clock"]
    assert "s behind this machine's" in found.found
    assert found.well
    assert "NTP" in found.fix
    assert "clock" not in seen(Served(headers={"Date": "yesterday"}))


def test_a_port_that_nothing_listens_on() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    steps = steps_of(settings(f"http://127.0.0.1:{port}"))
    assert list(steps) == ["name", "route", "receiver"]
    assert f"127.0.0.1 port {port} nothing listens there" in steps["route"].found
    assert "correct the port" in steps["route"].fix


def test_a_host_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (step,) = way_to("https://ivr.example.com:22222")
    assert step.found == "ivr.example.com has no address: Name or service not known"
    assert "deployment.base_url" in step.fix


def test_a_dead_address_beside_a_live_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Served()) as served, closing(socket.create_server(("127.0.0.1", 0))) as closed:
        dead = closed.getsockname()
        closed.close()
        both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in (dead, ("127.0.0.1", served.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        name, route = way_to(f"http://ivr.example.com:{served.port}")
    assert "2 addresses" in name.found
    assert route.well
    assert "connections to 127.0.0.1 fail: remove that address from DNS" in route.fix


@pytest.mark.parametrize(
    ("url", "remark"),
    [
        ("http://ivr.example.com", "no port, so 80 is used; the documented one is 22222"),
        ("https://ivr.example.com/gw", "no port, so 443 is used; the documented one is 22222"),
        ("https://ivr.example.com:443", ""),
    ],
)
def test_a_url_without_a_port_gets_a_remark(url: str, remark: str) -> None:
    assert port_remark(url) == remark


class TestTls:
    """Certificates with one thing wrong each."""

    authority = trustme.CA()

    def seen(
        self, tmp_path: Path, leaf: trustme.LeafCert, *, trusted: bool = True, demand: bool = False
    ) -> dict[str, Step]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        if demand:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        bundle = tmp_path / "ca.pem"
        self.authority.cert_pem.write_to_path(str(bundle))
        with serving(Served(), context) as served:
            trust = {"ca_bundle": str(bundle)} if trusted else {}
            return steps_of(settings(f"https://127.0.0.1:{served.port}", deployment=trust))

    def test_a_good_one_is_described(self, tmp_path: Path) -> None:
        steps = self.seen(tmp_path, self.authority.issue_cert("127.0.0.1"))
        assert "the certificate is trusted; it names 127.0.0.1, is valid until" in steps["TLS"].found
        assert steps["poll"].well

    def test_an_unknown_authority(self, tmp_path: Path) -> None:
        steps = self.seen(tmp_path, self.authority.issue_cert("127.0.0.1"), trusted=False)
        assert list(steps) == ["name", "route", "TLS", "receiver"]
        assert "set ca_bundle to the PEM file of the authority that issued it" in steps["TLS"].fix

    def test_another_name(self, tmp_path: Path) -> None:
        step = self.seen(tmp_path, self.authority.issue_cert("other.example.com"))["TLS"]
        assert "it names other.example.com" in step.found
        assert "have it replaced, or correct base_url" in step.fix

    def test_one_that_has_expired(self, tmp_path: Path) -> None:
        ended = datetime.now(UTC) - timedelta(days=1)
        step = self.seen(tmp_path, self.authority.issue_cert("127.0.0.1", not_after=ended))["TLS"]
        assert "have it replaced, or correct base_url" in step.fix

    def test_one_that_ends_soon_is_worth_a_word(self, tmp_path: Path) -> None:
        ends = datetime.now(UTC) + timedelta(days=3, hours=1)
        step = self.seen(tmp_path, self.authority.issue_cert("127.0.0.1", not_after=ends))["TLS"]
        assert step.well
        assert step.fix == "renew the certificate: it ends in 3 days"

    def test_plain_http_on_the_port(self) -> None:
        with serving(Served()) as served:
            step = steps_of(settings(f"https://127.0.0.1:{served.port}"))["TLS"]
        assert 'set base_url = "http://' in step.fix

    def test_a_client_certificate_that_is_demanded(self, tmp_path: Path) -> None:
        steps = self.seen(tmp_path, self.authority.issue_cert("127.0.0.1"), demand=True)
        assert list(steps) == ["name", "route", "TLS", "receiver"]
        assert "certificate required" in steps["TLS"].found
        assert "set client_cert and client_key" in steps["TLS"].fix


@pytest.mark.parametrize(
    ("section", "found", "fix"),
    [
        ({"listen": "192.0.2.7:8099"}, "cannot listen there", "choose a free port"),
        (
            {"listen": "127.0.0.1:0", "public_url": "http://127.0.0.1:9"},
            "cannot reach its receiver",
            "forward that address",
        ),
    ],
)
def test_a_receiver_that_cannot_be_reached(section: dict[str, str], found: str, fix: str) -> None:
    step = seen(Served(), result_destination=section)["receiver"]
    assert not step.well
    assert found in step.found
    assert fix in step.fix


def test_with_a_proxy_it_is_the_proxy_that_must_be_reached() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    name, route = way_to(Proxy("127.0.0.1", port).url, key="deployment.proxy")
    assert name.found.startswith("127.0.0.1 has 1 address")
    assert route.fix == "correct the port in deployment.proxy, or start what should listen there"
